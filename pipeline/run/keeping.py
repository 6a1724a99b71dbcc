"""Keeping: a fold that leaves waypoints on a trail while it reduces, wherever its batches begin and end."""

from collections.abc import Mapping

import msgspec

from pipeline.block import Block, Blocks, between, concat, row_count
from pipeline.codes import Kind
from pipeline.core.chunk import first_seq
from pipeline.log import cache
from pipeline.log.manifest import Manifest, code_hash
from pipeline.log.store import Store
from pipeline.log.trail import About, Trail, Waypoint, name_of, opened
from pipeline.run import wire
from pipeline.run.fold import FoldOfState, FoldPlan


def trail_of(store: Store, session: Manifest, plan: FoldPlan, code: Mapping[str, str]) -> Trail | None:
    """The trail of a plan and code over a session; None when there can be none: what is not sealed may still change."""
    if not cache.is_cacheable(session):
        return None
    about = About(session.id, msgspec.to_builtins(plan), dict(code))
    return opened(store.home, name_of(cache.key_of(session), about.plan, code_hash(about.code)), about)


class Keeper:
    """The rows of a fold, and waypoints behind the end of its trail. A trail that may not be written is left alone."""

    def __init__(self, fold: FoldOfState, trail: Trail | None) -> None:
        """The fold stands at the trail's end, or before its first input."""
        self._fold = fold
        self._trail = trail if trail is not None and trail.is_written else None
        self._moves: list[Block] = []
        self._now_ns = trail.places[-1].now_ns if trail and trail.places else 0

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs."""
        batch = [block for block in batch if len(block)]
        start = first_seq(batch) if batch else 0
        end = start + row_count(batch)
        if self._trail is None or end - 1 <= self._trail.end_seq:
            return self._fold.reduce(batch)
        derived: Blocks = []
        while self._trail is not None and (seq := self._trail.next_seq) < end:
            derived += self._reduced(between(batch, start, seq + 1))
            self._leave(self._trail, seq)
            start = seq + 1
        if start < end:
            derived += self._reduced(between(batch, start, end))
        return concat(derived)

    def _reduced(self, batch: Blocks) -> Blocks:
        derived = self._fold.reduce(batch)
        self._now_ns = max(self._now_ns, *(int(block.number("ts_recv_ns").max()) for block in batch))
        self._moves += [block for block in derived if block.kind is Kind.TRANSITION]
        return derived

    def _leave(self, trail: Trail, seq: int) -> None:
        moves = between(concat(self._moves), trail.end_seq + 1, seq + 1)
        self._moves = []
        try:
            trail.add(Waypoint(seq, self._now_ns, self._fold.freeze(), wire.as_bytes(moves)))
        except OSError:
            self._trail = None  # the disk is full: nothing is lost but a short cut
