"""Trades: prints and vendor's bars as what they have in common, folded into prices, ranges and volumes of the day.

What a print may move is said by its marks, as in docs/bars.md. Where an instrument has prints and bars, or bars of
several lengths, only the finest it had so far today counts: its volume would count twice. A bar counts where it begins:
premarket is 4:00 to 9:30, and what belongs to another day than today moves nothing.
"""

from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import BarUnit, Mark
from pipeline.scanner.clocks import TradingDays
from pipeline.scanner.columns import COUNT, FLAG, FLOAT, MOMENT, Column, Columns
from pipeline.units import ABSENT, DAY_NS, HOUR_NS, INT64_MAX, MINUTE_NS, NANO

TAPE: Final = {
    "last": FLOAT,
    "ts_last_event_ns": MOMENT,
    "ts_last_ns": MOMENT,
    "ts_trade_ns": MOMENT,
    "ts_volume_ns": MOMENT,
    "total_steps": COUNT,
    "total_trades": COUNT,
    "total_dollars": Column("f8", 0.0),
    "is_untold": FLAG,
}
DAILY: Final = {
    "basis_ns": Column("i8", INT64_MAX),
    "bar_start_ns": MOMENT,
    "bar_steps": COUNT,
    "bar_trades": COUNT,
    "bar_dollars": Column("f8", 0.0),
    "high": FLOAT,
    "low": FLOAT,
    "pm_high": FLOAT,
    "pm_low": FLOAT,
    "pm_steps": COUNT,
    "pm_trades": COUNT,
    "pm_dollars": Column("f8", 0.0),
    "ts_pm_ns": MOMENT,
    "rth_open": FLOAT,
    "ts_rth_open_ns": MOMENT,
    "ts_open_known_ns": MOMENT,
    "rth_high": FLOAT,
    "rth_low": FLOAT,
    "rth_last": FLOAT,
    "ts_rth_last_ns": MOMENT,
    "ts_rth_known_ns": MOMENT,
    "ts_high_ns": MOMENT,
    "ts_range_ns": MOMENT,
}
"""Those that begin anew each trading day."""

INTRADAY_NS_MAX: Final = HOUR_NS
"""Longer bars of less than a day say nothing about now."""

_AHEAD_NS_MAX: Final = MINUTE_NS
"""A trade further ahead of session time moves nothing."""

_NOTHING: Final = Mark.DUPLICATE | Mark.CORRECTION


class Trades(NamedTuple):
    """Prints or bars, (n,) each: times UTC nanoseconds, prices float64, sizes in steps, negative where they are taken back."""

    id: Numbers
    start_ns: Numbers
    end_ns: Numbers
    recv_ns: Numbers
    open: Numbers
    high: Numbers
    low: Numbers
    close: Numbers
    steps: Numbers
    trades: Numbers
    dollars: Numbers
    moves_last: Numbers
    moves_range: Numbers

    def where(self, mask: Numbers) -> "Trades":
        """Those of them."""
        return self if mask.all() else Trades(*(column[mask] for column in self))


def fold_prints(columns: Columns, days: TradingDays, block: Block) -> None:
    """Take in prints."""
    marks, ids = block.number("marks"), block.number("instrument_id")
    counts = marks & (_NOTHING | Mark.NO_VOLUME) == 0
    is_cancel = marks & Mark.CANCEL != 0
    price = _prices(block, "price_nano")
    sizes = block.number("size_steps")
    sign = np.where(counts & (sizes > 0), np.where(is_cancel, -1, 1), 0)
    steps = sign * np.where(sizes == ABSENT, 0, sizes)
    is_price = (marks & (_NOTHING | Mark.CANCEL) == 0) & (price > 0)
    ts_event_ns = block.number("ts_event_ns")
    dollars = np.where(price > 0, price, 0.0) * steps * worth(columns, ids)
    made = Trades(
        id=ids,
        start_ns=ts_event_ns,
        end_ns=ts_event_ns,
        recv_ns=block.number("ts_recv_ns"),
        open=price,
        high=price,
        low=price,
        close=price,
        steps=steps,
        trades=sign,
        dollars=dollars,
        moves_last=is_price & (marks & Mark.NO_LAST == 0),
        moves_range=is_price & (marks & Mark.NO_HIGH_LOW == 0),
    )
    columns["basis_ns"][ids[sign > 0]] = 0
    columns["is_untold"][ids[sign > 0]] = False
    _fold(columns, days, made)


