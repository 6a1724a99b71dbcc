"""Massive's events of one type as the columns of ours, and why single ones of them are refused.

Every maker gives the columns and, by reason, masks of rows that are not to be kept.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Numbers
from pipeline.codes import BarBasis, BarUnit, Mark, TradingStatus
from pipeline.normalize.marks import bar_marks, quote_marks, with_mark
from pipeline.normalize.massive_columns import (
    conditions,
    displayed,
    floats,
    integers,
    nanos,
    small,
    times_ns,
    trade_ids,
    traded,
    volumes,
)
from pipeline.normalize.massive_words import Bands, MinuteBar, PastBar, PastQuote, PastTrade, Quote, SecondBar, Trade
from pipeline.units import ABSENT

Reasons = dict[str, Numbers]

_PRICE: Final = "a price is finer than 1e-9"
_TIME: Final = "a time is none between 1973 and 2100 in ms, us or ns"
_VOID: Final = (7, 8, 10, 11)
"""Corrections that make a trade void: marked erroneous or cancelled, and the records that say so (CTA's codes)."""
_MOVES_NOTHING: Final = Mark.NO_LAST | Mark.NO_HIGH_LOW | Mark.NO_VOLUME | Mark.UNTRUSTED


class Made(NamedTuple):
    """What became of events of one type."""

    columns: dict[str, Numbers | int]
    reasons: Reasons
    fractions: int = 0
    """How many sizes had a fraction of a share that is not kept."""


def quotes(events: Sequence[Quote | PastQuote], codes: list[int], ts_recv_ns: Numbers) -> Made:
    """Quotes; `codes` are their conditions, which only the socket sends as a number."""
    times, is_timeless, unsaid = times_ns([x.t for x in events], ts_recv_ns)
    bids, bid_is_wrong = nanos([x.bp for x in events])
    asks, ask_is_wrong = nanos([x.ap for x in events])
    bid_sizes, ask_sizes = displayed([x.bs for x in events], times), displayed([x.as_ for x in events], times)
    bids, bid_sizes = _side(bids, bid_sizes)
    asks, ask_sizes = _side(asks, ask_sizes)
    columns: dict[str, Numbers | int] = {
        "ts_event_ns": times,
        "bid_nano": bids,
        "ask_nano": asks,
        "bid_size_steps": bid_sizes,
        "ask_size_steps": ask_sizes,
        "bid_venue": small([x.bx for x in events]),
        "ask_venue": small([x.ax for x in events]),
        "condition": small(codes),
        "marks": with_mark(quote_marks(bids, asks), unsaid, Mark.UNDEFINED_TS),
        "vendor_seq": integers([x.q for x in events]),
    }
    return Made(columns, {_PRICE: bid_is_wrong | ask_is_wrong, _TIME: is_timeless})


def _side(prices: Numbers, sizes: Numbers) -> tuple[Numbers, Numbers]:
    """A side of a quote, absent where nobody stands."""
    if np.count_nonzero(prices) == len(prices):
        return prices, sizes
    return np.where(prices, prices, ABSENT), np.where(prices, sizes, ABSENT)


def prints(events: Sequence[Trade | PastTrade], ts_recv_ns: Numbers) -> Made:
    """Prints."""
    times, is_timeless, unsaid = times_ns([x.t for x in events], ts_recv_ns)
    prices, price_is_wrong = nanos([x.p for x in events])
    sizes, size_is_wrong, fractions = traded([x.s for x in events], [x.ds for x in events])
    bits, marks = conditions([x.c for x in events], times)
    corrections = [x.e for x in events]
    if any(corrections):
        marks = with_mark(marks, np.isin(integers(corrections), _VOID), _MOVES_NOTHING)
    columns: dict[str, Numbers | int] = {
        "ts_event_ns": times,
        "price_nano": prices,
        "size_steps": sizes,
        "venue": small([x.x for x in events]),
        "conditions": bits,
        "marks": with_mark(marks, unsaid, Mark.UNDEFINED_TS),
        "trade_id": trade_ids([x.i for x in events]),
        "vendor_seq": integers([x.q for x in events]),
    }
    reasons = {
        _PRICE: price_is_wrong,
        "a print without a price": prices == 0,
        "a size is missing, no whole number or contradicts its ds": size_is_wrong,
        _TIME: is_timeless,
    }
    return Made(columns, reasons, fractions)


def bars(events: Sequence[SecondBar | MinuteBar], length_ns: int, ts_recv_ns: Numbers) -> Made:
    """Bars of the socket."""
    starts, is_startless, unsaid = times_ns([x.s for x in events], ts_recv_ns)
    ends = integers([x.e for x in events])
    is_other_length = (ends != 0) & (times_ns([x.e for x in events], ts_recv_ns)[0] != starts + length_ns)
    made = _bars(events, starts, length_ns)
    return made._replace(
        reasons={
            **made.reasons,
            "a start is no time": is_startless | unsaid | (starts % length_ns != 0),
            f"s to e is not {length_ns // 10**9} s": is_other_length,
        }
    )


def past_bars(events: Sequence[PastBar], length_ns: int, ts_recv_ns: Numbers) -> Made:
    """Bars of REST, which also count their trades."""
    starts, is_startless, unsaid = times_ns([x.t for x in events], ts_recv_ns)
    made = _bars(events, starts, length_ns)
    return made._replace(
        columns={**made.columns, "trade_count": integers([x.n for x in events])},
        reasons={**made.reasons, "a start is no time": is_startless | unsaid | (starts % length_ns != 0)},
    )


def _bars(events: Sequence[SecondBar | MinuteBar | PastBar], starts: Numbers, length_ns: int) -> Made:
    prices = [
        nanos([x.o for x in events]),
        nanos([x.h for x in events]),
        nanos([x.low for x in events]),
        nanos([x.c for x in events]),
    ]
    (opens, _), (highs, _), (lows, _), (closes, _) = prices
    columns: dict[str, Numbers | int] = {
        "ts_event_ns": starts,
        "bar_unit": int(BarUnit.TIME),
        "bar_length": length_ns,
        "ts_close_ns": starts + length_ns,
        "open_nano": opens,
        "high_nano": highs,
        "low_nano": lows,
        "close_nano": closes,
        "volume_steps": volumes([x.v for x in events]),
        "vwap": floats([float("nan") if x.vw is None else x.vw for x in events]),
        "basis": int(BarBasis.VENDOR),
        "marks": bar_marks(opens, highs, lows, closes),
    }
    return Made(columns, {_PRICE: np.logical_or.reduce([is_wrong for _, is_wrong in prices])})


def bands(events: Sequence[Bands], ts_recv_ns: Numbers) -> Made:
    """Price bands."""
    times, is_timeless, unsaid = times_ns([x.t for x in events], ts_recv_ns)
    highs, high_is_wrong = nanos([x.h for x in events])
    lows, low_is_wrong = nanos([x.low for x in events])
    columns: dict[str, Numbers | int] = {
        "ts_event_ns": times,
        "status": int(TradingStatus.LIMITS),
        "limit_up_nano": np.where(highs, highs, ABSENT),
        "limit_down_nano": np.where(lows, lows, ABSENT),
        "vendor_action": np.array([x.i[0] if x.i else ABSENT // 2**32 for x in events], np.int32),
        "marks": with_mark(np.zeros(len(events), np.int32), unsaid, Mark.UNDEFINED_TS),
    }
    return Made(columns, {_PRICE: high_is_wrong | low_is_wrong, _TIME: is_timeless})
