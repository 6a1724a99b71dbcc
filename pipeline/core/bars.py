"""Bars as they are being made: one row for each (instrument, timeframe), with what is open or remembered of it.

Bars by time lie in *buckets* of event time, several open at once, for receive times may run behind event times. The last
SLOTS buckets are remembered; a print for one that is closed makes a revision. Bars by ticks, volume, dollars and range
are one after the other, in the order in which prints came: the print that fills one closes it, and nothing reopens it.

Open is the price of the earliest event time (the first that came among equals), close that of the latest (the last).
What a print moves: NO_LAST not open and close, NO_HIGH_LOW not high and low, NO_VOLUME not volume, count and vwap; a
DUPLICATE moves nothing; a CANCEL takes its size out of volume and count, where it is in them, and moves no price, for
the prices around it are gone; a CORRECTION moves nothing, since what it replaces is not known here.

All rules, and who states them: docs/bars.md.
"""

from typing import Final

from pipeline.codes import BarUnit, Mark
from pipeline.core.dialect import NAN
from pipeline.core.record import record_of
from pipeline.core.state import rows, state
from pipeline.units import ABSENT, INT64_MAX, NANO, TS_MAX_NS

SLOTS: Final = 16
"""Buckets remembered, counted back from the newest, whether or not anything was in them."""

EMPTY, OPEN, CLOSED = range(3)
"""Phases of a bar."""

REVISION_MAX: Final = 32_767
"""What the column holds; later revisions carry the same number."""

VALUE_LIMB: Final = 10**18
"""Dollars are counted in two numbers: value = high * VALUE_LIMB + low, in price_nano x steps, which pass 64 bits."""

_UNMOVED: Final = (Mark.DUPLICATE | Mark.CORRECTION).value
_CANCEL: Final = Mark.CANCEL.value
_NO_LAST: Final = Mark.NO_LAST.value
_NO_HIGH_LOW: Final = Mark.NO_HIGH_LOW.value
_NO_VOLUME: Final = Mark.NO_VOLUME.value
_UNTRUSTED: Final = Mark.UNTRUSTED.value
_VALUE_MAX: Final = 1e36
_VALUE_HIGH_MAX: Final = 4 * VALUE_LIMB
"""More than a print may be worth, or a bar that waits for a price: further sums would pass 64 bits."""


@state
class BarSlot:
    """One bar. `phase` is empty, open or closed; `part` that of the day it lies in; `revision` the number its next row gets.

    A bucket is [start, end); of any other bar these are the event times of its earliest and its latest print.
    """

    start_ns: int = ABSENT
    end_ns: int
    phase: int
    part: int
    open_nano: int = ABSENT
    high_nano: int = ABSENT
    low_nano: int = ABSENT
    close_nano: int = ABSENT
    ts_open_ns: int = INT64_MAX
    ts_close_ns: int = ABSENT
    volume_steps: int
    trade_count: int
    amount: float
    value_high: int
    value_low: int
    marks: int
    revision: int


@state
class BarRow:
    """The bars of one instrument and timeframe.

    `measure` is what is counted (a BarUnit, TIME to RANGE), `length` how much of it: nanoseconds, ticks, steps,
    nano-dollars or nanos; `asked` is that length as the Timeframe says it, and `goal_*` that of dollars in what is
    counted. `parts` are the wanted parts of the day (bit k: part k). `part`, `from_ns` and `until_ns` are
    the day, or the part of it, that the latest print fell into; `due_ns` is the end of the bar that closes next.
    `outside_count` prints moved nothing: too old for what is remembered, or too far ahead of session time.
    """

    instrument_id: int
    timeframe: int
    measure: int
    is_session: bool
    parts: int
    asked: int
    length: int
    goal_high: int
    goal_low: int
    basis: int
    has_vendor: bool
    outside_count: int
    due_ns: int = INT64_MAX
    part: int
    from_ns: int
    until_ns: int
    newest: int
    slots: list[BarSlot] = rows(SLOTS)


BAR: Final = record_of(BarRow)


