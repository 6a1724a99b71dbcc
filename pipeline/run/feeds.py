"""Feeds by name: how each is made from what a person says and from the keys that are at hand."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from pipeline.errors import ConfigError
from pipeline.feeds import alpaca, coinbase_advanced, databento, massive
from pipeline.feeds.coinbase_token import token_maker
from pipeline.feeds.sockets import is_loopback
from pipeline.feeds.vendor import Vendor
from pipeline.normalize.alpaca_words import WIRE_CHANNELS
from pipeline.normalize.coinbase_advanced_words import CHANNEL_WORDS
from pipeline.normalize.databento_words import SCHEMAS
from pipeline.normalize.massive_words import PREFIXES
from pipeline.ports import Channel, Normalizer
from pipeline.run.keys import is_there, key_named

Channels = frozenset[Channel]
Maker = Callable[[str | None, Channels | None], Vendor]
"""Makes a feed for an address (None: the vendor's own) and channels (None: those it is best for)."""

_ANY_KEY: Final = "simulated"
"""What a simulator is given for a key."""

_STOCKS: Final = frozenset((Channel.QUOTES, Channel.PRINTS, Channel.STATUSES, Channel.BARS_1M))


def feed_named(name: str, url: str | None, channels: Channels | None) -> Vendor:
    """The feed of that name. Raises ConfigError for a name that is none, channels it lacks, and where a key is missing."""
    if name not in FEEDS:
        raise ConfigError(f"--feed {name}: no such feed; there are {', '.join(FEEDS)}")
    if url is not None:
        _check(name, url)
    if strange := sorted((channels or frozenset()) - CHANNELS[name]):
        raise ConfigError(f"--channels {','.join(strange)}: {name} has {', '.join(sorted(CHANNELS[name]))}")
    return FEEDS[name](url, channels)


def _check(name: str, url: str) -> None:
    """Raises ConfigError for an address that is none, that would be spoken to in the clear, or that holds a secret: it is kept."""
    schemes = ("tcp", "ws") if name == "databento" else ("wss", "ws")
    try:
        parts = urlsplit(url)
        is_place = bool((parts.hostname or "").encode("idna")) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number or too large, a host that is no name
        is_place = False
    if not is_place or parts.scheme not in schemes or parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"--feed {name}: no address of a feed; accepted is {schemes[0]}://HOST:PORT/PATH, without name, password and query"
        )
    if parts.scheme == "ws" and not is_loopback(url):
        raise ConfigError(
            f"--feed {name}={url}: plain text is only spoken to this machine; accepted is {schemes[0]}://"
        )
    if name.startswith("alpaca") and not parts.path.strip("/"):
        raise ConfigError(f"--feed {name}={url}: the path is missing, as in {url.rstrip('/')}/v2/sip")


def normalizers() -> dict[str, Callable[[], Normalizer]]:
    """What makes events of each feed's messages, by the name it has in a session; needs no key."""
    vendors = [maker("ws://127.0.0.1:1/", None) for maker in FEEDS.values()]
    return {vendor.name: vendor.normalizer for vendor in vendors}


def _massive(url: str | None, channels: Channels | None) -> Vendor:
    if url is None:
        return massive.vendor(*_keys("massive"), channels=channels or _STOCKS)
    return massive.vendor(_ANY_KEY, channels=channels or _STOCKS, url=url, rest_url=rest_of(url))


def _alpaca(feed: str) -> Maker:
    def made(url: str | None, channels: Channels | None) -> Vendor:
        if url is None:
            return alpaca.vendor(*_keys("alpaca"), feed=feed, channels=channels or _STOCKS)
        return alpaca.vendor(
            _ANY_KEY,
            _ANY_KEY,
            feed=feed,
            channels=channels or _STOCKS,
            stream_url=url.rpartition("/")[0],
            rest_url=rest_of(url),
        )

    return made


def _coinbase(url: str | None, channels: Channels | None) -> Vendor:
    chosen = channels or frozenset((Channel.QUOTES, Channel.PRINTS))
    if url is not None:
        return coinbase_advanced.vendor(channels=chosen, socket_url=url, rest_url=rest_of(url))
    has_key = is_there(KEYS["coinbase"][0])  # public channels need none
    token = token_maker(*_keys("coinbase")) if has_key else None
    return coinbase_advanced.vendor(channels=chosen, token=token)


def _databento(url: str | None, channels: Channels | None) -> Vendor:
    if url is None:
        return databento.vendor(*_keys("databento"), channels=channels or _STOCKS)
    return databento.vendor(_ANY_KEY, channels=channels or _STOCKS, url=f"tcp://{urlsplit(url).netloc}")


def _keys(feed: str) -> tuple[str, ...]:
    return tuple(map(key_named, KEYS[feed]))


def rest_of(url: str) -> str:
    """Where a simulator answers REST: at its socket's own door."""
    parts = urlsplit(url)
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"


CHANNELS: Final[Mapping[str, Channels]] = {
    "massive": frozenset(PREFIXES),
    "alpaca": frozenset(WIRE_CHANNELS),
    "alpaca.iex": frozenset(WIRE_CHANNELS),
    "coinbase": frozenset(CHANNEL_WORDS) - {Channel.HEARTBEATS},  # these are always heard
    "databento": frozenset(SCHEMAS),
}
"""What each feed has."""

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "massive": ("MASSIVE_API_KEY",),
    "alpaca": ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"),
    "alpaca.iex": ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"),
    "coinbase": ("COINBASE_KEY_NAME", "COINBASE_PRIVATE_KEY"),
    "databento": ("DATABENTO_API_KEY",),
}
"""The names of each feed's secrets, as they stand in the environment or the keyring; those of Coinbase may be missing."""

FEEDS: Final[Mapping[str, Maker]] = {
    "massive": _massive,
    "alpaca": _alpaca("sip"),
    "alpaca.iex": _alpaca("iex"),
    "coinbase": _coinbase,
    "databento": _databento,
}
"""The feeds there are, by the word that names them."""
