"""Rows as explaining asks for them: one by its place, those of an input, the latest ones before a place."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pipeline.codes import Kind

Place = tuple[int, int]
"""(seq, ord) of a row."""


class Row(NamedTuple):
    """One row of a log, all its columns."""

    kind: Kind
    values: Mapping[str, Any]

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.values["seq"], self.values["ord"]

    @property
    def cause(self) -> Place | None:
        """Where what caused it stands; None for what nothing in the log caused."""
        return (self.values["cause_seq"], self.values["cause_ord"]) if self.values["cause_seq"] else None

    @property
    def pair(self) -> Place:
        """The strategy and the instrument that it concerns; strategy 0: none."""
        return self.values.get("strategy_id", 0), self.values["instrument_id"]


class Rows(Protocol):
    """The rows of a session, and of a run over it, together."""

    def at(self, seq: int) -> Sequence[Row]:
        """All rows of an input, in dispatch order; empty when there is no such input."""

    def before(self, kinds: Collection[Kind], place: Place, instrument_id: int | None = None) -> Iterator[Row]:
        """Rows of these kinds that stand before a place, the latest first; of one instrument, or of all."""


def row_at(rows: Rows, place: Place) -> Row | None:
    """The row at a place; None when there is none."""
    return next((row for row in rows.at(place[0]) if row.place == place), None)