def set_length(row: BarRow, size_step_nano: int, multiplier_nano: int) -> None:
    """Say how long the bars of a row are by what was asked: volume and dollars by the instrument's definition.

    A volume that is no whole number of steps is rounded up, for it is reached with the step that passes it.
    """
    row.length = row.asked
    if row.measure == BarUnit.VOLUME:
        row.length = -(-row.asked // size_step_nano)
    elif row.measure == BarUnit.DOLLARS:
        goal = -(-row.asked * NANO * NANO // (size_step_nano * multiplier_nano))
        row.goal_high = min(goal // VALUE_LIMB, VALUE_LIMB)
        row.goal_low = goal % VALUE_LIMB


# What follows is in the dialect.


def moves_bars(ts_event_ns: int, price_nano: int, marks: int) -> bool:
    """Whether a print may move a bar at all."""
    return price_nano != ABSENT and marks & _UNMOVED == 0 and 0 <= ts_event_ns < TS_MAX_NS


def begin(slot: BarSlot, start_ns: int, end_ns: int, phase: int, part: int) -> None:
    """A bar with nothing in it."""
    slot.start_ns = start_ns
    slot.end_ns = end_ns
    slot.phase = phase
    slot.part = part
    slot.open_nano = ABSENT
    slot.high_nano = ABSENT
    slot.low_nano = ABSENT
    slot.close_nano = ABSENT
    slot.ts_open_ns = INT64_MAX
    slot.ts_close_ns = ABSENT
    slot.volume_steps = 0
    slot.trade_count = 0
    slot.amount = 0.0
    slot.value_high = 0
    slot.value_low = 0
    slot.marks = 0
    slot.revision = 0


def forget(slot: BarSlot) -> None:
    """No bar."""
    begin(slot, ABSENT, 0, EMPTY, 0)


def take_over(row: BarRow) -> None:
    """A vendor sends these bars: ours are dropped."""
    if not row.has_vendor:
        row.has_vendor = True
        row.due_ns = INT64_MAX
        for i in range(SLOTS):
            forget(row.slots[i])


def slot_at(row: BarRow, start_ns: int) -> int:
    """Where the bucket that starts then is, or else the one that makes room for it: the oldest."""
    if row.slots[row.newest].start_ns == start_ns:
        return row.newest
    oldest = 0
    for i in range(SLOTS):
        if row.slots[i].start_ns == start_ns:
            return i
        if row.slots[i].start_ns < row.slots[oldest].start_ns:
            oldest = i
    return oldest


def is_remembered(row: BarRow, start_ns: int) -> bool:
    """Whether a bucket that starts then is among the last ones, whether or not anything was in it."""
    return start_ns + SLOTS * row.length > row.slots[row.newest].start_ns


def close(slot: BarSlot) -> bool:
    """Close a bar and count its row; false when it has no price to show."""
    slot.phase = CLOSED
    if slot.close_nano == ABSENT:
        return False
    slot.revision = min(slot.revision + 1, REVISION_MAX + 1)
    return True


def move(slot: BarSlot, ts_event_ns: int, price_nano: int, size_steps: int, marks: int) -> bool:
    """Fold a print into its bar; whether anything moved."""
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
            _add_volume(slot, price_nano, size_steps)
    return True


def _add_volume(slot: BarSlot, price_nano: int, size_steps: int) -> None:
    if size_steps > INT64_MAX - slot.volume_steps:
        slot.marks |= _UNTRUSTED
        return
    slot.volume_steps += size_steps
    slot.amount += float(price_nano) * float(size_steps)


def _take_back(slot: BarSlot, price_nano: int, size_steps: int) -> bool:
    if not 0 < size_steps <= slot.volume_steps or slot.trade_count == 0:
        return False
    slot.volume_steps -= size_steps
    slot.trade_count -= 1
    slot.amount -= float(price_nano) * float(size_steps)
    return True


def add_value(slot: BarSlot, price_nano: int, size_steps: int, marks: int) -> None:
    """Count what a print was worth, |price| x size, exactly: by halves of nine digits, none of which passes 64 bits."""
    if marks & _NO_VOLUME != 0 or size_steps <= 0:
        return
    if abs(float(price_nano)) * float(size_steps) > _VALUE_MAX or slot.value_high > _VALUE_HIGH_MAX:
        slot.marks |= _UNTRUSTED
        return
    price_high, price_low = abs(price_nano) // NANO, abs(price_nano) % NANO
    size_high, size_low = size_steps // NANO, size_steps % NANO
    slot.value_high += price_high * size_high
    slot.value_low += price_low * size_low
    _add_middle(slot, price_high * size_low)
    _add_middle(slot, price_low * size_high)


def _add_middle(slot: BarSlot, product: int) -> None:
    """Add a product of unlike halves, which counts 1e9, and carry."""
    slot.value_high += product // NANO
    slot.value_low += product % NANO * NANO
    slot.value_high += slot.value_low // VALUE_LIMB
    slot.value_low = slot.value_low % VALUE_LIMB


def is_full(row: BarRow, slot: BarSlot) -> bool:
    """Whether a bar by ticks, volume, dollars or range has reached its length and has a price to show."""
    if slot.close_nano == ABSENT:
        return False
    if row.measure == BarUnit.TICKS:
        return slot.trade_count >= row.length
    if row.measure == BarUnit.VOLUME:
        return slot.volume_steps >= row.length
    if row.measure == BarUnit.DOLLARS:
        is_more = slot.value_high > row.goal_high
        return is_more or (slot.value_high == row.goal_high and slot.value_low >= row.goal_low)
    return high_nano(slot) - low_nano(slot) >= row.length


def high_nano(slot: BarSlot) -> int:
    """Highest price; where no print might move it, the higher of open and close."""
    return max(slot.open_nano, slot.close_nano) if slot.high_nano == ABSENT else slot.high_nano


def low_nano(slot: BarSlot) -> int:
    """Lowest price; where no print might move it, the lower of open and close."""
    return min(slot.open_nano, slot.close_nano) if slot.low_nano == ABSENT else slot.low_nano


def vwap_of(slot: BarSlot) -> float:
    """Volume-weighted average price; NaN without volume."""
    return slot.amount / float(slot.volume_steps) / 1e9 if slot.volume_steps > 0 else NAN
