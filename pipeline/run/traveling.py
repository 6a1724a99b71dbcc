"""Traveling: the state of a strategy at any input of a session, from the nearest waypoint before it.

Whose states: a run's, a session's own, or those that today's code would have over a session. The same code, plan and
session share a trail, whoever left it. Where a trail does not reach, inputs are reduced and it grows; from a waypoint on
they are reduced interpreted, by the recorded code when that is not today's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
import numpy as np

from pipeline.block import Block, Blocks, between, concat
from pipeline.codes import Kind
from pipeline.errors import ConfigError, CorruptError, NotFoundError
from pipeline.log import cache, hot, trail
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import CODE, Store
from pipeline.log.trail import Waypoint
from pipeline.run import wire
from pipeline.run.code import code_of, is_todays
from pipeline.run.fold import FoldOfState, FoldPlan, LocalFold, RecordedFold, Speed, anew, recorded_paths
from pipeline.run.following import engine_of, with_engine
from pipeline.run.keeping import Keeper, trail_of
from pipeline.run.outline import Outline
from pipeline.run.overnight import kept_in
from pipeline.run.regating import forgotten
from pipeline.run.verifying import check_code, recorded_plan

OUTLINE_FILE: Final = "pipeline/run/outline.py"
"""Recorded code without it can't be asked for its state."""

_LONG_WAY_ROWS: Final = 65_536
"""Inputs in a batch where no trail leads yet."""


@dataclass(frozen=True, slots=True)
class Journey:
    """Whose states: a plan over a session's inputs up to `to_seq`, and the code that reduces."""

    id: str
    """The run, or the session."""
    session: Manifest
    plan: FoldPlan
    paths: tuple[Path, ...]
    """The strategies' files."""
    to_seq: int
    code: Mapping[str, str]
    """blake3 of each source."""
    recorded: Path | None
    """The folder of the code, when it is not today's."""
    begun: Blocks = field(default_factory=list)
    """What is reduced before the first input: what a session before left."""


def journey_of_log(store: Store, name: str) -> Journey:
    """Through what a run, or a session with strategies of its own, went through.

    Raises NotFoundError, CorruptError, and ConfigError when nothing was decided in it, or its code is too old to be asked.
    """
    manifest = store.find_one(name)
    plan = recorded_plan(manifest)
    if not plan.strategies:
        raise ConfigError(f"{manifest.id} holds no strategy's decisions: say --strategy NAME")
    if manifest.what == "run" and manifest.state == "open":
        raise ConfigError(f"{manifest.id} was never finished: delete it, and replay its session again")
    folder = store.folder(manifest.id) / CODE
    check_code(folder.parent, manifest)
    paths = tuple(recorded_paths(plan, folder))
    apart = None if is_todays(manifest.code, paths) else folder
    if apart and OUTLINE_FILE not in manifest.code:
        raise ConfigError(f"{manifest.id} keeps code that can't be asked for its state: replay its session again")
    session = store.session_of(manifest)
    to_seq = manifest.settings.get("to_seq", LogReader(store.folder(session.id)).last_seq)
    assert isinstance(to_seq, int)
    begun = kept_in(LogReader(folder.parent)) if manifest.what == "run" else []
    return Journey(manifest.id, session, plan, paths, to_seq, manifest.code, apart, begun)


def journey_over(store: Store, name: str, plan: FoldPlan, files: Sequence[Path]) -> Journey:
    """Through a session with today's code. Raises NotFoundError, CorruptError, ConfigError as `code_of` does."""
    session = store.find_one(name)
    if session.what != "session":
        raise ConfigError(f"{session.id} is a run, with parameters of its own; its session is {session.parents[0]}")
    plan = anew(plan, session.settings)
    known = trail.found(store.home, cache.key_of(session), msgspec.to_builtins(plan))
    todays = (about.code for _, about in known if is_todays(about.code, files))
    code = next(todays, None) or code_of(files).hashes
    to_seq = LogReader(store.folder(session.id)).last_seq
    return Journey(session.id, session, plan, tuple(files), to_seq, code, None)


@dataclass(frozen=True, slots=True)
class Stop:
    """A place that was reached: the engine's state behind input `seq`, and the moves since the waypoint before it."""

    seq: int
    state: bytes
    since: int
    moves: Blocks


