"""`tape lookahead-check`: whether a strategy decides otherwise when the future is not there."""

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.show import as_json_line, json_option, progress, speed_asked, speed_options

if TYPE_CHECKING:
    from pipeline.run.lookahead import Foresight, Peek

_SEEDS: Final = 2**31
_MS_NS: Final = 1_000_000


@click.command("lookahead-check")
@click.argument("strategy")
@click.option("--over", "sessions", multiple=True, required=True, metavar="SESSION", help="may be repeated")
@click.option("--scanner", "scanners", multiple=True, metavar="FILE", help="the strategy hears what it picks; TOML")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="of the strategy")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="engine setting, e.g. fee_bps=1")
@click.option(
    "--cuts",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    help="random points, and as many decisions to cut behind",
)
@click.option("--seed", type=click.IntRange(0), help="of the points  [default: another each time; it is printed]")
@click.option(
    "--skew-ms",
    type=click.IntRange(0),
    default=1_000,
    show_default=True,
    help="how far a venue's clock may be ahead of ours",
)
@speed_options
@json_option
@click.pass_obj
def command(
    home: str,
    strategy: str,
    sessions: tuple[str, ...],
    scanners: tuple[str, ...],
    params: tuple[str, ...],
    settings: tuple[str, ...],
    cuts: int,
    seed: int | None,
    skew_ms: int,
    is_compiled: bool,
    is_interpreted: bool,
    as_json: bool,
) -> None:
    """Whether STRATEGY, name or path of a .py file, decides otherwise over SESSION when the future is not there.

    The session is reduced whole, then cut at random points and behind decisions, then without what had not happened at them though it
    is on the tape; what is opened outside of the log meanwhile is told. Exits with 1 when something was found.

    \b
    tape lookahead-check ema_cross --over last
    tape lookahead-check mine.py --over 2026-11-03..2026-11-04 --cuts 500 --seed 7
    """
    from pipeline.errors import ConfigError
    from pipeline.log.store import Store
    from pipeline.run.attaching import attached
    from pipeline.run.lookahead import look_ahead
    from pipeline.run.overhearing import overhearing
    from pipeline.run.strategies import plan_of

    speed = speed_asked(is_compiled=is_compiled, is_interpreted=is_interpreted)
    store = Store(Path(home))
    files, scanned_by, behind = attached(scanners, [strategy])
    with overhearing() as heard:
        plan = plan_of(files, params, settings, scanned_by, behind)
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    found = []
    for session in store.select(sessions):
        with progress(session.id, 2 * session.inputs) as told:
            found.append(
                look_ahead(
                    store,
                    session.id,
                    plan,
                    files,
                    seed=seed,
                    cuts=cuts,
                    skew_ns=skew_ms * _MS_NS,
                    speed=speed,
                    opened_at_load=[each for each in heard.said if not any(str(file) in each for file in scanned_by)],
                    progress=told,
                    compiling=lambda: click.echo("compiling the strategies, once: up to a minute", err=True),
                )
            )
        if not as_json:
            _show(found[-1])
    if as_json:
        as_json_line(found[0] if len(found) == 1 else {"checks": found})
    if not any(each.deciding or each.sees_ahead for each in found):
        raise ConfigError("nothing is decided in it, so nothing is shown; name another session, or other parameters")
    sys.exit(1 if any(each.sees_ahead for each in found) else 0)


def _show(found: "Foresight") -> None:
    click.echo(f"{' and '.join(found.strategies)} over {found.session}: {_verdict(found)} (seed {found.seed})")
    if found.peek:
        _show_peek(found.peek)
    if found.early_cuts:
        click.echo(f"  the same without what had not happened yet, at {found.early_cuts:,} points more")
    if found.early:
        click.echo(f"  {found.early:,} inputs are there before they happened, by {found.early_s_max:,.3f} s at most")
    if found.within_skew:
        click.echo(f"  {found.within_skew:,} inputs are ahead of their session time by less than clocks may be apart")
    for each in found.opened:
        click.echo(f"  {each} while it decides: what stands there is not on the tape")
    for each in found.opened_at_load:
        click.echo(f"  {each} when it is loaded: what it says of the day was there before it, and no cut takes it away")
    if found.why:
        click.echo(f"  interpreted, for {found.why.splitlines()[0]}")


def _verdict(found: "Foresight") -> str:
    peek = found.peek
    if peek and peek.how == "memory":
        return f"LOOKS AHEAD: the decision at seq {peek.decision.seq:,} is another when the session is reduced again"
    if peek:
        return f"LOOKS AHEAD: the decision at seq {peek.decision.seq:,} changes when the input {peek.without:,} is not there"
    if not found.same_state:
        return "LOOKS AHEAD: every decision is the same, and the state that is left is not"
    if found.opened:
        return "reads what is not on the tape"
    if not found.deciding:
        return "decides nothing, so nothing could be compared"
    where = f"{found.cuts:,} points, {found.cuts_at_decisions:,} of them right behind decisions"
    return f"does not look ahead: {found.decisions:,} derived rows are the same with the future cut at {where}"


def _show_peek(peek: "Peek") -> None:
    from pipeline.run.comparing import readable

    decision = peek.decision
    for side, row in (("with it", decision.recorded), ("without it", decision.derived)):
        click.echo(f"  {side:<12} {readable(decision.kind, row) if row else 'nothing'}")
    if decision.differs:
        click.echo(f"  differs in   {', '.join(decision.differs)}")
    if peek.input:
        click.echo(
            f"  the input    {readable(peek.input['kind'], {k: v for k, v in peek.input.items() if k != 'kind'})}"
        )
    told = {
        "batch": "it comes behind the decision, in the batch that was handed over: something reads further than its own rows",
        "early": "it tells of what ends later than the session time at which it is there: see how it was imported",
        "memory": "something outside of the State remembers: the first time knows nothing of the future, the second does",
    }
    click.echo(f"  {told[peek.how]}")
