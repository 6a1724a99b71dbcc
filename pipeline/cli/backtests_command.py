"""`tape backtests`: what was asked of many sessions, and what came of it."""

from pathlib import Path

import click

from pipeline.cli.backtest_command import show_cells
from pipeline.cli.show import as_json_line, facts, json_option


@click.group("backtests")
def command() -> None:
    """List, show and delete backtests."""


@command.command("list")
@json_option
@click.pass_obj
def list_(home: str, as_json: bool) -> None:
    """One line a backtest, oldest first."""
    from pipeline.log.backtests import rows_by_backtest
    from pipeline.log.store import Store

    found = [(asked, len(rows)) for asked, rows in rows_by_backtest(Store(Path(home)))]
    if as_json:
        as_json_line({"backtests": [{"id": a.id, "rows": rows, "rows_asked": a.rows} for a, rows in found]})
        return
    width = max((len(asked.id) for asked, _ in found), default=0)
    for asked, rows in found:
        swept = ", ".join(f"{len(values)} x {name}" for name, values in asked.sweeps.items())
        click.echo(f"{asked.id:<{width}}  {rows:>9,} of {asked.rows:,} rows  {len(asked.sessions):,} sessions  {swept}")


@command.command()
@click.argument("name", default="last")
@click.option(
    "--show", "shown", type=click.IntRange(0), default=20, show_default=True, help="sets of parameters to print"
)
@json_option
@click.pass_obj
def show(home: str, name: str, shown: int, as_json: bool) -> None:
    """What was asked in backtest NAME, and what its sets of parameters came to."""
    from pipeline.log.backtests import Results, find_backtest
    from pipeline.log.store import Store

    store = Store(Path(home))
    asked = find_backtest(store, name)
    rows = Results(store, asked.id).rows()
    if as_json:
        as_json_line({"asked": asked, "rows": rows})
        return
    facts(
        [
            ("id", asked.id),
            ("rows", f"{len(rows):,} of {asked.rows:,}"),
            ("strategies", asked.strategies),
            ("swept", [f"{name}={','.join(map(str, values))}" for name, values in asked.sweeps.items()]),
            ("params", " ".join(f"{name}={value}" for name, value in asked.params.items())),
            ("settings", " ".join(f"{name}={value}" for name, value in asked.settings.items())),
            ("sessions", ", ".join(asked.sessions)),
            ("scanner", asked.scanner),
            ("overnight", asked.overnight),
            ("code", asked.code_hash),
        ]
    )
    show_cells(rows, shown)


@command.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="do not ask")
@click.pass_obj
def delete(home: str, names: tuple[str, ...], yes: bool) -> None:
    """Delete backtests NAMES, for good; runs that they kept stay."""
    from pipeline.log.backtests import Results, find_backtest
    from pipeline.log.store import Store

    store = Store(Path(home))
    ids = [find_backtest(store, name).id for name in names]
    if not yes:
        click.confirm(f"delete {', '.join(ids)}?", abort=True)
    for id_ in ids:
        Results(store, id_).delete()
    click.echo(f"deleted: {', '.join(ids)}")
