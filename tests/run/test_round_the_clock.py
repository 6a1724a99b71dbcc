"""A market that never closes, recorded over midnight and over the hours in which clocks are changed: nothing is cut there but days."""

import dataclasses
from datetime import UTC, datetime

import pytest
from held_against import Account
from live_sessions import WAITING, Running, live_store, recording, rows, rows_of_kind
from served_loops import LOOPS, options, serving, settled, vendor_of

from pipeline.codes import FeedAction, Kind, Origin
from pipeline.run.fold import Speed
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of
from pipeline.run.verifying import verify
from pipeline.scanner_codes import UniverseAction, UniverseReason
from pipeline.simulator.days import GeneratedMarket
from pipeline.simulator.faults import Fault, FaultKind
from pipeline.simulator.served import GeneratedTape
from pipeline.units import MINUTE_NS, NANO
from warehouse import connect

__all__ = ["live_store"]

MOMENTS = {
    "midnight": "2026-11-05T00:00",
    "spring forward": "2026-03-08T07:00",
    "fall back": "2026-11-01T06:00",
}
"""By UTC; clocks are those of New York."""

FIVE_NS = 5 * MINUTE_NS
STRATEGY = """
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.core.strategy import Bars, Strategy

@params
class Params:
    pass

@state
class State:
    bars: int

def on_bar(s, bar, p, ctx):
    s.bars += 1

strategy = Strategy("every", Params, State, on_bar=on_bar, bars=(Bars("1m"), Bars("1d")))
"""
WARMED = """
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.core.strategy import Bars, Messages, Strategy
from pipeline.core.verbs import say

class Message(Messages):
    BAR = 1, "{a} {b} {c}"

@params
class Params:
    pass

@state
class State:
    bars: int

def on_bar(s, bar, p, ctx):
    s.bars += 1
    say(ctx, Message.BAR, float(bar.ts_event_ns // 60_000_000_000), float(bar.bar_length // 60_000_000_000), float(bar.origin))

strategy = Strategy("warmed", Params, State, on_bar=on_bar, bars=(Bars("1m"), Bars("5m")), messages=Message, warm_up="1h")
"""
BY_TIME = """
select
    symbol, time_bucket(interval '{width}', ts_event) as start, arg_min(price_nano, (ts_event_ns, seq)), max(price_nano),
    min(price_nano), arg_max(price_nano, (ts_event_ns, seq)), sum(size_steps), count(*)
from prints group by all order by all
"""
OURS = """
select symbol, ts_event, open_nano, high_nano, low_nano, close_nano, volume_steps, trade_count
from bars where timeframe = '{timeframe}' qualify revision = max(revision) over (partition by symbol, ts_event) order by all
"""


def ns_of(moment):
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * NANO


def recorded_around(store, moment_ns, *faults):
    """Some minutes before and behind a moment, recorded and verified."""
    day = dataclasses.replace(LOOPS["coinbase"].day, starts_ns=moment_ns - 8 * MINUTE_NS)
    with serving("coinbase", faults=faults, tape=GeneratedTape(GeneratedMarket(day, is_whole=True))) as served:
        running = Running(store, recording(vendor_of("coinbase", served), **options(served)))
        settled(running, served)
        manifest = running.end()
    account = Account(store, manifest, served, "coinbase")
    account.check()
    assert verify(store, manifest.id).identical
    return manifest, account


def vendor_bars(account):
    """By symbol, the starts of the vendor's bars."""
    starts = {}
    for row in account.recorded:
        if row.kind is Kind.BAR:
            starts.setdefault(row.key[0], set()).add(row.row["ts_event_ns"])
    return starts


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_lost_and_bars_and_days_are_cut_by_utc(moment, live_store, tmp_path):
    moment_ns = ns_of(MOMENTS[moment])
    manifest, account = recorded_around(live_store, moment_ns)
    assert not account.missing()
    assert not account.told(FeedAction.LOST, FeedAction.GAP_OPENED)
    first = (moment_ns - 8 * MINUTE_NS) // FIVE_NS * FIVE_NS
    whole = {first + place * FIVE_NS for place in range(3)}
    assert all(starts == whole for starts in vendor_bars(account).values())
    file = tmp_path / "every.py"
    file.write_text(STRATEGY)
    replay(live_store, manifest.id, plan_of([file], [], []), [file], created_ns=1, speed=Speed.INTERPRETED)
    view = connect(live_store.home)
    minutes, days = (
        (view.sql(OURS.format(timeframe=name)).fetchall(), view.sql(BY_TIME.format(width=width)).fetchall())
        for name, width in (("1m", "1 minute"), ("1d", "1 day"))
    )
    for ours, buckets in (minutes, days):
        last = max(start for _, start, *_ in buckets)  # nothing came that would have closed it, or something did
        assert set(ours) <= set(buckets)
        assert {start for _, start, *_ in set(buckets) - set(ours)} <= {last}
    assert len(minutes[0]) > 40
    assert len(days[0]) == (4 if moment == "midnight" else 0)


