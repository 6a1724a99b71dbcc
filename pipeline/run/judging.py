"""Judging: what stands beside the best set of parameters, so that nobody believes it more than it deserves.

Of how many it is the best, what it came to on sessions that it was not chosen on, what its Sharpe ratio is beside that of chance,
and how good the sets around it are. Only the best is run out of sample: choosing again by what was found there would spoil it.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from pipeline.errors import ConfigError
from pipeline.log.backtests import Results, Value, backtests
from pipeline.log.manifest import Manifest
from pipeline.log.studies import Trial
from pipeline.reports.scoring import OBJECTIVES, Deflated, Score, deflated, drop_of
from pipeline.reports.stability import Neighbour, Neighbourhood, PairMap, maps_of, neighbourhood_of, points_beside
from pipeline.run.optimizing import Bench, Search, best_of, score_in, scores_by_cell, trial_of
from pipeline.run.sweeping import Point, Space, is_ordered


class Judgement(msgspec.Struct, frozen=True):
    """What was found, and what it is worth."""

    trials: int
    tried: int
    """Sets of parameters, each counted once."""
    elsewhere: int
    """More of these strategies that any backtest of the store holds over a session in sample, with any code and settings."""
    candidates: int
    best: Trial
    deflated: Deflated
    outside: Score | None
    """Of the best, out of sample; None when nothing was held back."""
    outside_value: float | None
    drop: float | None
    """Which part of the objective was lost there."""
    neighbourhood: Neighbourhood
    maps: tuple[PairMap, ...]


def judge(
    bench: Bench,
    space: Space,
    inside: Sequence[Manifest],
    outside: Sequence[Manifest],
    search: Search,
    trials: Sequence[Trial],
    progress: Callable[[int], None] = lambda _: None,
) -> Judgement:
    """The best of these trials over the sessions in sample. Raises ConfigError when none is a candidate, and as `Bench.run` does."""
    best = best_of(trials)
    if best is None:
        raise ConfigError(
            f"none of {len(trials)} trials is a candidate: fewer than {search.trades_min} closed trades, or a strategy stopped; "
            "see --trades-min"
        )
    score = score_outside(bench, space, outside, best, progress) if outside else None
    value = OBJECTIVES[search.objective].value(score) if score else None
    elsewhere = _elsewhere(bench, space, inside, {trial.point for trial in trials}, best)
    return Judgement(
        trials=len(trials),
        tried=len({trial.point for trial in trials}),
        elsewhere=elsewhere,
        candidates=len({trial.point for trial in trials if trial.value is not None}),
        best=best,
        deflated=deflated_of(best, trials, elsewhere),
        outside=score,
        outside_value=value,
        drop=drop_of(best.value, value),
        neighbourhood=_around(bench, space, inside, search, best, progress),
        maps=tuple(maps_of(space.axes, trials)),
    )


def deflated_of(best: Trial, trials: Sequence[Trial], elsewhere: int = 0) -> Deflated:
    """The best beside all that were tried, each set of parameters once, and so many more."""
    distinct = {trial.point: trial for trial in trials}
    return deflated(score_in(best), [score_in(trial) for trial in distinct.values()], elsewhere)


def score_outside(
    bench: Bench, space: Space, sessions: Sequence[Manifest], chosen: Trial, progress: Callable[[int], None]
) -> Score:
    """What the chosen parameters come to there."""
    return scores_by_cell(bench.run(sessions, space.chosen([chosen.point]), progress).rows)[1]


def _elsewhere(bench: Bench, space: Space, sessions: Sequence[Manifest], tried: set[Point], best: Trial) -> int:
    """How many other sets of parameters the store has rows of over these sessions: each was a chance to find something by luck.

    Those beside the best are none: they are run to judge it.
    """
    ids = {session.id for session in sessions}
    strategies = tuple(strategy.name for strategy in space.base.strategies)
    grid = space.chosen([*tried, *_points_beside(space, best)])
    known = {_word(bench.code_hash, grid.params_of(plan)) for plan in grid.plans}
    found = {
        _word(asked.code_hash, row.params)
        for asked in backtests(bench.store)
        if asked.strategies == strategies and ids & set(asked.sessions)
        for row in Results(bench.store, asked.id).rows()
        if row.session in ids
    }
    return len(found - known)


def _word(code_hash: str, params: Mapping[str, Value]) -> bytes:
    return msgspec.json.encode([code_hash, params], order="deterministic")


def _points_beside(space: Space, best: Trial) -> list[Point]:
    axes = space.axes.values()
    return points_beside([*map(len, axes)], [*map(is_ordered, axes)], best.point)


def _around(
    bench: Bench,
    space: Space,
    sessions: Sequence[Manifest],
    search: Search,
    best: Trial,
    progress: Callable[[int], None],
) -> Neighbourhood:
    """The sets beside the best, run where they were not."""
    points = _points_beside(space, best)
    if not points:
        return neighbourhood_of(())
    scores = scores_by_cell(bench.run(sessions, space.chosen(points), progress).rows)
    each = [trial_of(number, space, point, scores[number], search) for number, point in enumerate(points, 1)]
    return neighbourhood_of([Neighbour(trial.params, trial.value) for trial in each])
