"""Lending: the interpreter works on what compiled code left, and gives back what it looked at; nothing else is moved.

Compiled code leaves a state of many thousand rows, and what the interpreter reduces in between (a definition, a request)
concerns a few. So its tables are *lent*: a row is taken out of the arrays when it is asked for, and only rows that were
asked for go back. It costs what was touched, however many instruments there are.
"""

from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex, TypeVar

import numpy as np

from pipeline.core.cells import Cell, Cells, Running
from pipeline.core.engine import Engine
from pipeline.core.settings import EngineSettings
from pipeline.core.snapshot import Snapshot, packed_rows, row_counts
from pipeline.core.strategy import Plan
from pipeline.core.tables import Rows
from pipeline.core.world import PERSISTENT, SINGLE, index_of
from pipeline.kernel.groups import Array, Run
from pipeline.kernel.memory import Memory

T = TypeVar("T")


class LentRows(Rows[T]):
    """A table that may be lent: `touched` are the rows taken out since then; None: it is the interpreter's own, every row of it."""

    touched: set[int] | None = None

    def lend(self, restore: Any, source: Array, used: int) -> None:
        """Rows 1 to `used` are those of `source` from here on, and those behind them blank."""
        self._restore, self._source, self._used = restore, source, used
        for _ in range(len(self), used + 1):
            super().append(self.new())
        self.touched = set()

    def __getitem__(self, index: Any) -> Any:
        """The row, or a list of rows, as the arrays have it."""
        touched = self.touched
        if touched is not None:
            if index.__class__ is slice:
                for each in range(*index.indices(len(self))):
                    self._take_out(each)
            elif index not in touched:
                self._take_out(index)
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[T]:
        return iter(self[:]) if self.touched is not None else super().__iter__()

    def append(self, row: T) -> None:
        """One more row, which the arrays have not."""
        if self.touched is not None:
            self.touched.add(len(self))
        super().append(row)

    def grow(self, count: SupportsIndex) -> None:
        """See that there are `count` rows at least, row 0 included."""
        for _ in range(len(self), int(count)):
            self.append(self.new())

    def _take_out(self, index: int) -> None:
        touched = self.touched
        if touched is None or index in touched:
            return
        touched.add(index)
        if 0 < index <= self._used:
            self._restore(super().__getitem__(index), self._source[index].tobytes())
        elif index:
            self.reset(super().__getitem__(index))


class _Pairs(dict[tuple[int, int], Cell]):
    """Cells by strategy and instrument; one that is asked for is ready."""

    def __init__(self, cells: "LentCells") -> None:
        super().__init__()
        self._cells = cells

    def __getitem__(self, key: tuple[int, int]) -> Cell:
        cell = super().__getitem__(key)
        self._cells.ready(cell)
        return cell

    def __setitem__(self, key: tuple[int, int], cell: Cell) -> None:
        if self._cells.touched is not None:
            self._cells.touched[key] = cell
        super().__setitem__(key, cell)


class LentCells(Cells):
    """Cells that may be lent: `touched` are those that were called, or looked at, since then."""

    touched: dict[tuple[int, int], Cell] | None = None

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.by_pair = _Pairs(self)
        self._states: list[Array] = []

    def lend(self, states: list[Array], shared: list[Array]) -> None:
        """Their States are these from here on."""
        for running, packed in zip(self.running, shared, strict=True):
            if running.shared_record:
                running.shared = running.shared_record.unpack(packed.tobytes())
        self._states = states
        self.touched = {}

    def ready(self, cell: Cell) -> None:
        """See that the cell, and the rows that its context holds, are as the arrays have them."""
        touched, context = self.touched, cell.context
        key = context.strategy_id, context.instrument_id
        if touched is None or key in touched:
            return
        touched[key] = cell
        index = index_of(context.world, *key)
        for rows, place in (("instruments", context.instrument_id), ("positions", index), ("cells", index)):
            getattr(context.world, rows)[place]  # taken out
        cell.put_back(self._states[context.strategy_id - 1][context.instrument_id].tobytes())
        context.share(cell.running.shared)

    def given_back(self, running: Running) -> tuple[list[int], bytes]:
        """The instruments in which a strategy's State was touched, and these States."""
        found = [(key[1], cell.packed) for key, cell in (self.touched or {}).items() if key[0] == running.strategy_id]
        return [id_ for id_, _ in found], b"".join(packed for _, packed in found)


