"""Keeping: a fold that leaves waypoints on a trail while it reduces, wherever its batches begin and end."""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from pipeline.block import Block, Blocks, between, concat, row_count
from pipeline.codes import Kind
from pipeline.core.chunk import first_seq
from pipeline.log import cache, trail
from pipeline.log.manifest import Manifest, code_hash
from pipeline.log.store import Store
from pipeline.log.trail import About, Trail, Waypoint
from pipeline.run import wire
from pipeline.run.fold import FoldOfState, FoldPlan

Later = Callable[[Callable[[], None]], None]
"""What sees that something is done: at once, or by another thread in the order asked."""


def trail_of(store: Store, session: Manifest, plan: FoldPlan, code: Mapping[str, str]) -> Trail | None:
    """The trail of a plan and code over a session; None when there can be none: what is not sealed may still change."""
    if not cache.is_cacheable(session):
        return None
    about = About(session.id, msgspec.to_builtins(plan), dict(code))
    return trail.opened(store.home, trail.name_of(cache.key_of(session), about.plan, code_hash(about.code)), about)


def _at_once(work: Callable[[], None]) -> None:
    work()


class Keeper:
    """The rows of a fold, and waypoints behind the end of its trail. A trail that may not be written is left alone."""

    def __init__(self, fold: FoldOfState, on: Trail | None, later: Later = _at_once) -> None:
        """The fold stands at the trail's end, or before its first input. `later` writes what is left."""
        self._fold = fold
        self._trail = on if on is not None and on.is_written else None
        self._later = later
        self._moves: list[Block] = []
        self._end_seq = on.end_seq if on else 0
        self._state_bytes = on.state_bytes if on else 0
        self._now_ns = on.places[-1].now_ns if on and on.places else 0

    def reduce(self, batch: Blocks) -> Blocks:
        """The derived rows of exactly these inputs, one block a kind."""
        derived = list(self.pieces(batch))
        return derived[0] if len(derived) == 1 else concat(block for blocks in derived for block in blocks)

    def pieces(self, batch: Blocks) -> Iterator[Blocks]:
        """The same as they are made: up to each waypoint, and behind the last."""
        batch = [block for block in batch if len(block)]
        start = first_seq(batch) if batch else 0
        end = start + row_count(batch)
        if self._trail is None or end - 1 <= self._end_seq:
            yield self._fold.reduce(batch)
            return
        while self._trail is not None and (seq := trail.next_seq(self._end_seq, self._state_bytes)) < end:
            yield self._reduced(between(batch, start, seq + 1))
            self._leave(self._trail, seq)
            start = seq + 1
        if start < end:
            yield self._reduced(between(batch, start, end))

    def _reduced(self, batch: Blocks) -> Blocks:
        derived = self._fold.reduce(batch)
        self._now_ns = max(self._now_ns, *(int(block.number("ts_recv_ns").max()) for block in batch))
        self._moves += [block for block in derived if block.kind is Kind.TRANSITION]
        return derived

    def _leave(self, on: Trail, seq: int) -> None:
        state, moves, now_ns = self._fold.freeze(), self._moves, self._now_ns
        from_seq, self._moves = self._end_seq + 1, []
        self._end_seq, self._state_bytes = seq, self._state_bytes + len(state)

        def write() -> None:
            left = between(concat(moves), from_seq, seq + 1)
            try:
                if self._trail is not None:
                    on.add(Waypoint(seq, now_ns, state, wire.as_bytes(left)))
            except OSError:
                self._trail = None  # the disk is full: nothing is lost but a short cut

        self._later(write)
