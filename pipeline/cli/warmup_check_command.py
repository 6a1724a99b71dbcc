"""`tape warmup-check`: from which warm-up on a strategy decides as if it had heard the whole session."""

import math
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.cli.show import as_json_line, json_option, progress, speed_asked, speed_options

if TYPE_CHECKING:
    from pipeline.run.begun_late import Parting
    from pipeline.run.warm_enough import Enough, Tried

_SEEDS: Final = 2**31
_VALUES_SHOWN: Final = 3
_SECOND_NS: Final = 1_000_000_000


@click.command("warmup-check")
@click.argument("strategy")
@click.option("--over", "sessions", multiple=True, required=True, metavar="SESSION", help="may be repeated")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="of the strategy")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="engine setting, e.g. fee_bps=1")
@click.option(
    "--length",
    "lengths",
    multiple=True,
    metavar="WARM-UP",
    help="to try, as strategies declare it: '50 bars', 5m, 0; may be repeated  [default: up to 500 bars, or 2h]",
)
@click.option("--points", type=click.IntRange(1, 1_000), default=3, show_default=True, help="wishes to begin before")
@click.option("--horizon-s", type=click.IntRange(1), default=1_800, show_default=True, help="compared behind each")
@click.option("--seed", type=click.IntRange(0), help="of the points  [default: another each time; it is printed]")
@speed_options
@json_option
@click.pass_obj
def command(
    home: str,
    strategy: str,
    sessions: tuple[str, ...],
    params: tuple[str, ...],
    settings: tuple[str, ...],
    lengths: tuple[str, ...],
    points: int,
    horizon_s: int,
    seed: int | None,
    is_compiled: bool,
    is_interpreted: bool,
    as_json: bool,
) -> None:
    """From which warm-up on STRATEGY, name or path of a .py file, decides over SESSION as if it had heard all of it.

    It is begun so and so long before randomly drawn wishes, and what it wishes behind them is compared with the whole
    run, in each instrument from when both are flat. Exits with 1 when it declares less than it needs.

    \b
    tape warmup-check ema_cross --over last
    tape warmup-check mine.py --over last --length '20 bars' --length '40 bars' --points 10 --seed 7
    """
    from pipeline.log.store import Store
    from pipeline.run.strategies import plan_of, strategy_file
    from pipeline.run.warm_enough import warm_enough

    speed = speed_asked(is_compiled=is_compiled, is_interpreted=is_interpreted)
    store = Store(Path(home))
    files = [strategy_file(strategy)]
    plan = plan_of(files, params, settings)
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    found = []
    for session in store.select(sessions):
        with progress(session.id) as told:
            done = _Sum(told)
            found.append(
                warm_enough(
                    store,
                    session.id,
                    plan,
                    files,
                    seed=seed,
                    points=points,
                    lengths=lengths,
                    horizon_ns=horizon_s * _SECOND_NS,
                    speed=speed,
                    progress=done.add,
                    compiling=lambda: click.echo("compiling the strategies, once: up to a minute", err=True),
                )
            )
        if not as_json:
            _show(found[-1])
    if as_json:
        as_json_line(found[0] if len(found) == 1 else {"checks": found})
    sys.exit(0 if all(each.is_enough for each in found) else 1)


def _show(found: "Enough") -> None:
    click.echo(f"{found.strategy} over {found.session}: {_verdict(found)} (seed {found.seed})")
    places = ", ".join(f"{seq:,}" for seq in found.points)
    click.echo(
        f"  wishes compared for {found.horizon_s:,.0f} s behind seq {places}, in each instrument from when both are flat"
    )
    for tried in found.tried:
        click.echo(f"  {tried.length:<10} {_told(tried, found)}")
    if found.held:
        click.echo(f"  left out {found.held:,} times: an instrument in which one side held something to the end")
    if found.why:
        click.echo(f"  interpreted, for {found.why.splitlines()[0]}")


def _verdict(found: "Enough") -> str:
    declares = f"it declares {found.declared if found.declared_s else 'none'}"
    if found.needed is None and any(tried.same is False for tried in found.tried):
        return f"DECIDES OTHERWISE with every warm-up that was tried; {declares}"
    if found.needed is None:
        return f"nothing could be compared: the session is too short before its wishes; {declares}"
    if found.is_enough:
        return f"warm enough: it decides as over the whole session from a warm-up of {found.needed} on; {declares}"
    return f"DECLARES TOO LITTLE: it decides as over the whole session from a warm-up of {found.needed} on; {declares}"


def _told(tried: "Tried", found: "Enough") -> str:
    if not tried.points:
        return "the session is shorter before the points"
    if tried.parting:
        said = _parting(tried.parting, found.symbols)
    elif tried.same:
        said = f"the same {tried.wishes:,} wishes"
    else:
        said = "no wish to compare"
    values = [_apart(each) for each in tried.apart[:_VALUES_SHOWN]] or ["its values are the same"]
    return f"{said}; {', '.join(values)}"


def _parting(parting: "Parting", symbols: dict[int, str]) -> str:
    symbol = symbols.get(parting.instrument_id, str(parting.instrument_id))
    where = f"OTHERWISE from seq {parting.seq:,}, {symbol}"
    if parting.holds:
        return f"{where}: it holds or works what the whole run does not"
    if parting.whole and parting.late:
        return f"{where}: {', '.join(parting.differs)} of {_wish(parting.whole)}"
    if parting.whole:
        return f"{where}: no {_wish(parting.whole)}"
    return f"{where}: {_wish(parting.late or {})}, which the whole run does not wish"


def _wish(row: dict[str, Any]) -> str:
    from pipeline.codes import IntentAction, Side

    return f"{IntentAction(row['action']).name.lower()} {Side(row['side']).name.lower()}"


def _apart(each: Any) -> str:
    share = "" if math.isinf(each.share) else f" ({each.share:.2g} of it)"
    return f"{each.name} {each.late} for {each.whole} in {each.symbol}{share}"


class _Sum:
    """Inputs added up for the line of progress."""

    def __init__(self, told: Any) -> None:
        self._told = told
        self._done = 0

    def add(self, rows: int) -> None:
        """Some more."""
        self._done += rows
        self._told(self._done)
