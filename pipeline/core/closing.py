"""Closing: a closed bucket as a row on the tape and as the event that handlers see, and who wants it."""

from pipeline.codes import BarBasis, BarUnit, Kind, Mark, Origin
from pipeline.core.bars import Closed, high_nano, low_nano, vwap_of
from pipeline.core.dialect import price_of, size_of
from pipeline.core.market import Bar
from pipeline.core.strategy import Bars
from pipeline.core.tape import ROWS, Place
from pipeline.core.world import World


def write_bar(world: World, closed: Closed) -> tuple[Bar, Place]:
    """Put a bar on the tape; its event and its place."""
    row, slot, marks = closed
    bar = _event(world, closed)
    place = world.tape.write(
        Kind.BAR,
        row.instrument_id,
        world.tape.input,
        ROWS[Kind.BAR](
            bar_unit=BarUnit.TIME,
            bar_length=row.length_ns,
            ts_close_ns=bar.ts_close_ns,
            open_nano=bar.open_nano,
            high_nano=bar.high_nano,
            low_nano=bar.low_nano,
            close_nano=bar.close_nano,
            volume_steps=slot.volume_steps,
            trade_count=slot.trade_count,
            vwap=bar.vwap,
            revision=bar.revision,
            basis=row.basis,
            marks=marks,
        ),
        ts_event_ns=slot.start_ns,
    )
    return bar, place


def _event(world: World, closed: Closed) -> Bar:
    row, slot, marks = closed
    high, low = high_nano(slot), low_nano(slot)
    step_nano = world.instruments[row.instrument_id].size_step_nano
    return Bar(
        ts_event_ns=slot.start_ns,
        ts_recv_ns=world.clock.now_ns,
        instrument_id=row.instrument_id,
        origin=int(Origin.DERIVED),
        open=price_of(slot.open_nano),
        high=price_of(high),
        low=price_of(low),
        close=price_of(slot.close_nano),
        volume=size_of(slot.volume_steps, step_nano),
        vwap=vwap_of(slot),
        trade_count=slot.trade_count,
        revision=slot.revision - 1,  # the slot holds the number of its next row
        ts_close_ns=slot.start_ns + row.length_ns,
        bar_unit=int(BarUnit.TIME),
        bar_length=row.length_ns,
        basis=row.basis,
        marks=marks,
        open_nano=slot.open_nano,
        high_nano=high,
        low_nano=low,
        close_nano=slot.close_nano,
        volume_steps=slot.volume_steps,
    )


def is_first(bar: Bar) -> bool:
    """Whether a bar came in its time: no revision, not late, not backfilled."""
    return bar.revision == 0 and not bar.marks & Mark.LATE and bar.origin != Origin.BACKFILL


def wants(bars: Bars | None, bar: Bar) -> bool:
    """Whether a strategy that asked for `bars` is given this one; a vendor's stands for ours of either basis."""
    return (
        bars is not None
        and bar.bar_unit == BarUnit.TIME
        and bar.bar_length == bars.length_ns
        and bar.basis in (BarBasis.VENDOR, bars.basis)
        and (bars.revisions or is_first(bar))
    )
