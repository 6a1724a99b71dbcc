"""Live sessions over real sockets, from the first connection to a verified, sealed session."""

import asyncio
import dataclasses
import gc
import threading
import time

import pytest
from live_sessions import FILES, Running, actions, live_store, quotes, recording, rows, rows_of_kind
from words_vendor import Server, Words, WordsDialogue, vendor

from pipeline.codes import FeedAction, Kind, RequestAction
from pipeline.errors import ConfigError, OperatorError
from pipeline.feeds.vendor import watching
from pipeline.ports import Channel, Message
from pipeline.run.clock import SystemClock
from pipeline.run.control import Request, ask
from pipeline.run.live import undisturbed
from pipeline.run.renormalizing import renormalize
from pipeline.run.strategies import plan_of
from pipeline.run.turning import bites
from pipeline.run.verifying import verify
from pipeline.units import DAY_NS, SECOND_NS

__all__ = ["live_store"]


def test_a_session_recorded_from_a_socket_is_sealed_and_verified_identical(live_store):
    async def script(_):
        for price in range(1, 401):
            yield f"{'AB'[price % 2]} {price}".encode()
            if price % 100 == 0:
                await asyncio.sleep(0.3)

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url)))
        running.until(quotes(400))
        manifest = running.end()
    assert manifest.kinds["quote"] == 400
    assert [row["bid_nano"] for row in rows(live_store, manifest, Kind.QUOTE)] == list(range(1, 401))
    assert list(dict.fromkeys(actions(live_store, manifest))) == [
        FeedAction.DECLARED,
        FeedAction.CONNECTED,
        FeedAction.SUBSCRIBED,
        FeedAction.ENDED,
    ]
    assert manifest.kinds["timer"] >= 1
    assert verify(live_store, manifest.id).identical


def test_a_session_without_a_strategy_is_verified_identical_too(live_store):
    async def script(_):
        yield b"A 1"

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url), files=()))
        running.until(quotes(1))
        manifest = running.end()
    assert manifest.decisions_hash
    verdict = verify(live_store, manifest.id)
    assert (verdict.identical, verdict.derived) == (True, 0)
    assert verify(live_store, manifest.id, always_apart=True).identical


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011])
def test_a_connection_that_is_closed_is_a_marked_hole_and_comes_back(live_store, code):
    async def script(number):
        for price in range(1, 11):
            yield f"A {100 * number + price}".encode()
        if number == 1:
            await asyncio.sleep(0.2)
            yield code

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url)))
        running.until(quotes(20))
        manifest = running.end()
    told = actions(live_store, manifest)
    assert [each for each in told if each not in (FeedAction.DECLARED, FeedAction.SUBSCRIBED)] == [
        FeedAction.CONNECTED,
        FeedAction.LOST,
        FeedAction.GAP_OPENED,
        FeedAction.CONNECTED,
        FeedAction.GAP_CLOSED,
        FeedAction.ENDED,
    ]
    assert verify(live_store, manifest.id).identical


def test_a_sequence_that_breaks_makes_the_connection_anew(live_store):
    async def script(number):
        yield f"A {number}".encode()
        if number == 1:
            yield b"!"

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url), symbols=("A",)))
        running.until(quotes(2))
        running.end()
        assert server.connections == 2


def test_symbols_are_added_and_dropped_while_it_runs(live_store):
    async def script(_):
        yield b"A 1"

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url), symbols=("A",)))
        running.until(quotes(1))
        folder = live_store.folder(running.session.manifest.id)
        assert ask(folder, Request("ADD_SYMBOL", target="Words:c")).ok
        running.until(lambda _: "C" in server.wanted)
        assert ask(folder, Request("NOTE", target="tag", text="a remark")).ok
        manifest = running.end()
    assert [row["action"] for row in rows(live_store, manifest, Kind.REQUEST)] == [RequestAction.ADD_SYMBOL]
    assert manifest.kinds["note"] == 1


def test_what_waits_is_taken_in_bites_whatever_its_size():
    small, large = (
        [(1, Message(n, b"x" * 10)) for n in range(20_000)],
        [(1, Message(n, b"x" * 2**20)) for n in range(9)],
    )
    assert [len(bite) for bite in bites(small)] == [8_192, 8_192, 3_616]
    assert [len(bite) for bite in bites(large)] == [2, 2, 2, 2, 1]
    assert [item for bite in bites([*small, *large]) for item in bite] == [*small, *large]
    assert list(bites([])) == []


