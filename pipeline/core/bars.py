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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.codes import BarBasis, Mark
from pipeline.core.dialect import NAN
from pipeline.core.market import Print, Quote
from pipeline.core.record import record_of
from pipeline.core.state import rows, state
from pipeline.units import ABSENT, INT64_MAX

SLOTS: Final = 16
"""Buckets remembered, counted back from the newest, whether or not anything was in them."""

_EMPTY, _OPEN, _CLOSED = range(3)
_UNMOVED: Final = (Mark.DUPLICATE | Mark.CORRECTION).value
_NO_MIDDLE: Final = (Mark.CROSSED | Mark.ONE_SIDED | Mark.DUPLICATE).value
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
_SLOT: Final = record_of(BarSlot)
_EMPTY_SLOT: Final = _SLOT.save(_SLOT.new())


class Timeframe(NamedTuple):
    """What bars somebody asked for."""

    length_ns: int
    basis: BarBasis


class Closed(NamedTuple):
    """A bucket that makes a row now, with its marks."""

    row: BarRow
    slot: BarSlot
    marks: int


@dataclass(slots=True)
class BarBook:
    """All bars being made. `next_close_ns` is when the next bucket closes; every answer is in the order of rows."""

    timeframes: tuple[Timeframe, ...]
    lateness_ns: int
    rows: dict[int, list[BarRow]]
    next_close_ns: int = INT64_MAX

    def add_instrument(self, instrument_id: int) -> None:
        """Start making bars of an instrument."""
        self.rows[instrument_id] = []
        for timeframe in self.timeframes:
            row = BAR.new()
            row.instrument_id, row.length_ns, row.basis = instrument_id, timeframe.length_ns, timeframe.basis
            self.rows[instrument_id].append(row)

    def take_over(self, instrument_id: int, length_ns: int) -> None:
        """A vendor sends bars of this length."""
        for row in self.rows[instrument_id]:
            if row.length_ns == length_ns and not row.has_vendor:
                row.has_vendor = True
                for slot in row.slots:
                    _SLOT.restore(slot, _EMPTY_SLOT)

    def close_due(self, now_ns: int) -> list[Closed]:
        """Buckets whose time has come: earlier ends first, then by instrument and timeframe."""
        due, self.next_close_ns = [], INT64_MAX
        for row in self._making():
            for slot in row.slots:
                if slot.phase == _OPEN:
                    close_ns = slot.start_ns + row.length_ns + self.lateness_ns
                    if close_ns <= now_ns:
                        due.append(Closed(row, slot, 0))
                    else:
                        self.next_close_ns = min(self.next_close_ns, close_ns)
        due.sort(key=lambda closed: closed.slot.start_ns + closed.row.length_ns)  # stable: then as the rows stand
        return [closed for closed in due if _close(closed.slot)]

    def add_print(self, seen: Print, now_ns: int) -> list[Closed]:
        """Fold a print into every timeframe made of prints; revisions and what it pushes out come back."""
        if seen.price_nano == ABSENT or seen.marks & _UNMOVED:
            return []
        changed: list[Closed] = []
        for row in self.rows[seen.instrument_id]:
            if row.basis == BarBasis.PRINTS and not row.has_vendor:
                changed += self._fold(row, seen.ts_event_ns, now_ns, seen)
        return changed

    def add_quote(self, quote: Quote, now_ns: int) -> list[Closed]:
        """Fold the middle of a quote, rounded down to a nano, into every timeframe made of quotes."""
        if ABSENT in (quote.bid_nano, quote.ask_nano) or quote.marks & _NO_MIDDLE:
            return []
        changed: list[Closed] = []
        middle = (quote.bid_nano + quote.ask_nano) // 2
        for row in self.rows[quote.instrument_id]:
            if row.basis == BarBasis.QUOTES and not row.has_vendor:
                changed += self._fold(row, quote.ts_event_ns, now_ns, _as_print(quote, middle))
        return changed

    def _fold(self, row: BarRow, ts_event_ns: int, now_ns: int, seen: Print) -> Iterator[Closed]:
        start_ns = ts_event_ns - ts_event_ns % row.length_ns
        slot = row.slots[start_ns // row.length_ns % SLOTS]
        if slot.phase == _EMPTY or slot.start_ns < start_ns:
            if slot.phase == _OPEN and _close(slot):  # the newer bucket needs its place
                yield Closed(row, _copied(slot), 0)
            _SLOT.restore(slot, _EMPTY_SLOT)
            slot.start_ns, slot.phase = start_ns, _OPEN
        elif slot.start_ns > start_ns:
            row.too_late_count += 1
            return
        if not _move(slot, seen):
            return
        close_ns = start_ns + row.length_ns + self.lateness_ns
        if slot.phase == _CLOSED or close_ns <= now_ns:
            if _close(slot):
                yield Closed(row, _copied(slot), int(Mark.LATE))
        else:
            self.next_close_ns = min(self.next_close_ns, close_ns)

    def _making(self) -> Iterator[BarRow]:
        for instrument_id in sorted(self.rows):
            for row in self.rows[instrument_id]:
                if not row.has_vendor:
                    yield row


def _as_print(quote: Quote, middle_nano: int) -> Print:
    return Print(
        quote.ts_event_ns, quote.ts_recv_ns, quote.instrument_id, quote.origin, NAN, NAN, 0, 0, middle_nano, 0
    )  # fmt: skip


def _close(slot: BarSlot) -> bool:
    """Close a bucket and count its row, if it has a price to show; without one it stays open for a print that has."""
    if slot.close_nano == ABSENT:
        return False
    slot.phase = _CLOSED
    slot.revision += 1
    return True


def _copied(slot: BarSlot) -> BarSlot:
    """The bucket as it is now: a later print of the same input may change it before its row is written."""
    copy: BarSlot = _SLOT.unpack(_SLOT.save(slot))
    return copy


def _move(slot: BarSlot, seen: Print) -> bool:
    """Fold a print into its bucket; whether anything moved."""
    if seen.marks & _CANCEL:
        return _take_back(slot, seen)
    if not seen.marks & _NO_LAST:
        if seen.ts_event_ns < slot.ts_open_ns:
            slot.open_nano, slot.ts_open_ns = seen.price_nano, seen.ts_event_ns
        if seen.ts_event_ns >= slot.ts_close_ns:
            slot.close_nano, slot.ts_close_ns = seen.price_nano, seen.ts_event_ns
    if not seen.marks & _NO_HIGH_LOW:
        slot.high_nano = max(slot.high_nano, seen.price_nano)  # ABSENT is the smallest there is
        slot.low_nano = seen.price_nano if slot.low_nano == ABSENT else min(slot.low_nano, seen.price_nano)
    if not seen.marks & _NO_VOLUME:
        slot.trade_count += 1
        if seen.size_steps > 0:
            slot.volume_steps += seen.size_steps
            slot.amount += float(seen.price_nano) * float(seen.size_steps)
    return True


def _take_back(slot: BarSlot, seen: Print) -> bool:
    if not 0 < seen.size_steps <= slot.volume_steps or slot.trade_count == 0:
        return False
    slot.volume_steps -= seen.size_steps
    slot.trade_count -= 1
    slot.amount -= float(seen.price_nano) * float(seen.size_steps)
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
