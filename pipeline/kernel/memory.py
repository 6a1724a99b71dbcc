"""Memory: an engine's state as arrays that compiled code works on, filled from a snapshot and read back into one.

Every table has row 0, which stands for nobody and holds the defaults. Tables have room to spare; when an instrument needs
more, `fill` makes larger ones, and no size is part of a type, so nothing is compiled again. All that lasts lies in one
piece, so that it is kept and put back by one copy.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, Final

import numpy as np

from pipeline.block import Block
from pipeline.codes import Kind, Origin
from pipeline.core.record import Record
from pipeline.core.snapshot import Snapshot, row_counts
from pipeline.core.strategy import Plan
from pipeline.core.tape import KINDS, TAPE_LENGTH, row_dtype
from pipeline.core.world import COUNTS, PERSISTENT, QUEUES, SINGLE, SPARE_SLOTS
from pipeline.events import LAYOUTS
from pipeline.kernel.groups import NOTHING, TAPE, WORLD, Array, Words, cells_group, params_group, words_of

TAPE_ROWS: Final = 32_768
"""Derived rows of a kind that fit before the tape is emptied."""

QUEUE_ROWS: Final = 4_096
"""Outputs, facts and bars of one input that fit; with more it is reduced interpreted."""

LATE_FACTS: Final = 512
"""Facts on their way back from the venue that fit at once; with more they are given more room."""

_LINE: Final = 64
"""Bytes of a cache line, at which arrays begin."""

_WORD: Final = 8
_TURNED_ROWS: Final = 16
"""Up to so many rows become columns by one look-up, whose table is kept: less than a copy for each column costs."""


class Memory:
    """The arrays behind one kernel. `lasting` are those of a snapshot, by table; `world` and `cells` are their groups."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._plans = plans
        self._records = [plan.strategy.record for plan in plans]
        self._shared = [plan.strategy.shared_record or NOTHING for plan in plans]
        self.lasting: dict[str, Array] = {}
        self.states: list[Array] = []
        self.shared: list[Array] = []
        self._all: Array = np.zeros(0, np.uint8)
        self._seq: Array = np.zeros(1, np.int64)
        self.tape = {name: _tape_rows(kind) for name, kind in KINDS.items()}
        self._lines = {name: rows.view(np.uint8).reshape(len(rows), -1) for name, rows in self.tape.items()}
        self._counts = {name: rows["seq"] for name, rows in self.tape.items()}
        length = np.zeros(1, TAPE_LENGTH.dtype)
        self._length = length["rows"]
        self._tape_words = words_of(TAPE, {**self.tape, "length": length})
        self._queues = {name: _rows(record, QUEUE_ROWS) for name, record in QUEUES.items()}
        self._params = [_params_words(plan) for plan in plans]
        self.symbols: Mapping[int, str] = {}
        """By instrument id."""
        self.world: Words = np.zeros(0, np.int64)
        self.cells: Words = np.zeros(0, np.int64)

    def fill(self, snapshot: Snapshot) -> bool:
        """Take over what a snapshot holds; whether the groups are new."""
        room = {name: len(table) for name, table in snapshot.tables.items()}
        orders = int(snapshot.tables["settings"]["order_slots"][0]) + SPARE_SLOTS
        room |= {"orders": orders, "open_orders": orders, "held": room["positions"]}
        if snapshot.tables["settings"]["latency_back_ns"][0] > 0:
            room["late_facts"] = max(room["late_facts"], LATE_FACTS)
        is_new = any(name not in SINGLE and room[name] + 1 > len(self.lasting.get(name, ())) for name in room)
        if is_new:
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
        self.symbols = snapshot.symbols
        return is_new

    def make_room(self, used: Mapping[str, int]) -> bool:
        """See that so many rows fit into each table, all else staying as it is; whether the groups are new."""
        before, used = (self.lasting, self.states, self.shared), {**used, "held": used["positions"]}
        if all(count < len(self.lasting[name]) for name, count in used.items()):
            return False
        self._make({name: max(used.get(name, 1), _as_needed(name, len(rows) - 1)) for name, rows in before[0].items()})
        for name, rows in before[0].items():
            self.lasting[name][: len(rows)] = rows
        for made, old in zip([*self.states, *self.shared], [*before[1], *before[2]], strict=True):
            made[: len(old)] = old
        return True

    def snapshot(self) -> Snapshot:
        """A copy of everything that lasts."""
        counts = COUNTS.unpack(self.lasting["counts"].tobytes())
        used = row_counts(counts)
        tables = {name: self.lasting[name][_rest(name, used.get(name, 1))].copy() for name in PERSISTENT}
        states = tuple(rows[1 : counts.instruments + 1].copy() for rows in self.states)
        shared = tuple(
            rows.tobytes() if plan.strategy.shared else b"" for rows, plan in zip(self.shared, self._plans, strict=True)
        )
        return Snapshot(tables, states, shared, dict(self.symbols))

    def kept(self, before: Array) -> Array:
        """A copy of everything that lasts, in one piece, for `put_back`; where the one before stood, if it fits."""
        if len(before) != len(self._all):
            return self._all.copy()
        before[:] = self._all
        return before

    def put_back(self, kept: Array) -> None:
        """Be as it was kept, with an empty tape; the counts that come back empty the queues."""
        self._all[:] = kept
        self.forget_tape()

    @property
    def now_seq(self) -> int:
        """The last input that was reduced, or was being reduced when the kernel failed."""
        return int(self._seq[0])

    def written(self) -> dict[Kind, Array]:
        """The bytes of the derived rows since the last time, a line a row, by kind."""
        rows_by_kind: dict[Kind, Array] = {}
        if self._length[0] == 0:
            return rows_by_kind
        for name, counted in self._counts.items():
            if count := counted.item(0):
                rows_by_kind[KINDS[name]] = self._lines[name][1 : count + 1].copy()
                counted[0] = 0
        self._length[0] = 0
        return rows_by_kind

    def add_checkpoint(self, hashes: Mapping[str, Any]) -> None:
        """Write the hash of the state behind the last input on the tape; it is no part of that state."""
        rows, clock = self.tape["checkpoints"], self.lasting["clock"]
        seq, now_ns = clock["seq"][0], clock["now_ns"][0]
        place = int(self._counts["checkpoints"][0]) + 1
        self._counts["checkpoints"][0] = place
        self._length[0] += 1
        self._lines["checkpoints"][place] = self._lines["checkpoints"][0]
        header = {"seq": seq, "ord": clock["ord"][0] + 1, "ts_event_ns": now_ns, "ts_recv_ns": now_ns, "cause_seq": seq}
        for name, value in {**header, "origin": int(Origin.DERIVED), **hashes}.items():
            rows[name][place] = value

    def forget_tape(self) -> None:
        """Empty the tape."""
        for count in self._counts.values():
            count[0] = 0
        self._length[0] = 0

    def _make(self, room: Mapping[str, int]) -> None:
        """Arrays with twice the room that is needed, one behind the other."""
        made = {
            name: np.zeros(1, record.dtype) if name in SINGLE else _rows(record, _roomy(name, room[name]))
            for name, record in PERSISTENT.items()
        }
        instruments = len(made["instruments"]) - 1
        states = [_rows(record, instruments) for record in self._records]
        shared = [np.zeros(1, record.dtype) for record in self._shared]
        self._all, arrays = _in_one_piece([*made.values(), *states, *shared])
        self.lasting = dict(zip(made, arrays, strict=False))
        self._seq = self.lasting["clock"]["seq"]
        self.states = arrays[len(made) : len(made) + len(states)]
        self.shared = arrays[len(made) + len(states) :]
        self.world = words_of(WORLD, {**self.lasting, **self._queues, "tape": self._tape_words})
        cells: dict[str, Array] = {}
        for number, parts in enumerate(zip(self.states, self.shared, self._params, strict=True), 1):
            cells |= {
                f"{name}_{number}": array for name, array in zip(("state", "shared", "params"), parts, strict=True)
            }
        self.cells = words_of(cells_group(tuple(plan.strategy for plan in self._plans)), cells)


