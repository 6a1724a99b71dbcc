"""Walking forward: parameters chosen on some sessions and traded on the next ones, window after window, as one would have done.

What is added up is out of sample alone: in no window do the parameters know of the sessions that they are counted on.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import msgspec

from pipeline.log.manifest import Manifest
from pipeline.log.store import day_of
from pipeline.log.studies import Trial
from pipeline.reports.deflating import probabilistic_sharpe, shape_of
from pipeline.reports.scoring import OBJECTIVES, Deflated, Score, drop_of, score_of
from pipeline.run.judging import deflated_of, score_outside
from pipeline.run.optimizing import Bench, Search, behind, best_of, optimize, trial_of
from pipeline.run.sweeping import Space, is_ordered
from pipeline.run.tries import Tries
from pipeline.run.windows import Window


class Stage(msgspec.Struct, frozen=True):
    """One window: what was chosen in sample, and what became of it out of sample."""

    inside: tuple[str, ...]
    """Sessions."""
    outside: tuple[str, ...]
    days: tuple[str, str]
    """UTC days of the first and the last session out of sample."""
    study: str
    """The search that chose; '' where all sets of parameters were tried."""
    tried: int
    elsewhere: int
    """More sets of parameters that the store holds over a session in sample and that no window tried, see `tries`."""
    chosen: Trial | None
    """None when there was no candidate: nothing is traded then."""
    deflated: Deflated | None
    result: Score
    """Out of sample."""
    value: float | None
    drop: float | None
    """Which part of the objective was lost out of sample."""


class Jumps(msgspec.Struct, frozen=True):
    """How a parameter moved from one window to the next."""

    name: str
    changed: int
    among: int
    """Pairs of windows that chose something, one behind the other."""
    move: float | None
    """Mean distance as a share of its range; None where its values have no order."""


class Walk(msgspec.Struct, frozen=True):
    """All windows."""

    stages: tuple[Stage, ...]
    total: Score
    """All sessions out of sample, those without a choice as sessions without a trade."""
    value: float | None
    """The objective over all of them."""
    inside_value: float | None
    """Mean of what the choices had in sample."""
    drop: float | None
    probability: float | None
    """That the Sharpe ratio of all trades out of sample is above 0: nothing was chosen on them, so nothing is deflated."""
    jumps: tuple[Jumps, ...]
    elsewhere: int
    """Sets of parameters that the store holds over a session out of sample and that no window tried: if a range, or the strategy, came
    of them, it was chosen on what is out of sample here."""
    studies: int
    """Other studies of these strategies over a session of this walk."""


def walk_forward(
    bench: Bench,
    space: Space,
    windows: Sequence[Window],
    search: Search,
    progress: Callable[[int], None],
    *,
    tries_all: bool,
) -> Walk:
    """Choose and trade in each window; among all sets of parameters, or by a search of its own in each.

    `progress` is given how many cells are there. Raises as `Bench.run` and `optimize` do, ConfigError for a grid that is too large.
    """
    search_in = _all_sets if tries_all else _searches
    stages, tried = [], []
    for window, (study, trials, done) in zip(windows, search_in(bench, space, windows, search, progress), strict=True):
        stages.append(_stage(bench, space, window, search, study, trials, behind(progress, done)))
        tried.append(trials)
    # When all is run: else the windows behind would count where the walk is taken a second time.
    tries = _tries_elsewhere(bench, space, windows, tried)
    stages = [
        _beside(stage, trials, tries.over(window.inside))
        for stage, trials, window in zip(stages, tried, windows, strict=True)
    ]
    total = sum((stage.result for stage in stages), Score())
    insides = [stage.chosen.value for stage in stages if stage.chosen and stage.chosen.value is not None]
    inside = statistics.fmean(insides) if insides else None
    value = OBJECTIVES[search.objective].value(total)
    shape = shape_of(total.trade_sums)
    probability = probabilistic_sharpe(shape, 0.0) if shape else None
    return Walk(
        stages=tuple(stages),
        total=total,
        value=value,
        inside_value=inside,
        drop=drop_of(inside, value),
        probability=probability,
        jumps=_jumps(space, stages),
        elsewhere=tries.over(session for window in windows for session in window.outside),
        studies=tries.studies_over(_sessions_of(windows), {stage.study for stage in stages}),
    )


def cells_of(space: Space, windows: Sequence[Window], search: Search, *, tries_all: bool) -> int:
    """How many cells there are to run, or to be found."""
    outside = sum(len(window.outside) for window in windows)
    if tries_all:
        return space.size * len({session.id for window in windows for session in window.inside}) + outside
    return search.rounded * sum(len(window.inside) for window in windows) + outside


def _all_sets(
    bench: Bench, space: Space, windows: Sequence[Window], search: Search, progress: Callable[[int], None]
) -> Iterator[tuple[str, list[Trial], int]]:
    """Every set of parameters in each window: all sessions are run once, and windows add up what they share."""
    sessions = list({session.id: session for window in windows for session in window.inside}.values())
    rows = bench.run(sessions, space.grid(), progress).rows
    scores = {(row.session, row.cell): score_of([row]) for row in rows}
    done = len(rows)
    for window in windows:
        yield (
            "",
            [
                trial_of(
                    number, space, point, sum((scores[each.id, number] for each in window.inside), Score()), search
                )
                for number, point in enumerate(space.points(), 1)
            ],
            done,
        )
        done += len(window.outside)


def _searches(
    bench: Bench, space: Space, windows: Sequence[Window], search: Search, progress: Callable[[int], None]
) -> Iterator[tuple[str, list[Trial], int]]:
    """A study in each window."""
    done = 0
    for window in windows:
        study, trials = optimize(bench, space, window.inside, search, behind(progress, done))
        done += search.rounded * len(window.inside)
        yield study.id, trials, done
        done += len(window.outside)


def _stage(
    bench: Bench,
    space: Space,
    window: Window,
    search: Search,
    study: str,
    trials: Sequence[Trial],
    progress: Callable[[int], None],
) -> Stage:
    chosen = best_of(trials)
    result = score_outside(bench, space, window.outside, chosen, progress) if chosen else Score(len(window.outside))
    value = OBJECTIVES[search.objective].value(result) if chosen else None
    return Stage(
        inside=tuple(session.id for session in window.inside),
        outside=tuple(session.id for session in window.outside),
        days=(day_of(window.outside[0]), day_of(window.outside[-1])),
        study=study,
        tried=len({trial.point for trial in trials}),
        elsewhere=0,
        chosen=chosen,
        deflated=None,
        result=result,
        value=value,
        drop=drop_of(chosen.value, value) if chosen else None,
    )


def _tries_elsewhere(bench: Bench, space: Space, windows: Sequence[Window], tried: Sequence[Sequence[Trial]]) -> Tries:
    """What others tried over any session of these windows."""
    return Tries(bench, space, _sessions_of(windows), (trial.point for trials in tried for trial in trials))


def _sessions_of(windows: Sequence[Window]) -> list[Manifest]:
    return list({session.id: session for window in windows for part in window for session in part}.values())


def _beside(stage: Stage, trials: Sequence[Trial], elsewhere: int) -> Stage:
    """The stage, its choice beside what was tried elsewhere too."""
    found = deflated_of(stage.chosen, trials, elsewhere) if stage.chosen else None
    return msgspec.structs.replace(stage, elsewhere=elsewhere, deflated=found)


def _jumps(space: Space, stages: Sequence[Stage]) -> tuple[Jumps, ...]:
    """How each parameter moved between windows that both chose something."""
    pairs = [(one.chosen.point, two.chosen.point) for one, two in pairwise(stages) if one.chosen and two.chosen]
    found = []
    for place, (name, axis) in enumerate(space.axes.items()):
        moves = [abs(after[place] - before[place]) for before, after in pairs]
        share = statistics.fmean(moves) / (len(axis) - 1) if moves and len(axis) > 1 and is_ordered(axis) else None
        found.append(Jumps(name, sum(move > 0 for move in moves), len(pairs), share))
    return tuple(found)
