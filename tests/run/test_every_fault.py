"""Every fault of the exchange against every feed, through the whole recorder: recovered, marked, nothing twice, no silent hole."""

import dataclasses
import resource

import numpy as np
import pytest
from held_against import Account
from live_sessions import Running, live_store, recording
from served_loops import LOOPS, TIMES, options, serving, settled, vendor_of

from pipeline.block import concat
from pipeline.codes import FeedAction, Kind, Mark, Origin
from pipeline.ports import Channel
from pipeline.run.verifying import verify
from pipeline.simulator.alpaca import AlpacaVenue, Words
from pipeline.simulator.coinbase_advanced import CoinbaseVenue, Rules
from pipeline.simulator.days import GeneratedMarket
from pipeline.simulator.faults import Fault, FaultKind
from pipeline.simulator.generate import in_receive_order
from pipeline.simulator.massive import MassiveFaults, MassiveVenue
from pipeline.simulator.served import GeneratedTape
from pipeline.units import SECOND_NS

__all__ = ["live_store"]

WEB = ("massive", "alpaca", "coinbase")
"""Those that speak over WebSockets; what goes wrong with Databento's gateway besides stands in `test_databento_loop`."""

AT = 700
EVERY_FEED = pytest.mark.parametrize("feed", WEB)


def soaked(*feeds):
    """All of them, these only in long runs."""
    return pytest.mark.parametrize(
        "feed", [pytest.param(feed, marks=[pytest.mark.soak] * (feed in feeds)) for feed in WEB]
    )


def recorded(store, feed, *faults, vendor=None, tape=None, venue=None, behind_ns=0, **changes):
    """A day served with these faults, recorded, sealed, verified, and held against what was sent."""
    with serving(feed, faults=faults, tape=tape, venue=venue) as served:
        what = recording(vendor_of(feed, served, **(vendor or {})), **{**options(served, behind_ns), **changes})
        running = Running(store, what)
        settled(running, served)
        manifest = running.end()
    account = Account(store, manifest, served, feed, why=running.ending.why, behind_ns=behind_ns)
    account.check()
    assert manifest.state == "sealed"
    assert verify(store, manifest.id).identical
    return account


ENDS = {
    FaultKind.CLOSE_1000: 1000,
    FaultKind.CLOSE_1001: 1001,
    FaultKind.CLOSE_1006: 1006,
    FaultKind.CLOSE_1008: 1008,
    FaultKind.CLOSE_1011: 1011,
    FaultKind.FIN: 1006,
    FaultKind.RST: 1006,
}


AT_LEAST = {
    "massive": (FaultKind.CLOSE_1011, FaultKind.RST, FaultKind.CLOSE_1000, FaultKind.CLOSE_1006),
    "alpaca": (FaultKind.CLOSE_1011, FaultKind.RST, FaultKind.CLOSE_1001, FaultKind.FIN),
    "coinbase": (FaultKind.CLOSE_1011, FaultKind.RST, FaultKind.CLOSE_1008),
    "databento": (FaultKind.RST,),
}
"""What is tried in short runs too: each somewhere."""


EVERY_END = [
    pytest.param(kind, feed, marks=[pytest.mark.soak] * (kind not in short))
    for feed, short in AT_LEAST.items()
    for kind in ENDS
]


@pytest.mark.parametrize(("kind", "feed"), EVERY_END)
def test_a_connection_that_ends_is_made_again_and_its_hole_is_marked_and_filled(kind, feed, live_store):
    account = recorded(live_store, feed, Fault(kind, events=AT))
    code = ENDS[kind] if feed in WEB else 0  # plain TCP has none
    assert [row["code"] for row in account.told(FeedAction.LOST)] == [code]
    assert len(account.gaps()) == 1
    assert account.missing()
    assert account.filling()


@soaked("alpaca")
def test_a_hole_is_filled_whole_where_our_clock_is_behind_and_that_is_told_once(feed, live_store):
    behind_ns = int(1.5 * SECOND_NS * LOOPS[feed].speed)
    account = recorded(live_store, feed, Fault(FaultKind.RST, events=AT), behind_ns=behind_ns)
    assert account.missing()
    assert account.filling()
    (told,) = account.told(FeedAction.CLOCKS_APART)
    assert 1_000 <= told["count"] <= 2_000


