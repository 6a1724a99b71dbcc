"""Monte Carlo: many paths through the recorded trades, on all cores, the same numbers whatever the cores.

A path is walked by `walk` from what `Asked` says. Threads take paths by the chunk; as chance is drawn by place, neither
their number nor the size of a chunk changes a bit. Each path leaves seven numbers, 56 bytes, so that every quantile is
exact; of many paths they lie in a file, so that memory does not grow with them (`reports.pieces`). Curves are kept of the
first DRAWN_MAX paths only: their bands are those of that sample, the rank of a quantile q being off by
sqrt(q * (1 - q) / DRAWN_MAX), 0.2 % at 5 %.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from pipeline.errors import ConfigError
from pipeline.reports import walk
from pipeline.reports.compiled_walk import compiled_walk
from pipeline.reports.knobs import AS_RECORDED, BPS, Blocks, Knobs, Lognormal, Normal, Sample, Slippage
from pipeline.reports.philox import WORD
from pipeline.reports.pieces import PIECE, columns, let_go
from pipeline.reports.round_trips import RoundTrips
from pipeline.reports.walk import Floats, Given, Traded, Walked

PATHS_MAX: Final = 10_000_000
CHUNK: Final = 512
"""Paths that a thread takes at once: a few milliseconds of a usual log."""

DRAWN_MAX: Final = 10_000
MARKS_MAX: Final = 100
_ALWAYS: Final = 2**32
_SEED_END: Final = 2**64


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that the numbers depend on, but for the trades and the code. Raises ConfigError for what can't be."""

    knobs: Knobs = AS_RECORDED
    paths: int = 10_000
    seed: int = 1
    capital: float = 100_000.0
    """What the account begins with; drawdowns are a share of this and what was won."""
    ruin_share: float = 0.5
    """A path that has lost this share of it is ruined, and trades on no more."""
    bad_day_r: float = 3.0
    """A day is bad that loses more than so many R."""
    risk: float | None = None
    """1 R of a trade whose own is not known."""

    def __post_init__(self) -> None:
        for what, number, low, high in (
            ("paths", self.paths, 1, PATHS_MAX),
            ("seed", self.seed, 0, _SEED_END - 1),
            ("capital", self.capital, 1e-9, 1e15),
            ("ruin", self.ruin_share, 1e-9, 1.0),
            ("bad day", self.bad_day_r, 0.0, 1e6),
            ("risk", 1.0 if self.risk is None else self.risk, 1e-9, 1e15),
        ):
            if not low <= number <= high:
                raise ConfigError(f"{what} {_told(number)}: accepted is {_told(low)} to {_told(high)}")


def _told(number: float) -> str:
    """A whole number with all its digits."""
    return f"{number:,d}" if isinstance(number, int) else f"{number:,.10g}"


def simulate(
    trips: RoundTrips,
    asked: Asked,
    *,
    threads: int | None = None,
    chunk: int = CHUNK,
    told: Callable[[int], None] = lambda _: None,
    folder: Path | None = None,
) -> Walked:
    """What each path came to. `threads` and `chunk` change how fast that is, and nothing else; `told` hears how many are done.

    What many paths came to lies in a file in `folder`, else where such files are kept. Raises OSError where it has no room.
    """
    given, traded = given_of(trips, asked), traded_of(trips, asked)
    walked = _room(asked.paths, given, folder)
    run = compiled_walk()
    pool = ThreadPoolExecutor(threads or os.cpu_count())
    try:
        for begin in range(0, asked.paths, PIECE):
            end = min(begin + PIECE, asked.paths)
            chunks = [(first, min(first + chunk, end)) for first in range(begin, end, chunk)]
            tasks = [pool.submit(run, first, stop, given, traded, walked) for first, stop in chunks]
            for task, (_, stop) in zip(tasks, chunks, strict=True):
                task.result()
                told(stop)
            let_go(walked.profit)
    finally:
        pool.shutdown(cancel_futures=True)  # who is interrupted waits for the chunks being walked, not for all of them
    return walked


def as_recorded(trips: RoundTrips, asked: Asked) -> Walked:
    """The one path that was traded. It was not ruined, whatever it lost: somebody went on."""
    given = given_of(trips, msgspec.structs.replace(asked, knobs=AS_RECORDED, paths=1))
    given = given._replace(ruin_loss=math.inf)
    walked = _room(1, given)
    compiled_walk()(0, 1, given, traded_of(trips, asked), walked)
    return walked


def knows_r(trips: RoundTrips, asked: Asked) -> bool:
    """Whether 1 R is known of every trade; else no day can be told in R."""
    return asked.risk is not None or bool((trips.risk > 0).all())