def test_a_wish_to_end_closes_the_sockets_before_the_rest_of_what_waits_is_reduced(live_store):
    """Twenty thousand messages wait when it is asked to end: nothing more comes from then on, and all of them are recorded."""
    count, sent, closed, was_closed = 20_000, threading.Event(), threading.Event(), []

    async def script(_):
        try:
            for number in range(count):
                yield f"S{number} 1".encode()
            sent.set()
            while True:
                yield b"A 1"
                await asyncio.sleep(0.05)
        finally:
            closed.set()

    def see(*_):
        if not was_closed and running.session.recorder.kinds.get(Kind.QUOTE, 0) >= count:
            was_closed.append(closed.wait(30))
        elif sent.is_set():
            running.ending.asked.set()
        else:
            sent.wait(60)  # all the rest waits now

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url), symbols=("A",)))
        running.until(quotes(0))
        running.session.recorder.seen.append(see)
        running.until(quotes(count), 120)
        manifest = running.end()
    assert was_closed == [True]
    assert manifest.kinds["instrument"] >= count
    assert verify(live_store, manifest.id).identical


def test_no_timer_stands_in_front_of_what_came_before_it_however_far_the_loop_is_behind(live_store):
    async def script(_):
        for price in range(1, 101):
            yield f"A {price}".encode()
            await asyncio.sleep(0.03)

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url), symbols=("A",)))
        running.until(quotes(1))
        running.session.recorder.seen.append(lambda *_: time.sleep(0.2))
        running.until(quotes(100))
        manifest = running.end()
    placed = sorted(rows(live_store, manifest, Kind.QUOTE, Kind.TIMER), key=lambda row: row["seq"])
    times = [row["ts_recv_ns"] for row in placed]
    assert times == sorted(times)
    assert manifest.kinds["timer"] >= 3
    assert verify(live_store, manifest.id).identical


def test_two_feeds_stand_in_one_order(live_store):
    async def script(number):
        for price in range(50):
            yield f"A {number * 1000 + price}".encode()
            await asyncio.sleep(0.001)

    with Server(script) as one, Server(script) as two:
        running = Running(live_store, recording(vendor(one.url), vendor(two.url, name="others"), symbols=("A",)))
        running.until(quotes(100))
        manifest = running.end()
    listed = rows(live_store, manifest, Kind.QUOTE)
    times = [row["ts_recv_ns"] for row in listed]
    assert times == sorted(times)
    assert {row["source"] for row in listed} == {1, 2}
    assert verify(live_store, manifest.id).identical


def test_a_key_that_the_vendor_says_again_is_not_recorded(live_store):
    async def script(_):
        yield b"go away, swordfish is no key"

    with Server(script) as server:
        what = dataclasses.replace(vendor(server.url), secrets=(b"swordfish",))
        running = Running(live_store, recording(what, keeps_raw=True))
        running._thread.join(60)
    told = rows(live_store, running.manifest, Kind.FEED)
    raw = rows(live_store, running.manifest, Kind.RAW)
    assert any(b"go away, ********* is no key" in row["payload"] for row in raw)
    assert not [row for row in [*told, *raw] if "swordfish" in str(row)]


def test_a_wrong_key_ends_the_recording_and_says_why(live_store):
    async def script(_):
        yield b"A 1"

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url, key="wrong")))
        running._thread.join(60)
        assert running.ending.why == "no feed is left"
        assert server.connections == 1
    lost = [row for row in rows(live_store, running.manifest, Kind.FEED) if row["action"] == FeedAction.LOST]
    assert [(row["code"], row["text"]) for row in lost] == [(402, "words: the key is wrong")]


