"""Venues: the brokers there are, as values: their languages, where they are, and who we are there.

Real money is a word of its own: an address that is neither this machine nor a broker's paper is refused without it, and with
it nothing else is. Plain text is spoken to this machine only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from pipeline.errors import ConfigError
from pipeline.execution import alpaca, coinbase
from pipeline.execution.calls import Call
from pipeline.execution.rest import Sign
from pipeline.execution.tongue import Tongue
from pipeline.feeds.coinbase_token import token_maker
from pipeline.feeds.sockets import is_loopback, without_query

FRAME_BYTES_MAX: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Venue:
    """One account at one broker. `url` and `headers` open its stream, `rest_url` and `sign` are for REST; `key` is what it counts connections by."""

    name: str
    tongue: Tongue
    rest_url: str
    url: str
    sign: Sign = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    key: str = field(repr=False)
    is_real_money: bool = False
    headers: Callable[[], Mapping[str, str]] = dict
    frame_bytes_max: int = FRAME_BYTES_MAX


def alpaca_venue(
    key: str,
    secret: str,
    *,
    is_real_money: bool = False,
    rest_url: str = "",
    stream_url: str = "",
) -> Venue:
    """Alpaca: its paper account unless it is said to be real money, or another address is named. Raises ConfigError."""
    rest_url = rest_url or (alpaca.REST_URL if is_real_money else alpaca.PAPER_REST_URL)
    stream_url = stream_url or (alpaca.STREAM_URL if is_real_money else alpaca.PAPER_STREAM_URL)
    _check("alpaca", (rest_url, stream_url), (alpaca.PAPER_REST_URL, alpaca.PAPER_STREAM_URL), is_real=is_real_money)
    who = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
    return Venue(
        "alpaca",
        alpaca.AlpacaTongue(key, secret),
        rest_url.rstrip("/"),
        stream_url,
        lambda _: who,
        (key.encode(), secret.encode()),
        key,
        is_real_money=is_real_money,
    )


def coinbase_venue(
    key_name: str,
    secret: str,
    *,
    is_real_money: bool = False,
    rest_url: str = "",
    stream_url: str = "",
    currency: str = "USD",
) -> Venue:
    """Coinbase, which has no paper: an address on this machine, or real money. Raises ConfigError."""
    rest_url = (rest_url or coinbase.REST_URL).rstrip("/")
    stream_url = stream_url or coinbase.STREAM_URL
    _check("coinbase", (rest_url, stream_url), (), is_real=is_real_money)
    token, host = token_maker(key_name, secret), urlsplit(rest_url).netloc

    def sign(call: Call) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {token(f'{call.method} {host}{call.path}')}"}

    return Venue(
        "coinbase",
        coinbase.CoinbaseTongue(token, currency),
        rest_url,
        stream_url,
        sign,
        (key_name.encode(), secret.encode()),
        key_name,
        is_real_money=is_real_money,
    )


def _check(name: str, urls: tuple[str, ...], paper: tuple[str, ...], *, is_real: bool) -> None:
    """Raises ConfigError for an address where real money may be without that being said, or the other way round."""
    papers = {urlsplit(url).hostname for url in paper}
    for url in urls:
        is_play = is_loopback(url) or urlsplit(url).hostname in papers
        if is_real and is_play:
            raise ConfigError(f"{name}: {without_query(url)} is no place for real money; leave the word out")
        if not is_real and not is_play:
            raise ConfigError(
                f"{name}: {without_query(url)} may be real money, and that was not said; "
                f"accepted without it are {', '.join([*sorted(map(str, papers)), 'this machine'])}"
            )
        if not is_loopback(url) and urlsplit(url).scheme not in {"https", "wss"}:
            raise ConfigError(f"{name}: {without_query(url)}: plain text is spoken to this machine only")
