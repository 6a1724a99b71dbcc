"""Judging: what stands beside the best set of parameters, so that nobody believes it more than it deserves.

Of how many it is the best, what it came to on sessions that it was not chosen on, what its Sharpe ratio is beside that of chance,
and how good the sets around it are. Only the best is run out of sample: choosing again by what was found there would spoil it.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from pipeline.errors import ConfigError
from pipeline.log.manifest import Manifest
from pipeline.log.studies import Trial
from pipeline.reports.scoring import OBJECTIVES, Deflated, Score, deflated, drop_of, why_none
from pipeline.reports.stability import Neighbour, Neighbourhood, PairMap, maps_of, neighbourhood_of, points_beside
from pipeline.run.optimizing import Bench, Search, best_of, score_in, scores_by_cell, trial_of
from pipeline.run.sweeping import Point, Space, is_ordered
from pipeline.run.tries import Tries
from pipeline.run.windows import before_the_last


class Judgement(msgspec.Struct, frozen=True):
    """What was found, and what it is worth."""

    trials: int
    tried: int
    """Sets of parameters, each counted once."""
    elsewhere: int
    """More of these strategies that the store holds over a session in sample, see `tries`."""
    studies: int
    """Other studies of these strategies over a session in sample."""
    candidates: int
    best: Trial
    deflated: Deflated
    outside: Score | None
    """Of the best, out of sample; None when nothing was held back."""
    outside_value: float | None
    outside_before: int
    """Sessions out of sample that lie before the last one in sample: what was chosen knows what came later."""
    outside_elsewhere: int
    """Sets but the best that the store holds over a session out of sample: who looks there often enough chooses by it."""
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
    study: str = "",
) -> Judgement:
    """The best of these trials, of that study, over the sessions in sample. Raises ConfigError when none is a candidate, and as `Bench.run` does."""
    best = best_of(trials)
    if best is None:
        why = Counter(why_none(score_in(trial), search.objective, search.trades_min) for trial in trials)
        told = ", ".join(f"{count:,} with {reason}" for reason, count in why.most_common())
        raise ConfigError(f"none of {len(trials):,} trials is a candidate: {told}")
    score = score_outside(bench, space, outside, best, progress) if outside else None
    value = OBJECTIVES[search.objective].value(score) if score else None
    tries = Tries(bench, space, inside, _own(space, search, trials))
    elsewhere = tries.over(inside)
    return Judgement(
        trials=len(trials),
        tried=len({trial.point for trial in trials}),
        elsewhere=elsewhere,
        studies=tries.studies_over(inside, {study}),
        candidates=len({trial.point for trial in trials if trial.value is not None}),
        best=best,
        deflated=deflated_of(best, trials, elsewhere),
        outside=score,
        outside_value=value,
        outside_before=before_the_last(inside, outside),
        outside_elsewhere=Tries(bench, space, outside, {best.point}).over(outside),
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


def _own(space: Space, search: Search, trials: Sequence[Trial]) -> set[Point]:
    """The sets of these trials, and those beside the best: they are run to judge it.

    So are those beside the best of fewer of these trials, as they were there when the search was asked for no more.
    """
    bests = (best_of(trials[:end]) for end in range(search.batch, len(trials) + 1, search.batch))
    judged = {point for best in bests if best for point in _points_beside(space, best)}
    return {*(trial.point for trial in trials), *judged}


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
