"""`tape accounts`: what outlives a session."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.show import as_json_line, facts, json_option

if TYPE_CHECKING:
    from pipeline.run.accounts import Standing


@click.group("accounts")
def command() -> None:
    """List, show and set the accounts that sessions trade on.

    A session begins with what its account was left with: cash, positions with their strategies, the day's loss, order ids.
    """


@command.command("list")
@json_option
@click.pass_obj
def list_(home: str, as_json: bool) -> None:
    """One line an account."""
    from pipeline.log.store import Store
    from pipeline.run.accounts import names, standing

    store = Store(Path(home))
    for name in names(store):
        left = standing(store, name)
        if left is None:
            if not as_json:
                click.echo(f"{name:<16} its first session left nothing to it yet")
        elif as_json:
            as_json_line(_told(left))
        else:
            by = left.session or f"by hand: {left.why}"
            click.echo(f"{left.account:<16} {left.cash:>16,.2f}  {len(left.held):>4} positions  {by}")


@command.command()
@click.argument("name", default="paper")
@json_option
@click.pass_obj
def show(home: str, name: str, as_json: bool) -> None:
    """What the account NAME was left with."""
    from pipeline.errors import NotFoundError
    from pipeline.log.store import Store
    from pipeline.run.accounts import names, standing, unsettled

    store = Store(Path(home))
    left, pending = standing(store, name), unsettled(store, name)
    if left is None and pending is not None:
        raise NotFoundError(
            f"account {name}: {pending.id}, the first to trade on it, left nothing to it yet: it runs, or was killed, "
            "and is settled when it ends or the next one begins"
        )
    if left is None:
        raise NotFoundError(
            f"account {name}: nothing was traded on it yet; there are: {', '.join(names(store)) or 'none'}"
        )
    if as_json:
        as_json_line(_told(left))
        return
    rows = [("account", left.account), ("cash", f"{left.cash:,.2f}"), ("left by", left.session or f"hand: {left.why}")]
    rows += [("at", left.broker)] if left.broker else []
    rows += [("holds", str(each)) for each in left.held]
    rows += [("works", str(each)) for each in left.working]
    facts(rows)
    if (session := pending) is not None:
        click.echo(
            f"{session.id} was not settled yet: it is when the next session of this account begins, unless it goes on"
        )


@command.command("set")
@click.argument("name")
@click.argument("reason")
@click.option("--cash", type=float, required=True, help="what it has from now on; it holds nothing then")
@click.option("--forget", "forgets", is_flag=True, help="even where something is held, or works, at a broker")
@click.pass_obj
def set_(home: str, name: str, reason: str, cash: float, forgets: bool) -> None:
    """Say that the account NAME has so much cash and holds nothing, and why.

    \b
    tape accounts set paper "a new month" --cash 100000
    """
    from pipeline.log.store import Store
    from pipeline.run.accounts import state

    state(Store(Path(home)), name, cash, now_ns=time.time_ns(), why=reason, forgets=forgets)
    click.echo(f"{name}: {cash:,.2f}, nothing held")


def _told(left: "Standing") -> dict[str, object]:
    return {
        "account": left.account,
        "cash": left.cash,
        "session": left.session,
        "why": left.why,
        "ts_ns": left.ts_ns,
        "broker": left.broker,
        "held": [each._asdict() for each in left.held],
        "working": [each._asdict() for each in left.working],
    }
