"""Definition: what a scanner looks for, as a value. Its text and the text of its own fields make its hash."""

from typing import NamedTuple

import msgspec
from blake3 import blake3

from pipeline.codes import AssetClass
from pipeline.hours import Calendar
from pipeline.scanner.clocks import Window
from pipeline.scanner.field import Fields, Measures

TEXT_OPERATORS = ("in", "not in")
OPERATORS = (">", ">=", "<", "<=", "==", "!=", *TEXT_OPERATORS)


class Filter(msgspec.Struct, frozen=True):
    """A field compared with a threshold; one that has no value fails, unless `passes_absent`.

    `keep` is the threshold for those already in the list (hysteresis). `texts` stands in place of both for a field of text.
    """

    field: str
    operator: str
    threshold: float
    keep: float
    texts: tuple[str, ...] = ()
    passes_absent: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it compares texts."""
        return self.operator in TEXT_OPERATORS


class RankKey(msgspec.Struct, frozen=True):
    """A field to rank by, largest first unless ascending; without a value comes last."""

    field: str
    is_ascending: bool = False


class Schedule(msgspec.Struct, frozen=True):
    """When to look: every so many seconds within a window of the day."""

    every_s: int
    from_minute: int
    until_minute: int
    days: tuple[int, ...]
    calendar: int
    drops_at_end: bool

    @property
    def window(self) -> Window:
        """The window as clocks know it."""
        return Window(self.calendar, self.from_minute, self.until_minute, self.days)


class NearMiss(msgspec.Struct, frozen=True):
    """What nearly passed: failed at most so many filters, each by no more than so much of its threshold."""

    filters_max: int
    within_pct: float
    limit: int


class Definition(msgspec.Struct, frozen=True):
    """A scanner."""

    name: str
    asset_classes: tuple[AssetClass, ...]
    show: tuple[str, ...]
    filters: tuple[Filter, ...]
    rank: tuple[RankKey, ...]
    limit: int
    retention_s: int
    cool_down_s: int
    subscriptions_max: int
    full_table_every_s: int
    schedule: Schedule
    near_miss: NearMiss
    measures: Measures
    text: str
    """The TOML it was read from."""
    when_dropped: str = ""
    """What becomes of strategies in what it drops: flatten, keep; nothing: what the engine's setting says."""
    own_text: str = ""
    """The Python that its own fields come from."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field it uses, each once: shown, filtered by, ranked by. A row's `field_id` counts them from 1."""
        used = [*self.show, *(each.field for each in self.filters), *(key.field for key in self.rank)]
        return tuple(dict.fromkeys(used))

    @property
    def hash(self) -> str:
        """Of everything that decides what it finds, but for the code of Tapeworks."""
        return blake3(f"{self.text}\0{self.own_text}".encode()).hexdigest()

    def setting(self, fields: Fields) -> dict[str, object]:
        """What the settings of a session keep of it."""
        return {
            "name": self.name,
            "hash": self.hash,
            "text": self.text,
            "own_text": self.own_text,
            "fields": list(self.fields),
            "units": [fields[name].unit for name in self.fields],
            "sources": [fields[name].source for name in self.fields],
            "filters": [f"{each.field} {each.operator} {shown(each)}" for each in self.filters],
        }


class Stay(NamedTuple):
    """A symbol that is in a list from a moment until another, exclusive; UTC nanoseconds."""

    symbol: str
    from_ns: int
    until_ns: int


class ListDefinition(msgspec.Struct, frozen=True):
    """A list of symbols in place of a search; `by_day` has the lists of dated days, by number of days since 1970."""

    name: str
    symbols: tuple[str, ...]
    by_day: dict[int, tuple[str, ...]]
    calendar: Calendar
    text: str
    list_text: str = ""
    when_dropped: str = ""
    """As a `Definition` has it."""
    stays: tuple[Stay, ...] = ()
    """Symbols that come in and go at moments; of one symbol they may overlap."""

    @property
    def hash(self) -> str:
        """Of everything that decides what it finds, but for the code of Tapeworks."""
        return blake3(f"{self.text}\0{self.list_text}".encode()).hexdigest()


def shown(filter_: Filter) -> str:
    """The threshold in words."""
    return ", ".join(filter_.texts) if filter_.is_text else f"{filter_.threshold:,.10g}"
