"""`tape record`: a live session."""

import os
import signal
import sys
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.show import INTERRUPTED, as_json_line, counted, json_option, speed_asked, speed_options

if TYPE_CHECKING:
    from pipeline.log.manifest import Manifest
    from pipeline.log.store import Store
    from pipeline.ports import Notify
    from pipeline.run.beginning import Begun, Recording
    from pipeline.run.turning import Ending


_HELD_SHOWN = 3
_HANG_UP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()
"""The terminal was closed; Windows has no word for it."""


@click.command("record")
@click.option(
    "--feed",
    "feeds",
    multiple=True,
    required=True,
    metavar="NAME[=URL]",
    help="massive, alpaca, alpaca.iex, coinbase, databento; may be repeated",
)
@click.option("--symbols", "symbols", multiple=True, metavar="A,B", help="of every feed, or FEED:A,B")
@click.option(
    "--watch",
    multiple=True,
    metavar="A,B",
    help="scanned only, by --watch-channels; what the scanner picks comes whole. '*': all",
)
@click.option("--watch-channels", metavar="A,B", help="default: bars_1m")
@click.option(
    "--snapshots",
    is_flag=False,
    flag_value="5s",
    metavar="[EVERY]",
    help="also ask the vendor so often how all of these stand, for the scanner  [EVERY: 5s]",
)
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
    "--account",
    metavar="NAME",
    help="what is traded on: cash, positions, the day's loss outlive the session; none: nothing does  [paper; none with --clock]",
)
@click.option(
    "--broker",
    metavar="NAME[=URLS]",
    help="send orders to alpaca (its paper account) or coinbase; default: fills are simulated",
)
@click.option("--real-money", "is_real_money", is_flag=True, help="with --broker: trade with it; asks to be confirmed")
@click.option(
    "--channels",
    metavar="A,B",
    help="quotes, prints, bars_1s, bars_1m, statuses...; default: what the feed is best for",
)
@click.option("--until", metavar="TIME", help="end at this moment, e.g. 16:00 by the exchange's clocks, or 21:00 UTC")
@click.option(
    "--clock",
    metavar="served|START@RATE",
    help="for served days: that of the day, asked where it is served, or one of its own, e.g. 2026-11-04T13:30:00Z@60",
)
@click.option("--raw", "keeps_raw", is_flag=True, help="keep every message as received, for tape renormalize")
@click.option("--schedule", metavar="HH:MM-HH:MM", help="every trading day, by the market's clocks, e.g. 03:55-20:05")
@click.option("--notify", multiple=True, metavar="HOW", help="desktop, webhook: told of gaps, halts, stops and the end")
@click.option("--plain", is_flag=True, help="lines instead of a picture")
@click.option("--fresh", "is_fresh", is_flag=True, help="begin anew, even where an unfinished session could go on")
@speed_options
@json_option
@click.pass_obj
def command(
    home: str,
    /,
    schedule: str | None,
    notify: tuple[str, ...],
    plain: bool,
    is_compiled: bool,
    is_interpreted: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Record live feeds, strategies deciding on paper, until a moment, Ctrl-C, or the end of all feeds.

    \b
    tape record --feed massive --symbols AAPL,NVDA --strategy opening_range --until 16:00
    tape record --feed coinbase --symbols BTC-USD,ETH-USD --strategy ema_cross
    tape record --feed massive --feed coinbase --symbols massive:SPY --symbols coinbase:BTC-USD
    tape record --feed massive=ws://127.0.0.1:9000/stocks --symbols IQAH,XIMH --clock served
    tape record --feed massive --symbols AAPL,NVDA,AMD --scanner scanners/gappers.toml --strategy opening_range
    tape record --feed massive --watch '*' --snapshots 5s --scanner scanners/premarket.toml --strategy opening_range
    tape record --feed massive --symbols AAPL --schedule 03:55-20:05 --notify desktop
    tape record --feed alpaca --symbols AAPL,NVDA --strategy ema_cross --broker alpaca

    The exit code is 1 when it ended because no feed was left, e.g. for a wrong key.
    Keys are read from the environment (MASSIVE_API_KEY ...) or the system's keyring, never from here.
    A session that was interrupted goes on where it stopped when the same is asked again.
    Handlers are compiled before it begins, unless --interpreted says otherwise; the decisions are the same to the byte.
    """
    from pipeline.log.store import Store
    from pipeline.run.asking import recording_of

    _check_schedule(schedule, asked["until"], asked["clock"])
    speed = speed_asked(is_compiled=is_compiled, is_interpreted=is_interpreted)
    recording = recording_of(**asked, speed=speed)
    if asked["is_real_money"]:
        _confirm(recording)
    _record(Store(Path(home)), recording, schedule, notify, is_plain=plain, as_json=as_json)


_CONFIRMED = "REAL MONEY"


def _confirm(recording: "Recording") -> None:
    """Somebody types that they mean it, or nothing is begun. Raises ConfigError."""
    from pipeline.errors import ConfigError

    assert recording.broker is not None
    names = ", ".join(strategy.name for strategy in recording.plan.strategies)
    click.echo(f"{names} will trade at {recording.broker.what}, on account {recording.account}.", err=True)
    click.echo(f"Type {_CONFIRMED} to go on: ", nl=False, err=True)
    if sys.stdin.readline().strip() != _CONFIRMED:
        raise ConfigError(f"--real-money: not confirmed, nothing was begun; accepted is {_CONFIRMED}")


def _record(
    store: "Store",
    recording: "Recording",
    schedule: str | None,
    notify: tuple[str, ...],
    *,
    is_plain: bool,
    as_json: bool,
) -> None:
    """Record once, or day by day."""
    from pipeline.run.asking import told_of_snapshots
    from pipeline.run.clock import ServedClock
    from pipeline.run.daily import every_day
    from pipeline.run.notifying import notifiers
    from pipeline.run.referencing import shares_known
    from pipeline.run.schedule import hours_of

    ending, ways = _ending(), notifiers(notify)
    if cost := told_of_snapshots(recording, len(shares_known(store)) if recording.snapshot_every_s else 0):
        click.echo(cost, err=True)

    def recorded(what: "Recording", ending: "Ending") -> None:
        try:
            manifest = _recorded(store, what, ending, ways, is_plain=is_plain or as_json)
        except KeyboardInterrupt:
            with suppress(OSError):
                click.echo("stopped at once: what was written stays, and the same command goes on with it", err=True)
            sys.exit(INTERRUPTED)
        if as_json:
            as_json_line(_account(manifest, ending))

    if schedule is None:
        with recording.clock.kept() if isinstance(recording.clock, ServedClock) else nullcontext():
            recorded(recording, ending)
        sys.exit(1 if ending.is_feedless else 0)
    every_day(recording, ending, hours_of(schedule), recorded, told=lambda text: click.echo(text, err=True))


def _check_schedule(schedule: str | None, until: str | None, clock: str | None) -> None:
    from pipeline.errors import ConfigError

    if schedule is not None and until is not None:
        raise ConfigError("--schedule says until when each day; leave out --until")
    if schedule is not None and clock is not None and clock.startswith("served"):
        raise ConfigError("--clock served: a served day is one day; leave out --schedule")


def _account(manifest: "Manifest", ending: "Ending") -> dict[str, Any]:
    return {
        "session": manifest.id,
        "ended": ending.why,
        "kinds": manifest.kinds,
        "refused": manifest.refused,
        "lag_s_max": round(ending.lag_s_max, 6),
    }


def _recorded(
    store: "Store", recording: "Recording", ending: "Ending", ways: "list[Notify]", *, is_plain: bool
) -> "Manifest":
    from pipeline.cli.view import shown
    from pipeline.codes import Kind
    from pipeline.log.reader import LogReader
    from pipeline.run.accounts import standing
    from pipeline.run.glimpse import glimpse_of
    from pipeline.run.live import record
    from pipeline.run.notifying import Notifier

    with ExitStack() as stack:
        tellers: list[Notifier] = []

        def told(session: "Begun") -> None:
            click.echo(f"recording {session.manifest.id} ({session.how}); Ctrl-C ends it", err=True)
            glimpse = glimpse_of(session.manifest, [vendor.name for vendor in recording.vendors])
            tellers.append(stack.enter_context(Notifier(ways, session.manifest.id)))
            session.recorder.seen += [glimpse.add, tellers[0].add]
            for batch in LogReader(store.folder(session.manifest.id)).batches(kinds=[Kind.INSTRUMENT]):
                for see in session.recorder.seen[-2:]:  # what was defined before anybody looked
                    see(batch, [])
            if session.halt:
                tellers[0].tell(session.halt)
            stack.enter_context(shown(glimpse, session.manifest.id, store.home, is_plain=is_plain))

        manifest = record(
            store,
            recording,
            ending,
            compiling=lambda: click.echo("compiling; the first time it takes half a minute ...", err=True),
            reading=_tell_reading,
            told=told,
            left=lambda count: _tell_left(count, is_asked=ending.asked.is_set()),
        )
        tellers[0].tell(f"ended because {ending.why}; sealed: {counted(manifest.kinds)}")
    click.echo(f"{manifest.id}: ended because {ending.why}; sealed: {counted(manifest.kinds)}", err=is_plain)
    click.echo(
        f"longest wait of a message {ending.lag_s_max * 1e3:,.1f} ms; next: tape verify {manifest.id}", err=is_plain
    )
    if recording.account and (left := standing(store, recording.account)) is not None:
        held = ", ".join(map(str, left.held[:_HELD_SHOWN])) or "nothing held"
        more = f" and {len(left.held) - _HELD_SHOWN} more" if len(left.held) > _HELD_SHOWN else ""
        click.echo(f"account {recording.account}: {left.cash:,.2f} in cash, {held}{more}", err=is_plain)
    for each in ending.at_broker:
        click.echo(f"still at the broker: {each}", err=True)
    for each in ending.unprotected:
        click.echo(f"held without a stop at the broker: {each}", err=True)
    if ending.sealing:
        click.echo(f"sealing while recording: {ending.sealing}", err=True)
    return manifest


def _tell_reading(name: str, count: int) -> None:
    """Say at once what keeps a session that goes on from being recorded: a whole day takes half a minute to read."""
    click.echo(f"{name} was not ended: reading back its {count:,} inputs to go on with it ...", err=True)


def _tell_left(count: int, *, is_asked: bool) -> None:
    """Say what takes long at the end, and how to do without it."""
    press = "press Ctrl-C again" if is_asked else "press Ctrl-C twice"
    line = f"reducing what came: {count:,} messages, {press} to stop at once"
    with suppress(OSError):  # the terminal was closed: they are reduced all the same
        click.echo(f"{line} (the same command then decides what was written, and fetches what was not)", err=True)


def _ending() -> "Ending":
    """The first Ctrl-C, SIGTERM or closed terminal ends and seals; a second one stops at once, and nothing recorded is lost.

    A third one, while the process still tidies up behind the second, ends it as nobody can forbid: a log bears that.
    """
    from pipeline.run.turning import Ending

    ending = Ending()

    def end(number: int, _frame: object) -> None:
        if ending.asked.is_set():
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt  # what ends a process in any other way a strategy would be blamed for
        ending.asked.why = f"of {signal.Signals(number).name}"
        ending.asked.set()
        with suppress(OSError):
            os.write(2, b"ending: what came is still decided, then sealed; once more stops at once\n")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    for number in _HANG_UP:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks for
            signal.signal(number, end)
    return ending
