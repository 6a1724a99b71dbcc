"""Retracing: stretches of a session reduced again from a state that was kept, in whatever batches, with inputs left out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Block, Blocks, Numbers, concat, row_count, session_times
from pipeline.codes import Kind
from pipeline.log import hot
from pipeline.log.merge import Window
from pipeline.log.store import Store
from pipeline.run.fold import FoldPlan, LocalFold, Speed, columns_of
from pipeline.run.overhearing import Overheard, overhearing
from pipeline.units import TS_MIN_NS

BATCH_ROWS: Final = 1 << 16
"""Inputs in a batch: that of a replay in plain Python."""

_TIMES: Final = ("ts_event_ns", "ts_recv_ns", "ts_close_ns", "known_at_ns")
"""Columns that tell when something was known, beside those that are reduced."""


class Place(NamedTuple):
    """Behind an input: its `seq`, and the state there (`core.frozen`, the scanners' behind it)."""

    seq: int
    state: bytes


class Instant(NamedTuple):
    """An input, 0 for none, and the session time behind it."""

    seq: int
    now_ns: int


START: Final = Place(0, b"")
"""Before the first input."""


@dataclass(frozen=True, slots=True)
class Track:
    """Strategies over a session, up to `last_seq`."""

    store: Store
    id: str
    plan: FoldPlan
    files: tuple[Path, ...]
    last_seq: int
    speed: Speed = Speed.AUTO
    compiling: Callable[[], None] = lambda: None
    progress: Callable[[int], None] = lambda _: None
    """Told how many inputs each batch has that was reduced."""
    heard: Overheard = field(default_factory=Overheard)
    """What was opened outside of the log while something was reduced."""

    def windows(self, from_seq: int = 1, to_seq: int | None = None) -> Iterator[Window]:
        """The inputs of a stretch, both ends included."""
        last = self.last_seq if to_seq is None else to_seq
        return hot.windows(self.store, self.id, from_seq, last, columns=self.columns, rows=BATCH_ROWS)

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that are read of inputs."""
        return tuple(dict.fromkeys([*columns_of(self.plan), *_TIMES]))

    def last_before(self, limits_ns: Numbers) -> list[Instant]:
        """For each session time the last input before it."""
        wanted = np.unique(limits_ns)
        found: dict[int, Instant] = {}
        last = Instant(0, TS_MIN_NS)
        for window in self.windows() if len(wanted) else ():
            seq, now_ns = session_times(window.blocks, last.now_ns)
            ends = np.searchsorted(now_ns, wanted)
            is_here = ends < len(seq)
            for limit, end in zip(wanted[is_here].tolist(), ends[is_here].tolist(), strict=True):
                found[limit] = Instant(int(seq[end - 1]), int(now_ns[end - 1])) if end else last
            last, wanted = Instant(int(seq[-1]), int(now_ns[-1])), wanted[~is_here]
            if not len(wanted):
                break
        return [found.get(limit, last) for limit in limits_ns.tolist()]

    def fold(self, place: Place = START) -> LocalFold:
        """A fold that stands there."""
        fold = LocalFold(self.plan, self.files, speed=self.speed, inputs=self.last_seq, compiling=self.compiling)
        if place.seq:
            fold.thaw(place.state)
        return fold

    def reduce(self, fold: LocalFold, batch: Blocks) -> Blocks:
        """What a fold derives of the next inputs."""
        with overhearing(self.heard):
            derived = fold.reduce(batch)
        self.progress(row_count(batch))
        return derived

    def at_once(self, place: Place, to_seq: int) -> Blocks:
        """What is derived of the inputs behind a place up to this one when they are one batch."""
        inputs = [block for window in self.windows(place.seq + 1, to_seq) for block in window.blocks]
        return self.reduce(self.fold(place), alone(concat(inputs)))

    def without(self, place: Place, to_seq: int, left_out: Numbers) -> Blocks:
        """What is derived of the same inputs when those with these `seq` (rising) are not there: their time goes by."""
        fold = self.fold(place)
        hollow = (hollowed(window.blocks, left_out, self.columns) for window in self.windows(place.seq + 1, to_seq))
        return concat([block for batch in hollow for block in self.reduce(fold, batch)])


def alone(batch: Blocks) -> Blocks:
    """The same rows, copied: what stood beside them is not there, not even for who looks behind a view."""
    return [block.take(np.arange(len(block))) for block in batch]


def hollowed(batch: Blocks, left_out: Numbers, columns: Sequence[str]) -> Blocks:
    """A batch with these columns in which empty remarks, that move the session time alone, stand for some of its inputs."""
    rest: list[Block] = []
    kept = {"seq", "ord", *columns}
    for block in batch:
        is_out = np.isin(block.number("seq"), left_out)
        if not is_out.any():
            rest.append(block)
            continue
        rest.append(block.take(~is_out))
        seq, ts_recv_ns = (block.number(name)[is_out] for name in ("seq", "ts_recv_ns"))
        note = Block.of(Kind.NOTE, len(seq), seq=seq, ts_recv_ns=ts_recv_ns, ts_event_ns=ts_recv_ns)
        rest.append(Block(Kind.NOTE, {name: note.columns[name] for name in note.columns if name in kept}))
    return _merged(rest)


def _merged(blocks: list[Block]) -> Blocks:
    """One block a kind, by `seq`."""
    merged = []
    for block in concat(block for block in blocks if len(block)):
        seq = block.number("seq")
        merged.append(block if np.all(seq[1:] > seq[:-1]) else block.take(np.argsort(seq, kind="stable")))
    return merged
