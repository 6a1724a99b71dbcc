"""Alpaca's live stock data as a feed: its dialogue, its REST history, and the vendor made of them.

The server says `connected`, hears the key in a message (never in the address), says `authenticated`, and answers each
subscription with all that the connection is subscribed to. Minute bars are asked for with their updates, statuses with
price bands; trades bring corrections and cancels by themselves.

Errors end the connection, by their numbers:

    402 409 410 411   a wrong key, no right to the feed or to a channel: fatal
    405               too many symbols: what was asked for and not acknowledged is refused, the rest goes on
    406               another connection of the same account: tried again after ten seconds on a new one (the vendor would hear
                      the key again on this one too)
    407               too slow: tried again
    all others        tried again

Which message ends a socket at the real server, and 400, 401, 403, 404 and 500 altogether, are not verified.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, urlencode

from pipeline.feeds.dialogue import DialogueError
from pipeline.feeds.vendor import ALL, Question, Questions, Vendor
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.alpaca_columns import text_of_ns
from pipeline.normalize.alpaca_pages import next_page
from pipeline.normalize.alpaca_words import (
    CONTENT_TYPE,
    READERS,
    UNREADABLE,
    WIRE_CHANNELS,
    WRITERS,
    Encoding,
    Refusal,
    Subscription,
    Success,
    is_control,
)
from pipeline.ports import Channel, Topic

STREAM_URL: Final = "wss://stream.data.alpaca.markets/v2"
REST_URL: Final = "https://data.alpaca.markets"
SENTINEL: Final = "SPY"
CHANNELS: Final = frozenset(WIRE_CHANNELS)

_FATAL: Final = frozenset((402, 409, 410, 411))
_SYMBOL_LIMIT: Final = 405
_FLOORS_S: Final = {406: 10.0, 407: 1.0}
_FLOOR_S: Final = 2.0
_PAGE_ROWS: Final = 10_000
_QUIET_S: Final = {
    Channel.QUOTES: 30.0,
    Channel.PRINTS: 60.0,
    Channel.BARS_1M: 180.0,
    Channel.BARS_1D: 180.0,
}
"""For a sentinel as busy as SPY; a feed of one exchange has seconds of silence even there."""


class AlpacaDialogue:
    """One connection's conversation."""

    def __init__(self, key: str, secret: str, encoding: Encoding) -> None:
        self.is_ready = False
        self.acknowledged: AbstractSet[Topic] = frozenset()
        self.refused: dict[Topic, str] = {}
        self._key = key
        self._secret = secret
        self._encoding = encoding
        self._reader = READERS[encoding]
        self._asked: set[Topic] = set()

    def connected(self) -> list[bytes]:
        """Nothing: the server speaks first."""
        return []

    def concerns(self, payload: bytes) -> bool:
        """Whether it is no market data, by its first event's type."""
        return is_control(payload, self._encoding)

    def hear(self, payload: bytes) -> list[bytes]:
        """Take in what the server says; what can't be read is the normaliser's to tell. Raises DialogueError."""
        try:
            said = self._reader.message(payload)
        except UNREADABLE:
            return []
        return [answer for each in said for answer in self._hear(each)]

    def want(self, topics: AbstractSet[Topic]) -> list[bytes]:
        """Subscribe to what is new, unsubscribe from what is not wanted any more; [] before `is_ready`."""
        if not self.is_ready:
            return []
        strange = {topic for topic in topics if topic.channel not in WIRE_CHANNELS}
        self.refused |= {topic: f"Alpaca has no {topic.channel}" for topic in sorted(strange)}
        self.refused = {topic: why for topic, why in self.refused.items() if topic in topics}
        new, gone = (topics - strange) - self._asked, self._asked - topics
        self._asked = set(topics - strange)
        changes = (("subscribe", new), ("unsubscribe", gone))
        return [self._written({"action": action, **_by_wire_channel(some)}) for action, some in changes if some]

    def _hear(self, said: Any) -> list[bytes]:
        match said:
            case Success(msg="connected"):
                return [self._written({"action": "auth", "key": self._key, "secret": self._secret})]
            case Success(msg="authenticated"):
                self.is_ready = True
            case Subscription():
                self.acknowledged = _topics_of(said)
                self.refused = {topic: why for topic, why in self.refused.items() if topic not in self.acknowledged}
            case Refusal(code=code, msg=text):
                self._refuse(code, text)
        return []

    def _refuse(self, code: int, text: str) -> None:
        words = f"Alpaca: error {code}, {text[:200]}"
        if code != _SYMBOL_LIMIT:
            raise DialogueError(words, is_fatal=code in _FATAL, floor_s=_FLOORS_S.get(code, _FLOOR_S), code=code)
        self.refused |= dict.fromkeys(sorted(self._asked - self.acknowledged), words)

    def _written(self, message: dict[str, Any]) -> bytes:
        return WRITERS[self._encoding](message)


