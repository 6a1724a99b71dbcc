"""Tape: the derived rows of a batch, written in dispatch order and handed over as blocks."""

from collections import namedtuple
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipeline.block import Block, Blocks
from pipeline.codes import Kind, Origin
from pipeline.core.context import ClockRow
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


_DERIVED: Final = int(Origin.DERIVED)


class Place(NamedTuple):
    """Where a row stands in the log, and so what a cause is."""

    seq: int
    ord: int


class Tape:
    """Collects what one input after the other causes; the clock says which input it is now."""

    def __init__(self, clock: ClockRow) -> None:
        self.hash = DecisionsHash()
        self._clock = clock
        self._last = Place(0, 0)
        self._rows: dict[Kind, list[tuple[Any, ...]]] = {}

    @property
    def input(self) -> Place:
        """The place of the input being reduced."""
        return Place(self._clock.seq, 0)

    def write(
        self, kind: Kind, instrument_id: int, cause: Place, row: tuple[Any, ...], ts_event_ns: int | None = None
    ) -> Place:
        """Append a row (made by `ROWS[kind]`) and give its place."""
        seq, now = self._clock.seq, self._clock.now_ns
        place = self._last = Place(seq, self._last.ord + 1 if self._last.seq == seq else 1)
        event = now if ts_event_ns is None else ts_event_ns
        header = (seq, place.ord, event, now, instrument_id, 0, _DERIVED, cause[0], cause[1])
        rows = self._rows.get(kind)
        if rows is None:
            rows = self._rows[kind] = []
        rows.append(header + row)
        return place

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
