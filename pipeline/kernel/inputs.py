"""Inputs: a stretch of a batch as compiled code takes it: the columns it reads, and who comes when."""

from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final

import numpy as np

from pipeline.block import Blocks, Numbers, between, row_count
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

INTERPRETED: Final = frozenset(
    (Kind.INSTRUMENT, Kind.ACCOUNT, Kind.REQUEST, Kind.SESSION, Kind.REFERENCE, Kind.ORDER, Kind.FILL)
)
"""The kinds that only the interpreter reduces: they are few and carry text. Of reference facts those that it looks into."""

_OTHER: Final = 0
_CURSORS: Final = len(Kind) + 1


Columns = Sequence[Numbers]
"""The columns of a group, in the order of its members."""


class Inputs:
    """Inputs `first_seq` and on. `cursors` are the next row of each kind (0: of the rest)."""

    def __init__(self, batch: Blocks, kinds: Numbers, first_seq: int) -> None:
        self.batch = batch
        self.kinds = kinds
        self.first_seq = first_seq
        self.count = len(kinds)
        self.cursors = np.zeros(_CURSORS, np.int64)

    def columns(self) -> dict[str, Columns]:
        """The columns of each group that has rows, as the batch has them."""
        columns: dict[str, Columns] = {}
        rest: Blocks = []
        for block in self.batch:
            if block.kind in COLUMNS:
                columns[COLUMNS[block.kind].name] = _CHOSEN[block.kind](block.columns)
            else:
                rest.append(block)
        if rest:
            columns[OTHERS.name] = [_merged(rest, name) for name, _ in columns_of(OTHERS)]
        return columns

    @cached_property
    def groups(self) -> dict[str, Words]:
        """The words of every group, valid as long as these inputs live."""
        self._addressed = {name: _whole(_GROUPS[name], columns) for name, columns in self.columns().items()}
        return _NOTHING | {name: words_of(_GROUPS[name], columns) for name, columns in self._addressed.items()}

    def one(self, place: int) -> Blocks:
        """One input, alone."""
        return between(self.batch, self.first_seq + place, self.first_seq + place + 1)

    def skip(self, place: int) -> None:
        """Go on behind an input that was reduced elsewhere."""
        self.cursors[self.kinds[place]] += 1


class Many:
    """A call over inputs where they lie; `world` and `cells` are those of the memory it works on."""

    def __init__(self, inputs: Inputs, strategies: tuple[Strategy, ...], world: Words, cells: Words) -> None:
        self._progress = np.zeros(1, PROGRESS.dtype)
        own: dict[str, Array] = {
            "progress": self._progress,
            "cursors": inputs.cursors.view(CURSOR.dtype),
            "kinds": inputs.kinds,
        }
        self._call = words_of(call_group(strategies), {"world": world, "cells": cells, **own, **inputs.groups})

    def run(self, kernel: Run, _inputs: Inputs, start: int, stop: int, rows_max: int) -> tuple[bool, int]:
        """As `history.Call` says, for the inputs it was made of."""
        self._progress[0] = (start, stop, rows_max)
        return kernel(address_of(self._call)), int(self._progress["at"][0])


def pieces(batch: Blocks, first_seq: int, bearing: Container[str]) -> Iterator[Inputs | Blocks]:
    """Stretches in their order: inputs for the loop, or blocks for the interpreter, reference facts of these fields among them."""
    kinds = _kinds_in_order(batch, first_seq, bearing)
    if not any(block.kind in INTERPRETED for block in batch):
        yield Inputs(batch, kinds, first_seq)
        return
    is_plain = np.isin(kinds, [int(kind) for kind in INTERPRETED])
    edges = [0, *(np.flatnonzero(np.diff(is_plain)) + 1).tolist(), len(kinds)]
    for start, stop in pairwise(edges):
        piece = between(batch, first_seq + start, first_seq + stop)
        yield piece if is_plain[start] else Inputs(piece, kinds[start:stop], first_seq + start)


def _kinds_in_order(batch: Blocks, first: int, bearing: Container[str]) -> Numbers:
    """The kind of each input; 0 for what moves only the session time."""
    kinds = np.empty(row_count(batch), np.int8)
    for block in batch:
        kind: int | Numbers = int(block.kind) if block.kind in COLUMNS or block.kind in INTERPRETED else _OTHER
        if block.kind == Kind.REFERENCE:
            bears = [field in bearing for field in block.columns["field"]]
            kind = np.where(bears, np.int8(block.kind), np.int8(_OTHER))
        if len(block) == len(kinds):
            kinds[:] = kind
        else:
            kinds[block.number("seq") - first] = kind
    return kinds


def _whole(group: Group, columns: Columns) -> dict[str, Numbers]:
    """Columns in one piece and aligned, by name."""
    wanted = columns_of(group)
    return {name: np.require(column, what, ["C", "A"]) for (name, what), column in zip(wanted, columns, strict=True)}


def _merged(blocks: Blocks, name: str) -> Numbers:
    """A column of several kinds in the order of their `seq`."""
    order = np.argsort(np.concatenate([block.number("seq") for block in blocks]), kind="stable")
    column: Numbers = np.concatenate([block.number(name) for block in blocks])[order]
    return column


def columns_of(group: Group) -> list[tuple[str, np.dtype[Any]]]:
    """Name and type of each column."""
    return [(name, what) for name, form, what in group.members if form is Form.COLUMN]


_GROUPS: Final = {group.name: group for group in (*COLUMNS.values(), OTHERS)}
_CHOSEN: Final = {kind: itemgetter(*(name for name, _ in columns_of(group))) for kind, group in COLUMNS.items()}
_EMPTY: Final = {
    name: {member: np.zeros(0, what) for member, what in columns_of(group)} for name, group in _GROUPS.items()
}
_NOTHING: Final[dict[str, Words]] = {name: words_of(group, _EMPTY[name]) for name, group in _GROUPS.items()}
"""What stands for a group without rows: of the kinds that there are, a batch has two or three."""
