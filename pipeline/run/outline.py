"""Outline: what the numbers of a frozen state mean, for who reads it without running the code that made it.

The fold that made the state gives it: of every table and of every strategy's State where each number stands, what it is
called, and the words its codes have. So states of two versions of a strategy can be laid beside each other.
"""

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, Self

import msgspec

from pipeline.core.record import Record
from pipeline.core.state import GroupOf
from pipeline.core.strategy import Strategy
from pipeline.core.world import PERSISTENT

Words = dict[int, str]


class Number(msgspec.Struct, frozen=True, array_like=True):
    """One number of a row, or an array of `count` of them (0: no array): its path, its letter of `struct`, its words."""

    path: str
    code: str
    count: int
    words: Words


class RowOutline(msgspec.Struct, frozen=True):
    """A packed row: its numbers as they lie."""

    numbers: tuple[Number, ...]

    @classmethod
    def of(cls, record: Record) -> Self:
        """The outline of a record's rows."""
        return cls(tuple(Number(leaf.path, leaf.code, leaf.count, words_of(leaf.type)) for leaf in record.leaves))

    @property
    def layout(self) -> struct.Struct:
        """The row, for `struct`."""
        return struct.Struct("<" + "".join(f"{number.count or 1}{number.code}" for number in self.numbers))

    def rows(self, packed: bytes) -> list[dict[str, Any]]:
        """Each row's values by path; an array's as a list, a code that has a word as that word."""
        layout = self.layout
        return [self._named(values) for values in layout.iter_unpack(packed)] if layout.size else []

    def _named(self, values: Sequence[Any]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        at = 0
        for number in self.numbers:
            if number.count:
                row[number.path] = list(values[at : at + number.count])
            else:
                row[number.path] = number.words.get(values[at], values[at])
            at += number.count or 1
        return row


class StrategyOutline(msgspec.Struct, frozen=True):
    """A strategy's rows and words; `groups` are the classes of the groups in its State, by path (`pipeline.indicators.vwap.Vwap`)."""

    name: str
    state: RowOutline
    shared: RowOutline
    groups: dict[str, str]
    phases: Words
    gates: Words
    reasons: Words


class Outline(msgspec.Struct, frozen=True):
    """All rows of a frozen state."""

    tables: dict[str, RowOutline]
    strategies: tuple[StrategyOutline, ...]


def outline_of(strategies: Sequence[Strategy]) -> Outline:
    """The outline of what an engine with these strategies remembers."""
    tables = {name: RowOutline.of(record) for name, record in PERSISTENT.items()}
    return Outline(tables, tuple(map(_of_strategy, strategies)))


def words_of(type_: type[Any] | None) -> Words:
    """The members of an enum in lower case, by their numbers; none for another type."""
    if type_ is None or not issubclass(type_, IntEnum):
        return {}
    return {int(member): member.name.lower() for member in type_}


def _of_strategy(strategy: Strategy) -> StrategyOutline:
    shared = strategy.shared_record
    return StrategyOutline(
        strategy.name,
        RowOutline.of(strategy.record),
        RowOutline.of(shared) if shared else RowOutline(()),
        dict(_groups(strategy.State, "")),
        words_of(strategy.phases),
        words_of(strategy.gates),
        words_of(strategy.reasons),
    )


def _groups(cls: type[Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Single groups at any depth; rows of groups are shown as what they hold."""
    for member in cls.members:
        if isinstance(member.shape, GroupOf) and member.shape.count is None:
            path = prefix + member.name
            yield path, f"{member.type.__module__}.{member.type.__qualname__}"
            yield from _groups(member.type, f"{path}.")
