"""The log in memory: the twin of the journal and its reader behind the EventLog port, for whatever needs no disk."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.block import Block, Blocks
from pipeline.codes import Origin
from pipeline.errors import LogError
from pipeline.log.frames import FrameKind
from pipeline.log.order import Span, span_of
from pipeline.log.scan import misnumbered


class MemoryLog:
    """Commits in the order they came, refused by the rules of the journal. Blocks are kept, not copied."""

    def __init__(self) -> None:
        self._commits: list[tuple[Span, Blocks]] = []
        self._reached: list[int] = []
        """Per commit, the last `seq` of any row up to it."""

    @property
    def last_seq(self) -> int:
        """`seq` of the last input, 0 when there is none."""
        return self._reached[-1] if self._reached else 0

    def append(self, blocks: Sequence[Block]) -> None:
        """One commit of inputs, or of derived rows by the origin of its first row. Raises LogError."""
        is_derived = bool(blocks) and blocks[0].number("origin")[:1].tolist() == [Origin.DERIVED]
        kind = FrameKind.DERIVED if is_derived else FrameKind.INPUTS
        span = span_of(kind, blocks)
        if problem := misnumbered(kind, span.first_seq, span.last_seq, self.last_seq, is_derived_only=False):
            raise LogError(problem)
        self._reached.append(max(self.last_seq, span.last_seq))
        self._commits.append((span, list(blocks)))

    def read(self, from_seq: int = 1) -> Iterator[Blocks]:
        """Every commit, cut to rows of `from_seq` or later, in the order of `append`; what comes meanwhile too."""
        index = bisect_left(self._reached, from_seq)
        while index < len(self._commits):
            span, blocks = self._commits[index]
            if span.first_seq >= from_seq:
                yield list(blocks)
            elif cut := [part for block in blocks if len(part := _from(block, from_seq))]:
                yield cut
            index += 1


def _from(block: Block, from_seq: int) -> Block:
    return block.slice(int(np.searchsorted(block.number("seq"), from_seq)), len(block))
