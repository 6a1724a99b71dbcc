"""Closing: prints and quotes into bars, bars that are full or due onto the tape, bars to whom they concern."""

from typing import Final

from pipeline.codes import BarUnit, Mark, Origin
from pipeline.core.bars import (
    CLOSED,
    EMPTY,
    OPEN,
    SLOTS,
    BarRow,
    BarSlot,
    add_value,
    begin,
    close,
    forget,
    high_nano,
    is_full,
    is_remembered,
    low_nano,
    move,
    moves_bars,
    set_length,
    slot_at,
    take_over,
    vwap_of,
)
from pipeline.core.dialect import price_of, size_of
from pipeline.core.instrument import fold_bar
from pipeline.core.market import Bar, Print, Quote
from pipeline.core.tables import claim
from pipeline.core.tape import Place, new_row, put
from pipeline.core.venue_bars import match_bar
from pipeline.core.world import NEVER, ON_BAR, RunRow, World, index_of, input_place, new_fact
from pipeline.hours import days_at, part_at
from pipeline.timeframes import SESSION_UNITS
from pipeline.units import ABSENT, DAY_NS, MINUTE_NS

AHEAD_NS_MAX: Final = MINUTE_NS
"""A print from further in the future moves no bar: one wrong time would make every right one old."""

_NO_MIDDLE: Final = (Mark.CROSSED | Mark.ONE_SIDED | Mark.DUPLICATE).value
_CANCEL: Final = Mark.CANCEL.value
_LATE: Final = Mark.LATE.value
_PARTIAL: Final = Mark.PARTIAL.value


def bar_row(world: World, instrument_id: int, timeframe: int) -> BarRow:
    """The bars of an instrument in a timeframe (from 0)."""
    return world.bars[(instrument_id - 1) * world.counts.timeframes + timeframe + 1]


def set_lengths(world: World, instrument_id: int) -> None:
    """Say how long the bars of an instrument are, by its latest definition."""
    instrument = world.instruments[instrument_id]
    for timeframe in range(world.counts.timeframes):
        row = bar_row(world, instrument_id, timeframe)
        set_length(row, instrument.size_step_nano, instrument.multiplier_nano)


def add_print(world: World, seen: Print) -> None:
    """Fold a print into every timeframe made of prints; revisions and what it closes are written."""
    if not moves_bars(seen.ts_event_ns, seen.price_nano, seen.marks):
        return
    for timeframe in range(world.counts.print_timeframes):
        row = bar_row(world, seen.instrument_id, timeframe)
        if not row.has_vendor:
            _fold(world, row, seen.ts_event_ns, seen.price_nano, seen.size_steps, seen.marks, seen.origin)


def add_quote(world: World, quote: Quote) -> None:
    """Fold the middle of a quote, rounded down to a nano, into every timeframe made of quotes."""
    is_wanted = world.counts.print_timeframes < world.counts.timeframes
    if is_wanted and ABSENT not in (quote.bid_nano, quote.ask_nano) and quote.marks & _NO_MIDDLE == 0:
        middle_nano = (quote.bid_nano + quote.ask_nano) // 2
        add_middle(world, quote.instrument_id, quote.ts_event_ns, middle_nano, quote.origin)


def add_middle(world: World, instrument_id: int, ts_event_ns: int, middle_nano: int, origin: int) -> None:
    """Fold the middle of a quote, not the quote: compiled, its sizes become numbers only where a handler reads them."""
    for timeframe in range(world.counts.print_timeframes, world.counts.timeframes):
        row = bar_row(world, instrument_id, timeframe)
        if not row.has_vendor and moves_bars(ts_event_ns, middle_nano, 0):
            _fold(world, row, ts_event_ns, middle_nano, 0, 0, origin)


