"""Massive's stocks feed: its conversation, the questions it answers by REST, and the value the connection needs.

    server   [{"ev":"status","status":"connected",...}]
    client   {"action":"auth","params":KEY}
    server   [{"ev":"status","status":"auth_success",...}]
    client   {"action":"subscribe","params":"T.AAPL,Q.AAPL"}
    server   [{"ev":"status","status":"success","message":"subscribed to: T.AAPL"}]      one for each

The key goes into that one message and into the headers of REST, never into an address.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from pipeline.errors import ConfigError
from pipeline.feeds.dialogue import DialogueError
from pipeline.feeds.vendor import ALL, Question, Questions, Vendor
from pipeline.normalize.massive import MassiveMessages
from pipeline.normalize.massive_words import BAR_NS, PAGE, PREFIXES, text_of, topic_of
from pipeline.normalize.text import is_text
from pipeline.ports import Channel, Topic

URL: Final = "wss://socket.massive.com/stocks"
REST_URL: Final = "https://api.massive.com"
SENTINEL: Final = "SPY"
TOPICS_A_MESSAGE: Final = 400
"""How many are subscribed in one message; no limit is documented, and a few kilobytes are safe."""

PAGE_ROWS: Final = 50_000
"""The most that one page of history holds."""

_SYMBOLS_A_QUESTION: Final = 250
"""An address holds some thousand letters."""

_PAGES_MAX: Final = 10_000
_MS: Final = 1_000_000
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class _End(NamedTuple):
    """What a status means that ends the conversation."""

    is_fatal: bool
    floor_s: float


_ENDS: Final[Mapping[str, _End]] = {
    "auth_failed": _End(is_fatal=True, floor_s=0.0),
    "auth_timeout": _End(is_fatal=False, floor_s=1.0),
    # Another connection has our place, or our last one is not cleared away yet: knocking at once keeps it so.
    "max_connections": _End(is_fatal=False, floor_s=10.0),
    "slow_consumer": _End(is_fatal=False, floor_s=1.0),
    "force_disconnect": _End(is_fatal=False, floor_s=10.0),
}

_QUIET_S: Final = {Channel.QUOTES: 15.0, Channel.PRINTS: 60.0, Channel.BARS_1S: 60.0, Channel.BARS_1M: 150.0}
"""How long SPY may be silent in its market's hours, premarket included; bands change too seldom to tell."""


class _Status(msgspec.Struct):
    ev: str = ""
    status: str = ""
    message: str = ""


_STATUSES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_STATUS: Final = msgspec.json.Decoder(_Status)
_encode: Final = msgspec.json.Encoder().encode


class MassiveDialogue:
    """One connection's conversation with Massive: `dialogue.Dialogue`."""

    def __init__(self, key: str) -> None:
        self.is_ready = False
        self._acknowledged: set[Topic] = set()
        self.acknowledged: AbstractSet[Topic] = self._acknowledged
        self.refused: dict[Topic, str] = {}
        self._key = key
        self._asked: set[Topic] = set()

    def __repr__(self) -> str:
        return f"<MassiveDialogue, {len(self._asked)} topics asked for>"

    def connected(self) -> list[bytes]:
        """Nothing yet: Massive speaks first."""
        return []

    def concerns(self, payload: bytes) -> bool:
        """Whether there is a status in it, wherever it stands: market data has no `u`, so one look is enough as a rule."""
        return b"u" in payload and b'"status"' in payload

    def hear(self, payload: bytes) -> list[bytes]:
        """Take in the statuses of a message; what can't be read is the normaliser's to tell. Raises DialogueError."""
        return [answer for status in _statuses(payload) for answer in self._hear(status)]

    def _hear(self, status: _Status) -> list[bytes]:
        if (end := _ENDS.get(status.status)) is not None:
            text = f"massive: {status.status}: {status.message}"[:300]
            raise DialogueError(text, is_fatal=end.is_fatal, floor_s=end.floor_s)
        match status.status:
            case "connected":
                return [_encode({"action": "auth", "params": self._key})]
            case "auth_success":
                self.is_ready = True
            case "success":
                self._acknowledge(status.message)
            case "error":
                self._refuse(status.message)
        return []

    def _acknowledge(self, message: str) -> None:
        words, _, topics = message.partition(": ")
        named = [topic for text in topics.split(",") if (topic := topic_of(text)) is not None]
        if words == "subscribed to":
            self._acknowledged.update(named)
            for topic in named:
                self.refused.pop(topic, None)
        elif words == "unsubscribed to":
            self._acknowledged.difference_update(named)

    def _refuse(self, message: str) -> None:
        """Topics an error names. One that names none is left to whoever waits for acknowledgements."""
        for word in message.replace(",", " ").split():
            topic = topic_of(word.strip(".:;()[]'\""))
            if topic in self._asked:
                self.refused[topic] = message

    def want(self, topics: AbstractSet[Topic]) -> list[bytes]:
        """Ask for what is missing, in few messages, and for an end of what is not wanted any more."""
        if not self.is_ready:
            return []
        wanted = {topic for topic in topics if topic.channel in PREFIXES}
        messages = [*_asking("subscribe", wanted - self._asked), *_asking("unsubscribe", self._asked - wanted)]
        for gone in self._asked - wanted:
            self.refused.pop(gone, None)
        self._asked = wanted
        return messages


