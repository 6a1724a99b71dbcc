"""Optimizing: sets of parameters suggested by Optuna, batch after batch, run as the cells of backtests and kept as a study.

A batch is suggested from the trials of the batches before it alone: Optuna's study is made anew for each, its sampler seeded with
the seed and the batch's number. So a search that was killed goes on with the very trials of one that was not, on any engine and
with any number of workers; what was run of the batch it was in stands in its backtest, and is not run again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from blake3 import blake3

from pipeline.errors import ConfigError, TapeError
from pipeline.log import cache
from pipeline.log.backtests import CellRow
from pipeline.log.manifest import Manifest
from pipeline.log.store import Store, slug
from pipeline.log.studies import Batch, Study, Trial, Trials
from pipeline.reports.scoring import Score, candidate_value, score_of
from pipeline.run.backtesting import Outcome, backtest, check_sealed
from pipeline.run.code import code_of
from pipeline.run.engines import PROCESSES, EngineChoice
from pipeline.run.fold import Speed
from pipeline.run.sweeping import Grid, Point, Space, is_ordered

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

PREFIX: Final = "s-"
BATCH: Final = 20
"""Trials in a batch: enough for some workers, so few that a search of hundreds learns many times."""

_TRIALS: Final = 1
"""Version of how trials come about: part of a study's id."""


@dataclass(frozen=True)
class Bench:
    """What runs cells, and how; nothing that a row depends on but the files of the strategies."""

    store: Store
    files: Sequence[Path]
    created_ns: int
    workers: int = 1
    speed: Speed = Speed.AUTO
    engine: EngineChoice = PROCESSES
    told: Callable[[str], None] = lambda _: None

    @cached_property
    def code_hash(self) -> str:
        """Of all that reduces."""
        return code_of(self.files).hash

    def run(self, sessions: Sequence[Manifest], grid: Grid, progress: Callable[[int], None]) -> Outcome:
        """All cells. Raises as `backtest` does, and TapeError when one of them has no row: a choice among the others would be another one."""
        outcome = backtest(
            self.store,
            sessions,
            grid,
            self.files,
            created_ns=self.created_ns,
            workers=self.workers,
            speed=self.speed,
            engine=self.engine,
            progress=progress,
            told=self.told,
        )
        for cell, reason in outcome.failed.items():
            more = f", and {len(outcome.failed) - 1} more" if len(outcome.failed) > 1 else ""
            raise TapeError(f"{cell}: {reason}{more}; the same command tries them again and goes on")
        return outcome


