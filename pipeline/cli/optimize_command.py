"""`tape optimize`: search for parameters, and what the best ones are worth."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.engine_options import engine_asked
from pipeline.cli.searching import (
    TRADES_FEW,
    at_work,
    bench_and_space,
    home_of,
    lost,
    named,
    number,
    search_options,
    value_word,
    warn_of_stopped,
)
from pipeline.cli.show import as_json_line, json_option, speed_asked, speed_options

if TYPE_CHECKING:
    from pipeline.log.manifest import Manifest
    from pipeline.log.store import Store
    from pipeline.log.studies import Study, Trial
    from pipeline.reports.scoring import Deflated
    from pipeline.reports.stability import PairMap
    from pipeline.run.judging import Judgement
    from pipeline.run.windows import Window


@click.command("optimize")
@click.argument("sessions", nargs=-1, required=True)
@search_options
@click.option("--trials", type=click.IntRange(1), default=200, show_default=True, help="sets of parameters to try")
@click.option("--batch", type=click.IntRange(1), default=20, show_default=True, help="trials suggested at once")
@click.option(
    "--out-of-sample",
    "outside",
    multiple=True,
    metavar="SHARE|SESSIONS",
    help="held back: the last part of SESSIONS, e.g. 0.25, or other sessions; may be repeated",
)
@click.option("--show", "shown", type=click.IntRange(0), default=10, show_default=True, help="trials to print")
@speed_options
@json_option
@click.pass_obj
def command(
    home: str,
    sessions: tuple[str, ...],
    strategies: tuple[str, ...],
    scanners: tuple[str, ...],
    params: tuple[str, ...],
    settings: tuple[str, ...],
    objective: str,
    trades_min: int,
    seed: int,
    workers: int | None,
    engine_name: str,
    address: str | None,
    trials: int,
    batch: int,
    outside: tuple[str, ...],
    shown: int,
    is_compiled: bool,
    is_interpreted: bool,
    as_json: bool,
) -> None:
    """Search among parameters over SESSIONS for the best set, and say what to think of it.

    SESSIONS are named as for `tape backtest`. Each trial is a set of parameters over all of them; Optuna suggests the next from what the ones before came to.

    \b
    tape optimize 'last 60' --strategy ema_cross --param fast=5..50 --param slow=60..300 --out-of-sample 0.25

    Beside the best stand how many sets were tried, what it came to out of sample, the deflated Sharpe ratio, and the sets around it.
    The same command goes on after an interrupt, and with more --trials behind the ones that are there.
    """
    from pipeline.run.judging import judge
    from pipeline.run.optimizing import Search, optimize

    speed = speed_asked(is_compiled=is_compiled, is_interpreted=is_interpreted)
    store, engine = home_of(home), engine_asked(engine_name, address, workers)
    bench, space = bench_and_space(store, strategies, scanners, params, settings, workers, engine, speed)
    window = _window(store, sessions, outside)
    search = Search(objective, trades_min, trials, seed, batch)
    if space.size <= search.rounded:
        bench.told(
            f"there are {space.size:,} sets of parameters: `tape backtest` with --sweep goes over all of them, each once"
        )
    with at_work(bench, search.rounded * len(window.inside)) as done:
        study, found = optimize(bench, space, window.inside, search, done)
        judgement = judge(bench, space, window.inside, window.outside, search, found, study=study.id)
    if as_json:
        as_json_line({"study": study, "trials": found, "judgement": judgement})
    else:
        _show(study, found, judgement, shown)


def _window(store: "Store", sessions: Sequence[str], outside: Sequence[str]) -> "Window":
    from pipeline.run.windows import Window, check_apart, held_back

    now_ns = time.time_ns()
    chosen = store.select(sessions, now_ns=now_ns)
    share = _share(outside)
    if share is not None:
        return held_back(chosen, share)
    others: list[Manifest] = store.select(outside, now_ns=now_ns) if outside else []
    check_apart(chosen, others)
    return Window(tuple(chosen), tuple(others))


def _share(outside: Sequence[str]) -> float | None:
    """A part of the sessions, when it is one number between 0 and 1 that stands there."""
    try:
        share = float(outside[0]) if len(outside) == 1 else 0.0
    except ValueError:
        return None
    return share if 0.0 < share < 1.0 else None


def _show(study: "Study", trials: "Sequence[Trial]", judgement: "Judgement", shown: int) -> None:
    click.echo(
        f"study {study.id}: {len(trials):,} trials over {len(study.sessions):,} sessions; objective {study.objective}, seed {study.seed}"
    )
    show_trials(trials, shown)
    _show_best(study, trials, judgement)
    for pair in judgement.maps[:1]:
        _show_map(pair)
    if len(judgement.maps) > 1:
        click.echo(f"  and {len(judgement.maps) - 1} more maps with --json")


def show_trials(trials: "Sequence[Trial]", shown: int) -> None:
    """The best sets of parameters, each once."""
    distinct = list({trial.point: trial for trial in reversed(trials)}.values())
    ranked = sorted((each for each in distinct if each.value is not None), key=lambda each: (-each.value, each.number))  # type: ignore[operator]
    columns = [(name, max(len(name), 8)) for name in trials[0].params]
    head = "".join(f"{name:>{width + 2}}" for name, width in columns)
    click.echo(f"{head}{'value':>14}{'trades':>10}{'net profit':>16}{'worst fall':>14}{'trial':>8}")
    for each in ranked[:shown]:
        values = "".join(f"{value_word(each.params[name]):>{width + 2}}" for name, width in columns)
        click.echo(
            f"{values}{number(each.value):>14}{each.trade_sums.count:>10,}{each.net_profit_nano / 1e9:>16,.2f}"
            f"{each.max_drawdown:>14,.2f}{each.number:>8,}"
        )
    if len(ranked) > shown:
        click.echo(f"  and {len(ranked) - shown:,} more with --json")


def _show_best(study: "Study", trials: "Sequence[Trial]", judgement: "Judgement") -> None:
    from pipeline.reports.scoring import OBJECTIVES

    best, around = judgement.best, judgement.neighbourhood
    more = f"; {judgement.elsewhere:,} more over these sessions in this store" if judgement.elsewhere else ""
    more += (
        f"; {judgement.studies:,} other {'study' if judgement.studies == 1 else 'studies'} looked at them"
        if judgement.studies
        else ""
    )
    says = OBJECTIVES[study.objective].says
    click.echo(f"best: {named(best.params)}")
    _line(
        "tried",
        f"{judgement.tried:,} sets of parameters in {judgement.trials:,} trials, {judgement.candidates:,} of them candidates{more}",
    )
    _line("in sample", f"{number(best.value)} {says}; {best.sessions:,} sessions, {best.trade_sums.count:,} trades")
    outside = judgement.outside
    if outside:
        less = lost(judgement.drop)
        _line(
            "out of sample",
            f"{number(judgement.outside_value)}{f', {less}' if less else ''}; "
            f"{outside.sessions:,} sessions, {outside.trade_sums.count:,} trades",
        )
        if judgement.outside_before:
            click.echo(
                f"  WARNING {judgement.outside_before:,} of the sessions out of sample lie before the last one in sample: "
                "what was chosen knows what came later, so they show nothing of trading on"
            )
        warn_of_stopped(outside)
        if others := judgement.outside_elsewhere:
            click.echo(
                f"  WARNING {others:,} other {'set' if others == 1 else 'sets'} of parameters in this store saw sessions out of sample: "
                "the more often they are looked at, the more this one was chosen on them too"
            )
    else:
        _line("out of sample", "nothing was held back, so nobody knows; see --out-of-sample")
    _line("deflated Sharpe", _deflated(judgement.deflated))
    values = [each for each in around.neighbours if each.value is not None]
    lacking = len(around.neighbours) - len(values)
    _line(
        "beside it",
        f"{len(around.neighbours)} sets, mean {number(around.mean)}, worst {number(around.worst)}"
        + (f"; {lacking} no candidates" if lacking else ""),
    )
    if stopped := len({trial.point for trial in trials if trial.stopped}):
        click.echo(
            f"  WARNING a strategy stopped with {stopped:,} of the sets; `tape backtest` with one of them says why"
        )
    if best.value is not None and best.value <= 0.0:
        click.echo("  WARNING the best is not above 0 in sample: what loses least is no reason to trade it")
    for where, count in (
        ("in", best.trade_sums.count),
        ("out of", outside.trade_sums.count if outside else TRADES_FEW),
    ):
        if count < TRADES_FEW:
            click.echo(f"  WARNING {count:,} trades {where} sample: fewer than {TRADES_FEW} say little")


def _deflated(found: "Deflated") -> str:
    if found.shape is None or (found.probability is None and found.best_of_chance is not None):
        return "none: it takes trades that differ"
    if found.probability is None:
        return f"none: of {found.tried:,} that were tried only this one has a Sharpe ratio here, so nothing says what luck finds"
    if found.tried == 1:
        return f"{found.probability:.0%} likely above 0: {found.shape.sharpe:.3f} a trade; one set was tried, so nothing is deflated"
    return (
        f"{found.probability:.0%} likely above chance: {found.shape.sharpe:.3f} a trade, "
        f"where the best of {found.tried:,} without skill has {found.best_of_chance:.3f}"
    )


def _line(name: str, said: str) -> None:
    click.echo(f"  {name:<16}{said}")


def _show_map(pair: "PairMap") -> None:
    """Means of the objective: the first parameter downwards, the second across."""
    click.echo(f"mean by {pair.first} (down) and {pair.second} (across), - where none was a candidate")
    columns = [_stretch(area.second) for area in pair.areas[0]]
    width = max(12, *(len(text) + 2 for text in columns))
    first = max(len(_stretch(row[0].first)) for row in pair.areas) + 2
    click.echo(" " * first + "".join(f"{text:>{width}}" for text in columns))
    for row in pair.areas:
        click.echo(f"{_stretch(row[0].first):>{first}}" + "".join(f"{number(area.mean):>{width}}" for area in row))


def _stretch(ends: tuple[Any, Any]) -> str:
    low, high = map(value_word, ends)
    return low if low == high else f"{low}..{high}"