def fold_bars(columns: Columns, days: TradingDays, block: Block) -> None:
    """Take in vendor's bars by time of an hour and less; a revision takes the place of the bar it revises."""
    length, ids = block.number("bar_length"), block.number("instrument_id")
    is_time = (block.number("bar_unit") == BarUnit.TIME) & (block.number("marks") & Mark.DUPLICATE == 0)
    is_time &= (length <= INTRADAY_NS_MAX) & (length > 0)
    np.minimum.at(columns["basis_ns"], ids[is_time], length[is_time])
    block = _latest(block.take(is_time & (length <= columns["basis_ns"][ids])))
    if len(block):
        made = _of_bars(columns, block)
        _fold(columns, days, made)


def daily_bars(block: Block) -> Block:
    """Those of a day and more, in the order of their days."""
    long = block.take((block.number("bar_unit") == BarUnit.TIME) & (block.number("bar_length") == DAY_NS))
    return long.take(np.argsort(long.number("ts_event_ns"), kind="stable"))


def _latest(block: Block) -> Block:
    """Of each instrument the bars by their start, of each start the last that came."""
    ids, start_ns = block.number("instrument_id"), block.number("ts_event_ns")
    order = np.lexsort((np.arange(len(ids)), start_ns, ids))
    ids, start_ns = ids[order], start_ns[order]
    is_last = np.append((ids[1:] != ids[:-1]) | (start_ns[1:] != start_ns[:-1]), True)[
        : len(ids)
    ]  # the last row of all
    return block.take(order[is_last])


def _of_bars(columns: Columns, block: Block) -> Trades:
    ids, start_ns = block.number("instrument_id"), block.number("ts_event_ns")
    open_, high, low, close = (_prices(block, f"{name}_nano") for name in ("open", "high", "low", "close"))
    volume, count = block.number("volume_steps"), block.number("trade_count")
    steps = np.where(volume == ABSENT, 0, volume)
    trades = np.where(count == ABSENT, 0, count)
    typical = np.where(np.isfinite(block.number("vwap")), block.number("vwap"), (high + low + close) / 3)
    dollars = np.nan_to_num(typical) * steps * worth(columns, ids)
    columns["is_untold"][ids] = count == ABSENT
    is_again = start_ns == columns["bar_start_ns"][ids]
    is_old = (block.number("revision") > 0) & ~is_again & (start_ns < columns["bar_start_ns"][ids])
    before = [np.where(is_again, columns[name][ids], 0) for name in ("bar_steps", "bar_trades", "bar_dollars")]
    added = [np.where(is_old, 0, now - was) for now, was in zip((steps, trades, dollars), before, strict=True)]
    newest = start_ns >= columns["bar_start_ns"][ids]  # of an instrument the last in order stays
    columns["bar_steps"][ids[newest]], columns["bar_trades"][ids[newest]] = steps[newest], trades[newest]
    columns["bar_dollars"][ids[newest]] = dollars[newest]
    columns["bar_start_ns"][ids[newest]] = start_ns[newest]
    is_price = close > 0
    return Trades(
        id=ids,
        start_ns=start_ns,
        end_ns=np.maximum(block.number("ts_close_ns") - 1, start_ns),
        recv_ns=block.number("ts_recv_ns"),
        open=open_,
        high=high,
        low=low,
        close=close,
        steps=added[0],
        trades=added[1],
        dollars=added[2],
        moves_last=is_price,
        moves_range=is_price,
    )


def _fold(columns: Columns, days: TradingDays, made: Trades) -> None:
    _open(columns, fold_parts(columns, days, made.where(is_of_today(columns, days, made))))