@pytest.mark.parametrize("where", ["hear", "want", "connected"])
def test_a_fault_of_ours_in_a_conversation_costs_a_connection_and_not_the_recording(live_store, where):
    class Faulty(WordsDialogue):
        made = 0

        def __init__(self):
            super().__init__()
            Faulty.made += 1
            if Faulty.made == 1:
                setattr(self, where, lambda *_: {}["nothing"])

    async def script(_):
        yield b"A 1"

    with Server(script) as server:
        running = Running(live_store, recording(dataclasses.replace(vendor(server.url), dialogue=Faulty)))
        running.until(quotes(1))
        manifest = running.end()
    (lost,) = [row for row in rows(live_store, manifest, Kind.FEED) if row["action"] == FeedAction.LOST]
    assert lost["text"].startswith("a fault of this program: KeyError at test_recording_live.py:")
    assert verify(live_store, manifest.id).identical


def test_a_second_process_with_the_same_credential_is_refused(live_store):
    async def script(_):
        yield b"A 1"

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url)))
        running.until(quotes(1))
        second = Running(live_store, recording(vendor(server.url), is_fresh=True))
        with pytest.raises(OperatorError, match="allows one connection"):
            second.end()
        assert len(live_store.sessions()) == 1
        running.end()


def test_a_session_that_was_interrupted_goes_on_with_its_hole_marked(live_store):
    async def script(number):
        for price in range(1, 6):
            yield f"{'AC'[price % 2]} {10 * number + price}".encode()

    with Server(script) as server:
        what = recording(vendor(server.url))
        running = Running(live_store, what)
        running.until(quotes(5))
        ask(live_store.folder(running.session.manifest.id), Request("ADD_SYMBOL", target="Words:c"))
        running.until(lambda _: "C" in server.wanted)
        running.session.intake.taken = None  # the next turn of its loop fails as a bug would
        with pytest.raises(TypeError):
            running.end()
        assert live_store.manifest(running.session.manifest.id).state == "open"
        server.wanted.clear()
        again = Running(live_store, what)
        again.until(quotes(5))
        again.until(lambda _: "C" in server.wanted)
        manifest = again.end()
    assert manifest.id == running.session.manifest.id
    told = actions(live_store, manifest)
    assert told.count(FeedAction.DECLARED) == 1
    assert told[-5:].count(FeedAction.GAP_CLOSED) + told.count(FeedAction.GAP_OPENED) >= 2
    assert len({(row["instrument_id"], row["symbol"]) for row in rows(live_store, manifest, Kind.INSTRUMENT)}) == 2
    assert verify(live_store, manifest.id).identical


def test_a_session_that_nothing_decided_over_gives_way_to_another_that_fills_its_hole(live_store):
    async def script(_):
        yield b"A 1"

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url), files=()))
        running.until(quotes(1))
        running.session.intake.taken = None
        with pytest.raises(TypeError):
            running.end()
        again = Running(live_store, recording(vendor(server.url)))
        again.until(quotes(1))
        manifest = again.end()
    assert again.session.how == f"goes on from {running.session.manifest.id}"
    told = actions(live_store, manifest)
    assert [told.count(each) for each in (FeedAction.GAP_OPENED, FeedAction.GAP_CLOSED)] == [1, 1]
    assert verify(live_store, manifest.id).identical


def test_it_ends_when_its_time_has_come(live_store):
    async def script(_):
        yield b"A 1"

    with Server(script) as server:
        what = recording(vendor(server.url), until_ns=time.time_ns() + 5 * SECOND_NS)
        running = Running(live_store, what)
        running._thread.join(60)
        assert running.ending.why == "its time has come"
        assert running.manifest.kinds["quote"] == 1


def test_a_session_made_again_from_its_messages_is_the_same_and_a_mended_normaliser_makes_more_of_it(live_store):
    async def script(number):
        for price in range(1, 40):
            yield f"{'AB'[price % 2]} {price}".encode()
            await asyncio.sleep(0.06)
            if price == 20:
                yield b"C x9"
            if number == 1 and price == 25:
                yield 1011

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url), keeps_raw=True))
        running.until(quotes(45))
        ask(live_store.folder(running.session.manifest.id), Request("NOTE", text="look here"))
        manifest = running.end()

    class Mended(Words):
        def _read(self, rows, text, origin):
            super()._read(rows, text.replace("x", ""), origin)

    kinds = [Kind.INSTRUMENT, Kind.QUOTE, Kind.FEED, Kind.TIMER, Kind.NOTE]
    again = renormalize(live_store, manifest.id, {"words": Words}, created_ns=1)
    told = [{**row, "seq": 0} for row in rows(live_store, manifest, *kinds)]
    assert [{**row, "seq": 0} for row in rows(live_store, again, *kinds)] == told
    assert verify(live_store, again.id).identical
    mended = renormalize(live_store, again.id, {"words": Mended}, created_ns=2)
    assert mended.settings["renormalized"] == manifest.id
    assert mended.id == f"{manifest.id}-again-2"
    assert mended.kinds["quote"] == manifest.kinds["quote"] + 1 + (running.session.recorder.refused > 1)
    assert mended.refused == 0
    assert manifest.refused >= 1
    with pytest.raises(ConfigError, match="known are others"):
        renormalize(live_store, manifest.id, {"others": Words}, created_ns=3)


