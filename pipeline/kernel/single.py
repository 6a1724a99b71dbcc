"""Single: one input at a fixed place, for sessions that take them as they come.

What a stretch of inputs pays once (addresses, groups, cursors) would cost a lone input thirty times what reducing it takes.
So its numbers are written where a call that was made ready before looks for them, each in a slot of eight bytes.
"""

from operator import itemgetter
from struct import Struct
from typing import Final

import numpy as np

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.core.strategy import Strategy
from pipeline.kernel.groups import (
    COLUMNS,
    CURSOR,
    OTHERS,
    PROGRESS,
    Array,
    Form,
    Group,
    Run,
    Words,
    address_of,
    call_group,
    words_of,
)

_SLOT: Final = 8
_CODES: Final = {"i": "q", "f": "d"}


class Single:
    """A call for one input of any kind that has columns here; `world` and `cells` are those of the memory it works on."""

    def __init__(self, strategies: tuple[Strategy, ...], world: Words, cells: Words) -> None:
        self._places = {kind: _Place(group) for kind, group in COLUMNS.items()}
        self._kinds = np.zeros(1, np.int8)
        self._cursors = np.zeros(len(Kind) + 1, CURSOR.dtype)
        self._progress = np.zeros(3, np.int64)
        self._none = _Place(OTHERS)
        groups: dict[str, Array] = {group.name: self._places[kind].words for kind, group in COLUMNS.items()}
        own: dict[str, Array] = {
            "progress": self._progress.view(PROGRESS.dtype),
            "cursors": self._cursors,
            "kinds": self._kinds,
            OTHERS.name: self._none.words,
        }
        self._kept = (world, cells)
        self._call = words_of(call_group(strategies), {"world": world, "cells": cells, **own, **groups})
        self._address = address_of(self._call)
        self._progress[:] = (0, 1, 1)
        self._at = self._progress.data
        self._row = self._cursors.view(np.int64).data

    def run(self, kernel: Run, block: Block) -> bool:
        """Reduce the one row of a block; False when the kernel failed."""
        kind = block.kind
        self._places[kind].take(block)
        self._kinds[0] = kind
        self._row[kind] = self._at[0] = 0
        return kernel(self._address, is_short=True)


class _Place:
    """Where the numbers of one row stand, a slot each, little endian: what reads fewer bytes reads the lower ones."""

    def __init__(self, group: Group) -> None:
        columns = [member for member in group.members if member.form is Form.COLUMN]
        self._slots = bytearray(_SLOT * len(columns))
        self._chosen = itemgetter(*(member.name for member in columns))
        self._struct = Struct("<" + "".join(_CODES[member.what.kind] for member in columns))
        self.words = words_of(
            group,
            {
                member.name: np.ndarray(1, member.what, self._slots, _SLOT * place)
                for place, member in enumerate(columns)
            },
        )

    def take(self, block: Block) -> None:
        """Write a block's one row."""
        self._struct.pack_into(self._slots, 0, *[column.item() for column in self._chosen(block.columns)])
