"""Our events as Massive's messages and pages: the normaliser backwards, for the simulator.

Only what Massive sends is sent: no cancelled or corrected prints, no halts, no bars that were made here, nothing that isn't in a
row (no tape, no day's volume). Quotes and prints lose what their milliseconds can't say; before 2025-11-03 sizes of quotes
lose what is no whole round lot, as they did then.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.json import Encoder

from pipeline.block import Block, Blocks
from pipeline.codes import BarBasis, BarUnit, Kind, Mark, TradingStatus
from pipeline.normalize.massive_words import (
    BAR_NS,
    LOT_SHARES,
    SHARES_FROM_NS,
    UNSAID,
    Bands,
    MinuteBar,
    Past,
    PastBar,
    PastQuote,
    PastTrade,
    Quote,
    SecondBar,
    Trade,
)
from pipeline.ports import Channel, Served, Topic
from pipeline.units import ABSENT, NANO

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
        "vendor_seq",
    ),
    Kind.PRINT: ("ts_event_ns", "price_nano", "size_steps", "venue", "conditions", "trade_id", "vendor_seq"),
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
        "vwap",
        "basis",
    ),
    Kind.STATUS: ("ts_event_ns", "status", "limit_down_nano", "limit_up_nano", "vendor_action"),
}
"""What of a served row comes out of the normaliser as it went in."""

TIME_STEP_NS: Final[dict[Kind, int]] = {
    Kind.QUOTE: 1_000_000,
    Kind.PRINT: 1_000_000,
    Kind.BAR: 1_000_000,
    Kind.STATUS: 1,
}
"""How exact `ts_event_ns` is on the socket; what is finer is cut. By REST quotes and prints keep their nanoseconds."""

_MS: Final = 1_000_000
_UNSENT: Final = int(Mark.CANCEL | Mark.CORRECTION)
_CHANNELS: Final = {length_ns: channel for channel, length_ns in BAR_NS.items()}

Row = dict[str, Any]


def channel_of(kind: Kind, row: Row) -> Channel | None:
    """The channel that carries a row; None when Massive has no message for it."""
    match kind:
        case Kind.QUOTE:
            return Channel.QUOTES
        case Kind.PRINT:
            return Channel.PRINTS if _is_sent(row) else None
        case Kind.STATUS:
            return Channel.STATUSES if row["status"] == TradingStatus.LIMITS else None
        case Kind.BAR:
            is_vendors = row["basis"] == BarBasis.VENDOR and row["bar_unit"] == BarUnit.TIME
            return _CHANNELS.get(row["bar_length"]) if is_vendors else None
        case _:
            return None


def _is_sent(row: Row) -> bool:
    return row["price_nano"] > 0 and row["size_steps"] >= 0 and not row["marks"] & _UNSENT


class MassiveEncoder:
    """`ports.Encoder` for the socket."""

    def __init__(self) -> None:
        self._encode = Encoder().encode

    def served(self, batch: Blocks, symbols: Mapping[int, str]) -> Iterator[Served]:
        """The events of a batch that Massive would send, in order."""
        messages = [served for block in batch if block.kind in _LIVE for served in self._of_block(block, symbols)]
        yield from sorted(messages, key=lambda served: served.seq)

    def _of_block(self, block: Block, symbols: Mapping[int, str]) -> Iterator[Served]:
        make = _LIVE[block.kind]
        for row in block.rows():
            channel, symbol = channel_of(block.kind, row), symbols.get(row["instrument_id"])
            if channel is not None and symbol is not None:
                yield Served(Topic(channel, symbol), row["seq"], self._encode(make(symbol, row)))

    def frame(self, payloads: Sequence[bytes]) -> bytes:
        """Events as one message: always an array."""
        return b"[" + b",".join(payloads) + b"]"


def _price(nano: int) -> float:
    """0 where there is none, as Massive says it."""
    return 0.0 if nano == ABSENT else nano / NANO


def _displayed(row: Row, side: str) -> int:
    """Size of a side of a quote in the unit of its day."""
    steps: int = row[f"{side}_size_steps"]
    if steps == ABSENT or row[f"{side}_nano"] == ABSENT:
        return 0
    return steps if row["ts_event_ns"] >= SHARES_FROM_NS else steps // LOT_SHARES


def _ids(row: Row) -> tuple[int, ...]:
    """The sale conditions whose bits are set."""
    bits: int = row["conditions"]
    return tuple(number for number in range(bits.bit_length()) if bits >> number & 1)


def _trade_id(row: Row) -> str:
    return "" if row["trade_id"] == ABSENT else str(row["trade_id"])


def _quote(symbol: str, row: Row) -> Quote:
    return Quote(
        sym=symbol,
        bx=row["bid_venue"],
        bp=_price(row["bid_nano"]),
        bs=_displayed(row, "bid"),
        ax=row["ask_venue"],
        ap=_price(row["ask_nano"]),
        as_=_displayed(row, "ask"),
        c=row["condition"],
        t=row["ts_event_ns"] // _MS,
        q=_or_unsaid(row["vendor_seq"]),
    )


def _trade(symbol: str, row: Row) -> Trade:
    return Trade(
        sym=symbol,
        p=_price(row["price_nano"]),
        x=row["venue"],
        i=_trade_id(row),
        s=row["size_steps"],
        c=_ids(row),
        t=row["ts_event_ns"] // _MS,
        q=_or_unsaid(row["vendor_seq"]),
    )


def _bar(symbol: str, row: Row) -> SecondBar | MinuteBar:
    make = SecondBar if row["bar_length"] == BAR_NS[Channel.BARS_1S] else MinuteBar
    return make(
        symbol,
        *_prices(row),
        v=_volume(row),
        vw=_vwap(row),
        s=row["ts_event_ns"] // _MS,
        e=(row["ts_event_ns"] + row["bar_length"]) // _MS,
    )


def _prices(row: Row) -> tuple[float, float, float, float]:
    return _price(row["open_nano"]), _price(row["high_nano"]), _price(row["low_nano"]), _price(row["close_nano"])


def _or_unsaid(count: int) -> int:
    """The same; the very object that is the default when it is absent, for only that one is left out."""
    return ABSENT if count == ABSENT else count


def _volume(row: Row) -> float:
    return UNSAID if row["volume_steps"] == ABSENT else row["volume_steps"]


def _vwap(row: Row) -> float | None:
    return None if math.isnan(row["vwap"]) else row["vwap"]


def _bands(symbol: str, row: Row) -> Bands:
    indicators = () if row["vendor_action"] == ABSENT // 2**32 else (row["vendor_action"],)
    high, low = _price(row["limit_up_nano"]), _price(row["limit_down_nano"])
    return Bands(symbol, h=high, low=low, i=indicators, t=row["ts_event_ns"])


_LIVE: Final[dict[Kind, Callable[[str, Row], Any]]] = {
    Kind.QUOTE: _quote,
    Kind.PRINT: _trade,
    Kind.BAR: _bar,
    Kind.STATUS: _bands,
}


def past_of(kind: Kind, row: Row) -> Past:
    """A row as an element of a page of REST: nanoseconds for quotes and prints."""
    match kind:
        case Kind.QUOTE:
            return _past_quote(row)
        case Kind.PRINT:
            return _past_trade(row)
        case _:
            return _past_bar(row)


def _past_quote(row: Row) -> PastQuote:
    return PastQuote(
        bx=row["bid_venue"],
        bp=_price(row["bid_nano"]),
        bs=_displayed(row, "bid"),
        ax=row["ask_venue"],
        ap=_price(row["ask_nano"]),
        as_=_displayed(row, "ask"),
        c=(row["condition"],) if row["condition"] else (),
        t=row["ts_event_ns"],
        q=_or_unsaid(row["vendor_seq"]),
    )


def _past_trade(row: Row) -> PastTrade:
    return PastTrade(
        p=_price(row["price_nano"]),
        x=row["venue"],
        i=_trade_id(row),
        s=row["size_steps"],
        c=_ids(row),
        t=row["ts_event_ns"],
        q=_or_unsaid(row["vendor_seq"]),
    )


def _past_bar(row: Row) -> PastBar:
    return PastBar(
        *_prices(row), v=_volume(row), vw=_vwap(row), t=row["ts_event_ns"] // _MS, n=_or_unsaid(row["trade_count"])
    )
