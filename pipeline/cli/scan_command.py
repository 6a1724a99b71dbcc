"""`tape scan`: what a scanner picks now, or would have picked at a moment of a recorded session, and why not the others."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

import click
import msgspec

from pipeline.cli.show import as_json_line, json_option, progress
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.log.store import Store
    from pipeline.run.scanning import Candidate, Scanned

_OTHERS_MAX: Final = 10
"""Candidates printed that are neither picked nor near, without --all."""
_SHOWN: Final = ("picked", "near_miss", "not_ranked")


@click.command("scan")
@click.argument("session", required=False)
@click.option("--config", "file", required=True, type=click.Path(path_type=Path), help="the scanner: a TOML file")
@click.option(
    "--at",
    metavar="TIME",
    help="08:12 by the exchange's clocks, on the session's first day; 08:12 UTC, or a date in front  [default: its end]",
)
@click.option("--symbol", help="one instrument: every filter with its value, threshold and since when it was known")
@click.option("--funnel", "is_funnel", is_flag=True, help="how many each filter removed")
@click.option(
    "--all", "is_all", is_flag=True, help="every instrument, not only picks, near misses and who nearly came in"
)
@click.option(
    "--keep", "is_kept", is_flag=True, help="keep what it saw: of a session as a run, of now as a session of its own"
)
@click.option(
    "--feed", metavar="NAME[=URL]", help="of now: massive, alpaca or alpaca.iex  [default: that whose key is there]"
)
@click.option("--symbols", multiple=True, metavar="A,B", help="of now: these alone  [default: all]")
@click.option("--every", metavar="EVERY", help="of now: again and again, e.g. 5s, until Ctrl-C or SIGTERM")
@click.option("--until", metavar="TIME", help="of now: when --every ends")
@click.option("--clock", metavar="START@RATE", help="of now: for served days, as tape record has it")
@click.option("--tz", metavar="ZONE", help="clocks to read and tell times by  [default: the exchange's]")
@json_option
@click.pass_obj
def command(
    home: str,
    session: str | None,
    file: Path,
    at: str | None,
    symbol: str | None,
    is_funnel: bool,
    is_all: bool,
    is_kept: bool,
    feed: str | None,
    symbols: tuple[str, ...],
    every: str | None,
    until: str | None,
    clock: str | None,
    tz: str | None,
    as_json: bool,
) -> None:
    """What a scanner sees in SESSION at a moment: every candidate with each filter's verdict, from what was known then.

    Without a SESSION: what it sees now, in a snapshot that the vendor is asked for. That leaves nothing behind, unless --keep.

    \b
    tape scan --config scanners/premarket.toml
    tape scan --config scanners/premarket.toml --feed massive --every 5s --keep
    tape scan last --config scanners/gappers.toml --at 08:12
    tape scan last --config scanners/gappers.toml --at 08:12 --symbol ABCD
    tape scan last --config scanners/gappers.toml --funnel
    tape scan last --config scanners/gappers.toml --keep && tape sql "select * from universe_changes"

    The table is that of the last evaluation at or before the moment. docs/scanners.md says what a definition may hold.
    """
    from pipeline.log.store import Store
    from pipeline.run.looking import moment_in
    from pipeline.run.scanners import load_scanner
    from pipeline.run.scanning import scan

    _refuse_unheard(symbol, is_funnel=is_funnel, is_all=is_all, as_json=as_json)
    store, asked = Store(Path(home)), _Asked(symbol, is_funnel=is_funnel, is_all=is_all, as_json=as_json)
    of_now = {"--feed": feed, "--symbols": symbols, "--every": every, "--until": until, "--clock": clock}
    if session is None:
        if at:
            raise ConfigError("--at: a scan of now has no other moment; name a recorded SESSION, such as last")
        _scan_now(store, file, feed, symbols, (every, until, clock, tz), asked, is_kept=is_kept)
        return
    if given := [name for name, said in of_now.items() if said]:
        raise ConfigError(f"{given[0]} is for a scan of now, and {session} was recorded; leave out one of them")
    scanner = load_scanner(file)
    zone, until_ns = moment_in(store, session, at, symbol=symbol, named=tz)
    keep_ns = time.time_ns() if is_kept else None
    with progress("scanning") as tell:
        found = scan(store, session, scanner, until_ns=until_ns, keep_ns=keep_ns, progress=tell)
    asked.show(found, zone)


class _Asked:
    """What is to be seen of a scan."""

    def __init__(self, symbol: str | None, *, is_funnel: bool, is_all: bool, as_json: bool) -> None:
        self.symbol = symbol
        self.is_funnel = is_funnel
        self.is_all = is_all
        self.as_json = as_json

    def show(self, found: "Scanned", zone: tzinfo) -> None:
        """Print it."""
        if self.as_json:
            as_json_line(_chosen(found, self.symbol, is_all=self.is_all))
        elif self.symbol:
            _show_symbol(found, self.symbol, zone)
        else:
            _show(found, zone, is_funnel=self.is_funnel, is_all=self.is_all)


def _scan_now(
    store: "Store",
    file: Path,
    feed: str | None,
    symbols: tuple[str, ...],
    times: tuple[str | None, str | None, str | None, str | None],
    asked: _Asked,
    *,
    is_kept: bool,
) -> None:
    """Scan the market as it stands; `times` are --every, --until, --clock and --tz."""
    from pipeline.config import zone_named
    from pipeline.instruments import EXCHANGE_ZONES
    from pipeline.run.asking import now_of
    from pipeline.run.clock import ServedClock
    from pipeline.run.scanners import scanner_plan
    from pipeline.run.scanning_now import scan_now

    every, until, clock, tz = times
    now = now_of(scanner_plan(file), feed=feed, symbols=symbols, every=every, until=until, clock=clock)
    zone = zone_named(tz or EXCHANGE_ZONES.get(now.vendor.calendar, "UTC"))

    def seen(found: "Scanned") -> None:
        asked.show(found, zone)
        if not asked.as_json and not asked.symbol and not asked.is_funnel and found.funnel:
            _show_funnel(found)

    with now.clock.kept() if isinstance(now.clock, ServedClock) else nullcontext(), _asked_by_signals() as ended:
        scan_now(store, now, seen, is_kept=is_kept, asked=ended, told=partial(click.echo, err=True))


@contextmanager
def _asked_by_signals() -> Iterator[Event]:
    """Set by the first Ctrl-C or SIGTERM, so that a session that is kept is sealed; a second one stops at once."""
    asked = Event()

    def ask(_number: int, _frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refuse_unheard(symbol: str | None, *, is_funnel: bool, is_all: bool, as_json: bool) -> None:
    """Raises ConfigError for two options of which one would be silently left out."""
    said = [option for option, is_said in (("--symbol", symbol is not None), ("--funnel", is_funnel)) if is_said]
    if is_all and not as_json:
        said.append("--all")
    if len(said) > 1 and not (as_json and is_funnel):
        raise ConfigError(f"{' and '.join(said)} are different tables: accepted is one of them")


def _chosen(found: "Scanned", symbol: str | None, *, is_all: bool) -> "Scanned":
    chosen = [
        each
        for each in found.candidates
        if symbol in (None, each.symbol) and (is_all or symbol or each.verdict in _SHOWN)
    ]
    return msgspec.structs.replace(found, candidates=chosen)


def _show(found: "Scanned", zone: tzinfo, *, is_funnel: bool, is_all: bool) -> None:
    if found.run:
        click.echo(f"kept as {found.run}")
    if not found.at_ns:
        click.echo(f"{found.scanner} over {found.session}, {found.events:,} events: {_why_nothing(found)}")
        return
    click.echo(
        f"{found.scanner} over {found.session} at {_clock(found.at_ns, zone)} {zone}, evaluation {found.evaluations:,}, "
        f"seq {found.seq:,}: {len(found.listed)} in the list of {found.looked_at:,}"
    )
    if is_funnel:
        _show_funnel(found)
        return
    _show_candidates(found, is_all=is_all)
    if not found.listed and found.funnel and not is_all:
        _show_funnel(found)  # why there is nothing


def _why_nothing(found: "Scanned") -> str:
    if found.listed:
        return f"a list of {len(found.listed)}: {', '.join(found.listed)}"
    return "no evaluation up to there; it looks at timers within its window, see [schedule] in its file"


def _show_funnel(found: "Scanned") -> None:
    width = max((len(step.filter) for step in found.funnel), default=6)
    click.echo(f"  {'filter':<{width}} {'shown':>8} {'removed':>8} {'left':>8} {'fails alone':>12} {'no value':>9}")
    for step in found.funnel:
        removed = step.shown - step.left
        click.echo(
            f"  {step.filter:<{width}} {step.shown:>8,} {removed:>8,} {step.left:>8,} {step.alone:>12,} {step.absent:>9,}"
        )


def _show_candidates(found: "Scanned", *, is_all: bool) -> None:
    chosen = _chosen(found, None, is_all=is_all).candidates
    others = [each for each in chosen if each.verdict not in ("picked", "near_miss")]
    told = chosen if is_all else [each for each in chosen if each not in others[_OTHERS_MAX:]]
    if told:
        _table(told)
    for each in told:
        if each.verdict == "near_miss" or (is_all and each.why_not):
            click.echo(f"  {each.symbol}: {each.why_not}")
    if len(told) < found.looked_at:
        click.echo(f"  {found.looked_at - len(told):,} others: --all, or --symbol for one of them")


def _table(candidates: "list[Candidate]") -> None:
    names = list(candidates[0].fields)
    heads = ["", "symbol", "verdict", *names]
    rows = [
        [str(each.rank or ""), each.symbol, each.verdict.replace("_", " "), *(_cell(each, name) for name in names)]
        for each in candidates
    ]
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(heads))]
    for row in [heads, *rows]:
        cells = [f"{cell:<{widths[i]}}" if i in (1, 2) else f"{cell:>{widths[i]}}" for i, cell in enumerate(row)]
        click.echo("  " + "  ".join(cells).rstrip())


def _cell(candidate: "Candidate", name: str) -> str:
    """A value; with `!` behind it when a filter of this field failed."""
    from pipeline.run.scanning import told

    is_failed = any(not each.passed and each.filter.split(" ")[0] == name for each in candidate.filters)
    return told(candidate.fields[name]) + "!" * is_failed


def _show_symbol(found: "Scanned", symbol: str, zone: tzinfo) -> None:
    from pipeline.run.scanning import told

    each = next((each for each in found.candidates if each.symbol == symbol), None)
    if each is None:
        click.echo(
            f"{symbol}: {_why_nothing(found) if not found.at_ns else 'is of no class that this scanner looks at'}"
        )
        return
    rank = f", rank {each.rank}" if each.rank else ""
    click.echo(f"{symbol} at {_clock(found.at_ns, zone)} {zone}: {each.verdict.replace('_', ' ')}{rank}")
    for verdict in each.filters:
        word = "passes" if verdict.passed else "FAILS"
        click.echo(
            f"  {word:<7} {verdict.filter:<32} {told(verdict.value):>14}  known at {verdict.known_at or 'no time: absent'}"
        )
    for name, value in each.fields.items():
        if all(verdict.filter.split(" ")[0] != name for verdict in each.filters):
            click.echo(f"          {name:<32} {told(value):>14}  known at {each.known_at[name] or 'no time: absent'}")


def _clock(ts_ns: int, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(ts_ns // 1_000_000_000, zone):%Y-%m-%d %H:%M:%S}"