class Search(msgspec.Struct, frozen=True):
    """How parameters are looked for."""

    objective: str
    """One of `reports.scoring.OBJECTIVES`."""
    trades_min: int
    """A set of parameters with fewer closed trades in sample is no candidate."""
    trials: int = 200
    """At least so many: they come in whole batches."""
    seed: int = 1
    batch: int = BATCH

    @property
    def rounded(self) -> int:
        """Trials in whole batches."""
        return -(-self.trials // self.batch) * self.batch


def optimize(
    bench: Bench, space: Space, sessions: Sequence[Manifest], search: Search, progress: Callable[[int], None]
) -> tuple[Study, list[Trial]]:
    """The study of this search with its first trials, those that are missing run now. `progress` is given how many cells are there.

    Raises ConfigError for a session that is not sealed, when nothing varies and when Optuna is absent; LockedError when the same study
    is being searched; as `Bench.run` does.
    """
    check_sealed(sessions)
    if space.size < 2:
        raise ConfigError("nothing to look for: give a parameter several values, e.g. --param fast=5..50")
    asked = _asked(bench, space, sessions, search)
    kept = Trials(bench.store, asked.id)
    kept.begin(asked)
    if _what(kept.asked()) != _what(asked):  # an id has eight digits
        raise ConfigError(f"{asked.id}: another study has this id; `tape studies delete {asked.id}`, then ask again")
    held = kept.hold()
    try:
        batches = kept.batches()
        wanted = search.rounded // search.batch
        while len(batches) < wanted:
            before = [trial for batch in batches for trial in batch.trials]
            points = suggested(space, search, before)
            done = behind(progress, len(before) * len(sessions))
            batch = _batch(bench, space, sessions, search, points, len(before), done)
            kept.add(batch)
            batches.append(batch)
        progress(search.rounded * len(sessions))
    finally:
        held.release()
    return asked, [trial for batch in batches[:wanted] for trial in batch.trials]


def _what(asked: Study) -> bytes:
    """What was asked, whenever it was."""
    return msgspec.json.encode(msgspec.structs.replace(asked, created_ns=0), order="deterministic")


def behind(progress: Callable[[int], None], before: int) -> Callable[[int], None]:
    """What counts on from there."""
    return lambda count: progress(before + count)


def trial_of(number: int, space: Space, point: Point, score: Score, search: Search) -> Trial:
    """What a set of parameters came to."""
    value = candidate_value(score, search.objective, search.trades_min)
    return Trial(number, space.values_of(point), point, value, **msgspec.structs.asdict(score))


def score_in(trial: Trial) -> Score:
    """What it came to, as it can be added up."""
    return Score(**{name: getattr(trial, name) for name in Score.__struct_fields__})


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The one with the highest value, the first of several; None when there is no candidate."""
    candidates = [trial for trial in trials if trial.value is not None]
    return max(candidates, key=lambda trial: (trial.value, -trial.number), default=None)


def scores_by_cell(rows: Sequence[CellRow]) -> dict[int, Score]:
    """What each set of parameters came to, by its place in the grid."""
    cells: dict[int, list[CellRow]] = {}
    for row in rows:
        cells.setdefault(row.cell, []).append(row)
    return {cell: score_of(each) for cell, each in cells.items()}


def suggested(space: Space, search: Search, before: Sequence[Trial]) -> list[Point]:
    """The next batch behind these trials, each a set of parameters; the same one may come twice. Raises ConfigError without Optuna."""
    optuna = _optuna()
    number = len(before) // search.batch + 1
    seed = int.from_bytes(blake3(f"{search.seed} {number}".encode()).digest()[:4], "big")
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = _distributions(optuna, space)
    state = optuna.trial.TrialState
    for trial in before:
        study.add_trial(
            optuna.trial.create_trial(
                # What is no candidate counts among the bad ones, so that the search leaves it.
                state=state.PRUNED if trial.value is None else state.COMPLETE,
                value=trial.value,
                params=dict(zip(space.axes, trial.point, strict=True)),
                distributions=distributions,
            )
        )
    asked = [study.ask(distributions).params for _ in range(search.batch)]
    return [tuple(int(params[name]) for name in space.axes) for params in asked]


def _distributions(optuna: Any, space: Space) -> "dict[str, BaseDistribution]":
    """Places on the axes: near ones are alike where values are in order."""
    kinds = optuna.distributions
    return {
        name: kinds.IntDistribution(0, len(axis) - 1)
        if is_ordered(axis)
        else kinds.CategoricalDistribution(tuple(range(len(axis))))
        for name, axis in space.axes.items()
    }


def _optuna() -> Any:
    try:
        import optuna  # noqa: PLC0415 - an extra: only who searches needs it
    except ImportError:
        raise ConfigError(
            "searching for parameters needs Optuna: pip install 'tapeworks[optimize]', "
            "from a checkout pip install -e '.[optimize]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _batch(
    bench: Bench,
    space: Space,
    sessions: Sequence[Manifest],
    search: Search,
    points: Sequence[Point],
    before: int,
    progress: Callable[[int], None],
) -> Batch:
    distinct = list(dict.fromkeys(points))
    outcome = bench.run(sessions, space.chosen(distinct), progress)
    scores = scores_by_cell(outcome.rows)
    by_point = {point: scores[cell] for cell, point in enumerate(distinct, 1)}
    trials = (
        trial_of(number, space, point, by_point[point], search) for number, point in enumerate(points, before + 1)
    )
    return Batch(before // search.batch + 1, outcome.backtest, tuple(trials))


def _asked(bench: Bench, space: Space, sessions: Sequence[Manifest], search: Search) -> Study:
    asked = Study(
        id="",
        created_ns=bench.created_ns,
        strategies=tuple(strategy.name for strategy in space.base.strategies),
        params=space.fixed,
        axes=space.axes,
        sessions=tuple(session.id for session in sessions),
        settings=space.base.settings,
        code_hash=bench.code_hash,
        objective=search.objective,
        trades_min=search.trades_min,
        seed=search.seed,
        batch=search.batch,
        sampler=f"TPE of Optuna {_optuna().__version__}",
    )
    known = msgspec.to_builtins(msgspec.structs.replace(asked, created_ns=0))
    facts = [_TRIALS, known, msgspec.to_builtins(space.base), [cache.key_of(session) for session in sessions]]
    digest = blake3(msgspec.json.encode(facts, order="deterministic")).hexdigest()[:8]
    return msgspec.structs.replace(asked, id=f"{PREFIX}{slug('-'.join(asked.strategies))}-{digest}")
