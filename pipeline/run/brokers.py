"""Brokers by name: how each is made from what a person says and from the keys that are at hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pipeline.errors import ConfigError
from pipeline.execution.jobs import Times
from pipeline.execution.rest import TIMEOUT_S
from pipeline.execution.venues import Venue, alpaca_venue, coinbase_venue
from pipeline.feeds.sockets import is_loopback
from pipeline.names import did_you_mean
from pipeline.run.feeds import ANY_KEY, KEYS
from pipeline.run.keys import key_named


@dataclass(frozen=True, slots=True)
class AtBroker:
    """Where a session's orders go. `times` are how long the broker is waited for, None: as long as brokers are; `timeout_s` is for one answer."""

    venue: Venue
    times: Times | None = None
    timeout_s: float = TIMEOUT_S

    @property
    def is_practice(self) -> bool:
        """Whether it is served on this machine."""
        return is_loopback(self.venue.rest_url)

    @property
    def what(self) -> str:
        """The broker and its sort of money, in words: an account is of one of these."""
        return f"{self.venue.name}, {self._money}"

    @property
    def _money(self) -> str:
        return "real money" if self.venue.is_real_money else "practice" if self.is_practice else "paper"

    @property
    def setting(self) -> dict[str, Any]:
        """As a session's settings say it; no key is among it."""
        return {"name": self.venue.name, "what": self.what, "url": self.venue.rest_url}

    @property
    def account(self) -> str:
        """The account of sessions that name none."""
        return f"{self.venue.name}-{self._money.replace(' ', '-')}"


def broker_named(text: str, *, is_real_money: bool = False) -> AtBroker:
    """The broker of `NAME` or `NAME=REST_URL,STREAM_URL`. Raises ConfigError for what is none, and where a key is missing."""
    name, _, urls = text.partition("=")
    if name not in BROKERS:
        raise ConfigError(
            f"--broker {name}: no such broker; there are {', '.join(BROKERS)}{did_you_mean(name, BROKERS)}"
        )
    rest_url, _, stream_url = (part.strip() for part in urls.partition(","))
    if urls and not (rest_url.startswith("http") and stream_url.startswith("ws")):
        raise ConfigError(
            f"--broker {text}: accepted is its name, or two addresses, REST's and that of the stream of orders: "
            f"--broker {name}=http://127.0.0.1:9004,ws://127.0.0.1:9005{STREAM_PATHS[name]}"
        )
    return AtBroker(BROKERS[name](rest_url, stream_url, is_real_money))


def _alpaca(rest_url: str, stream_url: str, is_real_money: bool) -> Venue:  # noqa: FBT001  # called by its place in the table
    key, secret = (ANY_KEY, ANY_KEY) if is_loopback(rest_url) else map(key_named, KEYS["alpaca"])
    return alpaca_venue(key, secret, is_real_money=is_real_money, rest_url=rest_url, stream_url=stream_url)


def _coinbase(rest_url: str, stream_url: str, is_real_money: bool) -> Venue:  # noqa: FBT001  # same
    if not rest_url and not is_real_money:
        raise ConfigError(
            "--broker coinbase: it has no paper account; without --broker fills are simulated, with --real-money it trades"
        )
    name, secret = (ANY_KEY, _any_secret()) if is_loopback(rest_url) else map(key_named, KEYS["coinbase"])
    return coinbase_venue(name, secret, is_real_money=is_real_money, rest_url=rest_url, stream_url=stream_url)


def _any_secret() -> str:
    """A key of the right form for a simulator, which takes any."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


BROKERS: Final[Mapping[str, Callable[[str, str, bool], Venue]]] = {"alpaca": _alpaca, "coinbase": _coinbase}
"""The brokers there are, by the word that names them."""

STREAM_PATHS: Final = {"alpaca": "/stream", "coinbase": "/"}
"""Where a simulator's stream of orders is, behind its address."""
