"""The feed of Coinbase Advanced Trade: its conversation, and how to ask for what was missed."""

import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import Final

import msgspec

from pipeline.feeds.dialogue import DialogueError
from pipeline.feeds.vendor import Question, Questions, Vendor
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.normalize.coinbase_advanced_words import (
    CANDLE_NS,
    CHANNEL_WORDS,
    TICKER,
    UNREADABLE,
    Loose,
    Subscribe,
    SubscriptionsEvent,
    Trade,
    symbol_of,
)
from pipeline.normalize.moments import ns_of_text
from pipeline.normalize.text import is_text
from pipeline.ports import Channel, Topic
from pipeline.units import NANO

SOCKET_URL: Final = "wss://advanced-trade-ws.coinbase.com"
REST_URL: Final = "https://api.coinbase.com"
CHANNELS: Final = frozenset({Channel.QUOTES, Channel.PRINTS})
FRAME_BYTES_MAX: Final = 64 * 2**20
"""The snapshot of BTC-USD's book is many MB."""

_SENTINEL: Final = "BTC-USD"
_QUIET_S: Final = {
    Channel.HEARTBEATS: 5.0,  # one a second
    Channel.QUOTES: 20.0,
    Channel.PRINTS: 60.0,
    Channel.BARS_5M: 600.0,
}
_LOOK_BYTES: Final = 512
_TRADES_MAX: Final = 1_000
_CANDLES_MAX: Final = 350
_RATE_FLOOR_S: Final = 5.0
_HEARTBEATS: Final = Topic(Channel.HEARTBEATS, "")
_NO_CACHE: Final = {"Cache-Control": "no-cache"}
"""Public pages are otherwise up to a second old."""


class CoinbaseDialogue:
    """The conversation: a subscribe message for each channel, each with a token of its own where there are any.

    Nobody logs in, so subscriptions may be asked for at once; and they must be, within five seconds: heartbeats go out
    with the connection's opening, since they also keep quiet channels from being closed.
    """

    def __init__(self, token: Callable[[], str] | None = None, quotes_from: str = "level2") -> None:
        self.is_ready = False
        self.acknowledged: AbstractSet[Topic] = frozenset()
        self.refused: dict[Topic, str] = {}
        self._token = token
        self._words = CHANNEL_WORDS | {Channel.QUOTES: quotes_from}
        self._asked: set[Topic] = set()

    def connected(self) -> list[bytes]:
        """The connection is open."""
        self.is_ready = True
        self._asked.add(_HEARTBEATS)
        return [self._message("subscribe", Channel.HEARTBEATS, [])]

    def concerns(self, payload: bytes) -> bool:
        """Whether a message may be part of the conversation: its beginning holds a word of it."""
        start = payload[:_LOOK_BYTES]
        return b'"subscriptions"' in start or b'"error"' in start

    def hear(self, payload: bytes) -> list[bytes]:
        """Take in subscriptions or an error. Raises DialogueError."""
        if not is_text(payload):
            return []
        try:
            message = msgspec.json.decode(payload, type=Loose)
            if message.channel == "subscriptions":
                events = [msgspec.json.decode(event, type=SubscriptionsEvent) for event in message.events]
                self.acknowledged = frozenset(topic for event in events for topic in self._topics(event))
        except UNREADABLE:
            return []  # the normaliser tells of it
        if message.type == "error":
            self._complain(message.message)
        return []

    def want(self, topics: AbstractSet[Topic]) -> list[bytes]:
        """Subscribe to what is new, unsubscribe from what is no longer wanted."""
        if not self.is_ready:
            return []
        wanted = {topic for topic in topics if topic.channel in self._words} | {_HEARTBEATS}
        dropped, new = self._asked - wanted, wanted - self._asked
        self._asked = wanted
        for topic in dropped:
            self.refused.pop(topic, None)
        return [*self._messages("unsubscribe", dropped), *self._messages("subscribe", new)]

    def _messages(self, type_: str, topics: AbstractSet[Topic]) -> Iterator[bytes]:
        for channel, group in groupby(sorted(topics), key=lambda topic: topic.channel):
            yield self._message(type_, channel, [topic.symbol for topic in group])

    def _message(self, type_: str, channel: Channel, symbols: list[str]) -> bytes:
        jwt = self._token() if self._token is not None else ""
        return msgspec.json.encode(Subscribe(type_, self._words[channel], symbols, jwt))  # type: ignore[arg-type]

    def _topics(self, event: SubscriptionsEvent) -> Iterator[Topic]:
        """What is subscribed, as it was asked for: -USDC may be answered as -USD, and the other way round."""
        for channel, word in self._words.items():
            symbols = {_alike(symbol) for symbol in event.subscriptions.get(word, [])}
            if channel is Channel.HEARTBEATS and word in event.subscriptions:
                yield _HEARTBEATS
            yield from (topic for topic in self._asked if topic.channel is channel and _alike(topic.symbol) in symbols)

    def _complain(self, message: str) -> None:
        text, lower = f"Coinbase says: {message[:200]}", message.lower()
        if "authentic" in lower or "jwt" in lower or "unauthorized" in lower:
            raise DialogueError(text, is_fatal=True)
        if "rate limit" in lower or "too many" in lower:
            raise DialogueError(text, floor_s=_RATE_FLOOR_S)
        named = set(re.findall(r"[A-Z0-9.-]+", message))
        for topic in self._asked - self.acknowledged:
            if topic.symbol in named:
                self.refused[topic] = text


