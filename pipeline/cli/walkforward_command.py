"""`tape walkforward`: parameters chosen on some sessions and traded on the next ones, window after window."""

import time
from typing import TYPE_CHECKING

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
    warn_of_stopped,
)
from pipeline.cli.show import as_json_line, json_option, speed_asked, speed_options

if TYPE_CHECKING:
    from pipeline.run.walking import Jumps, Walk


@click.command("walkforward")
@click.argument("sessions", nargs=-1, required=True)
@search_options
@click.option("--in-sample", "inside", type=click.IntRange(1), required=True, help="sessions to choose on")
@click.option("--out-of-sample", "outside", type=click.IntRange(1), required=True, help="sessions behind them to trade")
@click.option("--step", type=click.IntRange(1), help="sessions to the next window  [default: those out of sample]")
@click.option(
    "--trials", type=click.IntRange(1), help="search in each window as `tape optimize`  [default: try all sets]"
)
@click.option("--batch", type=click.IntRange(1), default=20, show_default=True, help="trials suggested at once")
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
    inside: int,
    outside: int,
    step: int | None,
    trials: int | None,
    batch: int,
    is_compiled: bool,
    is_interpreted: bool,
    as_json: bool,
) -> None:
    """Choose parameters on some of SESSIONS, trade the next ones with them, and so on through all of them.

    SESSIONS are named as for `tape backtest`, and taken in order of time.

    \b
    tape walkforward 'last 60' --strategy ema_cross --param fast=5:50:5 --param slow=60,120,200 --in-sample 20 --out-of-sample 5

    What is added up is out of sample alone. Without --trials every set of parameters is tried in each window, and each session is run
    once for all of them. The same command goes on after an interrupt.
    """
    from pipeline.run.optimizing import Search
    from pipeline.run.walking import cells_of, walk_forward
    from pipeline.run.windows import windows

    speed = speed_asked(is_compiled=is_compiled, is_interpreted=is_interpreted)
    store, engine = home_of(home), engine_asked(engine_name, address, workers)
    bench, space = bench_and_space(store, strategies, scanners, params, settings, workers, engine, speed)
    parts = windows(store.select(sessions, now_ns=time.time_ns()), inside, outside, step or outside)
    search = Search(objective, trades_min, trials or 1, seed, batch)
    cells = cells_of(space, parts, search, tries_all=trials is None)
    with at_work(bench, cells) as done:
        walk = walk_forward(bench, space, parts, search, done, tries_all=trials is None)
    as_json_line(walk) if as_json else _show(walk, objective)


def _show(walk: "Walk", objective: str) -> None:
    _show_stages(walk)
    from pipeline.reports.scoring import OBJECTIVES

    total, less = walk.total, lost(walk.drop)
    click.echo(
        f"out of sample: {number(walk.value)} {OBJECTIVES[objective].says}{f', {less} than in sample' if less else ''}"
    )
    click.echo(
        f"  net profit {total.net_profit_nano / 1e9:,.2f} in {total.sessions:,} sessions, {total.trade_sums.count:,} trades; "
        f"in sample the choices had {number(walk.inside_value)}"
    )
    if walk.probability is not None:
        click.echo(
            f"  {walk.probability:.0%} likely that the Sharpe ratio of these trades is above 0; nothing was chosen on them"
        )
    for each in walk.jumps:
        click.echo(f"  {_jumps(each)}")
    _show_elsewhere(walk)
    warn_of_stopped(total)
    if losing := [
        str(place)
        for place, stage in enumerate(walk.stages, 1)
        if stage.chosen and stage.chosen.value is not None and stage.chosen.value <= 0.0
    ]:
        click.echo(
            f"  WARNING nothing was above 0 in sample in windows {', '.join(losing)}: traded was what lost least"
        )
    few = [str(place) for place, stage in enumerate(walk.stages, 1) if stage.result.trade_sums.count < TRADES_FEW]
    if few:
        click.echo(
            f"  WARNING fewer than {TRADES_FEW} trades out of sample in {len(few)} of {len(walk.stages)} windows: one of them says little"
        )
    if idle := [str(place) for place, stage in enumerate(walk.stages, 1) if stage.chosen is None]:
        click.echo(f"  WARNING no candidate in windows {', '.join(idle)}, so nothing was traded; see --trades-min")


def _show_elsewhere(walk: "Walk") -> None:
    """What others tried before or since over the same sessions."""
    if any(stage.elsewhere for stage in walk.stages):
        click.echo(
            "  more: sets of parameters tried elsewhere in this store over sessions in sample; deflated by them, too"
        )
    if walk.elsewhere or walk.studies:
        sets = f"{walk.elsewhere:,} sets of parameters tried elsewhere saw sessions out of sample"
        looks = f"{walk.studies:,} other {'study' if walk.studies == 1 else 'studies'} looked at sessions of this walk"
        click.echo(
            f"  WARNING {' and '.join(([sets] if walk.elsewhere else []) + ([looks] if walk.studies else []))}: "
            "if the strategy or its ranges came of them, they were chosen on what is called out of sample here"
        )


def _show_stages(walk: "Walk") -> None:
    click.echo(
        f"{'out of sample':<24}{'in sample':>12}{'out':>12}{'change':>12}{'trades in':>11}{'out':>8}{'tried':>8}{'more':>8}{'deflated':>10}  chosen"
    )
    for stage in walk.stages:
        first, last = stage.days
        days = first if first == last else f"{first}..{last}"
        chosen, found = stage.chosen, stage.deflated
        likely = "-" if found is None or found.probability is None else f"{found.probability:.0%}"
        click.echo(
            f"{days:<24}{number(chosen.value if chosen else None):>12}{number(stage.value):>12}{lost(stage.drop) or '-':>12}"
            f"{chosen.trade_sums.count if chosen else 0:>11,}{stage.result.trade_sums.count:>8,}{stage.tried:>8,}{stage.elsewhere:>8,}{likely:>10}"
            f"  {named(chosen.params) if chosen else 'no candidate'}"
        )


def _jumps(each: "Jumps") -> str:
    move = "" if each.move is None else f", on average by {each.move:.0%} of its range"
    return f"{each.name} changed {each.changed} of {each.among} times{move}"
