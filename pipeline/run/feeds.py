"""Feeds by name: how each is made from what a person says and from the keys that are at hand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from pipeline.errors import ConfigError
from pipeline.feeds import alpaca, coinbase_advanced, databento, massive
from pipeline.feeds.coinbase_token import token_maker
from pipeline.feeds.sockets import is_loopback
from pipeline.feeds.vendor import Vendor
from pipeline.names import did_you_mean
from pipeline.normalize.alpaca_words import WIRE_CHANNELS
from pipeline.normalize.coinbase_advanced_words import CHANNEL_WORDS
from pipeline.normalize.databento_words import SCHEMAS
from pipeline.normalize.massive_words import PREFIXES
from pipeline.ports import Channel, Normalizer
from pipeline.run.keys import is_there, key_named

Channels = frozenset[Channel]
Maker = Callable[[str | None, Channels | None], Vendor]
"""Makes a feed for an address (None: the vendor's own) and channels (None: those it is best for)."""

ANY_KEY: Final = "simulated"
"""What a simulator is given for a key."""

_STOCKS: Final = frozenset((Channel.QUOTES, Channel.PRINTS, Channel.STATUSES, Channel.BARS_1M))


def feed_named(name: str, url: str | None, channels: Channels | None) -> Vendor:
    """The feed of that name. Raises ConfigError for a name that is none, channels it lacks, and where a key is missing."""
    name = _AS_SESSIONS_SAY.get(name, name)
    if name not in FEEDS:
        raise ConfigError(f"--feed {name}: no such feed; there are {', '.join(FEEDS)}{did_you_mean(name, FEEDS)}")
    if url is not None:
        _check(name, url)
    if strange := sorted((channels or frozenset()) - CHANNELS[name]):
        raise ConfigError(f"--channels {','.join(strange)}: {name} has {', '.join(sorted(CHANNELS[name]))}")
    return FEEDS[name](url, channels)


def feed_meant(word: str, feeds: Sequence[str]) -> str | None:
    """Which of a session's feeds a word in front of a symbol means; None for none of them.

    >>> feed_meant("alpaca", ["massive", "alpaca.sip"]), feed_meant("alpaca", ["alpaca.iex"]), feed_meant("alpaca", ["massive"])
    ('alpaca.sip', 'alpaca.iex', None)
    """
    named = {_AS_SESSIONS_SAY.get(feed, feed): feed for feed in feeds}
    kin = [feed for feed in feeds if word and feed.startswith(f"{word}.")]
    return word if word in feeds else named.get(word) or (kin[0] if len(kin) == 1 else None)


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
    url = url or massive.URL
    return massive.vendor(
        *_keys("massive", url),
        channels=channels or _STOCKS,
        url=url,
        rest_url=_rest(url, "massive.com", massive.REST_URL),
    )


def _alpaca(feed: str) -> Maker:
    def made(url: str | None, channels: Channels | None) -> Vendor:
        url = url or f"{alpaca.STREAM_URL}/{feed}"
        # Paper accounts have a sandbox of their own: its REST is where its stream is, without the first word.
        rest_url = f"https://{(urlsplit(url).hostname or '').removeprefix('stream.')}"
        return alpaca.vendor(
            *_keys("alpaca", url),
            feed=feed,
            channels=channels or _STOCKS,
            stream_url=url.rpartition("/")[0],
            rest_url=_rest(url, "alpaca.markets", rest_url),
        )

    return made


def _coinbase(url: str | None, channels: Channels | None) -> Vendor:
    url = url or coinbase_advanced.SOCKET_URL
    has_key = not is_loopback(url) and is_there(KEYS["coinbase"][0])  # public channels need none
    return coinbase_advanced.vendor(
        channels=channels or frozenset((Channel.QUOTES, Channel.PRINTS)),
        token=token_maker(*_keys("coinbase", url)) if has_key else None,
        socket_url=url,
        rest_url=_rest(url, "coinbase.com", coinbase_advanced.REST_URL),
    )


def _databento(url: str | None, channels: Channels | None) -> Vendor:
    chosen = channels or _STOCKS
    if url is None or is_loopback(url):
        address = None if url is None else f"tcp://{urlsplit(url).netloc}"
        return databento.vendor(*_keys("databento", url or ""), channels=chosen, url=address)
    dataset = (urlsplit(url).hostname or "").partition(".")[0].replace("-", ".").upper()
    return databento.vendor(
        *_keys("databento", url), dataset=dataset, channels=chosen, url=f"tcp://{urlsplit(url).netloc}"
    )


def _keys(feed: str, url: str) -> tuple[str, ...]:
    """A simulator, which only this machine has, takes anything for a key; all others want the real one. Raises ConfigError."""
    return tuple(ANY_KEY if is_loopback(url) else key_named(name) for name in KEYS[feed])


def rest_of(url: str) -> str:
    """Where a simulator answers REST: at its socket's own door."""
    parts = urlsplit(url)
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"


def _rest(url: str, domain: str, of_vendor: str) -> str:
    """Where REST is answered: at the vendor's own address for its own hosts, at the socket's door by anybody else."""
    if f".{urlsplit(url).hostname}".endswith(f".{domain}"):
        return of_vendor
    return rest_of(url)


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

_AS_SESSIONS_SAY: Final[Mapping[str, str]] = {"alpaca.sip": "alpaca"}
"""The word for a feed by the name that it has in a session, where that is another; both name it."""
