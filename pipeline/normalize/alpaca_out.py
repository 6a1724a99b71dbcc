"""Our events as Alpaca's messages and as rows of its history: the normaliser backwards, for the simulator.

What the log does not keep is written empty: of a correction the old trade's price, size and conditions; of a cancel whether it
was an error. A tape is C where the conditions can be spelled in its letters, as they nearly always can. Quotes of before
2025-11-03 are written in whole round lots of 100; what is less is cut off. Prices from 8,388,608 on have no float of their own.

Statuses other than CARRIED_STATUSES, and LIMITS without bands, are not written, nor bars that no vendor made or of another length, nor
anything of an instrument whose sizes are not counted in ones.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.msgpack import Ext

from pipeline.block import Block, Blocks
from pipeline.codes import BarBasis, BarUnit, Kind, Mark, StatusReason, TradingStatus
from pipeline.instruments import WHOLE_STEP_NANO
from pipeline.normalize.alpaca_codes import quote_letters, sale_letters
from pipeline.normalize.alpaca_columns import ns_of_text, stamp_of, text_of_ns
from pipeline.normalize.alpaca_rows import ROUND_LOT_SHARES, SHARES_SINCE_NS
from pipeline.normalize.alpaca_words import (
    WRITERS,
    Bands,
    Bar,
    Cancel,
    Correction,
    DailyBar,
    Encoding,
    Quote,
    Status,
    Trade,
    UpdatedBar,
)
from pipeline.ports import Channel, Served, Topic
from pipeline.units import ABSENT, DAY_NS, MINUTE_NS, NANO

CARRIED: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.QUOTE: (
        "ts_event_ns",
        "bid_nano",
        "ask_nano",
        "bid_size_steps",
        "ask_size_steps",
        "bid_venue",
        "ask_venue",
        "condition",
    ),
    Kind.PRINT: ("ts_event_ns", "price_nano", "size_steps", "trade_id", "corrects_trade_id"),
    Kind.BAR: (
        "ts_event_ns",
        "bar_length",
        "ts_close_ns",
        "open_nano",
        "high_nano",
        "low_nano",
        "close_nano",
        "volume_steps",
        "trade_count",
        "vwap",
        "revision",
    ),
    Kind.STATUS: ("ts_event_ns", "status"),
}
"""What comes back the same of every row that is written; a cancel has no `trade_id` of its own. But a halt for volatility comes
back as a pause."""

CARRIED_BY_MOST: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.PRINT: ("venue", "conditions"),
    Kind.STATUS: ("reason", "limit_down_nano", "limit_up_nano"),
}
"""What comes back too, but not of all: conditions not of cancels; a venue that is no letter as 0, or as D of corrections and
cancels, which clients refuse without one; a reason not of price bands, and bands of nothing else."""

CARRIED_STATUSES: Final[Mapping[int, str]] = {
    TradingStatus.HALTED: "H",
    TradingStatus.PAUSED: "P",
    TradingStatus.QUOTING: "Q",
    TradingStatus.TRADING: "T",
}
"""Tape C's letters for them."""

_STATUS_WORDS: Final = {
    "H": "Trading Halt",
    "P": "Volatility Trading Pause",
    "Q": "Quotation Resumption",
    "T": "Trading Resumption",
    "2": "Trading Halt",
    "3": "Resume",
}
_REASONS: Final[Mapping[int, str]] = {
    StatusReason.SCHEDULED: "IPO1",
    StatusReason.NEWS_PENDING: "T1",
    StatusReason.NEWS_RELEASED: "T2",
    StatusReason.VOLATILITY: "T5",
    StatusReason.LIMIT_STATE: "LUDP",
    StatusReason.REGULATORY: "H11",
    StatusReason.ORDER_IMBALANCE: "I",
    StatusReason.TECHNICAL: "O1",
    StatusReason.MARKET_WIDE: "MWC1",
    StatusReason.CORPORATE_ACTION: "M1",
    StatusReason.OTHER: "T8",
}
_FINRA: Final = "D"
_CTA: Final = {"H": "2", "T": "3"}
"""Tape A's letters, for the one reason that only it has."""

Row = dict[str, Any]


class QuoteOut(Quote[Any], tag="q"):
    """A quote with its tape, which is nothing to the reader."""

    z: str = "C"


class TradeOut(Trade[Any], tag="t", omit_defaults=True):
    """A trade without what is not known of it."""


class AlpacaEncoder:
    """Writes events in one encoding."""

    def __init__(self, encoding: Encoding = Encoding.JSON) -> None:
        self.encoding = encoding
        self._write = WRITERS[encoding]
        self._time: Callable[[int], Any] = text_of_ns if encoding is Encoding.JSON else _stamp
        self._not_whole: set[int] = set()

    def served(self, batch: Blocks, symbols: Mapping[int, str]) -> Iterator[Served]:
        """The events of a batch that the protocol can carry, in order; `symbols` by instrument id."""
        for block in batch:
            if block.kind is Kind.INSTRUMENT:
                self._learn(block)
        found = [served for block in batch if block.kind in CARRIED for served in self._of_block(block, symbols)]
        return iter(sorted(found, key=lambda served: served.seq))

    def frame(self, payloads: Sequence[bytes]) -> bytes:
        """Events of one connection as one frame on the wire: an array."""
        return framed(payloads, self.encoding)

    def _learn(self, definitions: Block) -> None:
        ids, steps = definitions.number("instrument_id"), definitions.number("size_step_nano")
        self._not_whole |= set(ids[steps != WHOLE_STEP_NANO].tolist())

    def _of_block(self, block: Block, symbols: Mapping[int, str]) -> Iterator[Served]:
        for row in block.rows():
            symbol = symbols.get(row["instrument_id"])
            if (
                symbol
                and row["instrument_id"] not in self._not_whole
                and (made := message_of(block.kind, row, symbol, self._time))
            ):
                channel, message = made
                yield Served(Topic(channel, symbol), row["seq"], self._write(message))


