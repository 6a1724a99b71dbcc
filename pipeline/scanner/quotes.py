"""Quotes and statuses: what is bid and asked, and whether an instrument trades, as of now."""

from typing import Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import Mark, Origin, TradingStatus
from pipeline.scanner.columns import COUNT, FLAG, FLOAT, MOMENT, Column, Columns
from pipeline.units import ABSENT, NANO

QUOTES: Final = {
    "bid": FLOAT,
    "ask": FLOAT,
    "bid_size": FLOAT,
    "ask_size": FLOAT,
    "ts_quote_ns": MOMENT,
    "ts_quote_event_ns": MOMENT,
}
STATUSES: Final = {
    "is_halted": FLAG,
    "halt_reason": Column("i1", 0),
    "ts_halt_ns": MOMENT,
    "ts_resume_ns": MOMENT,
    "ts_status_ns": MOMENT,
    "luld_lower": FLOAT,
    "luld_upper": FLOAT,
    "ts_luld_ns": MOMENT,
    "is_short_restricted": Column("i1", -1),
    "ts_short_ns": MOMENT,
}
DAILY: Final = {"halts": COUNT}

_HALTING: Final = (TradingStatus.HALTED, TradingStatus.PAUSED, TradingStatus.SUSPENDED)
_RELEASING: Final = (TradingStatus.TRADING, TradingStatus.PRE_OPEN, TradingStatus.POST_CLOSE)


def fold_quotes(columns: Columns, block: Block) -> None:
    """Take in quotes: the last that came is in force, but for duplicates, backfill, and what came out of order and is older."""
    is_new = (block.number("marks") & Mark.DUPLICATE == 0) & (block.number("origin") != Origin.BACKFILL)
    block = block.take(is_new)
    is_late = block.number("marks") & Mark.OUT_OF_ORDER != 0
    _put_in_force(columns, block.take(~is_late), is_late=False)
    _put_in_force(columns, block.take(is_late), is_late=True)


def _put_in_force(columns: Columns, block: Block, *, is_late: bool) -> None:
    ids, event_ns = block.number("instrument_id"), block.number("ts_event_ns")
    key = event_ns if is_late else np.arange(len(ids))
    rows = _last(ids, key)
    if is_late:
        rows = rows[event_ns[rows] >= columns["ts_quote_event_ns"][ids[rows]]]
    put_quotes(columns, block.take(rows), event_ns[rows])


def put_quotes(columns: Columns, block: Block, event_ns: Numbers) -> None:
    """Put one quote of each instrument in force, each of this event time."""
    ids = block.number("instrument_id")
    for name in ("bid", "ask"):
        nano, size = block.number(f"{name}_nano"), block.number(f"{name}_size_steps")
        columns[name][ids] = np.where(nano == ABSENT, np.nan, nano / NANO)
        columns[f"{name}_size"][ids] = np.where(size == ABSENT, np.nan, size * columns["step_size"][ids])
    columns["ts_quote_ns"][ids] = block.number("ts_recv_ns")
    columns["ts_quote_event_ns"][ids] = event_ns


def fold_statuses(columns: Columns, block: Block) -> None:
    """Take in statuses, each of the three things they tell by itself: halts, price bands, the short-sale rule."""
    ids, recv_ns = block.number("instrument_id"), block.number("ts_recv_ns")
    order = np.arange(len(ids))
    lower, upper = block.number("limit_down_nano"), block.number("limit_up_nano")
    banded = _last(ids, order, (lower != ABSENT) & (upper != ABSENT))
    columns["luld_lower"][ids[banded]] = lower[banded] / NANO
    columns["luld_upper"][ids[banded]] = upper[banded] / NANO
    columns["ts_luld_ns"][ids[banded]] = recv_ns[banded]
    short = block.number("is_short_restricted")
    ruled = _last(ids, order, short >= 0)
    columns["is_short_restricted"][ids[ruled]] = short[ruled]
    columns["ts_short_ns"][ids[ruled]] = recv_ns[ruled]
    told = np.isin(block.number("status"), [*_HALTING, *_RELEASING])
    for row in np.flatnonzero(told).tolist():  # few: a halt is news
        _stand(
            columns,
            int(ids[row]),
            int(block.number("status")[row]),
            int(block.number("reason")[row]),
            int(recv_ns[row]),
        )


def _stand(columns: Columns, id_: int, status: int, reason: int, ts_ns: int) -> None:
    columns["ts_status_ns"][id_] = ts_ns
    is_halted = status in _HALTING
    if is_halted and not columns["is_halted"][id_]:
        columns["halts"][id_] += 1
        columns["ts_halt_ns"][id_] = ts_ns
    if not is_halted and columns["is_halted"][id_]:
        columns["ts_resume_ns"][id_] = ts_ns
    if is_halted:
        columns["halt_reason"][id_] = reason
    columns["is_halted"][id_] = is_halted


def _last(ids: Numbers, key: Numbers, mask: Numbers | None = None) -> Numbers:
    """The row of each instrument that is last by the key, among those of the mask; by their order among equals."""
    among = np.arange(len(ids)) if mask is None else np.flatnonzero(mask)
    order = among[np.lexsort((among, key[among], ids[among]))]
    found = ids[order]
    rows: Numbers = order[np.append(found[1:] != found[:-1], True)[: len(found)]]  # the last row of all
    return rows
