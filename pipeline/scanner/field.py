"""Field: a number, or a text, that a scanner knows of each instrument; and the view it is computed from.

A field is a function of a view. Whoever writes one of his own gets the same view and may use every column, fact and
field there is; with `columns` and `fold` it may remember something itself.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from pipeline.block import Numbers
from pipeline.codes import AssetClass
from pipeline.scanner.columns import Column, Columns
from pipeline.scanner.facts import Facts
from pipeline.units import ABSENT

if TYPE_CHECKING:
    from pipeline.scanner.segment import Segment
    from pipeline.scanner.state import State

SHARES: Final = frozenset({AssetClass.EQUITY, AssetClass.ETF})
EQUITIES: Final = frozenset({AssetClass.EQUITY})
COMPANIES: Final = EQUITIES
CLOSING: Final = frozenset({AssetClass.EQUITY, AssetClass.ETF, AssetClass.FUTURE, AssetClass.OPTION})
"""What has a close of its own and opens again."""
ALL: Final[frozenset[AssetClass]] = frozenset()
"""Every class has it."""


class Measures(msgspec.Struct, frozen=True):
    """How fields are measured that leave a choice."""

    trades_min: int
    rvol_days: int
    rvol_floor: float
    rvol_cap: float
    rvol_volume_min: float
    adv_days: int
    providers: tuple[str, ...]


class Valued(NamedTuple):
    """A field of all instruments: its values, NaN where there is none, and when each became known, UTC nanoseconds."""

    value: Numbers
    known_ns: Numbers


class Field(NamedTuple):
    """One of them. `of` computes it; of a text it gives the number of its word, see `Facts.text`.

    `classes` are those that have it, none for all. `columns` are its own, `fold` keeps them; those in `daily` begin
    anew each trading day.
    """

    name: str
    unit: str
    help: str
    source: str
    of: Callable[["View"], Valued]
    classes: frozenset[AssetClass] = ALL
    is_text: bool = False
    columns: Mapping[str, Column] = {}
    daily: tuple[str, ...] = ()
    fold: "Callable[[State, Segment], None] | None" = None


Fields = Mapping[str, Field]


class FieldWords(msgspec.Struct, frozen=True):
    """What there is to read of a field."""

    name: str
    unit: str
    source: str
    is_text: bool

    @property
    def unfounded(self) -> Field:
        """A field of these words that is absent for everybody."""
        return Field(self.name, self.unit, "", self.source, _absent, is_text=self.is_text)


def words_of(field: Field) -> FieldWords:
    """Its words."""
    return FieldWords(field.name, field.unit, field.source, field.is_text)


def _absent(view: "View") -> Valued:
    return Valued(np.full(view.rows, np.nan), view.known_never)


class View:
    """What is known of all instruments at one moment; (n,) arrays, row i is of `instrument_id` i."""

    def __init__(self, state: "State", fields: Fields, measures: Measures) -> None:
        self.state = state
        self.measures = measures
        self.now_ns = state.now_ns
        self.rows = state.columns.rows
        self._fields = fields
        self._found: dict[str, Valued] = {}
        self._days: dict[str, Numbers] = {}

    def __getitem__(self, column: str) -> Numbers:
        """A column of the state; it can't be written to: what a field remembers is kept by its `fold` alone."""
        found = self.state.columns[column].view()
        found.flags.writeable = False
        return found

    def of(self, name: str) -> Valued:
        """A field; absent where an instrument's class has none."""
        if name not in self._found:
            field = self._fields[name]
            found = self._own(field) if name in self.state.own else field.of(self)
            if field.classes:
                has = among(self["asset_class"], field.classes)
                found = Valued(np.where(has, found.value, np.nan), found.known_ns)
            self._found[name] = Valued(found.value, np.where(np.isnan(found.value), ABSENT, found.known_ns))
        return self._found[name]

    def _own(self, field: Field) -> Valued:
        """A field that is not ours: absent from the moment on at which it fails."""
        if field.name in self.state.failed:
            return _absent(self)
        try:
            value, known_ns = field.of(self)
            return Valued(_column(value, np.float64, self.rows), _column(known_ns, np.int64, self.rows))
        except Exception:  # noqa: BLE001 - the session goes on without it, and the tape says so
            self.state.failed[field.name] = self.now_ns
            return _absent(self)

    def fact(self, name: str) -> Columns:
        """A fact of the reference data as it is known now."""
        return self.state.facts.of(name, self.rows)

    @property
    def facts(self) -> Facts:
        """All of them."""
        return self.state.facts

    def shares_since(self, day: Numbers) -> Numbers:
        """(n,) float64: shares today for one that was held at the end of a day, (n,) in days since 1970, by the splits since."""
        return self.state.facts.splits.ratio(self.rows, day)

    def day(self, member: str) -> Numbers:
        """A member of the trading day that each instrument is in, see `clocks.TradingDay`."""
        if member not in self._days:
            self._days[member] = self.state.days.of(member, self["calendar"])
        return self._days[member]

    @property
    def is_open(self) -> Numbers:
        """Whether the regular session has begun."""
        opened: Numbers = self.now_ns >= self.day("opens_ns")
        return opened

    @property
    def volume(self) -> Numbers:
        """Today's so far; shares, contracts or coins."""
        size: Numbers = (self["total_steps"] - self["base_steps"]) * self["step_size"]
        return size

    @property
    def known_never(self) -> Numbers:
        """For what needs no event: known at no moment."""
        return np.full(self.rows, ABSENT, np.int64)


def _column(values: Any, type_: Any, rows: int) -> Numbers:
    """(rows,) of that type. Raises ValueError for another shape."""
    column: Numbers = np.asarray(values).astype(type_)
    if column.shape != (rows,):
        raise ValueError(f"shape {column.shape}, expected ({rows},)")
    return column


def among(asset_classes: Numbers, chosen: Iterable[AssetClass]) -> Numbers:
    """(n,) bool: whether each class is one of these."""
    is_chosen = np.zeros(len(AssetClass), np.bool_)
    is_chosen[[int(each) for each in chosen]] = True
    found: Numbers = is_chosen[asset_classes]
    return found


def field_of(
    name: str, unit: str, help_: str, source: str, classes: frozenset[AssetClass] = ALL, **more: Any
) -> Callable[[Callable[[View], Valued]], Field]:
    """A decorator that makes a field of a function of a view."""
    return lambda of: Field(name, unit, help_, source, of, classes, **more)
