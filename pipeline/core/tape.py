"""Tape: the derived rows of a batch, written in dispatch order and handed over as blocks."""

from collections import namedtuple
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipeline.block import Block, Blocks
from pipeline.codes import Kind, Origin
from pipeline.core.hashing import DecisionsHash
from pipeline.events import HEADER, LAYOUTS

ROWS: Final[Mapping[Kind, Any]] = {
    kind: namedtuple(  # noqa: PYI024  # made from the layout, so that no field is written down twice
        f"{kind.name.title()}Row",
        [field.name for field in layout.payload],
        defaults=[field.default for field in layout.payload],
    )
    for kind, layout in LAYOUTS.items()
}
"""For each kind its fields after the header, as a named tuple with the layout's defaults."""


class Place(NamedTuple):
    """Where a row stands in the log, and so what a cause is."""

    seq: int
    ord: int


class Tape:
    """Collects what one input after the other causes; `begin` says which input it is now."""

    def __init__(self) -> None:
        self.seq = 0
        self.now_ns = 0
        self.ord = 0
        self.hash = DecisionsHash()
        self._rows: dict[Kind, list[tuple[Any, ...]]] = {}

    def begin(self, seq: int, now_ns: int) -> None:
        """The next input: rows from here on are its."""
        self.seq = seq
        self.now_ns = now_ns
        self.ord = 0

    @property
    def input(self) -> Place:
        """The place of the input being reduced."""
        return Place(self.seq, 0)

    def write(
        self, kind: Kind, instrument_id: int, cause: Place, row: tuple[Any, ...], ts_event_ns: int | None = None
    ) -> Place:
        """Append a row (made by `ROWS[kind]`) and give its place."""
        self.ord += 1
        now = self.now_ns
        event = now if ts_event_ns is None else ts_event_ns
        header = (self.seq, self.ord, event, now, instrument_id, 0, int(Origin.DERIVED), cause[0], cause[1])
        rows = self._rows.get(kind)
        if rows is None:
            rows = self._rows[kind] = []
        rows.append(header + row)
        return Place(self.seq, self.ord)

    def drain(self) -> Blocks:
        """Everything written since the last time, one block a kind; the decisions' hash goes on with it."""
        blocks = [_block(kind, self._rows[kind]) for kind in sorted(self._rows)]
        self._rows = {}
        self.hash.update(blocks)
        return blocks


def _block(kind: Kind, rows: list[tuple[Any, ...]]) -> Block:
    names = [field.name for field in HEADER] + [field.name for field in LAYOUTS[kind].payload]
    return Block.of(
        kind, len(rows), **{name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    )
