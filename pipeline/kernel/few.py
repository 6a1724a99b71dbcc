"""Few: some inputs at a fixed place, for sessions that take them as they come.

To find the addresses of a dozen columns takes ten times as long as copying a few rows of them to where a call that was made
ready before looks for them.
"""

from typing import Final

import numpy as np

from pipeline.codes import Kind
from pipeline.core.strategy import Strategy
from pipeline.kernel.groups import (
    COLUMNS,
    CURSOR,
    OTHERS,
    PROGRESS,
    Array,
    Group,
    Run,
    Words,
    address_of,
    call_group,
    words_of,
)
from pipeline.kernel.inputs import Columns, Inputs, columns_of

FEW: Final = 512
"""So many inputs are few: copying them costs less than asking where they are."""


class Few:
    """A call for up to `FEW` inputs; `world` and `cells` are those of the memory it works on."""

    def __init__(self, strategies: tuple[Strategy, ...], world: Words, cells: Words) -> None:
        self._places = {group.name: _Places(group) for group in (*COLUMNS.values(), OTHERS)}
        self._kinds = np.zeros(FEW, np.int8)
        cursors = np.zeros(len(Kind) + 1, CURSOR.dtype)
        progress = np.zeros(3, np.int64)
        own: dict[str, Array] = {
            "progress": progress.view(PROGRESS.dtype),
            "cursors": cursors,
            "kinds": self._kinds,
        }
        groups: dict[str, Array] = {name: places.words for name, places in self._places.items()}
        self._kept = (world, cells, own)
        self._call = words_of(call_group(strategies), {"world": world, "cells": cells, **own, **groups})
        self._address = address_of(self._call)
        self._progress = progress.data
        self._cursors = cursors.view(np.int64)
        self._held: Inputs | None = None

    def run(self, kernel: Run, inputs: Inputs, start: int, stop: int, rows_max: int) -> tuple[bool, int]:
        """As `history.Call` says."""
        if self._held is not inputs:
            self._take(inputs)
        progress, cursors = self._progress, self._cursors
        cursors[:] = inputs.cursors
        progress[0], progress[1], progress[2] = start, stop, rows_max
        is_well = kernel(self._address, is_short=True)
        inputs.cursors[:] = cursors
        return is_well, progress[0]

    def _take(self, inputs: Inputs) -> None:
        self._kinds[: inputs.count] = inputs.kinds
        for name, columns in inputs.columns().items():
            self._places[name].take(columns)
        self._held = inputs


class _Places:
    """Where the columns of a group stand. How many rows there are, only the kinds of a call say."""

    def __init__(self, group: Group) -> None:
        columns = {name: np.zeros(FEW, what) for name, what in columns_of(group)}
        self._columns = list(columns.values())
        self.words = words_of(group, columns)

    def take(self, columns: Columns) -> None:
        for place, column in zip(self._columns, columns, strict=True):
            place[: len(column)] = column