class Traveler:
    """States along a journey; closed by `with`."""

    def __init__(
        self,
        store: Store,
        journey: Journey,
        *,
        progress: Callable[[int], None] = lambda _: None,
        compiling: Callable[[], None] = lambda: None,
    ) -> None:
        """`progress` is told up to which input was reduced where no trail led; `compiling` as for a replay."""
        self.journey = journey
        self._store = store
        self._progress = progress
        self._compiling = compiling
        self._trail = None if journey.begun else trail_of(store, journey.session, journey.plan, journey.code)
        self._fold: FoldOfState | None = None

    def seq_at(self, ts_ns: int) -> int:
        """The last input at which session time was not later than this; 0 when there is none."""
        place = self._trail.place_until(ts_ns) if self._trail else None
        found = place.seq if place else 0
        for blocks in self._inputs(found + 1, self.journey.to_seq, columns=["ts_recv_ns"]):
            seq = np.concatenate([block.number("seq") for block in blocks])
            later = np.concatenate([block.number("ts_recv_ns") for block in blocks]) > ts_ns
            if later.any():
                return int(seq[later].min()) - 1
            found = int(seq.max())
        return found

    def at(self, seq: int) -> Stop:
        """The state behind an input. Raises NotFoundError when the journey has no such input."""
        if not 1 <= seq <= self.journey.to_seq:
            raise NotFoundError(f"seq {seq}: {self.journey.id} has 1 to {self.journey.to_seq}")
        waypoint = self._waypoint(seq)
        moves: list[Block] = []
        fold = self._started(waypoint, seq - waypoint.seq)
        keeper = Keeper(fold, self._trail)
        if seq > waypoint.seq:
            rows = trail.SPACING if seq - waypoint.seq <= trail.SPACING else _LONG_WAY_ROWS
            for blocks in self._inputs(waypoint.seq + 1, seq, rows=rows):
                moves += [block for block in keeper.reduce(blocks) if block.kind is Kind.TRANSITION]
                if rows == _LONG_WAY_ROWS:
                    self._progress(int(blocks[0].number("seq")[-1]))
        state = fold.freeze()
        engine = engine_of(state) if self.journey.plan.scanners else state
        return Stop(seq, engine, waypoint.seq, concat(moves))

    def regated(self, seq: int) -> Blocks:
        """What is derived of an input where every gate that refuses leaves its row. Raises NotFoundError for the first, which has no state before it."""
        before = self.at(seq - 1).state
        fold = self._fold
        assert fold is not None
        state = forgotten(before, fold.outline())
        fold.thaw(with_engine(fold.freeze(), state) if self.journey.plan.scanners else state)
        return concat(block for blocks in self._inputs(seq, seq) for block in fold.reduce(blocks))

    def moves(self, after_seq: int, stop: Stop) -> Blocks:
        """The transitions behind `after_seq` up to a place that was reached."""
        kept: list[Block] = []
        if self._trail:
            places = [place for place in self._trail.places if after_seq < place.seq <= stop.since]
            try:
                kept = [block for place in places for block in wire.from_bytes(self._trail.read(place).moves)]
            except CorruptError:  # the trail ends before it now
                return self.moves(after_seq, self.at(stop.seq))
        return between(concat([*kept, *stop.moves]), after_seq + 1, stop.seq + 1)

    def outline(self) -> Outline:
        """What the numbers in a state mean."""
        return (self._fold or self._started(_START, 0)).outline()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_fold()
        if self._trail:
            self._trail.__exit__(kind, error, trace)

    def _inputs(
        self, from_seq: int, to_seq: int, *, columns: Sequence[str] | None = None, rows: int = trail.SPACING
    ) -> Iterator[Blocks]:
        """Inputs from the hot cache when they are there: decoding a whole row group would cost more than reducing."""
        return hot.batches(
            self._store, self.journey.session.id, from_seq, to_seq, columns=columns, rows=rows, build=False
        )

    def _waypoint(self, seq: int) -> Waypoint:
        """The nearest one before it that is whole."""
        while self._trail and (place := self._trail.place_before(seq)):
            try:
                return self._trail.read(place)
            except CorruptError:
                continue  # the trail ends before it now
        return _START

    def _started(self, waypoint: Waypoint, inputs: int) -> FoldOfState:
        """A fold that stands at a waypoint, compiled when so many inputs are worth it."""
        self._leave_fold()
        journey = self.journey
        if journey.recorded:
            self._fold = RecordedFold(journey.plan, journey.recorded)
        else:
            speed = Speed.AUTO if inputs > trail.SPACING else Speed.INTERPRETED
            self._fold = LocalFold(journey.plan, journey.paths, speed=speed, inputs=inputs, compiling=self._compiling)
        if waypoint.seq:
            self._fold.thaw(waypoint.state)
        elif journey.begun:
            self._fold.reduce(journey.begun)
        return self._fold

    def _leave_fold(self) -> None:
        if self._fold is not None:
            self._fold.__exit__(None, None, None)
        self._fold = None


_START: Final = Waypoint(0, 0, b"", b"")
"""Before the first input."""