def _statuses(payload: bytes) -> list[_Status]:
    if not is_text(payload):
        return []
    try:
        said = [_STATUS.decode(part) for part in _STATUSES.decode(payload) if b'"status"' in bytes(part)]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return []
    return [status for status in said if status.ev == "status"]


def _asking(action: str, topics: AbstractSet[Topic]) -> Iterator[bytes]:
    texts = iter(sorted(map(text_of, topics)))
    while chunk := list(islice(texts, TOPICS_A_MESSAGE)):
        yield _encode({"action": action, "params": ",".join(chunk)})


def _history(topic: Topic, from_ns: int, to_ns: int, *, key: str, rest_url: str) -> Questions:
    """Ask for a stretch of a topic, page after page; of bands there is no history."""
    path = _first_page(topic, from_ns, to_ns)
    headers = {"Authorization": f"Bearer {key}"}
    for _ in range(_PAGES_MAX):
        if not path:
            return
        body = yield Question(rest_url + path, headers)
        path = _next_page(body)


def _first_page(topic: Topic, from_ns: int, to_ns: int) -> str:
    symbol = quote(topic.symbol, safe="")
    match topic.channel:
        case Channel.QUOTES | Channel.PRINTS:
            word = "quotes" if topic.channel is Channel.QUOTES else "trades"
            between = f"timestamp.gte={from_ns}&timestamp.lt={to_ns}"
            return f"/v3/{word}/{symbol}?{between}&order=asc&sort=timestamp&limit={PAGE_ROWS}"
        case Channel.BARS_1S | Channel.BARS_1M:
            length_ns = BAR_NS[topic.channel]
            span = "second" if topic.channel is Channel.BARS_1S else "minute"
            # The end is inclusive here, and a bar that the stretch begins in the middle of is asked for whole.
            between = f"{from_ns // length_ns * length_ns // _MS}/{(to_ns - 1) // _MS}"
            return f"/v2/aggs/ticker/{symbol}/range/1/{span}/{between}?adjusted=false&sort=asc&limit={PAGE_ROWS}"
        case _:
            return ""


def _snapshots(symbols: AbstractSet[str], *, key: str, rest_url: str) -> Iterator[Question]:
    """Ask for the whole market in one answer, or for some hundred symbols at a time."""
    headers, url = {"Authorization": f"Bearer {key}"}, f"{rest_url}/v2/snapshot/locale/us/markets/stocks/tickers"
    if ALL in symbols:
        yield Question(url, headers)
        return
    named = iter(sorted(symbols))
    while chunk := list(islice(named, _SYMBOLS_A_QUESTION)):
        yield Question(f"{url}?tickers={quote(','.join(chunk), safe=',')}", headers)


def _next_page(body: bytes) -> str:
    """Path and query of the next page; '' when there is none. The host is not followed: the key goes to the configured one."""
    try:
        parts = urlsplit(PAGE.decode(body).next_url)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    if not parts.path.startswith("/"):
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def vendor(
    key: str,
    *,
    channels: AbstractSet[Channel] = frozenset(PREFIXES),
    url: str = URL,
    rest_url: str = REST_URL,
) -> Vendor:
    """Massive's stocks as a feed. Raises ConfigError for a channel it lacks, and when the key would cross a network in the clear.

    key        the API key
    channels   what is subscribed of every symbol
    url        where the socket is: the delayed feed, another plan's host, a simulator
    rest_url   where history is, without a path
    """
    if not channels or not channels <= PREFIXES.keys():
        raise ConfigError(f"massive: channels are {', '.join(PREFIXES)}; asked for were {', '.join(sorted(channels))}")
    _check_secrecy(url, "wss")
    _check_secrecy(rest_url, "https")
    watched = next(channel for channel in (*_QUIET_S, Channel.STATUSES) if channel in channels)
    return Vendor(
        name="massive",
        url=url,
        dialogue=lambda: MassiveDialogue(key),
        normalizer=MassiveMessages,
        channels=channels,
        topics=lambda symbols: frozenset(Topic(channel, symbol) for channel in channels for symbol in symbols),
        calendar="XNYS",
        quiet_s=_QUIET_S,
        sentinel=Topic(watched, SENTINEL) if watched in _QUIET_S else None,
        history=lambda topic, from_ns, to_ns: _history(topic, from_ns, to_ns, key=key, rest_url=rest_url.rstrip("/")),
        history_of=frozenset((Channel.QUOTES, Channel.PRINTS, *BAR_NS)),
        snapshots=lambda symbols: _snapshots(symbols, key=key, rest_url=rest_url.rstrip("/")),
        has_whole_market=True,
        has_conditions=True,
        secrets=(key.encode(),),
        account=key,
        options={"channels": " ".join(sorted(channels)), "url": url, "rest_url": rest_url},
    )


def _check_secrecy(url: str, scheme: str) -> None:
    parts = urlsplit(url)
    is_safe = parts.scheme == scheme or (parts.scheme == scheme.removesuffix("s") and parts.hostname in _LOOPBACK)
    if not is_safe or parts.username or parts.query:
        raise ConfigError(
            f"massive: {url!r}; accepted are {scheme}://host/path, without secrets, or plain to this machine"
        )