def _fold(
    world: World, row: BarRow, ts_event_ns: int, price_nano: int, size_steps: int, marks: int, origin: int
) -> None:
    if ts_event_ns - world.clock.now_ns > AHEAD_NS_MAX:
        row.outside_count += 1
    elif row.measure == BarUnit.TIME:
        _fold_into_bucket(world, row, ts_event_ns, price_nano, size_steps, marks)
    elif origin == Origin.BACKFILL:
        row.outside_count += 1
    elif marks & _CANCEL == 0 and _enter(world, row, ts_event_ns):
        _fold_into_run(world, row, ts_event_ns, price_nano, size_steps, marks)


def _find_stretch(world: World, row: BarRow, ts_event_ns: int) -> None:
    """The day, or the part of it, that a moment lies in."""
    calendar = world.instruments[row.instrument_id].calendar
    if row.is_session:
        found = part_at(calendar, ts_event_ns)
    else:
        found = days_at(calendar, ts_event_ns, max(1, row.length // DAY_NS))
    row.part = found.part
    row.from_ns = found.from_ns
    row.until_ns = found.until_ns


# Bars by time.


def _fold_into_bucket(
    world: World, row: BarRow, ts_event_ns: int, price_nano: int, size_steps: int, marks: int
) -> None:
    if not row.from_ns <= ts_event_ns < row.until_ns:
        _find_stretch(world, row, ts_event_ns)
    if not _is_wanted(row):
        return
    index = _bucket_at(world, row, ts_event_ns)
    if index < 0:
        row.outside_count += 1
    elif move(row.slots[index], ts_event_ns, price_nano, size_steps, marks):
        _close_or_wait(world, row, row.slots[index])


def _bucket_at(world: World, row: BarRow, ts_event_ns: int) -> int:
    """The slot of the bucket that a moment of the row's stretch lies in, begun if need be; -1 when it is too old."""
    start_ns, end_ns = row.from_ns, row.until_ns
    if row.length < DAY_NS:  # days, or a whole part of one, are what they are
        start_ns += (ts_event_ns - start_ns) // row.length * row.length
        end_ns = min(end_ns, start_ns + row.length)
    index = slot_at(row, start_ns)
    slot = row.slots[index]
    if slot.start_ns == start_ns:
        return index
    if slot.start_ns > start_ns or not is_remembered(row, start_ns):
        return -1
    _make_room(world, row, slot)
    begin(slot, start_ns, end_ns, OPEN, row.part)
    if row.length < DAY_NS and end_ns - start_ns < row.length:
        slot.marks = _PARTIAL
    if start_ns > row.slots[row.newest].start_ns:
        row.newest = index
    return index


def _is_wanted(row: BarRow) -> bool:
    return not row.is_session or row.parts & (1 << row.part) != 0


def _make_room(world: World, row: BarRow, slot: BarSlot) -> None:
    """Close the oldest bucket ahead of its time: a newer one needs its place."""
    if slot.phase == OPEN and close(slot):
        _write_bar(world, row, slot, 0)


def _close_or_wait(world: World, row: BarRow, slot: BarSlot) -> None:
    """A bucket that something moved: closed before or due by now it is written at once, else it waits for its end."""
    if slot.phase == CLOSED or slot.end_ns + world.settings.bar_lateness_ns <= world.clock.now_ns:
        if close(slot):
            _write_bar(world, row, slot, _LATE)
    else:
        _wait(world, row, slot.end_ns)


def _wait(world: World, row: BarRow, end_ns: int) -> None:
    row.due_ns = min(row.due_ns, end_ns)
    world.counts.next_close_ns = min(world.counts.next_close_ns, end_ns + world.settings.bar_lateness_ns)


# Bars by ticks, volume, dollars and range.


def _enter(world: World, row: BarRow, ts_event_ns: int) -> bool:
    """Whether a print may go on with the bar of its part of the day; the first of a new part ends that of the old."""
    if not row.is_session:
        return True
    if ts_event_ns >= row.until_ns:
        _cut(world, row)
        _find_stretch(world, row, ts_event_ns)
    if ts_event_ns < row.from_ns or row.until_ns + world.settings.bar_lateness_ns <= world.clock.now_ns:
        row.outside_count += 1
        return False
    return _is_wanted(row)


def _fold_into_run(world: World, row: BarRow, ts_event_ns: int, price_nano: int, size_steps: int, marks: int) -> None:
    slot = row.slots[0]
    if slot.phase == EMPTY:
        begin(slot, ts_event_ns, ts_event_ns, OPEN, row.part)
    slot.start_ns = min(slot.start_ns, ts_event_ns)
    slot.end_ns = max(slot.end_ns, ts_event_ns)
    move(slot, ts_event_ns, price_nano, size_steps, marks)
    if row.measure == BarUnit.DOLLARS:
        add_value(slot, price_nano, size_steps, marks)
    if is_full(row, slot):
        close(slot)
        _write_bar(world, row, slot, 0)
        forget(slot)
    elif row.is_session:
        _wait(world, row, row.until_ns)


def _cut(world: World, row: BarRow) -> None:
    """The part of the day is over, and with it a bar that isn't full."""
    row.due_ns = NEVER
    slot = row.slots[0]
    if slot.phase == OPEN and close(slot):
        _write_bar(world, row, slot, _PARTIAL)
    forget(slot)


# What is due.


def close_due(world: World) -> None:
    """Write the bars whose time has come: earlier ends first, then by instrument and timeframe."""
    end_ns = _next_due_ns(world)
    while end_ns != NEVER and end_ns + world.settings.bar_lateness_ns <= world.clock.now_ns:
        for i in range(1, len(world.bars)):
            if world.bars[i].due_ns == end_ns:
                _close_ending_at(world, world.bars[i], end_ns)
        end_ns = _next_due_ns(world)
    world.counts.next_close_ns = NEVER if end_ns == NEVER else end_ns + world.settings.bar_lateness_ns


def _next_due_ns(world: World) -> int:
    end_ns = NEVER
    for i in range(1, len(world.bars)):
        end_ns = min(end_ns, world.bars[i].due_ns)
    return end_ns


def _close_ending_at(world: World, row: BarRow, end_ns: int) -> None:
    if row.measure != BarUnit.TIME:
        _cut(world, row)
        return
    row.due_ns = NEVER
    for k in range(SLOTS):
        slot = row.slots[k]
        if slot.phase == OPEN:
            if slot.end_ns > end_ns:
                row.due_ns = min(row.due_ns, slot.end_ns)
            elif close(slot):
                _write_bar(world, row, slot, 0)


# What is closed.


def see_vendor_bar(world: World, bar: Bar) -> None:
    """A vendor's bar: it replaces ours of its length from here on."""
    stands_for = 0
    if bar.bar_unit == BarUnit.TIME:
        for timeframe in range(world.counts.timeframes):
            row = bar_row(world, bar.instrument_id, timeframe)
            if row.measure == BarUnit.TIME and not row.is_session and row.length == bar.bar_length:
                if bar.origin != Origin.WARMUP:
                    take_over(row)
                stands_for |= 1 << timeframe
    see_bar(world, bar, input_place(world), stands_for, 0)


def see_bar(world: World, bar: Bar, place: Place, timeframes: int, part: int) -> None:
    """A bar, ours or a vendor's: to the venue where there are no quotes, and to the strategies that asked for it.

    `timeframes` are those it is one of (bit k: timeframe k), `part` the part of the day it lies in.
    """
    instrument = world.instruments[bar.instrument_id]
    if is_first(bar) and bar.origin != Origin.WARMUP:
        fold_bar(instrument, bar)
        if instrument.open_orders > 0 and not instrument.has_quotes:
            match_bar(world, instrument, bar)
    is_kept = False
    for strategy_id in range(1, world.counts.strategies + 1):
        if wants(world.runs[strategy_id], bar, timeframes, part) and not was_heard(world, strategy_id, bar):
            if not is_kept:
                _keep(world, bar)
                is_kept = True
            fact = new_fact(world, ON_BAR, strategy_id, bar.instrument_id, place)
            fact.bar_fact = world.counts.bar_facts


def is_first(bar: Bar) -> bool:
    """Whether a bar came in its time: no revision, not late, not backfilled."""
    return bar.revision == 0 and bar.marks & _LATE == 0 and bar.origin != Origin.BACKFILL


def wants(run: RunRow, bar: Bar, timeframes: int, part: int) -> bool:
    """Whether a strategy that asked for bars is given this one; a vendor's stands for ours of either basis."""
    asked = run.bars[part] & timeframes
    return asked != 0 and (is_first(bar) or run.revised_bars & asked != 0)


def was_heard(world: World, strategy_id: int, bar: Bar) -> bool:
    """Whether history told a strategy of this bar before it came live."""
    if bar.origin == Origin.WARMUP or bar.bar_unit != BarUnit.TIME or not is_first(bar):
        return False
    cell = world.cells[index_of(world, strategy_id, bar.instrument_id)]
    return cell.heard_until_ns > 0 and bar.ts_event_ns + bar.bar_length <= cell.heard_until_ns


def _write_bar(world: World, bar_row_: BarRow, slot: BarSlot, marks: int) -> None:
    """Put a bar on the tape and show it around."""
    bar = _bar_of(world, bar_row_, slot, marks)
    row = new_row(world.tape, world.tape.bars)
    row.bar_unit = bar.bar_unit
    row.bar_length = bar.bar_length
    row.ts_close_ns = bar.ts_close_ns
    row.open_nano = bar.open_nano
    row.high_nano = bar.high_nano
    row.low_nano = bar.low_nano
    row.close_nano = bar.close_nano
    row.volume_steps = bar.volume_steps
    row.trade_count = bar.trade_count
    row.vwap = bar.vwap
    row.revision = bar.revision
    row.basis = bar.basis
    row.marks = bar.marks
    place = put(world.clock, row, bar.instrument_id, input_place(world))
    row.ts_event_ns = bar.ts_event_ns
    see_bar(world, bar, place, 1 << bar_row_.timeframe, slot.part)


def _bar_of(world: World, row: BarRow, slot: BarSlot, marks: int) -> Bar:
    high, low = high_nano(slot), low_nano(slot)
    step_nano = world.instruments[row.instrument_id].size_step_nano
    return Bar(
        slot.start_ns,
        world.clock.now_ns,
        row.instrument_id,
        Origin.DERIVED,
        price_of(slot.open_nano),
        price_of(high),
        price_of(low),
        price_of(slot.close_nano),
        size_of(slot.volume_steps, step_nano),
        vwap_of(slot),
        slot.trade_count,
        slot.revision - 1,  # the slot holds the number of its next row
        slot.end_ns,
        row.measure + SESSION_UNITS if row.is_session else row.measure,
        row.length,
        row.basis,
        slot.marks | marks,
        slot.open_nano,
        high,
        low,
        slot.close_nano,
        slot.volume_steps,
    )


def _keep(world: World, bar: Bar) -> None:
    """Keep a bar until its facts are delivered."""
    world.counts.bar_facts += 1
    kept = claim(world.bar_facts, world.counts.bar_facts)
    kept.ts_event_ns = bar.ts_event_ns
    kept.ts_recv_ns = bar.ts_recv_ns
    kept.instrument_id = bar.instrument_id
    kept.origin = bar.origin
    kept.open = bar.open
    kept.high = bar.high
    kept.low = bar.low
    kept.close = bar.close
    kept.volume = bar.volume
    kept.vwap = bar.vwap
    kept.trade_count = bar.trade_count
    kept.revision = bar.revision
    kept.ts_close_ns = bar.ts_close_ns
    kept.bar_unit = bar.bar_unit
    kept.bar_length = bar.bar_length
    kept.basis = bar.basis
    kept.marks = bar.marks
    kept.open_nano = bar.open_nano
    kept.high_nano = bar.high_nano
    kept.low_nano = bar.low_nano
    kept.close_nano = bar.close_nano
    kept.volume_steps = bar.volume_steps