def vendor(
    *,
    channels: AbstractSet[Channel] = CHANNELS,
    token: Callable[[], str] | None = None,
    socket_url: str = SOCKET_URL,
    rest_url: str = REST_URL,
    quotes_from: str = "level2",
) -> Vendor:
    """The feed `coinbase`. Public channels need no token; `quotes_from` is level2 or ticker.

    Products -USDC are asked for as -USD: their books are one, and the venue sends them under that name.
    """
    assert quotes_from in ("level2", TICKER)
    assert channels <= CHANNEL_WORDS.keys()

    def topics(symbols: AbstractSet[str]) -> frozenset[Topic]:
        return frozenset(
            Topic(channel, symbol_of(symbol)) for channel in channels - {Channel.HEARTBEATS} for symbol in symbols
        )

    return Vendor(
        name="coinbase",
        url=socket_url,
        dialogue=lambda: CoinbaseDialogue(token, quotes_from),
        normalizer=CoinbaseMessages,
        channels=frozenset(channels),
        topics=topics,
        calendar="24/7",
        quiet_s=_QUIET_S,
        sentinel=Topic(Channel.PRINTS if Channel.PRINTS in channels else Channel.QUOTES, _SENTINEL),
        frame_bytes_max=FRAME_BYTES_MAX,
        history=lambda topic, from_ns, to_ns: _history(rest_url.rstrip("/"), topic, from_ns, to_ns),
        history_of=frozenset((Channel.PRINTS, Channel.BARS_5M)),
        options={"quotes_from": quotes_from},
    )


def _history(rest_url: str, topic: Topic, from_ns: int, to_ns: int) -> Questions:
    """Ask for the trades or candles of a product between two moments; quotes and statuses have no history."""
    product_url = f"{rest_url}/api/v3/brokerage/market/products/{topic.symbol}"
    if topic.channel is Channel.PRINTS:
        yield from _trades(product_url, from_ns, to_ns)
    elif topic.channel is Channel.BARS_5M:
        yield from _candles(product_url, from_ns, to_ns)


def _trades(product_url: str, from_ns: int, to_ns: int) -> Questions:
    """Page after page back in time: a page holds the newest trades before its end, in whole seconds."""
    start_s, end_s = from_ns // NANO, -(-to_ns // NANO)
    while start_s < end_s:
        url = f"{product_url}/ticker?limit={_TRADES_MAX}&start={start_s}&end={end_s}"
        body = yield Question(url, _NO_CACHE)
        times_ns = _times(body)
        if len(times_ns) < _TRADES_MAX:
            return
        # the oldest second may be cut: it is asked for again, unless it filled the page alone
        end_s = min(min(times_ns) // NANO + 1, end_s - 1)


def _times(body: bytes) -> list[int]:
    """Event times of a page of trades; [] when it can't be read, which the normaliser tells."""
    try:
        return [ns_of_text(trade.time) for trade in msgspec.json.decode(body, type=_Page).trades]
    except (*UNREADABLE, ValueError):
        return []


class _Page(msgspec.Struct):
    trades: list[Trade]


def _candles(product_url: str, from_ns: int, to_ns: int) -> Questions:
    """Stretches of as many candles as a page may hold; those that touch the time between the two moments."""
    start_ns = from_ns // CANDLE_NS * CANDLE_NS
    while start_ns < to_ns:
        end_ns = min(start_ns + _CANDLES_MAX * CANDLE_NS, -(-to_ns // CANDLE_NS) * CANDLE_NS)
        url = f"{product_url}/candles?granularity=FIVE_MINUTE&limit={_CANDLES_MAX}"
        # the end counts as inside: one second less keeps it to as many as fit
        yield Question(f"{url}&start={start_ns // NANO}&end={end_ns // NANO - 1}", _NO_CACHE)
        start_ns = end_ns


def _alike(symbol: str) -> str:
    return symbol[:-1] if symbol.endswith("-USDC") else symbol