@soaked("massive", "alpaca")
def test_a_feed_that_brings_what_is_old_is_told_once(feed, live_store):
    times = dataclasses.replace(TIMES, late_s=0.5, late_for_s=0.3)
    ahead_ns = int(1.5 * SECOND_NS * LOOPS[feed].speed)
    account = recorded(live_store, feed, times=times, behind_ns=-ahead_ns)
    (told,) = account.told(FeedAction.LAGGING)
    assert 1_000 <= told["count"] <= 5_000
    assert not account.told(FeedAction.CAUGHT_UP, FeedAction.LOST)


@EVERY_FEED
def test_a_mute_connection_is_told_and_made_anew(feed, live_store):
    quiet_s = {Channel.QUOTES: 0.4, Channel.PRINTS: 0.8}
    fault, times = Fault(FaultKind.MUTE, events=AT, lasts_s=1e9), dataclasses.replace(TIMES, patience_s=0.3)
    account = recorded(live_store, feed, fault, vendor={"quiet_s": quiet_s}, times=times)
    mute = account.told(FeedAction.MUTE)
    assert {row["channel"] for row in mute} >= {"quotes"}
    lost = account.told(FeedAction.LOST)
    assert lost[0]["text"].startswith("mute: nothing on ")
    assert mute[0]["seq"] < lost[0]["seq"] < account.told(FeedAction.HEARD)[0]["seq"]
    assert account.filling()


@EVERY_FEED
def test_an_outage_is_waited_out_and_filled(feed, live_store):
    account = recorded(live_store, feed, Fault(FaultKind.OUTAGE, row=AT, lasts_s=0.5))
    assert {row["code"] for row in account.told(FeedAction.LOST)} == {1006, 503}
    assert len(account.gaps()) == 1
    assert [row for row in account.recorded if row.origin == Origin.BACKFILL]


@EVERY_FEED
def test_who_is_refused_in_mid_session_ends_for_good_with_its_hole_open(feed, live_store):
    refused = Fault(FaultKind.REFUSE_AUTH, row=AT, lasts_s=60.0)
    account = recorded(live_store, feed, refused, Fault(FaultKind.RST, row=AT + 1))
    assert account.why == "no feed is left"
    first, second = account.told(FeedAction.LOST)
    assert first["code"] == 1006
    assert second["code"] in (402, 0)
    assert [closed for _, closed in account.gaps()] == [None]
    assert account.told(FeedAction.ENDED)[0]["text"].startswith("for good: ")


@soaked("alpaca", "coinbase")
def test_a_symbol_of_which_nothing_comes_is_told_once_and_is_no_fault(feed, live_store):
    times = dataclasses.replace(TIMES, unheard_s=0.6)
    with serving(feed) as served:
        given = options(served)
        what = recording(
            vendor_of(feed, served), **{**given, "symbols": (*given["symbols"], "ZZZ-USD"), "times": times}
        )
        running = Running(live_store, what)
        settled(running, served)
        running.end()
    names = [row["text"].partition(":")[0].split(" ") for row in running.told(FeedAction.UNHEARD)]
    assert [name for each in names for name in each].count("ZZZ-USD") == 1
    assert not running.told(FeedAction.LOST, FeedAction.GAP_OPENED, FeedAction.MUTE)


@EVERY_FEED
def test_slow_acknowledgements_are_waited_for(feed, live_store):
    account = recorded(live_store, feed, Fault(FaultKind.SLOW_ACKS, lasts_s=0.3))
    assert not account.told(FeedAction.LOST, FeedAction.GAP_OPENED, FeedAction.REJECTED)
    assert not account.missing()


@soaked("alpaca", "coinbase")
def test_acknowledgements_slower_than_patience_are_asked_for_again_and_then_gone_on_without(feed, live_store):
    times = dataclasses.replace(TIMES, answer_s=0.3)
    account = recorded(live_store, feed, Fault(FaultKind.SLOW_ACKS, lasts_s=0.8), times=times)
    why = [row["text"] for row in account.told(FeedAction.REJECTED)]
    assert any("not answered within 0.3 s" in text for text in why)
    assert any("not answered" in row["text"] for row in account.told(FeedAction.LOST))
    assert account.told(FeedAction.SUBSCRIBED)


