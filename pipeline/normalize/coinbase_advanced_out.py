"""Events as Coinbase Advanced Trade's messages: the normaliser backwards, for the simulator.

An event is served as a `Part`, which does not depend on who hears it. A connection makes messages of parts, for only it
knows its sequence and which book it told last: `Wire`. Quotes go out as the books of one level a side that they are:
the level that was best before is taken away, the new one put. Whatever a quote or bar repeats unchanged is sent, and the
normaliser tells it once.

What does not travel: a quote's marks, venues and condition (the sequence becomes the connection's); a size of 0 or ABSENT
takes its side away on level2; a print's conditions and sequence; of a status all but whether the product is online.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import Any, Final

import msgspec

from pipeline.block import Block, Blocks
from pipeline.codes import BarBasis, BarUnit, Kind, Side, TradingStatus
from pipeline.instruments import COIN_STEP_NANO
from pipeline.normalize import coinbase_advanced_words as words
from pipeline.normalize.coinbase_advanced_words import CANDLE_NS, CHANNEL_WORDS
from pipeline.normalize.moments import text_of_ns
from pipeline.ports import Channel, Served, Topic
from pipeline.units import ABSENT, NANO, text_from_nano

CARRIED: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.QUOTE: ("ts_event_ns", "bid_nano", "ask_nano", "bid_size_steps", "ask_size_steps"),
    Kind.PRINT: ("ts_event_ns", "price_nano", "size_steps", "aggressor", "trade_id"),
    Kind.BAR: (
        "ts_event_ns",
        "bar_unit",
        "bar_length",
        "ts_close_ns",
        "open_nano",
        "high_nano",
        "low_nano",
        "close_nano",
        "volume_steps",
        "revision",
        "basis",
    ),
    Kind.STATUS: ("ts_event_ns", "status"),
}
"""By kind, the fields that come back as they were: of quotes that change the best, of prints with an id, of bars of five
minutes made by the vendor, of changes between TRADING and HALTED. Sizes come back in steps of a coin."""

_EPOCH: Final = text_of_ns(0).replace(".000000000", "")
_MAKER_BY_AGGRESSOR: Final = {Side.BUY: "SELL", Side.SELL: "BUY", Side.NONE: "BUY"}
_WORDS_BY_STATUS: Final = {TradingStatus.TRADING: "online", TradingStatus.HALTED: "offline"}


class QuotePart(msgspec.Struct, tag="quote", array_like=True):
    """Best prices and sizes as text, '' where a side is empty."""

    sent_ns: int
    product_id: str
    bid: str
    bid_size: str
    ask: str
    ask_size: str


class TradePart(msgspec.Struct, tag="trade", array_like=True):
    """A trade."""

    sent_ns: int
    trade: words.Trade


class CandlePart(msgspec.Struct, tag="candle", array_like=True):
    """A candle, sent when it was over or later."""

    sent_ns: int
    candle: words.Candle


class ProductPart(msgspec.Struct, tag="product", array_like=True):
    """A product's state."""

    sent_ns: int
    product: words.Product


Part = QuotePart | TradePart | CandlePart | ProductPart
part_of: Final = msgspec.msgpack.Decoder(Part).decode
"""A part out of the payload that served it."""
_encode: Final = msgspec.json.encode


class CoinbaseEncoder:
    """Parts of a batch; it learns from instrument rows in which steps sizes are counted."""

    def __init__(self) -> None:
        self._step_nano: dict[int, int] = {}

    def served(self, batch: Blocks, symbols: Mapping[int, str]) -> Iterator[Served]:
        """The events of a batch that the protocol can carry, in order; `symbols` by instrument id."""
        for block in batch:
            if block.kind is Kind.INSTRUMENT:
                ids, steps = block.number("instrument_id"), block.number("size_step_nano")
                self._step_nano |= zip(ids.tolist(), steps.tolist(), strict=True)
        found = list[Served]()
        for block in batch:
            if (make := _MAKERS.get(block.kind)) is not None:
                found += self._parts(block, make, symbols)
        yield from sorted(found, key=lambda served: served.seq)

    def frame(self, payloads: Sequence[bytes]) -> bytes:
        """Parts of one channel as the first message of a connection; a conversation numbers its own."""
        (frame,) = Wire().frames(payloads, lambda _: {CHANNEL_WORDS[Channel.QUOTES]})
        return frame

    def _parts(self, block: Block, make: "_Maker", symbols: Mapping[int, str]) -> Iterator[Served]:
        for row in block.rows():
            symbol = symbols.get(row["instrument_id"])
            step_nano = self._step_nano.get(row["instrument_id"], COIN_STEP_NANO)
            part = make(row, symbol, step_nano) if symbol else None
            if part is not None:
                channel = _CHANNEL_BY_KIND[block.kind]
                yield Served(Topic(channel, symbol or ""), row["seq"], msgspec.msgpack.encode(part))


