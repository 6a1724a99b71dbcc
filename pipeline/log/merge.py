"""Merge: sources that each hold some of a log's rows, as batches in one `seq` order.

A source gives chunks in its own order and says with each up to which `seq` it has given everything. A batch ends
where the slowest source can still vouch for it, so rows are sliced, hardly ever copied, and memory stays at one chunk
a source.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Block, Blocks, concatenated
from pipeline.codes import Kind
from pipeline.units import INT64_MAX

ENDLESS: Final = INT64_MAX
"""`through` of a source that has given all it has."""


class Chunk(NamedTuple):
    """Rows of a source, and the `seq` up to which it has now given all of its rows."""

    blocks: Sequence[Block]
    through: int


class Window(NamedTuple):
    """A batch and the stretch of `seq` it covers, both ends included."""

    first_seq: int
    last_seq: int
    blocks: Blocks


def windows(sources: Iterable[Iterator[Chunk]], from_seq: int, to_seq: int, rows: int) -> Iterator[Window]:
    """Batches at most `rows` wide in `seq`, in order; stretches without any row are passed over."""
    heads = [_Head(source, from_seq) for source in sources]
    start = from_seq
    while start <= to_seq:
        for head in heads:
            head.reach(start)
        heads = [head for head in heads if head.next_seq < ENDLESS]
        start = max(start, min((head.next_seq for head in heads), default=ENDLESS))
        if start > to_seq:
            return
        for head in heads:
            head.reach(start)
        end = min(start + rows - 1, to_seq, *(head.through for head in heads))
        pieces = [piece for head in heads for piece in head.take(end)]
        if pieces:
            yield Window(start, end, joined(pieces))
        start = end + 1


def joined(pieces: Sequence[Block]) -> Blocks:
    """One block a kind, in (seq, ord) order, of pieces that each are."""
    by_kind: dict[Kind, list[Block]] = {}
    for piece in pieces:
        by_kind.setdefault(piece.kind, []).append(piece)
    return [_ordered(concatenated(parts)) if len(parts) > 1 else parts[0] for _, parts in sorted(by_kind.items())]


class _Head:
    """The front of a source: rows given but not yet taken."""

    def __init__(self, source: Iterator[Chunk], from_seq: int) -> None:
        self.through = from_seq - 1
        self._source = source
        self._from_seq = from_seq
        self._waiting: list[Block] = []

    @property
    def next_seq(self) -> int:
        """No row before this `seq` is left."""
        if not self._waiting:
            return self.through if self.through == ENDLESS else self.through + 1
        return min(int(block.number("seq")[0]) for block in self._waiting)

    def reach(self, seq: int) -> None:
        """Read on until everything up to this `seq` is here."""
        while self.through < seq:
            chunk = next(self._source, Chunk((), ENDLESS))
            self._waiting += [rest for block in chunk.blocks if len(rest := _from(block, self._from_seq))]
            self.through = chunk.through

    def take(self, last_seq: int) -> list[Block]:
        """The rows up to this `seq`."""
        taken, kept = [], []
        for block in self._waiting:
            cut = int(np.searchsorted(block.number("seq"), last_seq, side="right"))
            if cut:
                taken.append(block.slice(0, cut) if cut < len(block) else block)
            if cut < len(block):
                kept.append(block.slice(cut, len(block)) if cut else block)
        self._waiting = kept
        return taken


def _from(block: Block, seq: int) -> Block:
    """The rows from that `seq` on."""
    start = int(np.searchsorted(block.number("seq"), seq))
    return block.slice(start, len(block)) if start else block


def _ordered(block: Block) -> Block:
    """The block in (seq, ord) order: inputs and derived rows of one kind come from two sources."""
    seq, ord_ = block.number("seq"), block.number("ord")
    steps = np.diff(seq)
    if ((steps > 0) | ((steps == 0) & (np.diff(ord_) > 0))).all():
        return block
    return block.take(np.lexsort((ord_, seq)))