class SleepyClock(SystemClock):
    """A machine's clock, which may have been asleep."""

    asleep_ns = 0

    def now_ns(self):
        return super().now_ns() + self.asleep_ns


def test_a_session_of_a_machine_that_slept_for_days_has_few_timers_and_is_made_again_the_same(live_store):
    async def script(_):
        for price in range(1, 10_000):
            yield f"{'AB'[price % 2]} {price}".encode()
            await asyncio.sleep(0.3)

    clock = SleepyClock()

    def timers(count):
        running.until(lambda recorder: recorder.kinds.get(Kind.TIMER, 0) >= count)
        return running.session.recorder.kinds[Kind.TIMER]

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url), keeps_raw=True, clock=clock))
        before = timers(2)
        clock.asleep_ns = 300 * DAY_NS
        timers(before + 3)
        manifest = running.end()
    assert manifest.kinds["timer"] < before + 2_000
    again = renormalize(live_store, manifest.id, {"words": Words}, created_ns=1)
    kinds = [Kind.INSTRUMENT, Kind.QUOTE, Kind.FEED, Kind.TIMER]
    told = [{**row, "seq": 0} for row in rows(live_store, manifest, *kinds)]
    assert [{**row, "seq": 0} for row in rows(live_store, again, *kinds)] == told


def test_a_session_without_its_messages_can_not_be_made_again(live_store):
    async def script(_):
        yield b"A 1"

    with Server(script) as server:
        running = Running(live_store, recording(vendor(server.url)))
        running.until(quotes(1))
        manifest = running.end()
    with pytest.raises(ConfigError, match="--raw"):
        renormalize(live_store, manifest.id, {"words": Words}, created_ns=1)


SCANNER = """
name = "high"
show = ["bid"]
limit = 5

[schedule]
every_s = 1
from = "00:00"
until = "00:00"
calendar = "24/7"

[[filters]]
field = "bid"
op = ">="
threshold = 5e-7
"""


def test_what_the_scanner_picks_is_subscribed_whole_and_what_it_watches_in_part(live_store, tmp_path):
    """The tiny vendor has one channel, so what is watched is seen by which symbols it wants with and without their mark."""

    async def script(_):
        for price in range(1, 1_000):
            yield f"A {price}".encode()
            yield f"B {price // 10}".encode()
            await asyncio.sleep(0.02)

    path = tmp_path / "high.toml"
    path.write_text(SCANNER)
    with Server(script) as server:
        what = dataclasses.replace(
            recording(watching(vendor(server.url), {Channel.QUOTES}), symbols=(), files=FILES),
            plan=plan_of(FILES, [], [], [path]),
            watched=("A", "B"),
            watch_channels=frozenset((Channel.QUOTES,)),
        )
        running = Running(live_store, what)
        running.until(lambda recorder: recorder.kinds.get(Kind.UNIVERSE, 0) >= 1)
        running.until(quotes(800))
        manifest = running.end()
    picked = rows_of_kind(live_store, manifest, Kind.UNIVERSE)
    assert picked[0]["instrument_id"] == 1
    assert manifest.settings["watched"] == ["A", "B"]
    assert verify(live_store, manifest.id).identical


def test_who_is_undisturbed_first_sees_to_the_garbage_collector_and_puts_it_back():
    gc.unfreeze()
    try:
        with undisturbed():
            assert (left_alone := gc.get_freeze_count()) > 10_000
            with undisturbed():
                pass
            assert gc.get_freeze_count() == left_alone
        assert not gc.get_freeze_count()
    finally:
        gc.freeze()
