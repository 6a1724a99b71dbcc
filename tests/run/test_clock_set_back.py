"""A recorder that starts again under a clock that was set back, or under that of another day: the state is gone on with, or it is said what is left."""

import asyncio
import dataclasses
import time

import pytest
from live_sessions import Running, live_store, quotes, recording, rows
from words_vendor import Server, vendor

from pipeline.codes import Kind, SessionAction
from pipeline.run.strategies import plan_of
from pipeline.run.verifying import verify
from pipeline.units import HOUR_NS, NANO

__all__ = ["live_store"]


class OffClock:
    """The machine's clock, but for so much."""

    rate = 1.0

    def __init__(self, off_ns):
        self.off_ns = off_ns

    def now_ns(self):
        return time.time_ns() + self.off_ns


async def script(number):
    for price in range(1, 6):
        yield f"A {10 * number + price}".encode()


def interrupted(store, what, count=5):
    """Record until so many quotes are there, and die as by a bug; the session."""
    running = Running(store, what)
    running.until(quotes(count))
    running.session.intake.taken = None
    with pytest.raises(TypeError):
        running.end()
    return running.session.manifest.id


def test_a_session_goes_on_under_a_clock_that_was_set_back_and_says_so(live_store):
    with Server(script) as server:
        what = recording(vendor(server.url), symbols=("A",))
        old = interrupted(live_store, what)
        last_ns = max(row["ts_recv_ns"] for row in rows(live_store, live_store.manifest(old), Kind.QUOTE))
        again = Running(live_store, dataclasses.replace(what, clock=OffClock(-HOUR_NS)))
        again.until(quotes(10))
        manifest = again.end()
    assert manifest.id == old
    assert again.session.how.startswith("resumed; the clock shows 3,")
    assert again.session.how.endswith("s before its last input: session time stands until then")
    (resumed,) = [r for r in rows(live_store, manifest, Kind.SESSION) if r["action"] == SessionAction.RESUMED]
    assert resumed["text"] in again.session.how
    assert max(row["ts_recv_ns"] for row in rows(live_store, manifest, Kind.QUOTE)) == last_ns
    assert manifest.last_ts_ns >= last_ns
    assert verify(live_store, manifest.id).identical


def test_with_other_settings_it_goes_on_from_it_and_time_does_not_fall(live_store):
    with Server(script) as server:
        what = recording(vendor(server.url), symbols=("A",))
        old = interrupted(live_store, what)
        plan = plan_of(what.strategy_files, [], ["latency_ns=7"])
        again = Running(live_store, dataclasses.replace(what, plan=plan, clock=OffClock(-HOUR_NS)))
        again.until(quotes(5))
        manifest = again.end()
    assert again.session.how.startswith(f"goes on from {old}; the clock shows 3,")
    began_ns = max(row["ts_recv_ns"] for row in rows(live_store, manifest, Kind.SESSION)[:1])
    assert manifest.last_ts_ns >= began_ns > time.time_ns() - HOUR_NS // 2
    assert again.session.intake.session_ns >= began_ns
    assert verify(live_store, manifest.id).identical


@pytest.mark.parametrize(("step_s", "way"), [(-3_600, "back"), (90, "ahead")])
def test_a_clock_that_is_set_while_it_records_is_told_on_the_tape_once_and_decides_nothing(live_store, step_s, way):
    second = asyncio.Event()

    async def in_two_parts(_):
        for price in range(1, 6):
            yield f"A {price}".encode()
        await second.wait()
        for price in range(6, 11):
            yield f"A {price}".encode()

    clock = OffClock(0)
    with Server(in_two_parts) as server:
        running = Running(live_store, recording(vendor(server.url), symbols=("A",), clock=clock))
        running.until(quotes(5))
        clock.off_ns = step_s * NANO
        running.until(lambda _: stepped(live_store))
        server.soon(second.set)
        running.until(quotes(10))
        manifest = running.end()
    (row,) = stepped(live_store)
    assert (row["key"], pytest.approx(abs(step_s), abs=1.0)) == (way, float(row["text"]))
    assert [row["bid_nano"] for row in rows(live_store, manifest, Kind.QUOTE)] == list(range(1, 11))
    assert manifest.kinds.get("intent", 0) == 0
    assert verify(live_store, manifest.id).identical


def stepped(store):
    """What is told of steps of the clock, in the one session there is."""
    (manifest,) = store.sessions()
    return [row for row in rows(store, manifest, Kind.SESSION) if row["action"] == SessionAction.CLOCK_STEPPED]


@pytest.mark.parametrize(("off_h", "how"), [(-20, "20 h ahead of this clock"), (20, "20 h ago")])
def test_another_days_session_is_left_open_and_named(live_store, off_h, how):
    with Server(script) as server:
        what = recording(vendor(server.url), symbols=("A",))
        old = interrupted(live_store, what)
        again = Running(live_store, dataclasses.replace(what, clock=OffClock(off_h * HOUR_NS)))
        again.until(quotes(5))
        manifest = again.end()
    assert manifest.id != old
    assert again.session.how == f"new; {old} stopped {how}: another day's, left open as it is"
    assert live_store.manifest(old).state == "open"


def test_another_days_session_that_is_newer_does_not_hide_this_days(live_store):
    with Server(script) as server:
        what = recording(vendor(server.url), symbols=("A",))
        old = interrupted(live_store, what)
        interrupted(live_store, dataclasses.replace(what, clock=OffClock(48 * HOUR_NS)))
        again = Running(live_store, what)
        again.until(quotes(10))
        manifest = again.end()
    assert (manifest.id, again.session.how) == (old, "resumed")
    assert manifest.last_ts_ns < time.time_ns() + NANO
