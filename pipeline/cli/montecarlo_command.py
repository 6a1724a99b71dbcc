"""`tape montecarlo`: what else the trades might have come to."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.cli.show import as_json_line, facts, json_option, progress

if TYPE_CHECKING:
    from pipeline.reports.montecarlo import Asked
    from pipeline.reports.outcomes import Chance, Outcome, Spread
    from pipeline.reports.sensitivity import Turned

_BAND_ROWS: Final = 10
_TWO: Final = 2


@click.command("montecarlo")
@click.argument("over", nargs=-1)
@click.option(
    "--where", default="true", metavar="SQL", help="of the trades only these, e.g. \"strategy = 'ema_cross'\""
)
@click.option("--paths", type=int, default=10_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--order", default="iid", show_default=True, metavar="ORDER", help="traded, iid or block:TRADES")
@click.option(
    "--slippage",
    metavar="DRAWN",
    help="normal:MEAN,DEVIATION or lognormal:MEDIAN,SIGMA in bps of what is bought and sold, sample:FILE, recorded",
)
@click.option("--miss", "misses", metavar="PROBABILITY", help="of an entry")
@click.option("--anomalies", metavar="PROBABILITY,DRAWN", help="pay this instead, e.g. 0.01,lognormal:100,1")
@click.option("--halts", metavar="PROBABILITY[,FILE]", help="reopening with a gap of the log's own, or of FILE, in bps")
@click.option(
    "--drops", metavar="PROBABILITY,TRADES,BPS", help="the feed is lost, so many trades are not seen, leaving costs"
)
@click.option("--partials", metavar="PROBABILITY,LEAST", help="of an entry to fill in part, at least this share of it")
@click.option("--capital", type=float, default=100_000.0, show_default=True, help="what the account begins with")
@click.option("--ruin", type=float, default=0.5, show_default=True, help="share of it whose loss ends a path")
@click.option("--bad-day", type=float, default=3.0, show_default=True, help="R whose loss makes a day bad")
@click.option("--risk", type=float, help="1 R of trades that had no stop")
@click.option("--sensitivity", "is_turned", is_flag=True, help="each knob turned alone")
@click.option("--grid", metavar="KNOB,KNOB", help="two knobs turned against each other, e.g. slippage,misses")
@click.option("--again", metavar="ID", help="walk a kept simulation once more and compare every number; or last")
@click.option("--threads", type=click.IntRange(1, 1_024), help="[default: one for each core; changes no number]")
@json_option
@click.pass_obj
def command(
    home: str,
    /,
    over: tuple[str, ...],
    where: str,
    paths: int,
    seed: int,
    capital: float,
    ruin: float,
    bad_day: float,
    risk: float | None,
    is_turned: bool,
    grid: str | None,
    again: str | None,
    threads: int | None,
    as_json: bool,
    **words: str | None,
) -> None:
    """What else the closed trades of OVER (sessions or runs; the last session if none is named) might have come to.

    Every knob assumes something that is not so: docs/montecarlo.md says what, and what is dangerous about it.

    \b
    tape montecarlo last-run --slippage lognormal:2,1 --miss 0.1
    tape montecarlo last --order block:10 --anomalies 0.01,lognormal:100,1 --sensitivity
    """
    from pipeline.reports import reading, sensitivity
    from pipeline.reports.montecarlo import Asked

    if again is not None:
        _repeat(home, again, threads, as_json)
        return
    logs = reading.logs_meant(home, over or ("last",))
    trips = reading.trips_in(home, logs, where)
    asked = Asked(
        knobs=_knobs(words, trips, lambda: reading.reopening_gaps_bps(home, logs)),
        paths=paths,
        seed=seed,
        capital=capital,
        ruin_share=ruin,
        bad_day_r=bad_day,
        risk=risk,
    )
    alone = sensitivity.one_at_a_time(asked.knobs) if is_turned else []
    both = sensitivity.grid_of_two(asked.knobs, *_two(grid)) if grid else []
    outcome, kept = _simulated(home, trips, asked, logs, where, threads)
    turned, against = (_turned(trips, asked, turns, threads) for turns in (alone, both))
    if as_json:
        found = {"id": kept, "logs": logs, "asked": asked, "outcome": outcome}
        as_json_line(found | {"sensitivity": turned, "grid": against})
        return
    _show(asked, outcome, kept, logs)
    _show_turned(turned)
    _show_turned(against)


def _turned(trips: Any, asked: "Asked", turns: "list[dict[str, float]]", threads: int | None) -> "list[Turned]":
    from pipeline.reports.sensitivity import turned

    rows: list[Turned] = []
    with progress("turning knobs", len(turns)) as done:
        for row in turned(trips, asked, turns, threads=threads):
            rows.append(row)
            done(len(rows))
    return rows


def _simulated(home: str, trips: Any, asked: "Asked", logs: Sequence[str], where: str, threads: int | None) -> Any:
    """The outcome, and under which id it is kept."""
    from pipeline.log.store import Store
    from pipeline.reports.montecarlo import simulate
    from pipeline.reports.outcomes import told
    from pipeline.reports.simulations import keep, simulation_of
    from pipeline.run.environment import machine, packages

    with progress("paths", asked.paths) as done:
        walked = simulate(trips, asked, threads=threads, told=done, folder=Path(home))
    simulation = simulation_of(
        trips,
        asked,
        walked,
        told(trips, asked, walked),
        logs=logs,
        where=where,
        created_ns=time.time_ns(),
        packages=packages(),
        platform=machine(),
    )
    keep(Store(Path(home)), simulation)
    return simulation.outcome, simulation.id


def _repeat(home: str, name: str, threads: int | None, as_json: bool) -> None:
    """Walk a kept simulation again; exit 1 where anything is not as it was."""
    from pipeline.log.store import Store
    from pipeline.reports import reading
    from pipeline.reports.montecarlo import simulate
    from pipeline.reports.simulations import code_hash, find_simulation, paths_hash

    kept = find_simulation(Store(Path(home)), name)
    trips = reading.trips_in(home, kept.logs, kept.where)
    differs = "trades" if trips.hash != kept.trades_hash else ""
    if not differs and paths_hash(simulate(trips, kept.asked, threads=threads, folder=Path(home))) != kept.paths_hash:
        differs = "paths"
    is_same_code = kept.code_hash == code_hash()
    if as_json:
        as_json_line({"id": kept.id, "identical": not differs, "differs": differs, "same_code": is_same_code})
    elif differs:
        others = "" if is_same_code else "; the code is another one, too"
        click.echo(f"{kept.id}: the {differs} are not those that were kept{others}")
    else:
        click.echo(f"{kept.id}: identical, {kept.asked.paths:,} paths of {kept.trades:,} trades")
    sys.exit(1 if differs else 0)


def _knobs(words: dict[str, str | None], trips: Any, gaps: Any) -> Any:
    """The knobs that were asked for."""
    from pipeline.reports import knob_words as read
    from pipeline.reports.knobs import Knobs

    recorded = trips.known_slippage_bps
    order, slippage, halts = words["order"], words["slippage"], words["halts"]
    anomalies, misses, drops, partials = words["anomalies"], words["misses"], words["drops"], words["partials"]
    return Knobs(
        order=read.order_from(order) if order else None,
        slippage=read.slippage_from(slippage, recorded) if slippage else None,
        misses=read.misses_from(misses) if misses else None,
        anomalies=read.anomalies_from(anomalies, recorded) if anomalies else None,
        halts=read.halts_from(halts, None if "," in halts else gaps()) if halts else None,
        drops=read.drops_from(drops) if drops else None,
        partials=read.partials_from(partials) if partials else None,
    )


def _two(grid: str) -> tuple[str, str]:
    names = [name.strip() for name in grid.split(",")]
    if len(names) != _TWO:
        raise click.UsageError(f"--grid {grid}: write KNOB,KNOB")
    return names[0], names[1]


def _show(asked: "Asked", outcome: "Outcome", kept: str, logs: Sequence[str]) -> None:
    from pipeline.reports.knob_words import told

    knobs = asked.knobs
    facts(
        [
            ("trades", f"{outcome.trades:,}, trading days: {outcome.days:,}, of {', '.join(logs)}"),
            ("paths", f"{outcome.paths:,}, seed {asked.seed}"),
            *((name, told(getattr(knobs, name))) for name in knobs.__struct_fields__),
            ("kept as", kept),
        ]
    )
    spreads = [
        ("end profit", outcome.profit, ",.2f"),
        ("largest drawdown", outcome.drawdown, ",.2f"),
        ("of the account", outcome.drawdown_share, ".1%"),
        ("trades under water", outcome.under_water, ",.0f"),
        *([("worst day, R", outcome.worst_day_r, ".2f")] if outcome.worst_day_r else []),
    ]
    _table(
        ["", "mean", "5 %", "25 %", "50 %", "75 %", "95 %", "traded", "percentile"],
        [_spread_row(*spread) for spread in spreads],
    )
    bad = f"a day below -{asked.bad_day_r:g} R"
    is_known = outcome.bad_day is not None and outcome.any_bad_day is not None
    facts(
        [
            ("loss", _chance(outcome.loss)),
            ("ruin", f"{_chance(outcome.ruin)}, {asked.ruin_share:.0%} of {asked.capital:,.0f} lost"),
            (
                "bad day",
                f"{outcome.bad_day:.2%} of days; {bad}: {_chance(outcome.any_bad_day)}"
                if is_known
                else "not known, for some trade had no stop: say what 1 R is with --risk",
            ),
        ]
    )
    _show_bands(outcome)


def _show_bands(outcome: "Outcome") -> None:
    bands = outcome.bands
    if bands is None:
        return
    last = len(bands.after_trades) - 1
    places = sorted({round(last * step / _BAND_ROWS) for step in range(_BAND_ROWS + 1)})
    columns = [*bands.quantiles, bands.actual]
    _table(
        ["after trades", "5 %", "25 %", "50 %", "75 %", "95 %", "traded"],
        [[f"{bands.after_trades[at]:,.0f}", *(f"{column[at]:,.2f}" for column in columns)] for at in places],
    )


def _show_turned(rows: "list[Turned]") -> None:
    """One row a turn: what was asked has no factor."""
    if not rows:
        return
    _table(
        ["turned", "mean profit", "5 %", "50 %", "loss", "drawdown 50 %", "95 %", "ruin"],
        [
            [
                ", ".join(
                    f"{name} x {factor:g}" if factor else f"{name} as recorded" for name, factor in row.factors.items()
                )
                or "as asked",
                f"{row.outcome.profit.mean:,.2f}",
                f"{row.outcome.profit.quantiles[0]:,.2f}",
                f"{row.outcome.profit.quantiles[2]:,.2f}",
                f"{row.outcome.loss.share:.1%}",
                f"{row.outcome.drawdown.quantiles[2]:,.2f}",
                f"{row.outcome.drawdown.quantiles[4]:,.2f}",
                f"{row.outcome.ruin.share:.1%}",
            ]
            for row in rows
        ],
    )


def _spread_row(name: str, spread: "Spread", form: str) -> list[str]:
    numbers = (spread.mean, *spread.quantiles, spread.actual)
    return [name, *(format(number, form) for number in numbers), f"{spread.percentile:.0f}"]


def _chance(chance: "Chance | None") -> str:
    return f"{chance.share:.2%} of paths ({chance.low:.2%} to {chance.high:.2%})" if chance else ""


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column is names, the others numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(names):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(file=sys.stdout, highlight=False, markup=False, width=None if sys.stdout.isatty() else 160).print(table)
