"""Searching: what `tape optimize` and `tape walkforward` have in common: options, the bench that runs cells, numbers as words."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.cli.engine_options import engine_options
from pipeline.cli.show import INTERRUPTED, progress

if TYPE_CHECKING:
    from pipeline.log.backtests import Value
    from pipeline.log.store import Store
    from pipeline.reports.scoring import Score
    from pipeline.run.engines import EngineChoice
    from pipeline.run.fold import Speed
    from pipeline.run.optimizing import Bench
    from pipeline.run.sweeping import Space

TRADES_FEW: Final = 30
"""Fewer say little: the usual smallest sample of a mean."""


def search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which strategies, parameters and settings, and what is to be as large as possible."""
    for option in (
        engine_options,
        click.option("--workers", type=click.IntRange(1, 1_024), help="cells at a time  [default: one for each core]"),
        click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="of what is suggested"),
        click.option(
            "--trades-min",
            type=click.IntRange(0),
            default=10,
            show_default=True,
            help="fewer closed trades in sample: no candidate",
        ),
        click.option(
            "--objective",
            type=click.Choice(["profit", "trade", "sharpe"]),
            default="profit",
            show_default=True,
            help="profit of a session, mean of a closed trade, Sharpe ratio of closed trades",
        ),
        click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="engine setting, e.g. fee_bps=1"),
        click.option(
            "--param", "params", multiple=True, metavar="NAME=VALUES", help="5..50, from:to:step, a,b,c or one value"
        ),
        click.option(
            "--scanner",
            "scanners",
            multiple=True,
            metavar="FILE[=STRATEGY,...]",
            help="strategies hear what it picks of SESSIONS, as for `tape backtest`",
        ),
        click.option("--strategy", "strategies", multiple=True, help="name, or path of a .py file; may be repeated"),
    ):
        command = option(command)
    return command


def bench_and_space(
    store: "Store",
    strategies: Sequence[str],
    scanners: Sequence[str],
    params: Sequence[str],
    settings: Sequence[str],
    workers: int | None,
    engine: "EngineChoice",
    speed: "Speed",
) -> "tuple[Bench, Space]":
    """What runs the cells, and among which parameters is chosen. Raises ConfigError, NotFoundError, StrategyError."""
    from pipeline.run.attaching import attached
    from pipeline.run.optimizing import Bench
    from pipeline.run.sweeping import parted, space_of

    files, scanned_by, behind = attached(scanners, strategies)
    if not files:
        raise click.UsageError("say which --strategy, or --scanner FILE=STRATEGY")
    fixed, ranges = parted(params)
    space = space_of(files, fixed, settings, ranges, scanned_by, behind, "--param")
    told = partial(click.echo, err=True)
    bench = Bench(store, files, time.time_ns(), workers or engine.at_once, speed, engine, told)
    return bench, space


@contextmanager
def at_work(bench: "Bench", cells: int) -> Iterator[Callable[[int], None]]:
    """A function that is told how many of the cells are there; an interrupt says that nothing is lost."""
    try:
        with bench.engine.opened(bench.told), progress("cells", cells) as done:
            yield done
    except KeyboardInterrupt:
        click.echo("interrupted: what was run is kept, and the same command goes on behind it", err=True)
        sys.exit(INTERRUPTED)


def named(params: "Mapping[str, Value]") -> str:
    """`fast=12 slow=140`."""
    return " ".join(f"{name}={value_word(value)}" for name, value in params.items())


def value_word(value: Any) -> str:
    """As it is written on the command line."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def number(value: float | None) -> str:
    """Of an objective; `-` where there is none."""
    return "-" if value is None else f"{value:,.2f}" if abs(value) >= 10 else f"{value:.4f}"  # four digits either way


def warn_of_stopped(outside: "Score") -> None:
    """What a strategy that failed had out of sample is no result."""
    if outside.stopped:
        click.echo(
            f"  WARNING a strategy stopped in {outside.stopped:,} of the sessions out of sample, and what came until then "
            "is what counts of them; `tape backtest` with these parameters says why"
        )


def lost(drop: float | None) -> str:
    """`31% less`, `5% more`; empty where there was no profit to lose."""
    return "" if drop is None else f"{abs(drop):.0%} {'less' if drop >= 0 else 'more'}"


def home_of(home: str) -> "Store":
    """The store."""
    from pipeline.log.store import Store

    return Store(Path(home))
