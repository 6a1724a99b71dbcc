"""Tables: rows of one record, of which row 0 stands for nobody and holds every default.

Interpreted a table is a list that grows when a row is claimed; compiled it is a stretch of memory with bounds. Both are
read and written by the same lines: `table[i].member`, `len(table)`, `claim(table, i)`.
"""

from collections.abc import Callable
from typing import Any, Generic, SupportsIndex, TypeVar

from pipeline.core.record import Record

T = TypeVar("T")


class Rows(list[T], Generic[T]):
    """A table as the interpreter sees it."""

    __slots__ = ("new", "reset")

    def __init__(self, new: Callable[[], T], reset: Callable[[T], None], count: int = 0) -> None:
        """`count` rows besides row 0."""
        super().__init__(new() for _ in range(count + 1))
        self.new = new
        self.reset = reset

    @classmethod
    def of(cls, record: Record, count: int = 0) -> "Rows[T]":
        """Rows of a record."""
        blank = record.save(record.new())
        return cls(record.new, lambda row: record.restore(row, blank), count)

    def grow(self, count: SupportsIndex) -> None:
        """See that there are `count` rows at least, row 0 included."""
        while len(self) < int(count):
            self.append(self.new())


def close_gap(table: Rows[Any], place: int, count: int) -> None:
    """Take row `place` out of a list of slots that has `count`; the others keep their order."""
    while place < count:
        table[place].slot = table[place + 1].slot
        place += 1


def claim(table: Rows[T], index: int) -> T:
    """Row `index` with every member at its default."""
    if index == len(table):
        table.append(table.new())
        return table[index]
    row = table[index]
    table.reset(row)
    return row