@pytest.mark.parametrize("feed", LOOPS)
def test_duplicates_are_marked_or_known_by_all_they_say(feed, live_store):
    account = recorded(live_store, feed, Fault(FaultKind.DUPLICATE, events=AT, count=40))
    assert not [row["text"] for row in account.told(FeedAction.LOST)]
    again = [account.served[seq] for seq in account.sent_again()]
    assert len(again) == 40
    prints = sum(row.kind is Kind.PRINT for row in again)
    assert prints > 3
    assert sum(row.kind is Kind.PRINT and Mark.DUPLICATE in row.marks for row in account.recorded) == prints


@EVERY_FEED
def test_late_events_are_marked_and_none_is_lost(feed, live_store):
    account = recorded(live_store, feed, Fault(FaultKind.LATE, events=AT, count=40, lasts_s=0.3))
    assert not [row["text"] for row in account.told(FeedAction.LOST)]
    assert not account.missing()
    late = [account.served[seq] for seq in account.sent_late() if account.served[seq].kind is Kind.PRINT]
    marked = {row.fact for row in account.recorded if Mark.LATE in row.marks}
    assert len(late) > 3
    assert {row.fact for row in late} <= marked


@EVERY_FEED
def test_garbage_is_refused_and_the_connection_lives(feed, live_store):
    account = recorded(live_store, feed, Fault(FaultKind.GARBAGE, events=AT, count=9))
    assert not account.told(FeedAction.LOST, FeedAction.GAP_OPENED)
    assert sum(max(1, row["count"]) for row in account.told(FeedAction.REJECTED)) >= 9
    assert not account.missing()


@EVERY_FEED
def test_a_connection_that_brings_nothing_but_garbage_is_made_anew(feed, live_store):
    day_ns, step_ns = LOOPS[feed].day.starts_ns, LOOPS[feed].day.lasts_ns // 40
    mute = Fault(FaultKind.MUTE, at_ns=day_ns + 10 * step_ns, lasts_s=1e9)
    noise = [Fault(FaultKind.GARBAGE, at_ns=day_ns + place * step_ns, count=1) for place in range(11, 40)]
    account = recorded(live_store, feed, mute, *noise)
    assert account.told(FeedAction.LOST)[0]["text"] == "messages flow, but none of them could be read"
    assert len(account.told(FeedAction.REJECTED)) > 5
    assert account.filling()


@soaked("massive", "alpaca")
def test_a_huge_frame_within_the_limit_passes(feed, live_store):
    account = recorded(live_store, feed, Fault(FaultKind.HUGE, events=AT), vendor={"frame_bytes_max": 64 * 2**20})
    assert not [row["text"] for row in account.told(FeedAction.LOST)]
    assert not account.missing()


@soaked("alpaca")
def test_a_huge_frame_above_the_limit_ends_the_connection_which_comes_back(feed, live_store):
    account = recorded(live_store, feed, Fault(FaultKind.HUGE, events=AT), vendor={"frame_bytes_max": 2**20})
    assert [row["code"] for row in account.told(FeedAction.LOST)] == [1009]
    assert account.filling()


@soaked("alpaca", "coinbase")
def test_a_compressed_bomb_is_not_unpacked_and_ends_the_connection_which_comes_back(feed, live_store):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    account = recorded(live_store, feed, Fault(FaultKind.BOMB, events=AT))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 2**18, "KiB, of a GiB that it would be"
    assert [row["code"] for row in account.told(FeedAction.LOST)] == [1002]
    assert account.filling()


@soaked("alpaca", "coinbase")
def test_what_was_reported_late_into_a_hole_is_fetched_too(feed, live_store):
    day = LOOPS[feed].day
    lost_ns = day.starts_ns + 2 * day.lasts_ns // 5
    tape = GeneratedTape(
        WithLateReports(day, lost_ns - 45 * SECOND_NS, lost_ns - 15 * SECOND_NS, lost_ns + 5 * SECOND_NS)
    )
    account = recorded(live_store, feed, Fault(FaultKind.OUTAGE, at_ns=lost_ns, lasts_s=0.3), tape=tape)
    late = [
        row for row in account.missing() if row.kind is Kind.PRINT and row.row["ts_event_ns"] < lost_ns - 10 * SECOND_NS
    ]
    assert len(late) > 2