def framed(payloads: Sequence[bytes], encoding: Encoding) -> bytes:
    """An array of things that are encoded already."""
    if encoding is Encoding.JSON:
        return b"[%b]" % b",".join(payloads)
    count = len(payloads)
    head = (
        bytes([0x90 | count])
        if count < 16
        else b"\xdc" + count.to_bytes(2)
        if count < 2**16
        else b"\xdd" + count.to_bytes(4)
    )
    return head + b"".join(payloads)


def packed(payload: bytes) -> bytes:
    """An event in JSON as the same event in MessagePack."""
    event = msgspec.json.decode(payload)
    event["t"] = _stamp(ns_of_text(event["t"]))
    return WRITERS[Encoding.MSGPACK](event)


def message_of(kind: Kind, row: Row, symbol: str, time: Callable[[int], Any]) -> tuple[Channel, Struct] | None:
    """A row as a message and the channel it goes out on; None when the protocol has no words for it."""
    match kind:
        case Kind.QUOTE:
            return Channel.QUOTES, _quote(row, symbol, time)
        case Kind.PRINT:
            return Channel.PRINTS, _print(row, symbol, time)
        case Kind.BAR:
            return _bar(row, symbol, time)
        case Kind.STATUS:
            status = _status(row, symbol, time)
            return (Channel.STATUSES, status) if status else None
        case _:
            return None


def _stamp(ts_ns: int) -> Ext:
    return Ext(-1, stamp_of(ts_ns)[2:])


def _quote(row: Row, symbol: str, time: Callable[[int], Any]) -> QuoteOut:
    lot = ROUND_LOT_SHARES if row["ts_event_ns"] < SHARES_SINCE_NS else 1
    return QuoteOut(
        time(row["ts_event_ns"]),
        symbol,
        _letter(row["bid_venue"]),
        _price(row["bid_nano"]),
        _size(row["bid_size_steps"]) // lot,
        _letter(row["ask_venue"]),
        _price(row["ask_nano"]),
        _size(row["ask_size_steps"]) // lot,
        tuple(quote_letters(row["condition"])),
    )


def _print(row: Row, symbol: str, time: Callable[[int], Any]) -> Struct:
    stamp, price, size = time(row["ts_event_ns"]), _price(row["price_nano"]), _size(row["size_steps"])
    exchange = _letter(row["venue"])
    letters, tape = sale_letters(row["conditions"])
    old_id = _id(row["corrects_trade_id"])
    if row["marks"] & Mark.CANCEL:
        return Cancel(stamp, symbol, old_id, price, size, exchange or _FINRA, "C", tape)
    if row["marks"] & Mark.CORRECTION:
        new_id = _id(row["trade_id"])
        return Correction(stamp, symbol, old_id, price, size, exchange or _FINRA, oc=(), ci=new_id, cc=letters, z=tape)
    trade_id = ABSENT if row["trade_id"] == ABSENT else row["trade_id"]  # the very number that is left out
    return TradeOut(stamp, price, size, symbol, exchange, letters, tape, trade_id)


def _bar(row: Row, symbol: str, time: Callable[[int], Any]) -> tuple[Channel, Struct] | None:
    if row["bar_unit"] != BarUnit.TIME or row["basis"] != BarBasis.VENDOR:
        return None
    if row["bar_length"] not in (MINUTE_NS, DAY_NS):
        return None
    is_daily = row["bar_length"] == DAY_NS
    type_ = DailyBar if is_daily else UpdatedBar if row["revision"] else Bar
    o, h, l, c = (_price(row[f"{name}_nano"]) for name in ("open", "high", "low", "close"))  # noqa: E741 - the wire's
    count = None if row["trade_count"] == ABSENT else row["trade_count"]
    average = None if math.isnan(row["vwap"]) else row["vwap"]
    bar = type_(time(row["ts_event_ns"]), o, h, l, c, symbol, v=_size(row["volume_steps"]), n=count, vw=average)
    return (Channel.BARS_1D if is_daily else Channel.BARS_1M), bar


def _status(row: Row, symbol: str, time: Callable[[int], Any]) -> Struct | None:
    stamp = time(row["ts_event_ns"])
    if row["status"] == TradingStatus.LIMITS:
        up, down = _price(row["limit_up_nano"]), _price(row["limit_down_nano"])
        return Bands(stamp, symbol, up, down, "B", "C") if up or down else None
    code, reason = CARRIED_STATUSES.get(row["status"], ""), _REASONS.get(row["reason"], "")
    if not code:
        return None
    tape = "C"
    if row["reason"] == StatusReason.ORDER_IMBALANCE and code in _CTA:
        code, tape = _CTA[code], "A"
    return Status(stamp, symbol, code, _STATUS_WORDS[code], reason, "", tape)


def _price(nano: int) -> float:
    return 0.0 if nano == ABSENT else nano / NANO


def _size(steps: int) -> int:
    return max(steps, 0)


def _id(trade_id: int) -> int:
    return 0 if trade_id == ABSENT else trade_id


def _letter(venue: int) -> str:
    """An exchange's letter; '' for another vendor's number."""
    return chr(venue) if ord("A") <= venue <= ord("Z") else ""