@pytest.mark.parametrize(
    "moment", [pytest.param(each, marks=[pytest.mark.soak] * (each != "midnight")) for each in MOMENTS]
)
def test_a_hole_over_that_moment_is_marked_and_filled(moment, live_store):
    moment_ns = ns_of(MOMENTS[moment])
    outage = Fault(FaultKind.OUTAGE, at_ns=moment_ns - MINUTE_NS, lasts_s=0.3)
    _, account = recorded_around(live_store, moment_ns, outage)
    ((opened, closed),) = account.gaps()
    assert opened["from_ns"] < moment_ns < closed["to_ns"]
    times = [row.row["ts_event_ns"] for row in account.filling()]
    assert min(times) < moment_ns < max(times)


SCANNER = """
name = "coins"
asset_classes = ["crypto"]
limit = 3
retention_s = 60
show = ["last"]

[schedule]
every_s = 20
from = "23:58"
until = "23:50"
calendar = "24/7"

[[filters]]
field = "last"
op = ">"
threshold = 0

[[rank]]
field = "trades_per_s"
"""


def test_what_a_scanner_picks_goes_on_over_midnight_with_its_strategies_warm(live_store, tmp_path):
    scanner, file = tmp_path / "coins.toml", tmp_path / "every.py"
    scanner.write_text(SCANNER)
    file.write_text(WARMED)
    moment_ns = ns_of(MOMENTS["midnight"])
    day = dataclasses.replace(LOOPS["coinbase"].day, starts_ns=moment_ns - 8 * MINUTE_NS)
    tape = GeneratedTape(GeneratedMarket(day, is_whole=True))
    with serving("coinbase", tape=tape, speed=60.0) as served:
        what = recording(vendor_of("coinbase", served), files=(file,), **options(served))
        what = dataclasses.replace(what, plan=plan_of([file], [], WAITING, [scanner]))
        running = Running(live_store, what)
        settled(running, served)
        manifest = running.end()
    assert verify(live_store, manifest.id).identical
    changes = rows_of_kind(live_store, manifest, Kind.UNIVERSE)
    picked_at = {}
    for row in changes:
        picked_at.setdefault(row["instrument_id"], []).append((row["ts_recv_ns"], row["action"]))
    assert UniverseReason.DAY_ENDED not in {row["reason"] for row in changes}
    kept = {
        id_
        for id_, moves in picked_at.items()
        if [action for at, action in moves if at < moment_ns][-1:] == [int(UniverseAction.ADDED)]
    }
    assert kept
    told = {}
    for row in rows_of_kind(live_store, manifest, Kind.MESSAGE):
        told.setdefault(row["instrument_id"], []).append((int(row["a"]), int(row["b"]), Origin(int(row["c"]))))
    warmed = [row for row in rows(live_store, manifest, Kind.FEED) if row["action"] == FeedAction.WARMED]
    assert {row["instrument_id"] for row in warmed} == set(picked_at)
    assert {row["text"].partition(": ")[2] for row in warmed} == {"no history of bars of 60 s"}
    for id_ in kept:
        heard = [(minute, origin) for minute, length, origin in told[id_] if length == 5]
        past = [minute for minute, origin in heard if origin is Origin.WARMUP]
        live = [minute for minute, origin in heard[len(past) :]]
        assert past
        assert past == sorted(set(past)), "each bar of history once, in order"
        assert past[-1] <= live[0], (
            "and then what came behind it, the vendor's own of the first that we made ourselves included"
        )
        assert live == sorted(live)
        assert past[0] < moment_ns // MINUTE_NS <= live[-1], "from before midnight to behind it"
