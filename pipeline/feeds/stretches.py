"""Stretches: consecutive rows of one or more sources with their session time, taken from tapes and merged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.block import Block, Blocks, Numbers, chained, concat, cut, row_count
from pipeline.codes import FeedAction, Kind, Mark
from pipeline.errors import FeedError
from pipeline.normalize.marks import with_mark
from pipeline.normalize.rows import TEXT_LENGTH_MAX, Rows
from pipeline.ports import FileFeed
from pipeline.units import ABSENT

NO_TIME_NS: Final = 0
"""Session time of a session in which no row has a time."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive rows: blocks with `seq` 1..n, and by that rank the session time and the source of each row."""

    blocks: Blocks
    session_ns: Numbers
    sources: Numbers

    def __len__(self) -> int:
        return len(self.session_ns)


class Tape:
    """One source being read: the rows in hand, their session time, and how the source ended."""

    def __init__(self, source: FileFeed, number: int) -> None:
        self.number = number
        self.error: FeedError | None = None
        self.session_ns = ABSENT
        """Running maximum of the receive times read so far; ABSENT before the first."""
        self._name = source.name
        self._batches = source.events()
        self._held: Stretch | None = None
        self._waiting: list[Blocks] = []
        self._is_over = False
        self._row_count = 0

    @property
    def first_ns(self) -> int:
        """Session time of the first row in hand, ABSENT when no row in hand has a time."""
        return int(self._held.session_ns[0]) if self._held is not None else ABSENT

    @property
    def last_ns(self) -> int:
        """Session time of the last row in hand."""
        assert self._held is not None
        return int(self._held.session_ns[-1])

    def read(self) -> None:
        """Have rows in hand, unless the source is over; leading rows without a time wait for the first that has one."""
        while self._held is None and not self._is_over:
            self._waiting.append(self._next())
            batch = chained(self._waiting)
            if self.session_ns != ABSENT or _is_timed(batch):
                self._hold(batch)

    def start(self, start_ns: int) -> None:
        """Give the rows of a source that has no time at all that of the session's start."""
        if self._waiting:
            self.session_ns = start_ns
            self._hold(chained(self._waiting))

    def has_rows(self) -> bool:
        """Whether rows are in hand, after reading on when there were none."""
        self.read()
        return self._held is not None

    def taken(self, horizon: tuple[int, int]) -> Stretch | None:
        """The rows in hand up to (session time, source number), which are in hand no more."""
        assert self._held is not None
        last_ns, last_number = horizon
        held = self._held
        count = int(np.searchsorted(held.session_ns, last_ns, "right" if self.number <= last_number else "left"))
        if count == len(held):
            self._held = None
            return held
        self._held = part(held, count, len(held))
        return part(held, 0, count) if count else None

    def _next(self) -> Blocks:
        rows = Rows()
        try:
            batch = next(self._batches, None)
        except FeedError as error:
            self.error, batch = error, None
            rows.add_feed(FeedAction.REJECTED, f"{error.position}: {error.reason}")
        if batch is not None:
            return batch
        self._is_over = True
        rows.add_feed(FeedAction.ENDED, self._name, count=self._row_count)
        return rows.batch()

    def _hold(self, batch: Blocks) -> None:
        self._waiting = []
        count = row_count(batch)
        if not count:
            return
        self._row_count += count
        recv_ns = times_of(batch)
        session_ns = np.maximum(np.maximum.accumulate(recv_ns), self.session_ns)
        if session_ns[0] == ABSENT:
            session_ns = np.maximum(session_ns, recv_ns[(recv_ns != ABSENT).argmax()])
        self.session_ns = int(session_ns[-1])
        if not np.array_equal(recv_ns, session_ns):
            batch = [_retimed(block, session_ns[block.number("seq") - 1]) for block in batch]
        self._held = Stretch(batch, session_ns, np.full(count, self.number, np.int16))


def times_of(batch: Blocks) -> Numbers:
    """(n,) int64: when each row of a batch was received."""
    if len(batch) == 1:
        return batch[0].number("ts_recv_ns")
    recv_ns = np.empty(row_count(batch), np.int64)
    for block in batch:
        recv_ns[block.number("seq") - 1] = block.number("ts_recv_ns")
    return recv_ns


def _is_timed(batch: Blocks) -> bool:
    return any(bool((block.number("ts_recv_ns") != ABSENT).any()) for block in batch)


def _retimed(block: Block, session_ns: Numbers) -> Block:
    """Rows behind session time marked; rows without a time given that of the session."""
    recv_ns, event_ns = block.number("ts_recv_ns"), block.number("ts_event_ns")
    is_timed = recv_ns != ABSENT
    if "marks" in block.columns:
        is_behind = is_timed & (recv_ns < session_ns)
        block = block.with_columns(marks=with_mark(block.number("marks"), is_behind, Mark.OUT_OF_ORDER))
    return block.with_columns(
        ts_recv_ns=np.where(is_timed, recv_ns, session_ns),
        ts_event_ns=np.where(event_ns == ABSENT, session_ns, event_ns),
    )


def part(stretch: Stretch, start: int, stop: int) -> Stretch:
    """Rows start to stop of a stretch (from 0, like a slice), ranked from 1 again."""
    return Stretch(cut(stretch.blocks, start, stop), stretch.session_ns[start:stop], stretch.sources[start:stop])


def joined(stretches: Sequence[Stretch]) -> Stretch:
    """Stretches of different sources, in the order of their numbers, as one in session order."""
    if len(stretches) == 1:
        return stretches[0]
    session_ns = np.concatenate([stretch.session_ns for stretch in stretches])
    order = np.argsort(session_ns, kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    blocks: Blocks = []
    start = 0
    for stretch in stretches:
        blocks += [block.with_columns(seq=ranks[block.number("seq") + (start - 1)]) for block in stretch.blocks]
        start += len(stretch)
    sources = np.concatenate([stretch.sources for stretch in stretches])
    return Stretch([_in_order(block) for block in concat(blocks)], session_ns[order], sources[order])


def _in_order(block: Block) -> Block:
    seq = block.number("seq")
    return block if bool((seq[1:] > seq[:-1]).all()) else block.take(np.argsort(seq, kind="stable"))


def feed_rows(action: FeedAction, texts: Sequence[str], session_ns: int) -> Block:
    """One `feed` row a source, in the order of their numbers."""
    rows = [
        {
            "seq": number,
            "ts_event_ns": session_ns,
            "ts_recv_ns": session_ns,
            "source": number,
            "action": action,
            "text": text[:TEXT_LENGTH_MAX],
        }
        for number, text in enumerate(texts, 1)
    ]
    return Block.from_rows(Kind.FEED, rows)
