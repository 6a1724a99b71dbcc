"""`tape replay`: a strategy over recorded sessions."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.show import as_json_line, counted, json_option, progress, speed_asked, speed_options

if TYPE_CHECKING:
    from pipeline.run.replaying import Replayed


@click.command("replay")
@click.argument("sessions", nargs=-1, required=True)
@click.option("--strategy", "strategies", multiple=True, help="name, or path of a .py file; may be repeated")
@click.option(
    "--scanner",
    "scanners",
    multiple=True,
    metavar="FILE[=STRATEGY,...]",
    help="strategies hear what it picks, of several each its own; TOML, see docs/scanners.md",
)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="of the strategy, or STRATEGY.NAME=VALUE")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="engine setting, e.g. latency_ns=200000000"
)
@click.option(
    "--until",
    metavar="TIME",
    help="stop behind the last input at or before it, e.g. 09:45 by the exchange's clocks, or 14:45 UTC",
)
@click.option("--batch", "rows", type=click.IntRange(1), default=65_536, show_default=True, help="inputs at a time")
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
    until: str | None,
    is_compiled: bool,
    is_interpreted: bool,
    rows: int,
    as_json: bool,
) -> None:
    """Run today's code over recorded SESSIONS; the decisions are kept as a run.

    \b
    tape replay last --strategy ema_cross --param fast=10
    tape replay generated-7 --strategy opening_range --param open_minute=480 --until 04:45 --json

    Handlers are compiled where that pays: when this user compiled them before, or a session is long. The decisions are
    the same to the byte.
    """
    from pipeline.errors import ConfigError
    from pipeline.log.store import Store
    from pipeline.run.attaching import attached
    from pipeline.run.looking import moment_in
    from pipeline.run.replaying import replay
    from pipeline.run.strategies import plan_of

    speed = speed_asked(is_compiled=is_compiled, is_interpreted=is_interpreted)
    store = Store(Path(home))
    files, scanned_by, behind = attached(scanners, strategies)
    if not files:
        raise ConfigError("--strategy: name what is to run, e.g. --strategy ema_cross, or --scanner FILE=ema_cross")
    plan = plan_of(files, params, settings, scanned_by, behind)
    runs = []
    for session in [found for name in sessions for found in store.find(name)]:
        _, until_ns = moment_in(store, session.id, until) if until is not None else (None, None)
        click.echo(
            f"replaying {session.id} with today's code: fills are simulated, recorded broker events left out",
            err=as_json,
        )
        with progress(session.id, session.inputs) as told:
            done = replay(
                store,
                session.id,
                plan,
                files,
                created_ns=time.time_ns(),
                until_ns=until_ns,
                speed=speed,
                rows=rows,
                progress=told,
                compiling=lambda: click.echo("compiling the strategies, once: up to a minute", err=True),
            )
        runs.append(done)
        if not as_json:
            _show(done)
    if as_json:
        as_json_line(runs[0] if len(runs) == 1 else {"runs": runs})
    sys.exit(1 if any(done.stopped for done in runs) else 0)


def _show(done: "Replayed") -> None:
    click.echo(
        f"run {done.run}: {done.events:,} inputs in {done.seconds:.1f} s, {done.events_per_s:,.0f} a second, {done.speed}"
    )
    if done.compile_seconds >= 1.0:
        click.echo(f"  compiling took {done.compile_seconds:.1f} s before that; the next time it is at hand")
    if done.why:
        click.echo(f"  interpreted, for {done.why.splitlines()[0]}")
    click.echo(f"  {done.intents:,} intents, {done.refused:,} orders refused by the risk gate, {done.fills:,} fills")
    if done.refused:
        click.echo(f"  refused by {counted(done.refused_by)}")
    if done.invalid:
        click.echo(
            f"  {done.invalid:,} wishes make no order: {counted(done.invalid_by)}; accepted is one size (risk with a stop), "
            "stop and target on their sides of the price"
        )
    click.echo(f"  realised {done.realized:,.2f} after fees; {done.trades_open} positions still open")
    for text in done.stopped:
        click.echo(f"  STOPPED {text}")
    click.echo(f"  decisions {done.decisions_hash}")