class WithLateReports:
    """A day of which the prints between two moments are all reported at a third."""

    def __init__(self, day, from_ns, to_ns, told_ns):
        self.name, self._day, self._times = "reported late", day, (from_ns, to_ns, told_ns)

    def events(self):
        from_ns, to_ns, told_ns = self._times
        first, *batches = GeneratedMarket(self._day, is_whole=True).events()
        yield first
        rows = []
        for block in concat(block for batch in batches for block in batch):
            times = block.number("ts_event_ns")
            is_late = (times >= from_ns) & (times < to_ns) & (block.kind is Kind.PRINT)
            rows.append(block.with_columns(ts_recv_ns=np.where(is_late, told_ns, block.number("ts_recv_ns"))))
        yield from in_receive_order(rows, 8_192)


def test_equal_trades_of_one_message_are_both_there_however_often_it_is_sent(live_store):
    tape = GeneratedTape(WithTwins(LOOPS["databento"].day))
    faults = Fault(FaultKind.RST, events=AT), Fault(FaultKind.DUPLICATE, events=2 * AT, count=40)
    account = recorded(live_store, "databento", *faults, tape=tape)
    assert [row for row in account.filling() if row.kind is Kind.PRINT]
    again = [account.served[seq] for seq in account.sent_again()]
    prints = sum(row.kind is Kind.PRINT for row in again)
    assert prints > 3
    assert sum(row.kind is Kind.PRINT and Mark.DUPLICATE in row.marks for row in account.recorded) == prints


class WithTwins:
    """A day on which every print is there twice, with all it says."""

    def __init__(self, day):
        self.name, self._day = "twins", day

    def events(self):
        first, *batches = GeneratedMarket(self._day, is_whole=True).events()
        yield first
        rows = []
        for block in concat(block for batch in batches for block in batch):
            times = 2 if block.kind is Kind.PRINT else 1
            rows.append(block.take(np.repeat(np.arange(len(block)), times)))
        yield from in_receive_order(rows, 8_192)


SILENT = {
    "massive": lambda _: MassiveVenue(faults=MassiveFaults(acks_lost=10**9)),
    "alpaca": lambda _: AlpacaVenue(Words(lost_acks=10**9)),
    "coinbase": lambda history: CoinbaseVenue(Rules(acks_after_s=1e9), history),
}
"""Servers that send what was asked for, and never say that they will."""


@soaked("alpaca", "coinbase")
def test_a_hole_in_what_was_never_acknowledged_is_marked_and_filled_too(feed, live_store):
    times = dataclasses.replace(TIMES, answer_s=0.1)
    account = recorded(live_store, feed, Fault(FaultKind.RST, row=1_500), venue=SILENT[feed], times=times)
    assert any("gone on without" in row["text"] for row in account.told(FeedAction.REJECTED))
    assert len(account.told(FeedAction.LOST)) == 2
    assert account.missing()
    assert account.filling()


def test_a_feed_that_breaks_leaves_the_other_one_alone(live_store):
    with serving(
        "massive", "alpaca", faults=[Fault(FaultKind.OUTAGE, row=AT, lasts_s=0.3, protocol="massive")]
    ) as served:
        what = recording(vendor_of("massive", served), vendor_of("alpaca", served), **options(served))
        running = Running(live_store, what)
        settled(running, served)
        manifest = running.end()
    broken, whole = (
        Account(live_store, manifest, served, feed, source) for source, feed in ((1, "massive"), (2, "alpaca"))
    )
    broken.check()
    whole.check()
    assert len(broken.gaps()) == 1
    assert broken.filling()
    assert not whole.told(FeedAction.LOST, FeedAction.GAP_OPENED, FeedAction.BACKFILLED)
    assert not whole.missing()
    assert verify(live_store, manifest.id).identical


def test_less_room_than_is_to_be_left_ends_and_seals(live_store):
    with serving("coinbase") as served:
        running = Running(live_store, recording(vendor_of("coinbase", served), bytes_free_min=2**62, **options(served)))
        running._thread.join(60)
    assert "GiB free on its disk" in running.ending.why
    assert running.manifest.state == "sealed"
    assert verify(live_store, running.manifest.id).identical