def rows_of(kind: Kind, lines: Array) -> Array:
    """Lines of bytes as rows of a kind."""
    return lines.view(row_dtype(kind)).reshape(len(lines))


def block_of(kind: Kind, rows: Array, lines: Array) -> Block:
    """Derived rows, and the same as lines of bytes, as columns; texts are empty."""
    count = len(rows)
    if count <= _TURNED_ROWS:
        order, record = _turned(kind, count)
        columns_of: Array = np.ndarray((), record, lines.take(order))
        columns: dict[str, Any] = {name: columns_of[name] for name in record.names or ()}
    else:
        columns = {name: rows[name].copy() for name in rows.dtype.names or ()}
    if len(columns) < len(LAYOUTS[kind].fields):
        columns = {name: columns.get(name, [""] * count) for name in LAYOUTS[kind].names}
    return Block(kind, columns)


@cache
def _turned(kind: Kind, count: int) -> tuple[Array, np.dtype[Any]]:
    """So many rows turned into columns: from where each byte comes, and what the bytes are then, as one record."""
    row = row_dtype(kind)
    assert row.fields is not None
    fields = [each[:2] for each in row.fields.values()]
    starts = [0, *accumulate(-(-type_.itemsize * count // _WORD) * _WORD for type_, _ in fields)]
    order = np.zeros(starts[-1], np.intp)
    for (type_, offset), start in zip(fields, starts, strict=False):
        places = np.arange(count)[:, None] * row.itemsize + offset + np.arange(type_.itemsize)
        order[start : start + places.size] = places.ravel()
    formats = [(type_, (count,)) for type_, _ in fields]
    record = np.dtype({"names": list(row.fields), "formats": formats, "offsets": starts[:-1], "itemsize": starts[-1]})
    return order, record


def _in_one_piece(arrays: Sequence[Array]) -> tuple[Array, list[Array]]:
    """The bytes of all, and each of them as a view of its part."""
    sizes = [-(-array.nbytes // _LINE) * _LINE for array in arrays]
    whole = np.zeros(sum(sizes), np.uint8)
    views = []
    for array, end, size in zip(arrays, accumulate(sizes), sizes, strict=True):
        view = np.ndarray(array.shape, array.dtype, whole, end - size)
        view[:] = array
        views.append(view)
    return whole, views


def _params_words(plan: Plan) -> Words:
    group = params_group(plan.strategy)
    values = zip(group.members, plan.params or (), strict=True)
    return words_of(group, {name: np.array(value, what) for (name, _, what), value in values})


def _roomy(name: str, count: int) -> int:
    return count if name in ("orders", "open_orders", "runs") else 2 * count


def _as_needed(name: str, room: int) -> int:
    """How many rows were needed where there is so much room."""
    return room if _roomy(name, 1) == 1 else room // 2


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
