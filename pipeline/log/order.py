"""Order: what `seq` a commit covers, and that it does so without a hole."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.block import Block, Numbers
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
    columns: list[Numbers] = [block.columns["seq"] for block in blocks]  # type: ignore[misc]  # a number in every layout
    if not columns or not all(map(len, columns)):
        raise LogError("a commit without rows, or with an empty block, says nothing")
    if len(blocks) > 1 and len({block.kind for block in blocks}) < len(blocks):
        raise LogError("a commit holds one block of a kind")
    is_dense = kind is FrameKind.INPUTS
    for block, seq in zip(blocks, columns, strict=True):
        # count_nonzero, for all() takes longer than all else here
        if len(seq) > 1 and np.count_nonzero(seq[1:] > seq[:-1] if is_dense else seq[1:] >= seq[:-1]) < len(seq) - 1:
            raise LogError(f"{block.kind.name.lower()} rows are not in seq order")
    span = Span(
        sum(map(len, columns)),
        min([seq.item(0) for seq in columns]),
        max([seq.item(-1) for seq in columns]),
    )
    if is_dense:
        _check_dense(columns, span)
    return span


def _check_dense(columns: list[Numbers], span: Span) -> None:
    """Each column ascends, so one column of the right length has no hole; several may still share a seq."""
    rows, first, last = span
    if last - first + 1 != rows:
        raise LogError(f"inputs {first}..{last} have {rows} rows: a seq is missing, or there twice")
    if len(columns) > 1:
        is_there = np.zeros(rows, np.bool_)
        for seq in columns:
            is_there[seq - first] = True
        if not is_there.all():
            raise LogError(f"inputs {first}..{last}: seq {first + int(is_there.argmin())} is missing")
