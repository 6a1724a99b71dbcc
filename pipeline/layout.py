"""Layouts: what a column and a kind of row are made of, and the header that all kinds share."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cached_property
from typing import Final

from pipeline import codes
from pipeline.codes import Kind
from pipeline.units import ABSENT

Codes = type[IntEnum | IntFlag]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a layout.

    `type` is one of i1, i2, i4, i8, f8 (numpy's names), str, bytes; `absent` the value that means "there is none" (None: always there);
    `codes` the closed set an integer is drawn from.
    """

    name: str
    type: str
    doc: str
    absent: int | float | str | bytes | None = None
    codes: Codes | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether every value takes the same bytes."""
        return self.type not in ("str", "bytes")

    @property
    def default(self) -> int | float | str | bytes:
        """What stands in the column when nobody sets it."""
        if self.absent is not None:
            return self.absent
        empty: dict[str, int | float | str | bytes] = {"str": "", "bytes": b"", "f8": 0.0}
        return empty.get(self.type, 0)


@dataclass(frozen=True)
class Layout:
    """The columns of one kind, header included, in their order on disk."""

    kind: Kind
    version: int
    grain: str
    fields: tuple[Field, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def is_fixed(self) -> bool:
        """Whether all columns are numbers."""
        return all(field.is_fixed for field in self.fields)

    @cached_property
    def payload(self) -> tuple[Field, ...]:
        """The fields after the common header."""
        return self.fields[len(HEADER) :]

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}


def price(name: str, doc: str) -> Field:
    """A price of the quote currency; ABSENT where there is none."""
    return Field(name, "i8", f"{doc}; 1e-9 of the quote currency", ABSENT)


def size(name: str, doc: str) -> Field:
    """A size in the instrument's steps; ABSENT where there is none."""
    return Field(name, "i8", f"{doc}; steps of the instrument's size_step_nano", ABSENT)


def time(name: str, doc: str) -> Field:
    """A moment; ABSENT where there is none."""
    return Field(name, "i8", f"{doc}; UTC nanoseconds", ABSENT)


def code(name: str, codes_: Codes, doc: str, type_: str = "i1") -> Field:
    """A code of a closed set."""
    return Field(name, type_, doc, codes=codes_)


STRATEGY: Final = Field("strategy_id", "i2", "position of the strategy in the run's list, from 1; 0: the engine itself")
"""Which strategy a decision is of."""

MARKS: Final = code("marks", codes.Mark, "what is odd about the row", "i4")
"""On every market row."""

HEADER: Final = (
    Field("seq", "i8", "number of the input, dense from 1; a derived row carries its input's"),
    Field("ord", "i4", "0 for inputs; 1, 2, 3... for what the engine derived from the input, in dispatch order"),
    Field(
        "ts_event_ns",
        "i8",
        "UTC nanoseconds when the venue says it happened; for a bar its start; for a derived row the session time",
    ),
    Field(
        "ts_recv_ns",
        "i8",
        "UTC nanoseconds when the feed's capture received it; for a derived row the session time of its input",
    ),
    Field("instrument_id", "i4", "number given by the session's `instrument` event, dense from 1; 0: none"),
    Field("source", "i2", "number given by the session's `feed` event DECLARED, from 1; 0: Tapeworks itself"),
    code("origin", codes.Origin, "input, backfill, warm-up or derived"),
    Field("cause_seq", "i8", "`seq` of the event that caused this one; 0: none (an input)"),
    Field("cause_ord", "i4", "`ord` of the event that caused this one"),
)


def layout(kind: Kind, grain: str, *fields: Field, version: int = 1) -> Layout:
    """A layout: the header, then these fields."""
    return Layout(kind, version, grain, HEADER + fields)
