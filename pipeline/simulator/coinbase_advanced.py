"""Coinbase Advanced Trade's server: subscriptions, one sequence a connection, heartbeats, pages of history.

A subscription to level2 is answered with a snapshot of the book, to market_trades with one of recent trades; both are empty
unless the venue was given a history to take them from. Messages of the conversation itself carry the time of the last event.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
import msgspec

from pipeline.block import Blocks
from pipeline.normalize import coinbase_advanced_words as words
from pipeline.normalize.coinbase_advanced_out import CoinbaseEncoder, Wire, part_of
from pipeline.normalize.coinbase_advanced_words import CHANNEL_WORDS, TICKER, Subscribe, symbol_of
from pipeline.ports import Channel, Encoder, Topic
from pipeline.simulator.venue import History, HttpAnswer
from pipeline.units import NANO, TS_MAX_NS

SUBSCRIBE_WITHIN_S: Final = 5.0
"""A client that has not subscribed to anything by then is dropped."""

HEARTBEAT_S: Final = 1.0

_RECENT_TRADES: Final = 50
_ROWS_MAX: Final = 2**31
_POLICY_CLOSE: Final = 1008
_PAGE_MAX: Final = {"ticker": 1_000, "candles": 350}
_CHANNELS_BY_WORD: Final = {word: channel for channel, word in CHANNEL_WORDS.items()} | {TICKER: Channel.QUOTES}
_TOKEN_LIFE_S: Final = 120
_JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Rules:
    """How the server behaves.

    `public_key`, PEM, makes it check the token of every message (its time is not looked at: the server reads no clock);
    `refuses_auth` refuses all of them; `unknown_products` are refused; subscriptions are acknowledged `acks_after_s` late.
    """

    public_key: str = ""
    refuses_auth: bool = False
    unknown_products: AbstractSet[str] = frozenset()
    acks_after_s: float = 0.0


@dataclass(slots=True)
class CoinbaseConversation:
    """The server's side of one connection."""

    rules: Rules
    recent: Callable[[Topic], Iterator[Any]]
    """The parts of a topic served so far, oldest first."""
    wanted: AbstractSet[Topic] = frozenset()
    close_code: int | None = None
    is_binary: bool = False
    _wire: Wire = field(default_factory=Wire)
    _subscribed: dict[str, list[str]] = field(default_factory=dict)
    _tokens: set[str] = field(default_factory=set)
    _elapsed_s: float = 0.0
    _beats: int = 0
    _acks_due_s: list[float] = field(default_factory=list)

    def connected(self) -> list[bytes]:
        """Nothing is said before the client asks."""
        return []

    def hear(self, payload: bytes) -> list[bytes]:
        """A subscribe or unsubscribe."""
        try:
            asked = msgspec.json.decode(payload, type=Subscribe)
        except words.UNREADABLE:
            return [_error("subscribe or unsubscribe required")]
        if not self._is_allowed(asked.jwt):
            return [_error("authentication failure")]
        if asked.channel not in _CHANNELS_BY_WORD:
            return [_error(f"channel {asked.channel} is not supported")]
        unknown = sorted(self.rules.unknown_products & set(asked.product_ids))
        if unknown:
            return [_error(f"invalid product_ids: {', '.join(unknown)}")]
        frames = self._subscribe(asked) if asked.type == "subscribe" else self._unsubscribe(asked)
        if self.rules.acks_after_s:
            self._acks_due_s.append(self._elapsed_s + self.rules.acks_after_s)
            return frames
        return [*frames, self._acknowledgement()]

    def frame(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Events as the encoder gave them, as messages of this connection."""
        return self._wire.frames(payloads, self._quoted_as)

    def size(self, payload: bytes) -> int:
        """Bytes of one more event of this sort in a message."""
        return self._wire.size(payload, self._quoted_as)

    def waited(self, elapsed_s: float) -> list[bytes]:
        """Heartbeats and late acknowledgements that are due; the end when nothing was subscribed in time."""
        self._elapsed_s = elapsed_s
        frames = list[bytes]()
        while self._acks_due_s and self._acks_due_s[0] <= elapsed_s:
            self._acks_due_s.pop(0)
            frames.append(self._acknowledgement())
        while (self._beats + 1) * HEARTBEAT_S <= elapsed_s:
            self._beats += 1
            if "heartbeats" in self._subscribed:
                frames.append(self._wire.message("heartbeats", self._wire.now_ns, [words.Heartbeat(self._beats)]))
        if not self._subscribed and elapsed_s >= SUBSCRIBE_WITHIN_S:
            self.close_code = _POLICY_CLOSE
        return frames

    def _is_allowed(self, token: str) -> bool:
        if self.rules.refuses_auth or (token and token in self._tokens):
            return False
        self._tokens.add(token)
        return not self.rules.public_key or is_signed(token, self.rules.public_key)

    def _subscribe(self, asked: Subscribe) -> list[bytes]:
        channel = _CHANNELS_BY_WORD[asked.channel]
        products = self._subscribed.setdefault(asked.channel, [])
        new = [product for product in map(symbol_of, asked.product_ids) if product not in products]
        products += new
        frames = list[bytes]()
        for product in new:
            topic = Topic(channel, product)
            self.wanted |= {topic}
            frames += self._snapshot(asked.channel, topic)
        return frames

    def _unsubscribe(self, asked: Subscribe) -> list[bytes]:
        """Of these products, or of all when none is named."""
        products = self._subscribed.get(asked.channel, [])
        gone = {symbol_of(product) for product in asked.product_ids or products}
        left = [product for product in products if product not in gone]
        self._subscribed[asked.channel] = left
        if not left:
            del self._subscribed[asked.channel]
        channel = _CHANNELS_BY_WORD[asked.channel]
        still_quoted = {product for product in gone if channel is Channel.QUOTES and self._quoted_as(product)}
        self.wanted -= {Topic(channel, product) for product in gone - still_quoted}
        return []

    def _snapshot(self, word: str, topic: Topic) -> list[bytes]:
        """What a new subscriber is told of the past."""
        product = topic.symbol
        if word == "level2":
            last = next(iter(list(self.recent(topic))[-1:]), None)
            return [self._wire.snapshot(product, last, self._wire.now_ns)]
        if word == "market_trades":
            trades = [part.trade for part in list(self.recent(topic))[-_RECENT_TRADES:]]
            event = words.TradesEvent("snapshot", trades[::-1])
            return [self._wire.message(word, self._wire.now_ns, [event])]
        return []

    def _quoted_as(self, product: str) -> set[str]:
        return {word for word in ("level2", TICKER) if product in self._subscribed.get(word, [])}

    def _acknowledgement(self) -> bytes:
        event = words.SubscriptionsEvent({word: list(products) for word, products in self._subscribed.items()})
        return self._wire.message("subscriptions", self._wire.now_ns, [event])


class CoinbaseVenue:
    """The venue: its conversations, its messages, its REST."""

    name = "coinbase"
    path = "/"
    channels: AbstractSet[Channel] = frozenset(CHANNEL_WORDS)

    def __init__(self, rules: Rules = Rules(), history: History | None = None) -> None:
        self.encoder: Encoder = CoinbaseEncoder()
        self._rules = rules
        self._history = history

    def conversation(self, headers: Mapping[str, str]) -> CoinbaseConversation:
        """A new connection; nothing in its handshake matters."""
        del headers
        return CoinbaseConversation(self._rules, self._recent)

    def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str], history: History) -> HttpAnswer:
        """A page of trades or candles: the newest ones between start and end, newest first."""
        del headers
        parts = path.strip("/").split("/")
        if parts[:-2] != ["api", "v3", "brokerage", "market", "products"] or parts[-1] not in _PAGE_MAX:
            return _answer(404, {"error": "NOT_FOUND", "message": path[:200]})
        product, word = parts[-2:]
        try:
            start_s, end_s = int(query.get("start", "0")), int(query.get("end", str(TS_MAX_NS // NANO)))
            rows_max = min(max(int(query.get("limit", _PAGE_MAX[word])), 1), _PAGE_MAX[word])
        except ValueError:
            return _answer(400, {"error": "INVALID_ARGUMENT", "message": "start, end and limit are whole numbers"})
        if word == "candles" and end_s - start_s >= _PAGE_MAX[word] * 300:
            return _answer(400, {"error": "INVALID_ARGUMENT", "message": "more than 350 candles"})
        channel = Channel.PRINTS if word == "ticker" else Channel.BARS_5M
        # candles count their end as inside
        to_ns = end_s * NANO if word == "ticker" else (end_s + 1) * NANO
        rows = history.rows(Topic(channel, product), start_s * NANO, to_ns, _ROWS_MAX)
        found = list(self._parts(rows, product))[-rows_max:][::-1]
        if word == "ticker":
            return _answer(200, {"trades": [part.trade for part in found], "best_bid": "", "best_ask": ""})
        return _answer(200, {"candles": [_without_product(part.candle) for part in found]})

    def _parts(self, rows: Blocks, product: str) -> Iterator[Any]:
        """The rows of one product as parts."""
        ids = {id_ for block in rows for id_ in block.number("instrument_id").tolist()}
        yield from (part_of(served.payload) for served in self.encoder.served(rows, dict.fromkeys(ids, product)))

    def _recent(self, topic: Topic) -> Iterator[Any]:
        if self._history is not None:
            yield from self._parts(self._history.rows(topic, 0, TS_MAX_NS, _ROWS_MAX), topic.symbol)


def is_signed(token: str, public_key: str) -> bool:
    """Whether a token is one that Coinbase would take, but for the time."""
    options: Any = {"verify_exp": False, "verify_nbf": False, "require": ["sub", "iss", "nbf", "exp"]}
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, public_key, algorithms=["ES256", "EdDSA"], issuer="cdp", options=options)
    except jwt.PyJWTError:
        return False
    is_of_its_key = bool(header.get("kid")) and header["kid"] == claims["sub"] and bool(header.get("nonce"))
    return is_of_its_key and claims["exp"] - claims["nbf"] == _TOKEN_LIFE_S


def _error(message: str) -> bytes:
    return msgspec.json.encode({"type": "error", "message": message})


def _answer(status: int, body: object) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode(body), _JSON)


def _without_product(candle: words.Candle) -> dict[str, str]:
    fields = msgspec.to_builtins(candle)
    del fields["product_id"]
    return dict(fields)
