"""Order: what `seq` a commit covers, and that it does so without a hole."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.block import Block
from pipeline.errors import LogError
from pipeline.log.frames import FrameKind
from pipeline.units import INT64_MAX


class Span(NamedTuple):
    """How many rows, from which `seq` to which."""

    rows: int
    first_seq: int
    last_seq: int


def span_of(kind: FrameKind, blocks: Sequence[Block]) -> Span:
    """The rows of a commit. Inputs hold each `seq` of their span once; any block is in `seq` order.

    Raises LogError when there are no rows, when a `seq` is missing, there twice, or out of order.
    """
    if not blocks or (len(blocks) > 1 and len({block.kind for block in blocks}) < len(blocks)):
        raise LogError(f"a commit holds one block of a kind, and at least one; these are {list(blocks)}")
    is_dense = kind is FrameKind.INPUTS
    rows, first, last = 0, INT64_MAX, 0
    for block in blocks:
        seq: Any = block.columns["seq"]
        count = len(seq)
        if not count:
            raise LogError(f"an empty {block.kind.name.lower()} block says nothing and is not written")
        # count_nonzero, for all() takes longer than all else here
        if count > 1 and np.count_nonzero(seq[1:] > seq[:-1] if is_dense else seq[1:] >= seq[:-1]) < count - 1:
            raise LogError(f"{block.kind.name.lower()} rows are not in seq order")
        rows += count
        first = min(first, seq.item(0))
        last = max(last, seq.item(-1))
    if is_dense:
        _check_dense(blocks, rows, first, last)
    return Span(rows, first, last)


def _check_dense(blocks: Sequence[Block], rows: int, first: int, last: int) -> None:
    """Each column ascends, so a single one of the right length has no hole; several may still share a seq."""
    if last - first + 1 != rows:
        raise LogError(f"inputs {first}..{last} have {rows} rows: a seq is missing, or there twice")
    if len(blocks) > 1:
        is_there = np.zeros(rows, np.bool_)
        for block in blocks:
            is_there[block.number("seq") - first] = True
        if not is_there.all():
            raise LogError(f"inputs {first}..{last}: seq {first + int(is_there.argmin())} is missing, or there twice")
