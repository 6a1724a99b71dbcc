"""Closing: prints and quotes into buckets, buckets that are due onto the tape, bars to whom they concern."""

from typing import Final

from pipeline.codes import BarBasis, BarUnit, Mark, Origin
from pipeline.core.bars import (
    CLOSED,
    EMPTY,
    OPEN,
    SLOTS,
    BarRow,
    BarSlot,
    begin,
    close,
    high_nano,
    low_nano,
    move,
    moves_bars,
    take_over,
    vwap_of,
)
from pipeline.core.dialect import price_of, size_of
from pipeline.core.instrument import fold_bar
from pipeline.core.market import Bar, Print, Quote
from pipeline.core.tables import claim
from pipeline.core.tape import Place, new_row, put
from pipeline.core.venue import match_bar
from pipeline.core.world import NEVER, ON_BAR, RunRow, World, input_place, new_fact
from pipeline.units import ABSENT

_NO_MIDDLE: Final = (Mark.CROSSED | Mark.ONE_SIDED | Mark.DUPLICATE).value
_LATE: Final = Mark.LATE.value


def bar_row(world: World, instrument_id: int, timeframe: int) -> BarRow:
    """The buckets of an instrument in a timeframe (from 0)."""
    return world.bars[(instrument_id - 1) * world.counts.timeframes + timeframe + 1]


def add_print(world: World, seen: Print) -> None:
    """Fold a print into every timeframe made of prints; revisions and what it pushes out are written."""
    if not moves_bars(seen.price_nano, seen.marks):
        return
    for timeframe in range(world.counts.timeframes):
        row = bar_row(world, seen.instrument_id, timeframe)
        if row.basis == BarBasis.PRINTS and not row.has_vendor:
            _fold(world, row, seen.ts_event_ns, seen.price_nano, seen.size_steps, seen.marks)


def add_quote(world: World, quote: Quote) -> None:
    """Fold the middle of a quote, rounded down to a nano, into every timeframe made of quotes."""
    if ABSENT in (quote.bid_nano, quote.ask_nano) or quote.marks & _NO_MIDDLE != 0:
        return
    for timeframe in range(world.counts.timeframes):
        row = bar_row(world, quote.instrument_id, timeframe)
        if row.basis == BarBasis.QUOTES and not row.has_vendor:
            _fold(world, row, quote.ts_event_ns, (quote.bid_nano + quote.ask_nano) // 2, 0, 0)


def _fold(world: World, row: BarRow, ts_event_ns: int, price_nano: int, size_steps: int, marks: int) -> None:
    start_ns = ts_event_ns - ts_event_ns % row.length_ns
    slot = row.slots[start_ns // row.length_ns % SLOTS]
    if slot.phase == EMPTY or slot.start_ns < start_ns:
        if slot.phase == OPEN and close(slot):  # the newer bucket needs its place
            _write_bar(world, row, slot, 0)
        begin(slot, start_ns, OPEN)
    elif slot.start_ns > start_ns:
        row.too_late_count += 1
        return
    if not move(slot, ts_event_ns, price_nano, size_steps, marks):
        return
    close_ns = start_ns + row.length_ns + world.settings.bar_lateness_ns
    if slot.phase == CLOSED or close_ns <= world.clock.now_ns:
        if close(slot):
            _write_bar(world, row, slot, _LATE)
    else:
        world.counts.next_close_ns = min(world.counts.next_close_ns, close_ns)


def close_due(world: World) -> None:
    """Write the buckets whose time has come: earlier ends first, then by instrument and timeframe."""
    end_ns = _next_end_ns(world, -NEVER)
    while end_ns != NEVER and end_ns + world.settings.bar_lateness_ns <= world.clock.now_ns:
        _close_ending_at(world, end_ns)
        end_ns = _next_end_ns(world, end_ns)
    world.counts.next_close_ns = NEVER if end_ns == NEVER else end_ns + world.settings.bar_lateness_ns


def _next_end_ns(world: World, after_ns: int) -> int:
    """The earliest end of an open bucket behind `after_ns`."""
    end_ns = NEVER
    for i in range(1, len(world.bars)):
        row = world.bars[i]
        if not row.has_vendor:
            for k in range(SLOTS):
                slot = row.slots[k]
                if slot.phase == OPEN and slot.start_ns + row.length_ns > after_ns:
                    end_ns = min(end_ns, slot.start_ns + row.length_ns)
    return end_ns


def _close_ending_at(world: World, end_ns: int) -> None:
    for i in range(1, len(world.bars)):
        row = world.bars[i]
        if not row.has_vendor:
            for k in range(SLOTS):
                slot = row.slots[k]
                if slot.phase == OPEN and slot.start_ns + row.length_ns == end_ns and close(slot):
                    _write_bar(world, row, slot, 0)


def see_vendor_bar(world: World, bar: Bar) -> None:
    """A vendor's bar: it replaces ours of its length from here on."""
    if bar.bar_unit == BarUnit.TIME:
        for timeframe in range(world.counts.timeframes):
            row = bar_row(world, bar.instrument_id, timeframe)
            if row.length_ns == bar.bar_length:
                take_over(row)
    see_bar(world, bar, input_place(world))


def see_bar(world: World, bar: Bar, place: Place) -> None:
    """A bar, ours or a vendor's: to the venue where there are no quotes, and to the strategies that asked for it."""
    instrument = world.instruments[bar.instrument_id]
    if is_first(bar):
        fold_bar(instrument, bar)
        if instrument.open_orders > 0 and not instrument.has_quotes:
            match_bar(world, instrument, bar)
    is_kept = False
    for strategy_id in range(1, world.counts.strategies + 1):
        if wants(world.runs[strategy_id], bar):
            if not is_kept:
                _keep(world, bar)
                is_kept = True
            fact = new_fact(world, ON_BAR, strategy_id, bar.instrument_id, place)
            fact.bar_fact = world.counts.bar_facts


def is_first(bar: Bar) -> bool:
    """Whether a bar came in its time: no revision, not late, not backfilled."""
    return bar.revision == 0 and bar.marks & _LATE == 0 and bar.origin != Origin.BACKFILL


def wants(run: RunRow, bar: Bar) -> bool:
    """Whether a strategy that asked for bars is given this one; a vendor's stands for ours of either basis."""
    return (
        run.bar_length_ns != 0
        and bar.bar_unit == BarUnit.TIME
        and bar.bar_length == run.bar_length_ns
        and bar.basis in (BarBasis.VENDOR, run.bar_basis)
        and (run.wants_revisions or is_first(bar))
    )


def _write_bar(world: World, bar_row_: BarRow, slot: BarSlot, marks: int) -> None:
    """Put a bar on the tape and show it around."""
    bar = _bar_of(world, bar_row_, slot, marks)
    row = new_row(world.tape, world.tape.bars)
    row.bar_unit = BarUnit.TIME
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
    row.marks = marks
    place = put(world.clock, row, bar.instrument_id, input_place(world))
    row.ts_event_ns = bar.ts_event_ns
    see_bar(world, bar, place)


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
        slot.start_ns + row.length_ns,
        BarUnit.TIME,
        row.length_ns,
        row.basis,
        marks,
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