def fold_parts(columns: Columns, days: TradingDays, made: Trades) -> Trades:
    """Fold trades of today into its volumes, ranges and prices, by part of the day; those of regular hours that move a price."""
    calendars = columns["calendar"][made.id]
    opens_ns, closes_ns = days.of("opens_ns", calendars), days.of("closes_ns", calendars)
    is_premarket = (made.start_ns >= days.of("premarket_ns", calendars)) & (made.start_ns < opens_ns)
    is_regular = (made.start_ns >= opens_ns) & (made.start_ns < closes_ns)
    add(columns, made, "total")
    add(columns, made.where(is_premarket), "pm")
    ranged = made.where(made.moves_range)
    stretch(columns, ranged, "")
    stretch(columns, made.where(is_premarket & made.moves_range), "pm_")
    stretch(columns, made.where(is_regular & made.moves_range), "rth_")
    move(columns, made.where(made.moves_last), ("last", "ts_last_event_ns", "ts_last_ns"))
    regular = made.where(is_regular & made.moves_last)
    move(columns, regular, ("rth_last", "ts_rth_last_ns", "ts_rth_known_ns"))
    return regular


def is_of_today(columns: Columns, days: TradingDays, made: Trades) -> Numbers:
    """(n,) bool: those of the trading day that their instrument is in, and not further ahead of us than clocks may differ."""
    calendars = columns["calendar"][made.id]
    is_today = (made.start_ns >= days.of("starts_ns", calendars)) & (made.start_ns < days.of("ends_ns", calendars))
    found: Numbers = is_today & (made.start_ns <= made.recv_ns + _AHEAD_NS_MAX) & columns["is_defined"][made.id]
    return found


def add(columns: Columns, made: Trades, which: str) -> None:
    """Count them into the columns of `total` or `pm`."""
    np.add.at(columns[f"{which}_steps"], made.id, made.steps)
    np.add.at(columns[f"{which}_trades"], made.id, made.trades)
    np.add.at(columns[f"{which}_dollars"], made.id, made.dollars)
    if which == "pm":
        np.maximum.at(columns["ts_pm_ns"], made.id, made.recv_ns)
    else:
        traded = made.where(made.steps > 0)
        np.maximum.at(columns["ts_trade_ns"], traded.id, traded.end_ns)
        counted = made.where(made.steps != 0)
        np.maximum.at(columns["ts_volume_ns"], counted.id, counted.recv_ns)


def stretch(columns: Columns, made: Trades, which: str) -> None:
    """Widen the range of the day, of premarket (`pm_`) or of regular hours (`rth_`)."""
    if which == "":
        above = made.where(~(made.high <= columns["high"][made.id]))
        np.maximum.at(columns["ts_high_ns"], above.id, above.recv_ns)
        np.maximum.at(columns["ts_range_ns"], made.id, made.recv_ns)
    np.fmax.at(columns[f"{which}high"], made.id, made.high)
    np.fmin.at(columns[f"{which}low"], made.id, made.low)


def move(columns: Columns, made: Trades, names: tuple[str, str, str]) -> None:
    """The close of the latest event time, of the last that came among equals, unless a later one is there already."""
    order = np.lexsort((np.arange(len(made.id)), made.end_ns, made.id))
    ids = made.id[order]
    rows = order[np.append(ids[1:] != ids[:-1], True)[: len(ids)]]  # the last row of all
    price, event, known = names
    rows = rows[made.end_ns[rows] >= columns[event][made.id[rows]]]
    ids = made.id[rows]
    columns[price][ids], columns[event][ids], columns[known][ids] = (
        made.close[rows],
        made.end_ns[rows],
        made.recv_ns[rows],
    )


def _open(columns: Columns, made: Trades) -> None:
    """The open of the earliest event time of the regular session, of the first that came among equals."""
    order = np.lexsort((np.arange(len(made.id)), made.start_ns, made.id))
    ids = made.id[order]
    rows = order[np.insert(ids[1:] != ids[:-1], 0, True)[: len(ids)]]  # the first row of all
    there = columns["ts_rth_open_ns"][made.id[rows]]
    rows = rows[(there == ABSENT) | (made.start_ns[rows] < there)]
    ids = made.id[rows]
    columns["rth_open"][ids], columns["ts_rth_open_ns"][ids] = made.open[rows], made.start_ns[rows]
    columns["ts_open_known_ns"][ids] = made.recv_ns[rows]


def _prices(block: Block, name: str) -> Numbers:
    nano = block.number(name)
    return np.where(nano == ABSENT, np.nan, nano / NANO)


def worth(columns: Columns, ids: Numbers) -> Numbers:
    """(n,) float64: what one step is worth at a price of one."""
    worth: Numbers = columns["step_size"][ids] * columns["multiplier"][ids]
    return worth
