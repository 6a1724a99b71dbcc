"""Bars by time, made from prints or from the middle of quotes, one set for each (instrument, timeframe).

A bucket is [k * length, (k + 1) * length) of event time since the UTC epoch. It closes when session time reaches its end
plus the lateness; several are open at once, for receive times may run behind event times. A print for a bucket that is
closed but remembered makes a revision; the last SLOTS buckets are remembered, an older print moves no bar and is
counted. A bucket for which the first print comes after its closing time closes at once, marked LATE. Where nothing moved
the last price there is no bar.

Open is the price of the earliest event time (the first that came among equals), close that of the latest (the last).
What a print moves: NO_LAST not open and close, NO_HIGH_LOW not high and low, NO_VOLUME not volume, count and vwap; a
DUPLICATE moves nothing; a CANCEL takes its size out of volume and count, where it is in them, and moves no price, for
the prices around it are gone; a CORRECTION moves nothing, since what it replaces is not known here.

A vendor's own bar of a timeframe replaces ours for that instrument from then on: what was gathered is dropped.
"""

from typing import Final

from pipeline.codes import Mark
from pipeline.core.dialect import NAN
from pipeline.core.record import record_of
from pipeline.core.state import rows, state
from pipeline.units import ABSENT, INT64_MAX

SLOTS: Final = 16
"""Buckets remembered, counted back from the newest, whether or not anything was in them."""

EMPTY, OPEN, CLOSED = range(3)
"""Phases of a bucket."""

_UNMOVED: Final = (Mark.DUPLICATE | Mark.CORRECTION).value
_CANCEL: Final = Mark.CANCEL.value
_NO_LAST: Final = Mark.NO_LAST.value
_NO_HIGH_LOW: Final = Mark.NO_HIGH_LOW.value
_NO_VOLUME: Final = Mark.NO_VOLUME.value


@state
class BarSlot:
    """One bucket. `phase` is empty, open or closed; `revision` the number its next row gets."""

    start_ns: int
    phase: int
    open_nano: int = ABSENT
    high_nano: int = ABSENT
    low_nano: int = ABSENT
    close_nano: int = ABSENT
    ts_open_ns: int = INT64_MAX
    ts_close_ns: int = ABSENT
    volume_steps: int
    trade_count: int
    amount: float
    revision: int


@state
class BarRow:
    """The buckets of one instrument and timeframe; `too_late_count` prints came for buckets no longer remembered."""

    instrument_id: int
    length_ns: int
    basis: int
    has_vendor: bool
    too_late_count: int
    slots: list[BarSlot] = rows(SLOTS)


BAR: Final = record_of(BarRow)


def moves_bars(price_nano: int, marks: int) -> bool:
    """Whether a print may move a bar at all."""
    return price_nano != ABSENT and marks & _UNMOVED == 0


def begin(slot: BarSlot, start_ns: int, phase: int) -> None:
    """An empty bucket."""
    slot.start_ns = start_ns
    slot.phase = phase
    slot.open_nano = ABSENT
    slot.high_nano = ABSENT
    slot.low_nano = ABSENT
    slot.close_nano = ABSENT
    slot.ts_open_ns = INT64_MAX
    slot.ts_close_ns = ABSENT
    slot.volume_steps = 0
    slot.trade_count = 0
    slot.amount = 0.0
    slot.revision = 0


def take_over(row: BarRow) -> None:
    """A vendor sends these bars: ours are dropped."""
    if not row.has_vendor:
        row.has_vendor = True
        for i in range(SLOTS):
            begin(row.slots[i], 0, EMPTY)


def close(slot: BarSlot) -> bool:
    """Close a bucket and count its row, if it has a price to show; without one it stays open for a print that has."""
    if slot.close_nano == ABSENT:
        return False
    slot.phase = CLOSED
    slot.revision += 1
    return True


def move(slot: BarSlot, ts_event_ns: int, price_nano: int, size_steps: int, marks: int) -> bool:
    """Fold a print into its bucket; whether anything moved."""
    if marks & _CANCEL != 0:
        return _take_back(slot, price_nano, size_steps)
    if marks & _NO_LAST == 0:
        if ts_event_ns < slot.ts_open_ns:
            slot.open_nano = price_nano
            slot.ts_open_ns = ts_event_ns
        if ts_event_ns >= slot.ts_close_ns:
            slot.close_nano = price_nano
            slot.ts_close_ns = ts_event_ns
    if marks & _NO_HIGH_LOW == 0:
        slot.high_nano = max(slot.high_nano, price_nano)  # ABSENT is the smallest there is
        slot.low_nano = price_nano if slot.low_nano == ABSENT else min(slot.low_nano, price_nano)
    if marks & _NO_VOLUME == 0:
        slot.trade_count += 1
        if size_steps > 0:
            slot.volume_steps += size_steps
            slot.amount += float(price_nano) * float(size_steps)
    return True


def _take_back(slot: BarSlot, price_nano: int, size_steps: int) -> bool:
    if not 0 < size_steps <= slot.volume_steps or slot.trade_count == 0:
        return False
    slot.volume_steps -= size_steps
    slot.trade_count -= 1
    slot.amount -= float(price_nano) * float(size_steps)
    return True


def high_nano(slot: BarSlot) -> int:
    """Highest price; where no print might move it, the higher of open and close."""
    return max(slot.open_nano, slot.close_nano) if slot.high_nano == ABSENT else slot.high_nano


def low_nano(slot: BarSlot) -> int:
    """Lowest price; where no print might move it, the lower of open and close."""
    return min(slot.open_nano, slot.close_nano) if slot.low_nano == ABSENT else slot.low_nano


def vwap_of(slot: BarSlot) -> float:
    """Volume-weighted average price; NaN without volume."""
    return slot.amount / float(slot.volume_steps) / 1e9 if slot.volume_steps > 0 else NAN
