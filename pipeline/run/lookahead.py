"""Lookahead: whether decisions change when the future is not there.

A reducer is only ever given the past. What could know more all the same: a part that looks further into the batch it is handed;
what remembers an earlier run outside of any State; an input that is on the tape before it happened; a file beside the log.
So the session is reduced whole, and again with its batches ending at random points, and right behind random decisions, where nothing that follows is there; then without
what had not happened by then; and what is opened meanwhile is overheard. What a person knew who wrote numbers of the day into
a file of Python nobody can find this way.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from pipeline.block import Blocks, Numbers, between, concat, row_count
from pipeline.errors import NotFoundError
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.comparing import Difference, first_difference
from pipeline.run.early import DECISIONS, Early, EarlyCut, Noticed, cuts_by, first_by_early, first_true
from pipeline.run.fold import FoldPlan, Hashes, LocalFold, Speed, anew
from pipeline.run.retracing import START, Place, Track, alone
from pipeline.run.verifying import row_at

SKEW_NS: Final = 1_000_000_000
"""How far a venue's clock may be ahead of ours, unless told otherwise."""


class Peek(msgspec.Struct, frozen=True):
    """A decision that is another without the future.

    `how`: "batch", input `without` is in the same batch and was not decided upon; "early", input `without` is there before it
    happened; "memory", it is another when the session is reduced again, with nothing left out.
    """

    how: str
    cut_seq: int
    """The last input that was there."""
    without: int | None
    input: dict[str, Any] | None
    """That input's row."""
    decision: Difference
    """`recorded`: with the future; `derived`: without."""


class Foresight(msgspec.Struct, frozen=True):
    """What came of it."""

    session: str
    strategies: tuple[str, ...]
    sees_ahead: bool
    seed: int
    inputs: int
    decisions: int
    """Derived rows."""
    deciding: int
    """Inputs at which something was decided, the last one left out: with none of them nothing is shown."""
    cuts: int
    cuts_at_decisions: int
    """Of these, right behind an input that something was decided at: there nothing can be known of the next."""
    early_cuts: int
    """Places at which inputs were left out that had not happened."""
    early: int
    """Such inputs in all, further ahead than clocks may be apart."""
    early_s_max: float
    """How far the earliest of all is ahead."""
    within_skew: int
    """Inputs that are ahead by less."""
    peek: Peek | None
    same_state: bool
    """The whole state behind the last input is the same."""
    opened: list[str]
    """What was opened outside of the log while deciding."""
    opened_at_load: list[str]
    """The same while the strategies were loaded: what a file says of the day was there before it."""
    speed: Speed
    why: str
    """What could not be compiled."""
    seconds: float


@dataclass(frozen=True, slots=True)
class _Whole:
    """The session reduced at once, its windows' ends, what was early in it."""

    derived: Blocks
    ends: list[int]
    hashes: Hashes
    early: Early


def look_ahead(
    store: Store,
    session: str,
    plan: FoldPlan,
    files: Sequence[Path],
    *,
    seed: int,
    cuts: int = 100,
    skew_ns: int = SKEW_NS,
    speed: Speed = Speed.AUTO,
    opened_at_load: Sequence[str] = (),
    progress: Callable[[int], None] = lambda _: None,
    compiling: Callable[[], None] = lambda: None,
) -> Foresight:
    """Reduce a session whole, then with the future cut at so many random points and behind as many decisions, and compare every row.

    `progress` is told of inputs reduced, of twice those there are. Keeps all derived rows in memory. Raises NotFoundError,
    CorruptError, StrategyError.
    """
    parent = store.find_one(session)
    if parent.what != "session":
        raise NotFoundError(f"{parent.id} is a run: name its session {', '.join(parent.parents)}")
    log = LogReader(store.folder(parent.id))
    track = Track(store, parent.id, anew(plan, parent.settings), tuple(files), log.last_seq, speed, compiling)
    random = np.random.Generator(np.random.PCG64(seed))
    started = time.perf_counter()
    with track.fold() as fold:
        whole = _whole(track, fold, progress)
    decided = _decided(whole.derived, track.last_seq)
    points = {*_some(random, np.arange(1, track.last_seq), cuts), *_some(random, decided, cuts)}
    early = whole.early.more_than(skew_ns)
    peek, places, hashes = _cut(track, whole, points, lambda done: progress(track.last_seq + done))
    acted_on = np.flatnonzero(np.isin(early.seq, decided))
    chosen = {*_some(random, np.arange(len(early.seq)), cuts), *_some(random, acted_on, cuts)}
    early_cuts = cuts_by(track, early, sorted(chosen), skew_ns) if peek is None else []
    peek = peek or _by_early(track, whole, early_cuts, places)
    if peek and peek.without:
        peek = msgspec.structs.replace(peek, input=row_at(log, peek.without, 0))
    same_state = peek is not None or hashes.state_hash == whole.hashes.state_hash
    return Foresight(
        session=parent.id,
        strategies=tuple(strategy.name for strategy in plan.strategies),
        sees_ahead=peek is not None or not same_state or bool(track.heard.said),
        seed=seed,
        inputs=track.last_seq,
        decisions=row_count(whole.derived),
        deciding=len(decided),
        cuts=len(points),
        cuts_at_decisions=int(np.isin(decided, list(points)).sum()),
        early_cuts=len(early_cuts),
        early=len(early.seq),
        early_s_max=round(float(whole.early.ahead_ns.max(initial=0)) / 1e9, 6),
        within_skew=len(whole.early.seq) - len(early.seq),
        peek=peek,
        same_state=same_state,
        opened=track.heard.said,
        opened_at_load=list(opened_at_load),
        speed=fold.speed,
        why=fold.why,
        seconds=round(time.perf_counter() - started, 3),
    )