_Maker = Callable[[dict[str, Any], str, int], Part | None]


def quote_part(row: dict[str, Any], symbol: str, step_nano: int) -> QuotePart:
    """A quote row as a part."""
    bid_size, ask_size = size_text(row["bid_size_steps"], step_nano), size_text(row["ask_size_steps"], step_nano)
    bid, ask = text_from_nano(row["bid_nano"]), text_from_nano(row["ask_nano"])
    return QuotePart(row["ts_event_ns"], symbol, bid, bid_size, ask, ask_size)


def trade_part(row: dict[str, Any], symbol: str, step_nano: int) -> TradePart | None:
    """A print row as a part; None when it has no price or takes back another."""
    if row["price_nano"] == ABSENT or row["corrects_trade_id"] != ABSENT:
        return None
    trade = words.Trade(
        trade_id=str(max(row["trade_id"], 0)),
        product_id=symbol,
        price=text_from_nano(row["price_nano"]),
        size=size_text(row["size_steps"], step_nano) or "0",
        side=_MAKER_BY_AGGRESSOR[Side(row["aggressor"])],  # type: ignore[arg-type]  # one of the two words
        time=text_of_ns(row["ts_event_ns"]),
    )
    return TradePart(row["ts_event_ns"], trade)


def candle_part(row: dict[str, Any], symbol: str, step_nano: int) -> CandlePart | None:
    """A bar row as a part; None unless it is a vendor's of five minutes."""
    if (row["bar_unit"], row["bar_length"], row["basis"]) != (BarUnit.TIME, CANDLE_NS, BarBasis.VENDOR):
        return None
    candle = words.Candle(
        start=str(row["ts_event_ns"] // NANO),
        high=text_from_nano(row["high_nano"]),
        low=text_from_nano(row["low_nano"]),
        open=text_from_nano(row["open_nano"]),
        close=text_from_nano(row["close_nano"]),
        volume=size_text(row["volume_steps"], step_nano) or "0",
        product_id=symbol,
    )
    return CandlePart(max(row["ts_recv_ns"], row["ts_close_ns"]), candle)


def product_part(row: dict[str, Any], symbol: str, step_nano: int) -> ProductPart | None:
    """A status row as a part; None for a state that is neither on nor off."""
    del step_nano
    word = _WORDS_BY_STATUS.get(row["status"])
    if word is None:
        return None
    currency = symbol.rpartition("-")[2] if "-" in symbol else ""
    return ProductPart(row["ts_event_ns"], words.Product(symbol, word, currency, product_type="SPOT"))


def size_text(size_steps: int, step_nano: int) -> str:
    """The text of a size; '' when absent."""
    if size_steps == ABSENT:
        return ""
    return text_from_nano(size_steps * step_nano)


_MAKERS: Final[dict[Kind, _Maker]] = {
    Kind.QUOTE: quote_part,
    Kind.PRINT: trade_part,
    Kind.BAR: candle_part,
    Kind.STATUS: product_part,
}
_CHANNEL_BY_KIND: Final = {
    Kind.QUOTE: Channel.QUOTES,
    Kind.PRINT: Channel.PRINTS,
    Kind.BAR: Channel.BARS_5M,
    Kind.STATUS: Channel.STATUSES,
}


class Wire:
    """The messages of one connection: one sequence over all channels, and per product the book told last."""

    def __init__(self) -> None:
        self.sequence_num = 0
        self.now_ns = 0
        """The latest time that a message was sent at."""
        self._told: dict[str, tuple[str, str]] = {}
        """By product, the prices of the levels that stand: bid, ask."""

    def message(self, channel: str, sent_ns: int, events: Sequence[Any]) -> bytes:
        """A message with the next number."""
        sequence_num, self.sequence_num = self.sequence_num, self.sequence_num + 1
        self.now_ns = max(self.now_ns, sent_ns)
        return _encode(
            {
                "channel": channel,
                "client_id": "",
                "timestamp": text_of_ns(sent_ns),
                "sequence_num": sequence_num,
                "events": events,
            }
        )

    def frames(self, payloads: Iterable[bytes], quoted_as: Callable[[str], AbstractSet[str]]) -> list[bytes]:
        """Parts as messages, in order; neighbours on one channel share a message where it has no time of its own.

        `quoted_as` says for a product whether its quotes go out as level2, as ticker or as both.
        """
        found = list[bytes]()
        for kind, group in groupby(map(part_of, payloads), type):
            parts = list(group)
            if kind is QuotePart:
                found += self._quotes(parts, quoted_as)
            elif kind is TradePart:
                newest_first = [part.trade for part in reversed(parts)]
                event = words.TradesEvent("update", newest_first)
                found.append(self.message("market_trades", parts[-1].sent_ns, [event]))
            elif kind is CandlePart:
                found += [
                    self.message("candles", part.sent_ns, [words.CandlesEvent("update", [part.candle])])
                    for part in parts
                ]
            else:
                found += [
                    self.message("status", part.sent_ns, [words.StatusEvent("update", [part.product])])
                    for part in parts
                ]
        return found

    def size(self, payload: bytes, quoted_as: Callable[[str], AbstractSet[str]]) -> int:
        """How many bytes one more of the same part adds to a message; 0 for a part that has a message of its own."""
        part = part_of(payload)
        if isinstance(part, TradePart):
            return len(_encode(part.trade)) + 1
        if not isinstance(part, QuotePart) or CHANNEL_WORDS[Channel.QUOTES] not in quoted_as(part.product_id):
            return 0
        told = self._told.copy()
        self._levels(part, "")  # another one in front of it: no level is taken away
        levels = self._levels(part, text_of_ns(part.sent_ns))
        self._told = told
        return len(_encode(words.BookEvent("update", part.product_id, levels))) + 1

    def snapshot(self, product_id: str, part: QuotePart | None, sent_ns: int) -> bytes:
        """The book of a product as it stands, which may be empty; its levels are dated 1970."""
        self._told[product_id] = ("", "")
        levels = [] if part is None else self._levels(part, _EPOCH)
        return self.message(words.BOOK_MESSAGES, sent_ns, [words.BookEvent("snapshot", product_id, levels)])

    def _quotes(self, parts: list[Any], quoted_as: Callable[[str], AbstractSet[str]]) -> Iterator[bytes]:
        events = [
            words.BookEvent("update", part.product_id, self._levels(part, text_of_ns(part.sent_ns)))
            for part in parts
            if CHANNEL_WORDS[Channel.QUOTES] in quoted_as(part.product_id)
        ]
        if events:
            yield self.message(words.BOOK_MESSAGES, parts[-1].sent_ns, events)
        for part in parts:
            if words.TICKER in quoted_as(part.product_id):
                yield self.message(words.TICKER, part.sent_ns, [words.TickerEvent("update", [_ticker(part)])])

    def _levels(self, part: QuotePart, event_time: str) -> list[words.Level]:
        """What changes in a book of one level a side."""
        old_bid, old_ask = self._told.get(part.product_id, ("", ""))
        bid = part.bid if part.bid_size not in ("", "0") else ""
        ask = part.ask if part.ask_size not in ("", "0") else ""
        self._told[part.product_id] = (bid, ask)
        levels = [words.Level("bid", event_time, old_bid, "0")] if old_bid and old_bid != bid else []
        levels += [words.Level("offer", event_time, old_ask, "0")] if old_ask and old_ask != ask else []
        levels += [words.Level("bid", event_time, bid, part.bid_size)] if bid else []
        return levels + ([words.Level("offer", event_time, ask, part.ask_size)] if ask else [])


def _ticker(part: QuotePart) -> words.Ticker:
    return words.Ticker(
        product_id=part.product_id,
        price=part.bid or part.ask or "0",
        best_bid=part.bid or "0",
        best_bid_quantity=part.bid_size or "0",
        best_ask=part.ask or "0",
        best_ask_quantity=part.ask_size or "0",
    )
