"""Inputs: a stretch of a batch as compiled code takes it, zero-copy: the addresses of its columns, and who comes when."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

import numpy as np

from pipeline.block import Blocks, Numbers, between, row_count
from pipeline.codes import Kind
from pipeline.core.strategy import Strategy
from pipeline.kernel.groups import COLUMNS, CURSOR, OTHERS, PROGRESS, Array, Form, Words, call_group, words_of

INTERPRETED: Final = frozenset((Kind.INSTRUMENT, Kind.ACCOUNT, Kind.REQUEST, Kind.SESSION))
"""The kinds that only the interpreter reduces: they are few and carry text."""

_OTHER: Final = 0
_CURSORS: Final = len(Kind) + 1


class Inputs:
    """Inputs `first_seq` and on. `cursors` are the next row of each kind (0: of the rest), `progress` where the loop is."""

    def __init__(self, batch: Blocks, kinds: Numbers, first_seq: int) -> None:
        self.batch = batch
        self.kinds = kinds
        self.first_seq = first_seq
        self.count = len(kinds)
        self.cursors = np.zeros(_CURSORS, CURSOR.dtype)
        self.progress = np.zeros(1, PROGRESS.dtype)
        self._columns = _columns(batch)
        self._groups = _NOTHING | {name: words_of(_GROUPS[name], columns) for name, columns in self._columns.items()}

    def call(self, strategies: tuple[Strategy, ...], world: Words, cells: Words) -> Words:
        """The group of a call over these inputs, valid as long as all of them live."""
        own: dict[str, Array] = {"progress": self.progress, "cursors": self.cursors, "kinds": self.kinds}
        return words_of(call_group(strategies), {"world": world, "cells": cells, **own, **self._groups})

    def one(self, place: int) -> Blocks:
        """One input, alone."""
        return between(self.batch, self.first_seq + place, self.first_seq + place + 1)

    def skip(self, place: int) -> None:
        """Go on behind an input that was reduced elsewhere."""
        self.cursors["row"][self.kinds[place]] += 1


def pieces(batch: Blocks, first_seq: int) -> Iterator[Inputs | Blocks]:
    """Stretches in their order: inputs for the loop, or blocks for the interpreter."""
    kinds = _kinds_in_order(batch, first_seq)
    if not any(block.kind in INTERPRETED for block in batch):
        yield Inputs(batch, kinds, first_seq)
        return
    is_plain = np.isin(kinds, [int(kind) for kind in INTERPRETED])
    edges = [0, *(np.flatnonzero(np.diff(is_plain)) + 1).tolist(), len(kinds)]
    for start, stop in pairwise(edges):
        piece = between(batch, first_seq + start, first_seq + stop)
        yield piece if is_plain[start] else Inputs(piece, kinds[start:stop], first_seq + start)


def _kinds_in_order(batch: Blocks, first: int) -> Numbers:
    """The kind of each input; 0 for what moves only the session time."""
    kinds = np.empty(row_count(batch), np.int8)
    for block in batch:
        kind = int(block.kind) if block.kind in COLUMNS or block.kind in INTERPRETED else _OTHER
        if len(block) == len(kinds):
            kinds[:] = kind
        else:
            kinds[block.number("seq") - first] = kind
    return kinds


def _columns(batch: Blocks) -> Mapping[str, Mapping[str, Numbers]]:
    """The columns of each group that has rows, in one piece and aligned."""
    columns = {
        COLUMNS[block.kind].name: {
            name: np.require(block.number(name), what, ["C", "A"])
            for name, form, what in COLUMNS[block.kind].members
            if form is Form.COLUMN
        }
        for block in batch
        if block.kind in COLUMNS
    }
    if rest := [block for block in batch if block.kind not in COLUMNS]:
        columns[OTHERS.name] = {
            name: _merged(rest, name, what) for name, form, what in OTHERS.members if form is Form.COLUMN
        }
    return columns


def _merged(blocks: Blocks, name: str, dtype: np.dtype) -> Numbers:
    """A column of several kinds in the order of their `seq`."""
    order = np.argsort(np.concatenate([block.number("seq") for block in blocks]), kind="stable")
    return np.require(np.concatenate([block.number(name) for block in blocks])[order], dtype, ["C", "A"])


_GROUPS: Final = {group.name: group for group in (*COLUMNS.values(), OTHERS)}
_EMPTY: Final = {
    name: {member: np.zeros(0, what) for member, form, what in group.members if form is Form.COLUMN}
    for name, group in _GROUPS.items()
}
_NOTHING: Final[dict[str, Words]] = {name: words_of(group, _EMPTY[name]) for name, group in _GROUPS.items()}
"""What stands for a group without rows: of the kinds that there are, a batch has two or three."""
