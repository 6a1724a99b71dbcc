"""Columns: one number an instrument and name, in arrays that grow as instruments are defined; row 0 is of none."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.block import Numbers
from pipeline.units import ABSENT

NAN: Final = float("nan")


class Column(NamedTuple):
    """What a column holds before anything is known."""

    type: str
    default: Any


FLOAT: Final = Column("f8", NAN)
MOMENT: Final = Column("i8", ABSENT)
COUNT: Final = Column("i8", 0)
FLAG: Final = Column("?", False)  # a default, not a switch
CODE: Final = Column("i1", 0)


class Columns:
    """Named arrays of one length."""

    def __init__(self, columns: Mapping[str, Column], rows: int = 1) -> None:
        self.columns = dict(columns)
        self.rows = rows
        self._arrays = {name: _filled(column, rows) for name, column in columns.items()}

    def __getitem__(self, name: str) -> Numbers:
        return self._arrays[name]

    def __setitem__(self, name: str, values: Numbers) -> None:
        assert len(values) == self.rows, name
        self._arrays[name] = values

    def grow(self, rows: int) -> None:
        """At least so many rows, the new ones at their defaults."""
        if rows <= self.rows:
            return
        for name, column in self.columns.items():
            self._arrays[name] = np.concatenate([self._arrays[name], _filled(column, rows - self.rows)])
        self.rows = rows

    def reset(self, names: Iterable[str], rows: Numbers) -> None:
        """These columns of these rows as at the beginning."""
        for name in names:
            self._arrays[name][rows] = self.columns[name].default

    def arrays(self) -> dict[str, Numbers]:
        """All of them, to be kept."""
        return dict(self._arrays)

    def put_back(self, arrays: Mapping[str, Numbers]) -> None:
        """What was kept, in place of what is there. Raises ValueError for columns of other names."""
        if arrays.keys() != self.columns.keys():
            raise ValueError(f"a state with other columns: {sorted(arrays.keys() ^ self.columns.keys())}")
        self._arrays = {name: np.array(arrays[name]) for name in self.columns}
        self.rows = len(next(iter(self._arrays.values())))


def _filled(column: Column, rows: int) -> Numbers:
    return np.full(rows, column.default, column.type)
