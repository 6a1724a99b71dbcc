"""Memory: an engine's rows as arrays that compiled code reads and writes, with row 0 and room to grow.

Row 0 of every table holds the defaults, as in `core.tables`. Arrays are made once and filled anew from snapshots; only an
instrument more than they have room for makes larger ones, and no size is part of a type, so nothing is compiled again.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Blocks
from pipeline.codes import Kind, Origin
from pipeline.core.record import Record, record_of
from pipeline.core.snapshot import Snapshot, row_counts
from pipeline.core.state import state
from pipeline.core.strategy import Plan
from pipeline.core.tape import KINDS, TAPE_LENGTH, row_dtype
from pipeline.core.world import COUNTS, PERSISTENT, QUEUES, SINGLE, SPARE_SLOTS
from pipeline.events import LAYOUTS

Array = np.ndarray[Any, np.dtype[Any]]

TAPE_ROWS: Final = 32_768
"""Derived rows of a kind that fit before the tape is emptied."""

QUEUE_ROWS: Final = 4_096
"""Outputs, facts and bars of one input that fit; with more it is reduced interpreted."""


@state
class _Nothing:
    nothing: int


_NOTHING: Final = record_of(_Nothing)


class Memory:
    """The arrays behind one kernel. `lasting` are those of a snapshot, by table."""

    def __init__(self, plans: Sequence[Plan], module: ModuleType) -> None:
        self._plans = plans
        self._module = module
        self._records = [plan.strategy.record for plan in plans]
        self._shared = [plan.strategy.shared_record or _NOTHING for plan in plans]
        self.lasting: dict[str, Array] = {}
        self.states: list[Array] = []
        self.shared: list[Array] = []
        self.tape = {name: _tape_rows(kind) for name, kind in KINDS.items()}
        self.length = np.zeros(1, TAPE_LENGTH.dtype)
        self._queues = {name: _rows(record, QUEUE_ROWS) for name, record in QUEUES.items()}
        self._symbols: Mapping[int, str] = {}
        self._arguments: tuple[Any, ...] = ()

    def fill(self, snapshot: Snapshot) -> None:
        """Take over what a snapshot holds."""
        room = {name: len(table) for name, table in snapshot.tables.items()}
        orders = int(snapshot.tables["settings"]["order_slots"][0]) + SPARE_SLOTS
        room |= {"orders": orders, "open_orders": orders}
        if any(name not in SINGLE and room[name] + 1 > len(self.lasting.get(name, ())) for name in room):
            self._make(room)
        for name, table in snapshot.tables.items():
            rows = self.lasting[name]
            rows[_rest(name, len(table))] = table
            rows[len(table) + 1 :] = rows[0]  # what was written and is to be forgotten
        for states, packed in zip(self.states, snapshot.states, strict=True):
            states[1 : len(packed) + 1] = packed
            states[len(packed) + 1 :] = states[0]
        for shared, packed_shared in zip(self.shared, snapshot.shared, strict=True):
            if packed_shared:
                shared[:] = np.frombuffer(packed_shared, shared.dtype)
        self._symbols = snapshot.symbols

    def snapshot(self) -> Snapshot:
        """A copy of everything that lasts."""
        counts = COUNTS.unpack(self.lasting["counts"].tobytes())
        used = row_counts(counts)
        tables = {name: self.lasting[name][_rest(name, used.get(name, 1))].copy() for name in PERSISTENT}
        states = tuple(rows[1 : counts.instruments + 1].copy() for rows in self.states)
        shared = tuple(
            rows.tobytes() if plan.strategy.shared else b"" for rows, plan in zip(self.shared, self._plans, strict=True)
        )
        return Snapshot(tables, states, shared, self._symbols)

    def arguments(self) -> tuple[Any, ...]:
        """What the kernel's `run` takes first: rows, tape, cells."""
        return self._arguments

    @property
    def now_seq(self) -> int:
        """The last input that was reduced, or was being reduced when the kernel raised."""
        return int(self.lasting["clock"]["seq"][0])

    def emptied(self) -> Blocks:
        """The derived rows since the last time, one block a kind."""
        blocks = []
        for name, kind in sorted(KINDS.items(), key=lambda item: item[1]):
            rows = self.tape[name]
            if count := int(rows["seq"][0]):
                blocks.append(_block(kind, rows[1 : count + 1]))
        self.forget_tape()
        return blocks

    def add_checkpoint(self, hashes: Mapping[str, Any]) -> None:
        """Write the hash of the state behind the last input on the tape; it is no part of that state."""
        rows, clock = self.tape["checkpoints"], self.lasting["clock"]
        seq, now_ns = clock["seq"][0], clock["now_ns"][0]
        rows["seq"][0] += 1
        place = int(rows["seq"][0])
        rows[place : place + 1] = rows[0:1]
        header = {"seq": seq, "ord": clock["ord"][0] + 1, "ts_event_ns": now_ns, "ts_recv_ns": now_ns, "cause_seq": seq}
        for name, value in {**header, "origin": int(Origin.DERIVED), **hashes}.items():
            rows[name][place] = value

    def forget_tape(self) -> None:
        """Empty the tape; the counts that come back with a snapshot empty the queues."""
        for rows in self.tape.values():
            rows["seq"][0] = 0
        self.length["rows"] = 0

    def _make(self, room: Mapping[str, int]) -> None:
        """Arrays with twice the room that is needed."""
        for name, record in PERSISTENT.items():
            single = name in SINGLE
            self.lasting[name] = np.zeros(1, record.dtype) if single else _rows(record, _roomy(name, room[name]))
        instruments = len(self.lasting["instruments"]) - 1
        self.states = [_rows(record, instruments) for record in self._records]
        self.shared = [np.zeros(1, record.dtype) for record in self._shared]
        made = self._module
        rows = made.Rows(*(self.lasting.get(name, self._queues.get(name)) for name in made.Rows._fields))
        tape = made.TapeRows(*(self.tape.get(name, self.length) for name in made.TapeRows._fields))
        cells: list[Any] = []
        for number, plan in enumerate(self._plans, 1):
            params = getattr(made, f"Params{number}")
            cells += [self.states[number - 1], self.shared[number - 1], params(*(tuple(plan.params) or (0,)))]
        self._arguments = (rows, tape, made.CellRows(*cells, 0))


def _roomy(name: str, count: int) -> int:
    return count if name in ("orders", "open_orders", "runs") else 2 * count


def _rest(name: str, count: int) -> slice:
    """The rows of a table that are anybody's."""
    return slice(0, 1) if name in SINGLE else slice(1, count + 1)


def _rows(record: Record, count: int) -> Array:
    """Row 0 and `count` more, all at their defaults."""
    blank = np.frombuffer(record.save(record.new()), record.dtype) if record.leaves else np.zeros(1, record.dtype)
    return np.repeat(blank, count + 1)


def _tape_rows(kind: Kind) -> Array:
    rows = np.zeros(TAPE_ROWS + 1, row_dtype(kind))
    for field in LAYOUTS[kind].fields:
        if field.is_fixed:
            rows[field.name][0] = field.default
    rows["seq"][0] = 0
    return rows


def _block(kind: Kind, rows: Array) -> Block:
    columns: dict[str, Any] = {}
    for field in LAYOUTS[kind].fields:
        columns[field.name] = rows[field.name].copy() if field.is_fixed else [""] * len(rows)
    return Block(kind, columns)
