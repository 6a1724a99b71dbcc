"""`tape fetch`: history from Databento, its price asked first."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.show import as_json_line, json_option

if TYPE_CHECKING:
    from pipeline.run.purchasing import Bought, Plan


@click.command("fetch")
@click.option("--dataset", default="EQUS.MINI", show_default=True, help="of Databento, e.g. XNAS.ITCH or GLBX.MDP3")
@click.option("--schema", "schemas", multiple=True, required=True, help="e.g. tbbo, mbp-1, ohlcv-1s; may be repeated")
@click.option("--from-scan", "days", metavar="DAY[..DAY]", help="what was picked on these days")
@click.option("--picks", "names", multiple=True, metavar="NAME", help="of this list or scanner alone; may be repeated")
@click.option("--symbols", help="or these, with commas between them")
@click.option("--start", help="first day, or a moment like 2026-11-20T13:00:00Z")
@click.option("--end", help="last day, included; or a moment, excluded  [default: the first day]")
@click.option("--budget", metavar="USD", help="what this command may spend at most")
@click.option("--yes", is_flag=True, help="spend without asking, within --budget")
@click.option("--url", help="a server on this machine that speaks the historical API, instead of Databento's")
@json_option
@click.pass_obj
def command(
    home: str,
    dataset: str,
    schemas: tuple[str, ...],
    days: str | None,
    names: tuple[str, ...],
    symbols: str | None,
    start: str | None,
    end: str | None,
    budget: str | None,
    yes: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Buy what is missing of Databento's history and make a session of each day.

    \b
    tape fetch --from-scan 2026-11-20 --schema tbbo --schema ohlcv-1s --budget 5.00
    tape fetch --dataset GLBX.MDP3 --symbols ESZ6 --start 2026-11-18 --end 2026-11-20 --schema trades --budget 2 --yes

    The price is asked first, with the arguments that buy. What is in the store is never bought again, and a download that
    was cut goes on from there. The key is DATABENTO_API_KEY.
    """
    from pipeline.feeds.databento_history import DatabentoHistory
    from pipeline.log.purchases import Ledger
    from pipeline.log.store import Store
    from pipeline.run.keys import key_named
    from pipeline.run.purchasing import Bought, buy, checked_schemas, plan_of

    chosen = checked_schemas(schemas)
    budget_nano = _budget_nano(budget)
    if yes and budget_nano is None:
        raise click.UsageError("--yes needs a --budget: nothing is spent without a limit")
    store = Store(Path(home))
    wanted = _wanted(store, dataset, days, names, symbols, start, end)
    vendor = DatabentoHistory("simulated" if url else key_named("DATABENTO_API_KEY"), url=url)
    ledger = Ledger(store)
    plan = plan_of(ledger, vendor, dataset, chosen, wanted)
    if not as_json:
        _show_plan(plan)
    if budget_nano is not None and plan.cost_nano > budget_nano:
        _refuse(plan, budget_nano)
    if plan.cost_nano and not yes:
        _confirm(plan)
    limit_nano = plan.cost_nano if budget_nano is None else budget_nano
    bought = (
        buy(ledger, vendor, plan, budget_nano=limit_nano, now_ns=time.time_ns, told=_progress(as_json=as_json))
        if plan.quoted
        else Bought()
    )
    sessions = _sessions(store, dataset, chosen, wanted, as_json=as_json)
    _tell(bought, sessions, as_json=as_json)
    sys.exit(1 if bought.left else 0)


def _budget_nano(budget: str | None) -> int | None:
    from pipeline.errors import ConfigError, UnitError
    from pipeline.units import nano_from_text

    if budget is None:
        return None
    try:
        nano = nano_from_text(budget.strip().removeprefix("$"))
    except UnitError as error:
        raise ConfigError(f"--budget {budget}: {error}") from None
    if nano < 0:
        raise ConfigError(f"--budget {budget}: it is below zero")
    return nano


def _wanted(
    store: Any,
    dataset: str,
    days: str | None,
    names: tuple[str, ...],
    symbols: str | None,
    start: str | None,
    end: str | None,
) -> list[Any]:
    from pipeline.run.wanting import wanted_of_scans, wanted_of_symbols

    if (days is None) == (symbols is None):
        raise click.UsageError("say either --from-scan DAY or --symbols NAMES with --start")
    if days is not None:
        if start or end:
            raise click.UsageError("--start and --end go with --symbols; --from-scan has its own days")
        return wanted_of_scans(store, days, dataset, names)
    if names:
        raise click.UsageError("--picks goes with --from-scan")
    if not start:
        raise click.UsageError("--symbols needs --start")
    assert symbols is not None
    return wanted_of_symbols(symbols.split(","), start, end or start, dataset)


def _show_plan(plan: "Plan") -> None:
    from pipeline.run.purchasing import usd

    for purchase, told in plan.quoted:
        order = purchase.order
        names = f"{len(order.symbols)} symbols" if len(order.symbols) > 3 else ", ".join(order.symbols)
        more = "the rest of " if purchase.pieces else ""
        click.echo(f"{usd(told.cost_nano):>12}  {more}{order.name}  {names}, {told.records:,} records")
        for day, condition in told.conditions.items():
            click.echo(f"{'':>12}  {day} is {condition}, says Databento")
    there = f"; {plan.there:,} symbols of days were bought before" if plan.there else ""
    click.echo(f"{usd(plan.cost_nano):>12}  in all{there}")


def _refuse(plan: "Plan", budget_nano: int) -> None:
    from pipeline.errors import ConfigError
    from pipeline.run.purchasing import usd

    raise ConfigError(f"that is {usd(plan.cost_nano)}, more than the budget of {usd(budget_nano)}; nothing was bought")


def _confirm(plan: "Plan") -> None:
    from pipeline.run.purchasing import usd

    click.confirm(f"spend {usd(plan.cost_nano)}?", abort=True)


def _progress(*, as_json: bool) -> Any:
    return (lambda _: None) if as_json else (lambda name: click.echo(f"bought {name}"))


def _sessions(store: Any, dataset: str, schemas: tuple[str, ...], wanted: list[Any], *, as_json: bool) -> list[str]:
    from pipeline.run.purchasing import sessions_of

    ids = []
    for made in sessions_of(store, dataset, schemas, wanted, created_ns=time.time_ns()):
        if isinstance(made, str):
            ids.append(made)
            told = f"session {made} was there already"
        else:
            ids.append(made.session)
            told = f"session {made.session}: {made.events:,} inputs from {made.first_ts} to {made.last_ts}"
            for error in made.errors:
                click.echo(f"tape: {error}", err=True)
        if not as_json:
            click.echo(told)
    return ids


def _tell(bought: "Bought", sessions: list[str], *, as_json: bool) -> None:
    from pipeline.run.purchasing import usd

    if as_json:
        as_json_line(
            {
                "spent_usd": bought.cost_nano / 1e9,
                "records": bought.records,
                "left": bought.left,
                "sessions": sessions,
            }
        )
    else:
        click.echo(f"spent {usd(bought.cost_nano)} on {bought.records:,} records")
    for reason in bought.left:
        click.echo(f"tape: not bought: {reason}", err=True)