class Patch:
    """What the interpreter changed in the arrays, to be done again as often as what ran before it is run again."""

    start, stop = 0, 1

    def __init__(self, changes: list[tuple[Array, Any, Array]]) -> None:
        self._changes = changes

    def run(self, _kernel: Run | None = None) -> bool:
        """Write it; always well."""
        for array, places, rows in self._changes:
            array[places] = rows
        return True


class Interpreter(Engine):
    """An engine whose tables may be lent; `loan` is what they are lent by."""

    loan: "Loan"

    def __init__(self, strategies: Sequence[Plan], settings: EngineSettings | None = None) -> None:
        super().__init__(strategies, settings, tables=LentRows, cells=LentCells)

    def snapshot(self) -> Snapshot:
        """Everything it remembers; what it did not touch is copied from the arrays as it stands there."""
        return self.loan.snapshot() if self.loan.is_lent else super().snapshot()


class Loan:
    """Between the tables of an interpreting engine and the arrays of a memory."""

    def __init__(self, plain: Interpreter, memory: Memory) -> None:
        self._plain = plain
        self._memory = memory
        self._is_new = False
        plain.loan = self

    @property
    def is_lent(self) -> bool:
        """Whether the interpreter went on from the arrays, so that what it did not touch stands there."""
        return _cells(self._plain).touched is not None

    def lend(self) -> None:
        """The interpreter goes on from where compiled code stopped."""
        world, lasting = self._plain.world, self._memory.lasting
        for name in SINGLE:
            PERSISTENT[name].restore(getattr(world, name), lasting[name].tobytes())
        world.counts.outputs = world.counts.facts = world.counts.bar_facts = 0
        for name, used in row_counts(world.counts).items():
            getattr(world, name).lend(PERSISTENT[name].restore, lasting[name], used)
        _cells(self._plain).lend(self._memory.states, self._memory.shared)

    def forget(self) -> None:
        """The interpreter's tables are its own, whatever the arrays hold."""
        for name in row_counts(self._plain.world.counts):
            getattr(self._plain.world, name).touched = None
        _cells(self._plain).touched = None

    def snapshot(self) -> Snapshot:
        """The interpreter's state, by way of the arrays."""
        self.taken_back().run()
        return self._memory.snapshot()

    def was_made_anew(self) -> bool:
        """Whether the arrays are others since this was asked last, for they had no room."""
        is_new, self._is_new = self._is_new, False
        return is_new

    def taken_back(self) -> Patch:
        """What of the rows that were lent goes back, not written yet, into arrays that have room for it."""
        used = row_counts(self._plain.world.counts)
        self._is_new |= self._memory.make_room(used)
        world, lasting = self._plain.world, self._memory.lasting
        changes: list[tuple[Array, Any, Array]] = [
            (lasting[name], slice(0, 1), packed_rows(PERSISTENT[name], [getattr(world, name)])) for name in SINGLE
        ]
        for name, count in used.items():
            rows: Any = getattr(world, name)
            if places := [place for place in rows.touched if 0 < place <= count]:
                changes.append((lasting[name], places, packed_rows(PERSISTENT[name], [rows[i] for i in places])))
        for number, running in enumerate(self._plain.cells.running):
            places, packed = _cells(self._plain).given_back(running)
            if places and packed:
                changes.append((self._memory.states[number], places, np.frombuffer(packed, running.record.dtype)))
            if running.shared_record:
                shared = self._memory.shared[number]
                changes.append((shared, slice(0, 1), np.frombuffer(running.packed_shared(), shared.dtype)))
        self._memory.symbols = self._plain.symbols
        return Patch(changes)


def _cells(plain: Engine) -> LentCells:
    assert isinstance(plain.cells, LentCells)
    return plain.cells
