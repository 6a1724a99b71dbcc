"""`tape demo`: everything once, on a generated day."""

import sys
import time
from pathlib import Path

import click

from pipeline.cli.show import as_json_line, json_option


@click.command("demo")
@click.option("--seed", default=7, show_default=True, help="another seed, another day")
@click.option("--quotes", default=20_000, show_default=True, help="quotes of each instrument, about")
@json_option
@click.pass_obj
def command(home: str, seed: int, quotes: int, as_json: bool) -> None:
    """Record a generated day with two strategies, prove it identical, replay it, ask it. No keys, no network.

    \b
    tape demo
    """
    from pipeline.log.check import check
    from pipeline.log.store import Store
    from pipeline.run.generating import record_generated
    from pipeline.run.replaying import replay
    from pipeline.run.strategies import plan_of, strategy_file
    from pipeline.run.verifying import verify
    from pipeline.simulator.generate import Day

    store = Store(Path(home))
    started = time.perf_counter()
    say = (lambda _: None) if as_json else click.echo

    say(f"1  recording a generated day (seed {seed}): six thin names before the open, a halt, a feed drop, late prints")
    files = [strategy_file("opening_range"), strategy_file("ema_cross")]
    opening = ["opening_range.open_minute=480", "ema_cross.notional=2000"]  # the generated day starts at 08:00 UTC
    session = record_generated(
        store, Day(seed=seed, quotes=quotes), plan_of(files, opening, []), files, created_ns=time.time_ns()
    )
    say(f"   session {session.id}: {session.inputs:,} inputs, {session.derived:,} rows decided from them")

    say("2  verifying: its inputs through the code it keeps, every row compared")
    verdict = verify(store, session.id)
    say(f"   {'identical' if verdict.identical else 'NOT identical'}, decisions {verdict.decisions_hash}")

    say("3  replaying the day: ema_cross with fast=50 slow=400")
    again = [strategy_file("ema_cross")]
    run = replay(
        store,
        session.id,
        plan_of(again, ["fast=50", "slow=400", "notional=2000"], []),
        again,
        created_ns=time.time_ns(),
    )
    say(
        f"   run {run.run}: {run.intents} intents, {run.fills} fills, realised {run.realized:,.2f}, {run.events_per_s:,.0f} inputs/s"
    )

    say("4  asking: profit by strategy, and the last fills\n")
    if not as_json:
        _ask(home, session.id)

    say("5  checking every byte of the store")
    report = check(store)
    say(f"   {'sound' if report.sound else 'DAMAGED'}, {report.sessions} sessions and runs, {report.bytes:,} bytes")
    seconds = round(time.perf_counter() - started, 1)
    say(f"\n{seconds} s. Next: tape replay {session.id} --strategy hold; tape sql; tape --help")
    if as_json:
        as_json_line(
            {"session": session.id, "seconds": seconds, "sound": report.sound, "verify": verdict, "replay": run}
        )
    sys.exit(0 if verdict.identical and report.sound else 1)


QUERIES = (
    """select strategy, count(*) as trades, count(*) filter (not is_closed) as still_open,
round(sum(profit), 2) as profit, round(avg((profit > 0)::int), 2) as win_rate
from trades where run is null group by all order by all""",
    """select ts_event, strategy, symbol, side, quantity, price
from fills where run is null order by seq desc limit 5""",
)


def _ask(home: str, session: str) -> None:
    from warehouse import connect

    connection = connect(home, [session])
    for query in QUERIES:
        click.echo(f'tape sql "{query}"')
        connection.sql(query).show(max_width=140)