def _by_wire_channel(topics: AbstractSet[Topic]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for topic in sorted(topics):
        for name in WIRE_CHANNELS[topic.channel]:
            found.setdefault(name, []).append(topic.symbol)
    return found


def _topics_of(state: Subscription) -> frozenset[Topic]:
    """What is subscribed to with all that belongs to it."""
    symbols = {name: set(each) for name, each in state.by_channel().items()}
    return frozenset(
        Topic(channel, symbol)
        for channel, names in WIRE_CHANNELS.items()
        for symbol in set.intersection(*(symbols.get(name, set()) for name in names))
    )


class _History:
    """Asks the REST server for what was missed."""

    def __init__(self, key: str, secret: str, feed: str, base_url: str) -> None:
        self._headers = _Secrets({"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret})
        self._feed = feed
        self._base_url = base_url

    def __call__(self, topic: Topic, from_ns: int, to_ns: int) -> Questions:
        """Page after page of a topic, the end exclusive; nothing where there is no history. Raises DialogueError."""
        asked = _PATHS.get(topic.channel)
        if asked is None or to_ns <= from_ns:
            return
        path, options = asked
        query = {
            "start": text_of_ns(from_ns),
            "end": text_of_ns(to_ns - 1),  # theirs is inclusive
            "limit": str(_PAGE_ROWS),
            "feed": self._feed,
            "sort": "asc",
            **options,
        }
        url = f"{self._base_url}/v2/stocks/{quote(topic.symbol, safe='')}/{path}"
        token: str | None = ""
        while token is not None:
            page = {"page_token": token} if token else {}
            body = yield Question(f"{url}?{urlencode(query | page)}", self._headers)
            token = _token(body)


def _snapshots(
    symbols: AbstractSet[str], *, headers: Mapping[str, str], feed: str, base_url: str
) -> Iterator[Question]:
    """Ask for some hundred symbols at a time; Alpaca has no question for all of them."""
    named = iter(sorted(symbols - {ALL}))
    while chunk := list(islice(named, _SYMBOLS_A_QUESTION)):
        yield Question(
            f"{base_url}/v2/stocks/snapshots?{urlencode({'symbols': ','.join(chunk), 'feed': feed})}", headers
        )


_SYMBOLS_A_QUESTION: Final = 250
"""An address holds some thousand letters."""

_PATHS: Final[Mapping[Channel, tuple[str, dict[str, str]]]] = {
    Channel.PRINTS: ("trades", {}),
    Channel.QUOTES: ("quotes", {}),
    Channel.BARS_1M: ("bars", {"timeframe": "1Min", "adjustment": "raw"}),
    Channel.BARS_1D: ("bars", {"timeframe": "1Day", "adjustment": "raw"}),
}


def _token(body: bytes) -> str | None:
    try:
        return next_page(body) or None
    except UNREADABLE as error:
        raise DialogueError(f"Alpaca: a page of {len(body)} bytes can't be read: {error}") from None


class _Secrets(dict[str, str]):
    """Headers that are not shown."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}>"


def vendor(
    key: str,
    secret: str,
    *,
    feed: str = "sip",
    encoding: Encoding = Encoding.MSGPACK,
    channels: AbstractSet[Channel] = CHANNELS - {Channel.BARS_1D},
    stream_url: str = STREAM_URL,
    rest_url: str = REST_URL,
    lot_shares: Mapping[str, int] | None = None,
) -> Vendor:
    """Alpaca's feed `sip`, `iex` or `delayed_sip`, those of its channels that are asked for.

    `lot_shares` are round lots other than 100, by symbol, for quotes of before 2025-11-03.
    """
    return Vendor(
        name=f"alpaca.{feed}",
        url=f"{stream_url}/{feed}",
        dialogue=lambda: AlpacaDialogue(key, secret, encoding),
        normalizer=lambda: AlpacaMessages(feed, encoding, lot_shares),
        channels=channels,
        topics=lambda symbols: frozenset(Topic(channel, symbol.upper()) for channel in channels for symbol in symbols),
        calendar="XNYS",
        quiet_s=_QUIET_S,
        sentinel=Topic(Channel.QUOTES, SENTINEL),
        headers=lambda: {"Content-Type": CONTENT_TYPE} if encoding is Encoding.MSGPACK else {},
        history=_History(key, secret, feed, rest_url),
        history_of=frozenset(_PATHS),
        snapshots=partial(
            _snapshots,
            headers=_Secrets({"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}),
            feed=feed,
            base_url=rest_url,
        ),
        has_conditions=True,
        secrets=(key.encode(), secret.encode()),
        account=key,
        options={"feed": feed, "encoding": encoding.value},
    )
