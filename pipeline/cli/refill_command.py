"""`tape refill`: the wishes of a run filled again under other settings."""

from typing import TYPE_CHECKING

import click

from pipeline.cli.show import as_json_line, json_option, progress

if TYPE_CHECKING:
    from pipeline.run.refilling import Came


@click.command("refill")
@click.argument("run", default="last-run")
@click.option("--latency", metavar="TIME", help="from sending to the venue, e.g. 250ms: the setting latency_ns")
@click.option("--size", type=float, default=1.0, show_default=True, help="so many times as large")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="engine setting, e.g. queue=1")
@json_option
@click.pass_obj
def command(home: str, run: str, latency: str | None, size: float, settings: tuple[str, ...], as_json: bool) -> None:
    """What became of the wishes of RUN, had they been sent later, smaller, or to a venue of another kind.

    \b
    tape refill last-run --latency 250ms --size 0.25
    tape refill last-run --set queue=1 --set impact=2 --json

    Strategies are not asked again: that is `tape replay` with the same settings. Nothing is kept.
    """
    from pathlib import Path

    from pipeline.config import duration_ns
    from pipeline.log.store import Store
    from pipeline.run.refilling import refill
    from pipeline.run.strategies import settings_of

    store = Store(Path(home))
    given = settings_of(settings)
    if latency is not None:
        given["latency_ns"] = duration_ns(latency)
    found = store.find_one(run)
    with progress(found.id, store.session_of(found).inputs) as told:
        done = refill(store, found.id, settings=given, size=size, progress=told)
    if as_json:
        as_json_line(done)
        return
    set_ = ", ".join(f"{name}={value}" for name, value in done.settings.items())
    click.echo(
        f"{done.run}: {done.wishes:,} wishes again, {done.size:g} times as large{', with ' + set_ if set_ else ''}"
    )
    _show("as it was", done.before)
    _show("refilled", done.after)
    if done.nothing_to_do:
        click.echo(f"  {done.nothing_to_do:,} wishes found nothing to leave or to cancel")


def _show(name: str, came: "Came") -> None:
    click.echo(
        f"  {name:<10}{came.fills:>7,} fills {came.trades:>6,} trades   net {came.net_profit:>14,.2f}   fees "
        f"{came.fees:>10,.2f}   {came.refused:,} refused, {came.open_positions} open"
    )
