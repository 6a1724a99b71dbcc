"""Fold: a scanner as a reducer. Inputs in, candidates and universe changes out; how inputs are batched changes nothing.

Inputs gather into a segment until they reach a whole step of session time, a timer at which the scanner is due, or the first snapshot of
some; then they are folded at once. The first timer of each stretch of `every_s` is due, while the window is open.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Block, Blocks, Numbers, concat, session_times
from pipeline.codes import Kind
from pipeline.scanner import universe
from pipeline.scanner.clocks import EVERY_WEEKDAY, SpecialDays
from pipeline.scanner.definition import Definition
from pipeline.scanner.field import Fields, View
from pipeline.scanner.fields import FIELDS
from pipeline.scanner.frozen import digest_of, freeze, thaw
from pipeline.scanner.rows import rows_of, universe_rows
from pipeline.scanner.segment import narrowed, segment_of
from pipeline.scanner.state import STEP_NS, State
from pipeline.scanner.verdicts import Table, judged
from pipeline.scanner.volume_fields import NEEDS_PROFILE
from pipeline.scanner_codes import UniverseReason
from pipeline.units import NANO

_NEVER: Final = -1


class _Stop(NamedTuple):
    """An input at which something is done before it is taken in."""

    seq: int
    now_ns: int
    is_step: bool
    is_timer: bool


class FieldScanner:
    """A scanner by its definition; see `ports.Scanner`."""

    def __init__(
        self,
        definition: Definition,
        fields: Fields = FIELDS,
        scanner_id: int = 1,
        special: SpecialDays = EVERY_WEEKDAY,
    ) -> None:
        """`scanner_id` is its place in the session's list, from 1; `special` are days that are not like others."""
        self.definition = definition
        self.scanner_id = scanner_id
        self.table: Table | None = None
        """The latest evaluation, whole; no part of the state."""
        self.fields = fields
        own = {name: fields[name] for name in definition.fields if name not in FIELDS}
        needs_profile = not NEEDS_PROFILE.isdisjoint(definition.fields) or bool(own)
        self.state = State(definition.measures, own, has_profile=needs_profile, special=special)
        self.special = special
        self._pending: Blocks = []
        self._slot = _NEVER
        self._full_slot = _NEVER
        self._evaluation = 0
        self._day = _NEVER
        self._failed = 0
        self._is_in_snapshots = False

    def update(self, blocks: Blocks) -> Blocks:
        """The candidates and universe changes that exactly these inputs cause, a block a kind, in (seq, ord) order."""
        batch = [block for block in blocks if len(block)]
        if not batch:
            return []
        made: Blocks = []
        rest = narrowed(batch)
        for stop in self._stops(batch):
            before, rest = _split(rest, stop.seq)
            self._pending += before
            self._fold_pending()
            if stop.is_step:
                self.state.pass_to(stop.now_ns)
            if stop.is_timer:
                made += self._timer(stop)
        self._pending += rest
        return concat(made)

    def get_active_stock_list(self) -> list[str]:
        """Symbols in the list, the best first."""
        return [self.state.symbols[id_] for id_ in universe.listed(self.state.columns).tolist()]

    def freeze(self) -> bytes:
        """Everything it remembers, between two batches."""
        counts = {
            "slot": self._slot,
            "full_slot": self._full_slot,
            "evaluation": self._evaluation,
            "day": self._day,
            "failed": self._failed,
            "is_in_snapshots": self._is_in_snapshots,
        }
        parts = {"scanner": {**counts, "now_ns": self._now_ns}, **self.state.parts()}
        return freeze(self.definition.hash, parts, list(segment_of(self._pending).values()))

    def thaw(self, content: bytes) -> None:
        """Remember what a scanner of the same definition froze, and nothing else. Raises ValueError for another."""
        parts, self._pending = thaw(self.definition.hash, content)
        counts = parts["scanner"]
        self._slot, self._full_slot = counts["slot"], counts["full_slot"]
        self._evaluation, self._day, self._now_ns = counts["evaluation"], counts["day"], counts["now_ns"]
        self._failed, self._is_in_snapshots = counts["failed"], counts["is_in_snapshots"]
        self.state.put_back(parts)
        self.table = None

    def digest(self) -> bytes:
        """32 bytes over everything it remembers."""
        return digest_of(self.freeze())

    _now_ns = 0
    """Session time at the last input that was seen."""

    def _stops(self, batch: Blocks) -> Iterator[_Stop]:
        """The inputs of a batch at which a step is reached or a timer comes first in its slot."""
        seq, now_ns = session_times(batch, self._now_ns)
        steps = now_ns // STEP_NS
        is_step = np.diff(steps, prepend=self._now_ns // STEP_NS) > 0
        is_timer = self._first_timers(batch, seq, now_ns)
        is_snapshot = self._first_snapshots(batch, seq)
        self._now_ns = int(now_ns[-1])
        at = np.flatnonzero(is_step | is_timer | is_snapshot)
        columns = (seq[at].tolist(), now_ns[at].tolist(), is_step[at].tolist(), is_timer[at].tolist())
        return map(_Stop._make, zip(*columns, strict=True))

    def _first_timers(self, batch: Blocks, seq: Numbers, now_ns: Numbers) -> Numbers:
        """(n,) bool: the timers that come first in their slot."""
        first = np.zeros(len(seq), np.bool_)
        timers = next((block for block in batch if block.kind is Kind.TIMER), None)
        if timers is not None:
            at = np.searchsorted(seq, timers.number("seq"))
            slots = now_ns[at] // (self.definition.schedule.every_s * NANO)
            is_first = np.diff(slots, prepend=self._slot) > 0
            first[at[is_first]] = True
            self._slot = int(slots[-1])
        return first

    def _first_snapshots(self, batch: Blocks, seq: Numbers) -> Numbers:
        """(n,) bool: the snapshots that follow something else: what stands in front of them is folded before them."""
        first = np.zeros(len(seq), np.bool_)
        told = next((block for block in batch if block.kind is Kind.SNAPSHOT), None)
        if told is not None:
            places = np.searchsorted(seq, told.number("seq"))
            begins = np.diff(places, prepend=-1 if self._is_in_snapshots else -2) > 1
            first[places[begins]] = True
        self._is_in_snapshots = told is not None and int(told.number("seq")[-1]) == int(seq[-1])
        return first

    def _fold_pending(self) -> None:
        if self._pending:
            self.state.fold(segment_of(self._pending))
            self._pending = []

    def _timer(self, stop: _Stop) -> Blocks:
        made = self._new_day(stop)
        behind = sum(map(len, made))
        if not self._is_open(stop.now_ns):
            if self.definition.schedule.drops_at_end:
                made += self._emptied(stop, UniverseReason.WINDOW_ENDED, behind)
            return made
        self.state.look_at(stop.now_ns)
        evaluated = self._evaluated(stop)
        return made + [block.with_columns(ord=block.number("ord") + behind) for block in evaluated]

    def _is_open(self, ts_ns: int) -> bool:
        return self.definition.schedule.window.is_open(ts_ns, self.special)

    def _new_day(self, stop: _Stop) -> Blocks:
        """The list of a day that is over is dropped, once the window of another opens; of one that never closes no day is over."""
        day = self.definition.schedule.window.day_of(stop.now_ns)
        if day == self._day or not self._is_open(stop.now_ns):
            return []
        is_first, self._day = self._day == _NEVER, day
        if is_first or self.definition.schedule.window.never_closes:
            return []
        return self._emptied(stop, UniverseReason.DAY_ENDED, 0)

    def _emptied(self, stop: _Stop, reason: UniverseReason, behind: int) -> Blocks:
        columns = self.state.columns
        changes = universe.emptied(columns, np.zeros(columns.rows, np.int32), reason)
        rows = universe_rows(changes, seq=stop.seq, now_ns=stop.now_ns, scanner_id=self.scanner_id, behind=behind)
        return [rows] if len(rows) else []

    def _evaluated(self, stop: _Stop) -> Blocks:
        self._evaluation += 1
        definition = self.definition
        view = View(self.state, self.fields, definition.measures)
        table = judged(view, definition, evaluation=self._evaluation, seq=stop.seq)
        changes = universe.settle(table, self.state.columns, definition)
        columns = self.state.columns
        columns["high_looked"] = columns["high"].copy()
        table.failed = self._newly_failed()
        self.table = table
        return rows_of(table, changes, definition, self.scanner_id, is_full=self._is_full(stop.now_ns))

    def _newly_failed(self) -> tuple[int, ...]:
        """Places of fields that failed since it looked before."""
        names = list(self.state.failed)[self._failed :]
        self._failed += len(names)
        place = {name: number for number, name in enumerate(self.definition.fields, 1)}
        return tuple(place.get(name, 0) for name in names)

    def _is_full(self, now_ns: int) -> bool:
        every_ns = self.definition.full_table_every_s * NANO
        if every_ns == 0:
            return False
        is_full, self._full_slot = now_ns // every_ns != self._full_slot, now_ns // every_ns
        return is_full


def _split(blocks: Blocks, seq: int) -> tuple[Blocks, Blocks]:
    """The rows in front of an input, and the rest."""
    before: Blocks = []
    rest: Blocks = []
    for block in blocks:
        place = int(np.searchsorted(block.number("seq"), seq))
        if place == len(block):
            before.append(block)
        elif place == 0:
            rest.append(block)
        else:
            before.append(_piece(block, 0, place))
            rest.append(_piece(block, place, len(block)))
    return before, rest


def _piece(block: Block, start: int, stop: int) -> Block:
    return block.slice(start, stop)
