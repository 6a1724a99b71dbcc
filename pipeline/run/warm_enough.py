"""Warm enough: from which warm-up on a strategy decides as if it had heard the whole session.

Points are drawn from the wishes of a run over the whole session. Of each the strategy is begun late, so and so long before it,
and what it wishes behind the point is compared with what it wished in the whole run (`run.begun_late`).
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from pipeline.block import Block, Blocks, between, concat
from pipeline.codes import IntentAction, Kind
from pipeline.core.strategy import Strategy
from pipeline.core.warm_up import WarmUp, warm_up_of
from pipeline.errors import ConfigError, NotFoundError
from pipeline.log import hot
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.begun_late import TELLING, Apart, Beginning, Parting, Wishes, begun_late, compared, values_apart
from pipeline.run.fold import FoldPlan, LocalFold, Speed, anew
from pipeline.run.retracing import Instant, Track
from pipeline.units import MINUTE_NS, TS_MIN_NS

BARS: Final = ("0", "10 bars", "20 bars", "50 bars", "100 bars", "200 bars", "500 bars")
TIMES: Final = ("0", "1m", "5m", "15m", "30m", "1h", "2h")
"""What is tried unless told otherwise, of strategies with bars by the clock and of others."""

HORIZON_NS: Final = 30 * MINUTE_NS
_NONE: Final = "0"


class Tried(msgspec.Struct, frozen=True):
    """A warm-up of this length, over all points."""

    length: str
    length_s: float
    points: int
    """Where so much of the session lies before the point."""
    wishes: int
    """Compared, of who heard all."""
    same: bool | None
    """None: there was nothing to compare."""
    parting: Parting | None
    apart: list[Apart]
    """Values of the State at the points that are not the same."""


class Enough(msgspec.Struct, frozen=True):
    """What came of it."""

    session: str
    strategy: str
    is_enough: bool
    """What is declared is as long as what was found."""
    declared: str
    declared_s: float
    needed: str | None
    """The shortest that was tried from which on every longer one is enough as well; None: none is."""
    seed: int
    points: list[int]
    """Behind these inputs wishes are compared..."""
    horizon_s: float
    """...for so long a session time."""
    symbols: dict[int, str]
    tried: list[Tried]
    held: int
    """Times that an instrument was left out, one side holding something there to the end."""
    speed: Speed
    why: str
    seconds: float


class _Length(NamedTuple):
    words: str
    ns: int
    step_ns: int
    """Bars of this length are to be whole; 0: no bars."""


class _Point(NamedTuple):
    at: Instant
    """Its time is that of the wish behind it."""
    end_seq: int
    state: bytes
    wishes: Wishes
    """Of who heard all, up to the end."""


def warm_enough(
    store: Store,
    session: str,
    plan: FoldPlan,
    files: Sequence[Path],
    *,
    seed: int,
    points: int = 3,
    lengths: Sequence[str] = (),
    horizon_ns: int = HORIZON_NS,
    speed: Speed = Speed.AUTO,
    progress: Callable[[int], None] = lambda _: None,
    compiling: Callable[[], None] = lambda: None,
) -> Enough:
    """Begin a strategy late, with each of the warm-ups, before as many points, and compare what it wishes behind them.

    `lengths` as strategies declare theirs; "0" for none. `progress` is told of the inputs of each batch
    that was reduced. Raises NotFoundError, CorruptError, StrategyError, ConfigError where nothing is wished.
    """
    parent = store.find_one(session)
    if parent.what != "session":
        raise NotFoundError(f"{parent.id} is a run: name its session {', '.join(parent.parents)}")
    last_seq = LogReader(store.folder(parent.id)).last_seq
    track = Track(store, parent.id, anew(plan, parent.settings), tuple(files), last_seq, speed, compiling, progress)
    started = time.perf_counter()
    fold = track.fold()
    declared, tries = lengths_of(fold, lengths)
    derived = concat([block for window in track.windows() for block in track.reduce(fold, window.blocks)])
    symbols = dict(fold.snapshot().symbols)
    random = np.random.Generator(np.random.PCG64(seed))
    chosen = _points(track, derived, random, points, horizon_ns)
    told = _told(track)
    tried, held = [], 0
    for length in tries:
        each, left_out = _try(track, fold, told, chosen, length)
        tried.append(each)
        held += left_out
    needed = _needed(tried)
    return Enough(
        session=parent.id,
        strategy=plan.strategies[0].name,
        is_enough=needed is not None and needed.length_s <= declared.ns / 1e9,
        declared=declared.words,
        declared_s=declared.ns / 1e9,
        needed=needed.length if needed else None,
        seed=seed,
        points=[point.at.seq for point in chosen],
        horizon_s=horizon_ns / 1e9,
        symbols=symbols,
        tried=tried,
        held=held,
        speed=fold.speed,
        why=fold.why,
        seconds=round(time.perf_counter() - started, 3),
    )


def lengths_of(fold: LocalFold, words: Sequence[str]) -> tuple[_Length, list[_Length]]:
    """What is declared, and what is to be tried, shortest first, with the former in it. Raises ConfigError, StrategyError."""
    (plan,) = fold.plans
    strategy = plan.strategy
    chosen = words or (BARS if strategy.bars_by_time else TIMES)
    declared = _length(strategy.warm_up or _NONE, strategy, plan.params)
    tries = {length.ns: length for length in (declared, *(_length(each, strategy, plan.params) for each in chosen))}
    return declared, [length for _, length in sorted(tries.items())]


def _length(words: str, strategy: Strategy, params: object) -> _Length:
    step_ns = max(strategy.bars_by_time, default=0)
    asked = WarmUp(0, 0) if words == _NONE else warm_up_of(words, params)
    if asked.bars and not step_ns:
        raise ConfigError(f"--length {words}: {strategy.name} has no bars by the clock; accepted is a time, like 5m")
    return _Length(words, asked.span_ns or asked.bars * step_ns, step_ns)


def _points(track: Track, derived: Blocks, random: np.random.Generator, count: int, horizon_ns: int) -> list[_Point]:
    """Right before wishes, those to enter where there are any, and those of the second half of the session where there are any."""
    wishes = [block for block in derived if block.kind is Kind.INTENT]
    wishes = [block.take(block.number("action") != IntentAction.NONE) for block in wishes]
    if not wishes or not len(wishes[0]):
        raise ConfigError(f"{track.id}: nothing is wished in it, so there is nothing to compare; name another session")
    wished = _preferred(wishes[0], "action", IntentAction.ENTER)
    half = wished.number("seq") > track.last_seq // 2
    wished = wished.take(half) if half.any() else wished
    rows = np.sort(random.choice(len(wished), min(count, len(wished)), replace=False))
    chosen = zip(wished.number("seq")[rows].tolist(), wished.number("ts_recv_ns")[rows].tolist(), strict=True)
    starts = sorted({Instant(max(seq - 1, 1), now_ns) for seq, now_ns in chosen})
    ends = track.last_before(np.array([at.now_ns + horizon_ns for at in starts], np.int64))
    found, fold, reached = [], track.fold(), 0
    for at, end in zip(starts, ends, strict=True):
        for window in track.windows(reached + 1, at.seq):
            track.reduce(fold, window.blocks)
        reached = at.seq
        end_seq = max(end.seq, at.seq + 1)
        found.append(_Point(at, end_seq, fold.freeze(), Wishes(between(derived, 1, end_seq + 1))))
    return found


def _preferred(block: Block, column: str, value: int) -> Block:
    is_value = block.number(column) == value
    return block.take(is_value) if is_value.any() else block


def _told(track: Track) -> Blocks:
    windows = hot.windows(track.store, track.id, 1, track.last_seq, kinds=TELLING, columns=track.columns)
    return concat([block for window in windows for block in window.blocks])


def _try(track: Track, fold: LocalFold, told: Blocks, points: Sequence[_Point], length: _Length) -> tuple[Tried, int]:
    """One length before all points; how many instruments were left out."""
    outline = fold.outline()
    wishes, tried, held = 0, 0, 0
    partings: list[Parting] = []
    apart: dict[str, Apart] = {}
    for point, begin in zip(points, _beginnings(track, points, length), strict=True):
        if begin is None:
            continue
        derived, state = begun_late(track, told, begin, point.at.seq, point.end_seq)
        values, cold = values_apart(point.state, state, outline)
        found = compared(point.wishes, Wishes(derived), point.at.seq, point.end_seq, cold)
        tried, wishes, held = tried + 1, wishes + found.wishes, held + found.held
        partings += [found.parting] if found.parting else []
        for each in values:
            if each.name not in apart or each.share > apart[each.name].share:
                apart[each.name] = each
    same = False if partings else True if wishes else None
    furthest = sorted(apart.values(), key=lambda each: (-each.share, each.name))
    return Tried(length.words, length.ns / 1e9, tried, wishes, same, next(iter(partings), None), furthest), held


def _beginnings(track: Track, points: Sequence[_Point], length: _Length) -> list[Beginning | None]:
    """What is heard before each point; None where the session does not reach back so far."""
    if not length.ns:
        return [Beginning(point.at.seq + 1, TS_MIN_NS) for point in points]
    limits = np.array([point.at.now_ns - length.ns for point in points], np.int64)
    if length.step_ns:
        limits -= limits % length.step_ns
    return [
        Beginning(at.seq + 1, since_ns) if at.seq else None
        for at, since_ns in zip(track.last_before(limits), limits.tolist(), strict=True)
    ]


def _needed(tried: Sequence[Tried]) -> Tried | None:
    """The shortest from which on none decides otherwise."""
    found = None
    for each in reversed(tried):
        if each.same is False:
            break
        found = each if each.same else found
    return found