def traded_of(trips: RoundTrips, asked: Asked) -> Traded:
    """The trades as the walk wants them."""
    risk = np.where(trips.risk > 0, trips.risk, math.nan if asked.risk is None else asked.risk)
    return Traded(
        profit=np.ascontiguousarray(trips.profit, np.float64),
        turnover=np.abs(trips.entry_value) + np.abs(trips.exit_value),
        exposure=trips.sign * np.abs(trips.exit_value),
        inverse_risk=np.where(np.isfinite(risk), 1.0 / risk, 0.0),
        ends_day=np.append(trips.day[1:] != trips.day[:-1], [True]).astype(np.float64),
        samples=np.array(_samples(asked.knobs), np.float64) * BPS,
    )


def given_of(trips: RoundTrips, asked: Asked) -> Given:
    """What is asked as the walk wants it."""
    knobs, count = asked.knobs, len(trips)
    cost_kind, cost_first, cost_second = _cost(knobs.slippage)
    worse = knobs.anomalies.cost if knobs.anomalies else None
    worse_kind, worse_first, worse_second = _cost(worse)
    away = knobs.drops.mean_trades if knobs.drops else 0.0
    return Given(
        seed_low=asked.seed & WORD,
        seed_high=asked.seed >> 32,
        trades=count,
        order=walk.AS_TRADED if knobs.order is None else walk.BLOCKS if isinstance(knobs.order, Blocks) else walk.IID,
        jump_below=_limit(1.0 / knobs.order.mean_trades) if isinstance(knobs.order, Blocks) else 0,
        has_events=int(any(knob is not None for knob in (knobs.halts, knobs.drops, knobs.partials))),
        miss_below=_limit(knobs.misses.probability if knobs.misses else 0.0),
        anomaly_below=_limit(knobs.anomalies.probability if knobs.anomalies else 0.0),
        halt_below=_limit(knobs.halts.probability if knobs.halts else 0.0),
        drop_below=_limit(knobs.drops.probability if knobs.drops else 0.0),
        partial_below=_limit(knobs.partials.probability if knobs.partials else 0.0),
        cost_kind=cost_kind,
        cost_count=len(knobs.slippage.bps) if isinstance(knobs.slippage, Sample) else 0,
        worse_kind=worse_kind,
        worse_count=len(worse.bps) if isinstance(worse, Sample) else 0,
        gap_count=len(knobs.halts.gaps_bps) if knobs.halts else 0,
        marks=min(MARKS_MAX, count),
        drawn_paths=min(asked.paths, DRAWN_MAX),
        cost_first=cost_first,
        cost_second=cost_second,
        worse_first=worse_first,
        worse_second=worse_second,
        late_cost=knobs.drops.late_bps * BPS if knobs.drops else 0.0,
        away_scale=1.0 / math.log(away / (away + 1.0)) if away > 0.0 else 0.0,
        fraction_least=knobs.partials.least if knobs.partials else 0.0,
        capital=asked.capital,
        ruin_loss=asked.capital * asked.ruin_share,
        bad_day_r=-asked.bad_day_r,
    )


def marks_of(trips: RoundTrips) -> Floats:
    """After how many trades the points of a curve stand, (marks + 1,)."""
    marks = min(MARKS_MAX, len(trips))
    return np.array([mark * len(trips) // marks for mark in range(marks + 1)], np.float64)


def curves_of(walked: Walked, trips: RoundTrips) -> Floats:
    """(drawn paths, marks + 1) profit so far."""
    return walked.curves.reshape(-1, min(MARKS_MAX, len(trips)) + 1)


def _room(paths: int, given: Given, folder: Path | None = None) -> Walked:
    left = columns(len(Walked._fields) - 1, paths, folder)
    return Walked._make([*left, np.zeros(given.drawn_paths * (given.marks + 1))])


def _limit(probability: float) -> int:
    """What a word stays below with this probability, to one part in 2**32."""
    return round(probability * _ALWAYS)


def _cost(slippage: Slippage | None) -> tuple[int, float, float]:
    """Kind, and two numbers, as shares."""
    match slippage:
        case Normal():
            return walk.NORMAL, slippage.mean_bps * BPS, slippage.sd_bps * BPS
        case Lognormal():
            return walk.LOGNORMAL, _log(slippage.median_bps * BPS), slippage.sigma
        case Sample():
            return walk.SAMPLE, 0.0, 0.0
        case None:
            return walk.NO_COST, 0.0, 0.0


def _log(share: float) -> float:
    return math.log(share) if share > 0.0 else -math.inf


def _samples(knobs: Knobs) -> list[float]:
    """Costs, anomalous costs, gaps, in bps."""
    worse = knobs.anomalies.cost if knobs.anomalies else None
    costs = [each.bps for each in (knobs.slippage, worse) if isinstance(each, Sample)]
    gaps = knobs.halts.gaps_bps if knobs.halts else ()
    return [number for numbers in (*costs, gaps) for number in numbers]
