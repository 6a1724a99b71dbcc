"""`tape stats`: what trades add up to."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.show import FiniteRange, as_json_line, json_option, show_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipeline.reports.breakdowns import Breakdown
    from pipeline.reports.metrics import Figure
    from pipeline.reports.summary import Summary
    from pipeline.run.statistics import Answer

_WIDE: Final = 160
"""Columns where nobody looks: a file or a pipe has whole lines."""


@click.command("stats")
@click.argument("over", nargs=-1, required=True)
@click.option(
    "--by", multiple=True, metavar="WORD", help="break down by setup, time, weekday, price ...; may be repeated"
)
@click.option("--slippage", metavar="MODEL", help="after the fact: fixed:0.01, bps:5, spread:0.5, own, own:LOG")
@click.option(
    "--fees",
    multiple=True,
    metavar="TERM",
    help="instead of those recorded: none, per_unit:0.005, least:1 ...; may be repeated",
)
@click.option("--capital", type=FiniteRange(0, min_open=True), help="of daily returns; else the cash it began with")
@click.option("--whole-days", "is_by_day", is_flag=True, help="intervals draw whole days, not trades")
@click.option(
    "--level",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="of intervals",
)
@click.option("--resamples", type=click.IntRange(100, 1_000_000), default=2_000, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=7, show_default=True)
@json_option
@click.pass_obj
def command(
    home: str,
    over: tuple[str, ...],
    by: tuple[str, ...],
    slippage: str | None,
    fees: tuple[str, ...],
    capital: float | None,
    is_by_day: bool,
    level: float,
    resamples: int,
    seed: int,
    as_json: bool,
) -> None:
    """What the trades of sessions and runs OVER add up to, with intervals; what each number means is in docs/statistics.md.

    \b
    tape stats last-run
    tape stats last-run --by time --by price --slippage spread:0.5 --fees per_unit:0.005 --fees least:1
    tape stats all --by setup --whole-days --json
    """
    from pipeline.errors import ConfigError
    from pipeline.log.store import Store
    from pipeline.names import did_you_mean
    from pipeline.reports.bands import SPLITS
    from pipeline.reports.charges import terms_of
    from pipeline.reports.resampling import Bootstrap
    from pipeline.reports.slippage import slippage_of
    from pipeline.run.statistics import Question, statistics

    for word in by:
        if word not in SPLITS:
            hint = did_you_mean(word, SPLITS)
            raise ConfigError(f"--by {word}: accepted are {', '.join(SPLITS)}{hint}")
    question = Question(
        by=by,
        slippage=slippage_of(slippage) if slippage else None,
        terms=terms_of(fees) if fees else None,
        capital=capital,
        bootstrap=Bootstrap(seed, resamples, level),
        is_by_day=is_by_day,
    )
    answer = statistics(Store(Path(home)), over, question)
    if as_json:
        as_json_line(answer)
        return
    _show(answer, level, costs=" ".join(filter(None, (slippage, *fees))))


def _show(answer: "Answer", level: float, costs: str) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
    show_line(console, f"{', '.join(answer.over)}: {_heading(answer)}")
    if costs:
        told = f"after the fact, {costs}: slippage {answer.slippage:,.2f}, fees {answer.fees:+,.2f}"
        left = f"; {answer.unknown:,} fills without a quote to go by keep their price" if answer.unknown else ""
        console.print(told + left, markup=False)
    for caution in answer.summary.cautions:
        show_line(console, f"! {caution}")
    for table in _tables(answer.summary, level):
        console.print()
        console.print(table)
    for each in answer.breakdowns:
        console.print()
        console.print(_breakdown(each))


def _heading(answer: "Answer") -> str:
    found = answer.summary
    still_open = f", {answer.still_open:,} still open and left out" if answer.still_open else ""
    return f"{found.trades:,} trades on {found.days_traded:,} of {found.days:,} days{still_open}; money in {', '.join(found.currencies) or 'the quote currency'}"


def _tables(found: "Summary", level: float) -> Iterator["RenderableType"]:
    yield _figures("of trades", found.money, f"{100 * level:g}% interval")
    if found.distribution.known:
        yield _figures("of trades, in R", found.r, f"{100 * level:g}% interval")
        yield _figures(
            f"R, {found.distribution.known:,} known",
            {**found.distribution.quantiles, "beyond_risk": found.distribution.beyond_risk},
        )
    if any(figure.value is not None for figure in found.excursion.values()):
        yield _figures("while open, in R", found.excursion)
    yield _figures("in time", {**found.time, **_streaks(found)})
    yield _figures("account, as trades close", found.drawdown)
    yield _figures(f"of daily returns, on {found.capital:,.0f}", found.daily)


def _streaks(found: "Summary") -> dict[str, "Figure"]:
    from pipeline.reports.metrics import Figure

    told = found.streaks
    counts = {"won_in_a_row": told.won_most, "lost_in_a_row": told.lost_most}
    return {name: Figure(float(count), "trades") for name, count in counts.items()}


def _figures(title: str, figures: Mapping[str, "Figure"], beside: str = "") -> "RenderableType":
    from rich.table import Table

    from pipeline.reports.report_numbers import interval, value_of

    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    table.add_column(title)
    table.add_column("", justify="right")
    table.add_column(beside, justify="right")
    for name, figure in figures.items():
        table.add_row(name.replace("_", " "), value_of(figure), interval(figure))
    return table


def _breakdown(found: "Breakdown") -> "RenderableType":
    from rich.markup import escape  # setups and symbols are strangers' words
    from rich.table import Table

    from pipeline.names import printable
    from pipeline.reports.report_numbers import interval, short

    has_r = any(part.r_mean.value is not None for part in found.parts)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(f"by {found.by}", no_wrap=True)
    for name in ("trades", "net profit", "mean", "interval", "won", "factor", *(["mean R"] if has_r else []), ""):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for part in found.parts:
        mean = part.money["expectancy"]
        table.add_row(
            escape(printable(part.label)),
            f"{part.trades:,}",
            short(part.money["net_profit"]),
            short(mean),
            interval(mean),
            short(part.money["win_rate"]),
            short(part.money["profit_factor"]),
            *([short(part.r_mean)] if has_r else []),
            "!" if part.cautions else "",
        )
    return table
