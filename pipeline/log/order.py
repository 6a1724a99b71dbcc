"""Order: what `seq` a commit covers, and that it does so without a hole."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.block import Block
from pipeline.errors import LogError
from pipeline.log.frames import FrameKind


class Span(NamedTuple):
    """How many rows, from which `seq` to which."""

    rows: int
    first_seq: int
    last_seq: int


def span_of(kind: FrameKind, blocks: Sequence[Block]) -> Span:
    """The rows of a commit. Inputs hold each `seq` of their span once; any block is in `seq` order.

    Raises LogError when there are no rows, when a `seq` is missing, there twice, or out of order.
    """
    columns = [block.number("seq") for block in blocks]
    if not columns or not all(len(column) for column in columns):
        raise LogError("a commit without rows, or with an empty block, says nothing")
    if len({block.kind for block in blocks}) < len(blocks):
        raise LogError("a commit holds one block of a kind")
    for block, seq in zip(blocks, columns, strict=True):
        if len(seq) > 1 and not (seq[1:] >= seq[:-1]).all():
            raise LogError(f"{block.kind.name.lower()} rows are not in seq order")
    first = min(int(seq[0]) for seq in columns)
    last = max(int(seq[-1]) for seq in columns)
    rows = sum(map(len, columns))
    if kind is FrameKind.INPUTS:
        _check_dense(columns, first, last, rows)
    return Span(rows, first, last)


def _check_dense(columns: list[np.ndarray], first: int, last: int, rows: int) -> None:
    if last - first + 1 > rows:
        raise LogError(f"inputs {first}..{last} have {rows} rows: a seq is missing")
    is_there = np.zeros(last - first + 1, np.bool_)
    for seq in columns:
        is_there[seq - first] = True
    if last - first + 1 < rows or not is_there.all():
        raise LogError(f"inputs {first}..{last} have {rows} rows: a seq is there twice")
