"""Tape: the derived rows of a batch in dispatch order, a table a kind, handed over as blocks.

A row has the members of its kind's layout, header included; texts are left out but for what only the interpreter writes.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.block import Block, Blocks
from pipeline.codes import Kind, Origin
from pipeline.core.context import ClockRow
from pipeline.core.record import record_of
from pipeline.core.state import state
from pipeline.core.tables import Rows, claim
from pipeline.events import LAYOUTS

_DERIVED: Final = Origin.DERIVED.value


TEXT_LENGTH_SIZE: Final = 4
"""Bytes of a text's length where rows are hashed."""


class Place(NamedTuple):
    """Where a row stands in the log, and so what a cause is."""

    seq: int
    ord: int


@state
class TapeLength:
    """How many rows of all kinds there are."""

    rows: int


class Tape(NamedTuple):
    """A table for each kind that the core writes. Row 0 of each keeps, in `seq`, how many rows follow it."""

    length: TapeLength
    bars: Rows[Any]
    indicators: Rows[Any]
    transitions: Rows[Any]
    intents: Rows[Any]
    risks: Rows[Any]
    orders: Rows[Any]
    fills: Rows[Any]
    positions: Rows[Any]
    messages: Rows[Any]
    stops: Rows[Any]
    checkpoints: Rows[Any]


KINDS: Final = {
    "bars": Kind.BAR,
    "indicators": Kind.INDICATOR,
    "transitions": Kind.TRANSITION,
    "intents": Kind.INTENT,
    "risks": Kind.RISK,
    "orders": Kind.ORDER,
    "fills": Kind.FILL,
    "positions": Kind.POSITION,
    "messages": Kind.MESSAGE,
    "stops": Kind.SESSION,
    "checkpoints": Kind.CHECKPOINT,
}
"""By the name of its table, the kind of each."""

TAPE_LENGTH: Final = record_of(TapeLength)


def new_tape() -> Tape:
    """A tape with nothing on it."""
    return Tape(TAPE_LENGTH.new(), **{name: _rows_of(kind) for name, kind in KINDS.items()})


@cache
def row_dtype(kind: Kind) -> np.dtype[Any]:
    """The memory of a row as it is hashed: its layout's numbers, packed, little endian; room for the length of each text."""
    fields = LAYOUTS[kind].fields
    packed = np.dtype([(field.name, "<" + field.type) for field in fields if field.is_fixed])
    names, texts = packed.names or (), sum(not field.is_fixed for field in fields)
    return np.dtype(
        {
            "names": names,
            "formats": [packed[name] for name in names],
            "offsets": [packed.fields[name][1] for name in names] if packed.fields else [],
            "itemsize": packed.itemsize + TEXT_LENGTH_SIZE * texts,
        }
    )


def new_row(tape: Tape, table: Rows[Any]) -> Any:
    """One more row in a table of the tape, at its defaults."""
    tape.length.rows += 1
    table[0].seq += 1
    return claim(table, table[0].seq)


def put(clock: ClockRow, row: Any, instrument_id: int, cause: Place) -> Place:
    """Fill in a row's header and give its place: the next of this input."""
    clock.ord += 1
    row.seq = clock.seq
    row.ord = clock.ord
    row.ts_event_ns = clock.now_ns
    row.ts_recv_ns = clock.now_ns
    row.instrument_id = instrument_id
    row.origin = _DERIVED
    row.cause_seq = cause.seq
    row.cause_ord = cause.ord
    return Place(clock.seq, clock.ord)


def emptied(tape: Tape) -> Blocks:
    """Everything written since the last time, one block a kind, in order of kinds."""
    blocks = []
    for name, kind in sorted(KINDS.items(), key=lambda item: item[1]):
        table = getattr(tape, name)
        if len(table) > 1:
            blocks.append(_block(kind, table[1:]))
        del table[1:]
        table[0].seq = 0
    tape.length.rows = 0
    return blocks


def _block(kind: Kind, rows: list[Any]) -> Block:
    names = [field.name for field in LAYOUTS[kind].fields]
    return Block.of(kind, len(rows), **{name: [getattr(row, name) for row in rows] for name in names})


def _rows_of(kind: Kind) -> Rows[Any]:
    """A table of rows with a layout's members, texts included."""
    new = _maker(kind)
    return Rows(new, lambda _row: None)  # never claimed twice: an emptied tape forgets its rows


def _maker(kind: Kind) -> Callable[[], Any]:
    """A function that makes a row at its defaults, written out so that it costs one call."""
    fields = LAYOUTS[kind].fields
    row_class = type(f"{kind.name.title()}Row", (), {"__slots__": tuple(field.name for field in fields)})
    names: dict[str, Any] = {"Row": row_class} | {f"default_{field.name}": field.default for field in fields}
    lines = ["def new():", "    row = Row()"]
    lines += [f"    row.{field.name} = default_{field.name}" for field in fields]
    exec("\n".join([*lines, "    return row"]), names)  # noqa: S102  # the text is made of field names
    new: Callable[[], Any] = names["new"]
    return new
