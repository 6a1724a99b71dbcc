"""Rings: what prices and totals were at whole steps of session time, as far back as a window needs."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.scanner.columns import Columns

KEPT: Final = ("last", "total_steps", "total_trades", "total_dollars")
"""The columns that rings remember."""


class Ring:
    """The last `slots` steps; a step's values are those of everything received before it."""

    def __init__(self, step_ns: int, slots: int) -> None:
        self.step_ns = step_ns
        self.slots = slots
        self.first = -1
        """Number of the oldest step that was ever kept; -1: none yet."""
        self.newest = -1
        self._arrays: dict[str, Numbers] = {}

    def advance(self, columns: Columns, ts_ns: int) -> None:
        """Keep the columns as of every step up to a moment, behind the newest."""
        step = ts_ns // self.step_ns
        if step <= self.newest:
            return
        self._fit(columns)
        oldest = max(self.newest + 1, step - self.slots + 1) if self.first >= 0 else step
        slots = np.arange(oldest, step + 1) % self.slots
        for name in KEPT:
            self._arrays[name][slots] = columns[name]
        self.first = step if self.first < 0 else self.first
        self.newest = step

    def at(self, ts_ns: int, rows: int) -> Mapping[str, Numbers] | None:
        """The columns as of the last step at or before a moment, (rows,) each; None when it is not remembered."""
        step = ts_ns // self.step_ns
        if not max(self.first, self.newest - self.slots + 1) <= step <= self.newest or self.first < 0:
            return None
        self._grow(rows)
        return {name: kept[step % self.slots] for name, kept in self._arrays.items()}

    def arrays(self) -> dict[str, Numbers]:
        """All that is kept."""
        return {**self._arrays, "steps": np.array([self.first, self.newest], np.int64)}

    def put_back(self, arrays: Mapping[str, Numbers]) -> None:
        """What was kept, in place of what is there."""
        self.first, self.newest = arrays["steps"].tolist()
        self._arrays = {name: np.array(arrays[name]) for name in KEPT if name in arrays}

    def _fit(self, columns: Columns) -> None:
        if not self._arrays:
            self._arrays = {
                name: np.full((self.slots, columns.rows), columns.columns[name].default, columns.columns[name].type)
                for name in KEPT
            }
        self._grow(columns.rows)

    def _grow(self, rows: int) -> None:
        """Instruments that came later had no price and no volume before."""
        for name, kept in self._arrays.items():
            if kept.shape[1] < rows:
                missing = np.full((self.slots, rows - kept.shape[1]), np.nan if name == "last" else 0, kept.dtype)
                self._arrays[name] = np.concatenate([kept, missing], axis=1)
