"""`tape backtest`: strategies over many sessions and parameters."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.cli.engine_options import engine_asked, engine_options
from pipeline.cli.show import INTERRUPTED, as_json_line, json_option, progress, speed_asked, speed_options

if TYPE_CHECKING:
    from pipeline.log.backtests import CellRow
    from pipeline.log.manifest import Manifest
    from pipeline.log.store import Store
    from pipeline.run.attaching import Attached
    from pipeline.run.backtesting import Outcome
    from pipeline.run.scanned import Listed

_SHOWN = 20
"""Sets of parameters printed, unless told otherwise."""


_TOLD_MAX: Final = 20
_REASONS_SHOWN: Final = 3


@click.command("backtest")
@click.argument("sessions", nargs=-1)
@click.option("--strategy", "strategies", multiple=True, help="name, or path of a .py file; may be repeated")
@click.option(
    "--scanned", metavar="DAY[..DAY]", help="trade what was picked on these days, each from its pick's moment on"
)
@click.option("--picks", "names", multiple=True, metavar="NAME", help="of this list or scanner alone; may be repeated")
@click.option(
    "--scanner",
    "scanners",
    multiple=True,
    metavar="FILE[=STRATEGY,...]",
    help="strategies hear what it picks of SESSIONS, of several each its own; TOML, see docs/scanners.md",
)
@click.option("--sweep", "sweeps", multiple=True, metavar="NAME=VALUES", help="from:to:step or a,b,c; may be repeated")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="of the strategy, or STRATEGY.NAME=VALUE")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="engine setting, e.g. fee_bps=1")
@click.option(
    "--overnight",
    type=click.Choice(["flat", "carry"]),
    default="flat",
    show_default=True,
    help="sessions stand apart, or each begins with what the one before left",
)
@click.option("--split", "splits", multiple=True, metavar="SYMBOL@DAY=FACTOR", help="shares after it for one before")
@click.option("--workers", type=click.IntRange(1, 1_024), help="cells at a time  [default: one for each core]")
@engine_options
@click.option("--keep-runs", is_flag=True, help="keep the whole log of every cell, as `tape replay` does")
@click.option("--show", "shown", type=click.IntRange(0), help="sets of parameters to print  [default: 20]")
@speed_options
@json_option
@click.pass_obj
def command(
    home: str,
    sessions: tuple[str, ...],
    strategies: tuple[str, ...],
    scanned: str | None,
    names: tuple[str, ...],
    scanners: tuple[str, ...],
    sweeps: tuple[str, ...],
    params: tuple[str, ...],
    settings: tuple[str, ...],
    overnight: str,
    splits: tuple[str, ...],
    workers: int | None,
    engine_name: str,
    address: str | None,
    keep_runs: bool,
    is_compiled: bool,
    is_interpreted: bool,
    shown: int | None,
    as_json: bool,
) -> None:
    """Run every combination of the swept parameters over every one of SESSIONS; keep a row of results for each.

    SESSIONS are ids, beginnings of ids or patterns ('day-2026-1*'), `last 60`, `all`, or days: 2026-10-01..2026-11-20.

    \b
    tape backtest 'last 60' --strategy ema_cross --sweep fast=5:50:5 --sweep slow=60,120,200 --workers 2
    tape backtest --strategy ema_cross --scanned 2026-10-01..2026-11-20
    tape sql "select params['fast'], sum(net_profit) from cells group by 1 order by 2 desc"

    With --scanned strategies trade what lists (tape import --as candidates) and scanners picked on these days, in SESSIONS or all that
    hold it; with --scanner what that scanner picks, evaluated on the way.

    Each session begins with the cash of the settings, and what is open at its end is valued and counted; with --overnight
    carry it begins with the account, positions and memory that the session before left. The same command
    goes on after an interrupt, and what any backtest has already run is not run again.
    """
    from pipeline.log.store import Store
    from pipeline.run.backtesting import Overnight, backtest
    from pipeline.run.overnight import split_of
    from pipeline.run.sweeping import grid_of

    speed = speed_asked(is_compiled=is_compiled, is_interpreted=is_interpreted)
    _check_words(sessions, scanned, names, scanners, shown if as_json else None)
    store = Store(Path(home))
    files, scanned_by, behind = _attached(scanners, strategies)
    grid = grid_of(files, params, settings, sweeps, scanned_by, behind)
    chosen, days = _over(store, sessions, scanned, names)
    engine, tell = engine_asked(engine_name, address, workers), partial(click.echo, err=True)
    with _telling_interrupts(), engine.opened(tell), progress("cells", len(days or chosen) * len(grid.plans)) as done:
        outcome = backtest(
            store,
            chosen,
            grid,
            files,
            created_ns=time.time_ns(),
            listed=days,
            overnight=Overnight(overnight),
            splits=[split_of(text) for text in splits],
            workers=workers or engine.at_once,
            speed=speed,
            keep_runs=keep_runs,
            engine=engine,
            progress=done,
            told=tell,
        )
    as_json_line(outcome) if as_json else _show(outcome, _SHOWN if shown is None else shown)
    sys.exit(1 if outcome.failed or any(row.stopped for row in outcome.rows) else 0)


def _attached(scanners: tuple[str, ...], strategies: tuple[str, ...]) -> "Attached":
    from pipeline.run.attaching import attached

    found = attached(scanners, strategies)
    if not found[0]:
        raise click.UsageError("say which --strategy, or --scanner FILE=STRATEGY")
    return found


def _over(
    store: "Store", sessions: tuple[str, ...], scanned: str | None, names: tuple[str, ...]
) -> "tuple[list[Manifest], Sequence[Listed]]":
    """The sessions, and the days of what was picked in them when these are asked for; tells what is left out of them."""
    from pipeline.run.scanned import listed_days

    chosen = store.select(sessions, now_ns=time.time_ns())
    if not scanned:
        return chosen, ()
    days = listed_days(store, scanned, chosen if sessions else None, names=names)
    _tell(days.told)
    return chosen, days.days


@contextmanager
def _telling_interrupts() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted: the cells done so far are kept, and the same command goes on behind them", err=True)
        sys.exit(INTERRUPTED)


def _check_words(
    sessions: tuple[str, ...],
    scanned: str | None,
    names: tuple[str, ...],
    scanners: tuple[str, ...],
    unheard: int | None,
) -> None:
    """Refuse what says too little, and what would not be heard."""
    from pipeline.errors import ConfigError

    if not sessions and not scanned:
        raise click.UsageError("say which SESSIONS, or --scanned DAY..DAY")
    if scanned and scanners:
        raise click.UsageError("--scanned trades what was picked already, --scanner picks anew: say one of them")
    if names and not scanned:
        raise click.UsageError("--picks goes with --scanned")
    if unheard is not None:
        raise ConfigError("--show is of the printed table: --json gives every row; leave one of them out")


def _tell(lines: list[str]) -> None:
    """What is not traded and why, a line each, the first of them."""
    for line in lines[:_TOLD_MAX]:
        click.echo(f"  {line}", err=True)
    if len(lines) > _TOLD_MAX:
        click.echo(f"  and {len(lines) - _TOLD_MAX:,} more lines like these", err=True)


def _show(outcome: "Outcome", shown: int) -> None:
    rows = outcome.rows
    ran = len(rows) - outcome.done_before - outcome.copied
    how = f"{ran:,} run in {outcome.seconds:.1f} s, {outcome.speed}" if outcome.speed else "nothing had to be run"
    before = f", {outcome.done_before:,} done before" if outcome.done_before else ""
    copied = f", {outcome.copied:,} copied over sessions of the same content" if outcome.copied else ""
    asked = f"{outcome.cells:,} x {outcome.sessions:,} cells (sets of parameters x sessions)"
    click.echo(f"backtest {outcome.backtest}: {asked}; {how}{before}{copied}")
    if outcome.why:
        click.echo(f"  interpreted, for {outcome.why.splitlines()[0]}")
    show_cells(rows, shown)
    for cell, reason in outcome.failed.items():
        click.echo(f"  FAILED {cell}: {reason}")


def show_cells(rows: "list[CellRow]", shown: int) -> None:
    """Each set of parameters with its sessions added up, the most profitable first, with the parameters that differ."""
    cells: dict[int, list[CellRow]] = {}
    for row in rows:
        cells.setdefault(row.cell, []).append(row)
    varying = [name for name in rows[0].params if len({row.params[name] for row in rows}) > 1] if rows else []
    columns = [(name, max(len(name), 8)) for name in varying]
    head = "".join(f"{name:>{width + 2}}" for name, width in columns)
    if cells:
        click.echo(
            f"{head}{'trades':>10}{'fills':>10}{'net profit':>16}{'fees':>12}{'worst fall':>14}{'open':>6}  no order for"
        )
    ranked = sorted(cells.values(), key=lambda each: (-sum(row.net_profit_nano for row in each), each[0].cell))
    for each in ranked[:shown]:
        values = "".join(f"{_value(each[0].params[name]):>{width + 2}}" for name, width in columns)
        click.echo(
            f"{values}{_sum(each, 'trades'):>10,}{_sum(each, 'fills'):>10,}{_sum(each, 'net_profit_nano') / 1e9:>16,.2f}"
            f"{_sum(each, 'fees_nano') / 1e9:>12,.2f}{max(row.max_drawdown for row in each):>14,.2f}"
            f"{_sum(each, 'open_positions'):>6,}  {_no_order_for(each)}"
        )
    if len(ranked) > shown:
        click.echo(f"  and {len(ranked) - shown:,} more, in the view cells and with --json")
    for text in dict.fromkeys(text for row in rows for text in row.stopped):
        click.echo(f"  STOPPED {text}")


def _no_order_for(rows: "list[CellRow]") -> str:
    """What kept wishes from becoming orders: the risk gate's rules, what was wrong with them; most frequent first."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row.refused_by)
        counts.update(row.invalid_by)
    named = [f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    more = [f"{len(named) - _REASONS_SHOWN} more reasons"] if len(named) > _REASONS_SHOWN else []
    return ", ".join(named[:_REASONS_SHOWN] + more) or "-"


def _sum(rows: "list[CellRow]", name: str) -> int:
    return sum(getattr(row, name) for row in rows)


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