def _whole(track: Track, fold: LocalFold, progress: Callable[[int], None]) -> _Whole:
    derived, ends, noticed = [], [], Noticed()
    for window in track.windows():
        derived += track.reduce(fold, window.blocks)
        ends.append(window.last_seq)
        noticed.add(window.blocks)
        progress(window.last_seq)
    return _Whole(concat(derived), ends, fold.hashes(), noticed.early)


def _decided(derived: Blocks, last_seq: int) -> Numbers:
    """The inputs before the last at which something was decided, rising."""
    seqs = [block.number("seq") for block in derived if block.kind in DECISIONS]
    decided: Numbers = np.unique(np.concatenate(seqs)) if seqs else np.zeros(0, np.int64)
    return decided[decided < last_seq]


def _some(random: np.random.Generator, numbers: Numbers, count: int) -> list[int]:
    """So many of them, or all."""
    chosen: list[int] = random.choice(numbers, min(count, len(numbers)), replace=False).tolist() if len(numbers) else []
    return chosen


def _cut(
    track: Track, whole: _Whole, points: Collection[int], progress: Callable[[int], None]
) -> tuple[Peek | None, list[Place], Hashes]:
    """Reduce again, each batch ending at a point; the states at the points, for what is to be reduced from there."""
    places = [START]
    bounds = sorted({*points, *whole.ends})
    with track.fold() as fold:
        for window in track.windows():
            here = [window.first_seq - 1, *(end for end in bounds if window.first_seq <= end < window.last_seq)]
            for before, end in pairwise([*here, window.last_seq]):
                derived = track.reduce(fold, alone(between(window.blocks, before + 1, end + 1)))
                difference = first_difference(between(whole.derived, before + 1, end + 1), derived)
                if difference is not None:
                    return _explained(track, whole, places[-1], end, difference), places, fold.hashes()
                if end in points:
                    places.append(Place(end, fold.freeze()))
            progress(window.last_seq)
        return None, places, fold.hashes()


def _explained(track: Track, whole: _Whole, place: Place, cut_seq: int, difference: Difference) -> Peek:
    """Find the input in the same batch without which the decision changes; there is none where something remembers."""
    seq = difference.seq
    expected = between(whole.derived, place.seq + 1, seq + 1)

    def is_same(to_seq: int) -> bool:
        derived = between(track.at_once(place, to_seq), place.seq + 1, seq + 1)
        return first_difference(expected, derived) is None

    end = whole.ends[bisect_left(whole.ends, seq)]
    if end <= cut_seq or is_same(cut_seq) or not is_same(end):
        return Peek("memory", cut_seq, None, None, difference)
    without = first_true(cut_seq, end, is_same)
    return Peek("batch", without - 1, without, None, difference)


def _by_early(track: Track, whole: _Whole, cuts: Sequence[EarlyCut], places: Sequence[Place]) -> Peek | None:
    for cut in cuts:
        if found := first_by_early(track, whole.derived, cut, places):
            difference, without = found
            return Peek("early" if without else "memory", cut.seq, without, None, difference)
    return None
