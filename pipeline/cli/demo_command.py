"""`tape demo`: everything once, on generated days."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.show import as_json_line, json_option

if TYPE_CHECKING:
    from pipeline.log.manifest import Manifest
    from pipeline.log.store import Store

_PATHS = 10_000
_MISSED = 0.05

Say = Callable[[str], None]


@click.command("demo")
@click.option("--seed", default=7, show_default=True, help="another seed, another day")
@click.option("--quotes", default=20_000, show_default=True, help="quotes of each instrument of the second day, about")
@click.option("--quick", "is_quick", is_flag=True, help="only the second day, which nobody has to serve")
@json_option
@click.pass_obj
def command(home: str, seed: int, quotes: int, is_quick: bool, as_json: bool) -> None:
    """A market of our own is served and recorded live, proved identical, asked, reported; then a day is replayed. No keys, no network.

    \b
    tape demo
    tape demo --quick
    """
    from pipeline.log.check import check
    from pipeline.log.store import Store

    store = Store(Path(home))
    started = time.perf_counter()
    say: Say = (lambda _: None) if as_json else click.echo
    found: dict[str, Any] = {}
    if not is_quick:
        found["live"] = live = _live(store, seed, say)
        _ask(home, live["session"], say)
        found |= _added_up(store, live["session"], say)
    found |= _replayed(store, seed, quotes, say)
    if is_quick:
        _ask(home, found["session"], say)
    say("checking every byte of the store")
    report = check(store)
    say(f"   {'sound' if report.sound else 'DAMAGED'}, {report.sessions} sessions and runs, {report.bytes:,} bytes")
    found |= {"seconds": round(time.perf_counter() - started, 1), "sound": report.sound}
    is_fine = report.sound and found["verify"].identical and (is_quick or found["live"]["verify"].identical)
    if as_json:
        as_json_line(found)
    else:
        _what_next(found)
    sys.exit(0 if is_fine else 1)


def _live(store: "Store", seed: int, say: Say) -> dict[str, Any]:
    """Serve, record, verify."""
    from pipeline.run.demonstrating import SPEED, record_served, served
    from pipeline.run.verifying import verify

    say(
        f"a premarket of twelve thin names is served on this machine, {SPEED} times as fast, and recorded live: a scanner"
    )
    say("picks, two strategies trade on paper what it picks; there are a halt, a lost feed, late prints")
    say("times here are New York's, as its traders tell them; those of SQL are UTC")
    with served(seed) as url, TemporaryDirectory() as folder:
        session, ending = record_served(store, url, Path(folder), lambda text: say(f"   {text}"))
    lag = f"longest wait of a message {ending.lag_s_max * 1e3:,.0f} ms"
    say(f"   session {session.id}: {_counted(session)}; {lag}")
    say("verifying: its inputs through the code it keeps, every row compared")
    verdict = verify(store, session.id)
    say(f"   {'identical' if verdict.identical else 'NOT identical'}, decisions {verdict.decisions_hash}")
    return {"session": session.id, "kinds": session.kinds, "verify": verdict}


def _counted(session: "Manifest") -> str:
    wanted = ("quote", "print", "candidate", "intent", "order", "fill")
    return ", ".join(f"{session.kinds.get(name, 0):,} {name}s" for name in wanted)


def _replayed(store: "Store", seed: int, quotes: int, say: Say) -> dict[str, Any]:
    """A day that is written straight into the store, its verdict, and another strategy over it."""
    from pipeline.run.generating import record_generated
    from pipeline.run.replaying import replay
    from pipeline.run.strategies import plan_of, strategy_file
    from pipeline.run.verifying import verify
    from pipeline.simulator.generate import Day

    say(f"another day of six names, generated straight into the store (seed {seed})")
    files = [strategy_file("opening_range"), strategy_file("ema_cross")]
    opening = ["opening_range.open_minute=480", "ema_cross.notional=2000"]  # the generated day starts at 08:00 UTC
    session = record_generated(
        store, Day(seed=seed, quotes=quotes), plan_of(files, opening, []), files, created_ns=time.time_ns()
    )
    say(f"   session {session.id}: {session.inputs:,} inputs, {session.derived:,} rows decided from them")
    verdict = verify(store, session.id)
    say(f"   {'identical' if verdict.identical else 'NOT identical'}, decisions {verdict.decisions_hash}")
    say("replaying it: ema_cross with fast=50 slow=400")
    again = [strategy_file("ema_cross")]
    plan = plan_of(again, ["fast=50", "slow=400", "notional=2000"], [])
    run = replay(store, session.id, plan, again, created_ns=time.time_ns())
    say(
        f"   run {run.run}: {run.intents} intents, {run.fills} fills, realised {run.realized:,.2f}, {run.events_per_s:,.0f} inputs/s"
    )
    return {"session": session.id, "verify": verdict, "replay": run}


def _added_up(store: "Store", session: str, say: Say) -> dict[str, Any]:
    """Statistics, what else might have come of it, and the page that shows all of it."""
    from pipeline.reports import reading
    from pipeline.reports.knobs import Knobs, Misses
    from pipeline.reports.montecarlo import Asked
    from pipeline.reports.outcomes import outcome_of
    from pipeline.reports.report_page import page_of
    from pipeline.reports.report_sections import document_of
    from pipeline.run.reporting import material_of
    from pipeline.run.statistics import Question, statistics

    say(f"adding up: tape stats {session}")
    money = statistics(store, [session], Question()).summary.money
    for name in ("net_profit", "expectancy", "win_rate", "profit_factor"):
        say(f"   {name.replace('_', ' '):<14}{_figure(money[name])}")
    say(f"what else might have come of it: tape montecarlo {session} --miss {_MISSED}")
    trips = reading.trips_in(str(store.home), [session])
    outcome = outcome_of(trips, Asked(knobs=Knobs(misses=Misses(_MISSED)), paths=_PATHS), is_drawn=False)
    low, high = outcome.profit.quantiles[0], outcome.profit.quantiles[-1]
    say(
        f"   of {_PATHS:,} paths nine in ten end between {low:,.2f} and {high:,.2f}; a loss in {outcome.loss.share:.1%}"
    )
    path = Path("reports", f"{session}.html")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page_of(document_of(material_of(store, [session], paths=_PATHS, seed=1), [])), encoding="utf-8")
    say(f"all of it on a page: {path}, {path.stat().st_size:,} bytes")
    return {"statistics": money, "outcome": outcome, "report": str(path)}


def _figure(figure: Any) -> str:
    if figure.value is None:
        return str(figure.absent)
    shown = f"{figure.value:,.2f}"
    return (
        shown
        if figure.low is None or figure.high is None
        else f"{shown}, {figure.low:,.2f} to {figure.high:,.2f} with 95 %"
    )


def _what_next(found: dict[str, Any]) -> None:
    live = found.get("live", found)["session"]
    click.echo(f"\n{found['seconds']} s. Next:\n")
    for line, what in (
        (f"tape dashboard --session {live}", "look at it"),
        (f"tape explain {live} --fill 1", "why there is a fill, back to its tick"),
        (f'tape sql "from trades limit 5" --over {live}', "ask it"),
        ("tape new strategy mine", "one of your own; then tape replay last --strategy mine.py"),
        ("tape record --feed coinbase --symbols BTC-USD --strategy ema_cross", "a real market, on paper"),
    ):
        click.echo(f"    {line:<72} # {what}")


QUERIES = (
    """select strategy, count(*) as trades, count(*) filter (not is_closed) as still_open,
round(sum(profit), 2) as profit, round(avg((profit > 0)::int), 2) as win_rate
from trades where run is null group by all order by all""",
    """select ts_event, strategy, symbol, side, quantity, price
from fills where run is null order by seq desc limit 5""",
)


def _ask(home: str, session: str, say: Say) -> None:
    from pipeline.cli.sql_out import zone_told
    from warehouse import connect

    connection = connect(home, [session])
    say("asking: profit by strategy, and the last fills\n")
    for query in QUERIES:
        say(f'tape sql "{query}"')
        found = connection.sql(query)
        say(str(found))
        if told := zone_told(found):
            say(told)
