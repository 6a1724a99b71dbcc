"""One connection against a scripted server, on the jumping clock: nothing is lost without being told."""

import json
import math
from datetime import UTC, datetime
from typing import ClassVar

import anyio
import pytest
from jumping import run
from tiny_vendor import KEY, TinyDialogue, pages, tiny
from tiny_world import START_NS, World, accept, always, say_yes, serve

from pipeline.block import Block
from pipeline.codes import FeedAction as Do
from pipeline.codes import Kind
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.line import Times
from pipeline.feeds.progress import Progress
from pipeline.ports import Answer, Channel, Topic
from pipeline.units import SECOND_NS

HOUR_S = 3_600


def in_world(script, test, **options):
    """Run a test of a world whose connection is up."""
    symbols = options.pop("symbols", ("A", "B"))

    async def main():
        world = World(script, **options)
        async with world.running(symbols):
            await test(world)
        return world

    return run(main)


def resting(seconds):
    async def rest(_world):
        await anyio.sleep(seconds)

    return rest


def ends_once(end, *, after_s=20.2, refused=0):
    """A server whose first connection ends, which refuses some, and is good from then on."""

    def script(world, peer, number):
        if number == 1:
            return lambda: serve(world, peer, lasts_s=after_s, end=end)
        if number <= 1 + refused:
            return ConnectionRefusedError("refused")
        return lambda: serve(world, peer)

    return script


def closes(code, text="bye"):
    return lambda peer: peer.end(code, text)


def second(fact):
    return (fact.ts_recv_ns - START_NS) / SECOND_NS


def test_a_good_day_tells_little():
    world = in_world(always, resting(60))
    assert world.actions() == [Do.CONNECTED, Do.SUBSCRIBED, Do.ENDED]
    assert world.facts[0].text == "wss://tiny.test/stream"
    assert (world.facts[1].channel, world.facts[1].text, world.facts[1].count) == ("quotes", "A B", 2)
    assert world.missing("A", 1, 60) == world.missing("B", 1, 60) == []
    assert set(world.live.values()) == {1}


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1009, 1011, 4000])
def test_every_end_is_an_incident_whatever_its_code(code):
    world = in_world(ends_once(closes(code)), resting(60))
    assert world.actions() == [
        *(Do.CONNECTED, Do.SUBSCRIBED, Do.LOST, Do.GAP_OPENED),
        *(Do.CONNECTED, Do.SUBSCRIBED, Do.GAP_CLOSED, Do.BACKFILLED, Do.ENDED),
    ]
    (lost,) = world.told(Do.LOST)
    assert (lost.code, lost.text, lost.count) == (code, "bye", 1)
    opened, closed = world.told(Do.GAP_OPENED, Do.GAP_CLOSED)
    assert opened.from_ns == closed.from_ns == START_NS + 20 * SECOND_NS
    assert closed.to_ns > lost.ts_recv_ns
    assert world.missing("A", 1, 60) == world.missing("B", 1, 60) == []


@pytest.mark.parametrize("ahead_s", [-30, 1, 10, 40, 4_000])
def test_a_hole_is_filled_whole_however_far_the_vendors_clock_is_ahead_of_ours(ahead_s):
    world = in_world(ends_once(closes(1006), refused=4), resting(120), offset_s=-ahead_s)
    assert world.missing("A", 1, 120) == world.missing("B", 1, 120) == []
    told = world.told(Do.CLOCKS_APART)
    assert len(told) == (ahead_s >= 1)
    assert all(abs(fact.count - 1_000 * ahead_s) <= 100 for fact in told)
    (filled,) = world.told(Do.BACKFILLED)
    (again,) = [fact for fact in world.told(Do.SUBSCRIBED) if fact.ts_recv_ns > world.told(Do.LOST)[0].ts_recv_ns]
    assert filled.to_ns - again.ts_recv_ns >= max(0, ahead_s) * SECOND_NS


@pytest.mark.parametrize("late_s", [0, 900])
def test_a_delayed_feed_that_says_little_misses_nothing_of_what_was_never_heard(late_s):
    def script(world, peer, number):
        if number > 1:
            return lambda: serve(world, peer)
        return lambda: serve(world, peer, lasts_s=3.5, end=closes(1006), topics=Half())

    world = in_world(script, resting(60), offset_s=late_s)
    assert world.missing("B", 1, 60) == []


class Half(set):
    """Topics of which only the first is ever sent."""

    def __iter__(self):
        return iter(sorted(super().__iter__())[:1])


def test_half_an_hour_of_recycling_every_minute_loses_nothing_and_stays_quick():
    def script(world, peer, _number):
        return lambda: serve(world, peer, lasts_s=60.3, end=closes(1001))

    world = in_world(script, resting(HOUR_S / 2), poll_s=0.5)
    assert 27 <= len(world.connects) <= 30
    assert max(after - before for before, after in zip(world.connects, world.connects[1:], strict=False)) < 62.0
    assert world.missing("A", 1, HOUR_S // 2 - 80) == []


def test_a_day_of_outage_costs_a_connection_a_minute():
    world = in_world(ends_once(closes(1006), refused=1_436), resting(25 * HOUR_S), poll_s=60, symbols=())
    waits = [after - before for before, after in zip(world.connects[1:], world.connects[2:], strict=False)]
    assert waits[:8] == [2, 4, 8, 16, 32, 60, 60, 60]
    assert max(waits) == 60
    assert 23.8 * HOUR_S < world.connects[-1] - world.connects[1] < 24 * HOUR_S
    assert len(world.told(Do.LOST)) == len(world.connects) - 1


def test_the_hole_of_a_long_outage_opens_once_and_is_filled():
    world = in_world(ends_once(closes(1006), refused=12), resting(900))
    (opened,), (closed,) = world.told(Do.GAP_OPENED), world.told(Do.GAP_CLOSED)
    assert opened.from_ns == closed.from_ns
    assert closed.to_ns - closed.from_ns > 400 * SECOND_NS
    assert world.missing("A", 1, 900) == world.missing("B", 1, 900) == []
    assert len(world.questions) >= 2 * math.ceil(400 / 50)


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_a_server_that_refuses_for_thirty_seconds_is_not_stormed(draw):
    def script(world, peer, _number):
        return (lambda: serve(world, peer)) if anyio.current_time() > 30 else ConnectionResetError("reset")

    world = in_world(script, resting(60), draw=lambda: draw)
    assert sum(at_s <= 30 for at_s in world.connects) <= 6
    assert world.told(Do.SUBSCRIBED)


@pytest.mark.parametrize("draw", [0.0, 0.999])
def test_to_be_accepted_and_thrown_out_does_not_shorten_the_wait(draw):
    def script(world, peer, _number):
        async def throw_out():
            await accept(peer)
            await anyio.sleep(0.1)
            peer.say({"ok": ["quotes:A", "quotes:B"]})
            peer.end(1008, "max connections")

        return throw_out

    world = in_world(script, resting(30), draw=lambda: draw)
    assert len(world.connects) <= 6


def test_the_floor_of_too_many_connections_is_kept_after_the_key_was_accepted():
    def script(world, peer, _number):
        async def throw_out():
            await accept(peer)
            peer.say({"error": "connection limit exceeded", "code": 406, "floor_s": 8.0})

        return throw_out

    world = in_world(script, resting(60))
    waits = [after - before for before, after in zip(world.connects, world.connects[1:], strict=False)]
    assert min(waits) >= 8.0
    assert all(lost.code == 406 and "limit" in lost.text for lost in world.told(Do.LOST))


def test_a_wrong_key_ends_the_feed_for_good():
    def script(world, peer, _number):
        async def refuse():
            peer.say({"hello": 1})
            await peer.hear()
            peer.say({"error": "auth failed", "code": 402, "fatal": True})

        return refuse

    world = in_world(script, resting(HOUR_S), poll_s=10)
    assert len(world.connects) == 1
    assert world.actions() == [Do.CONNECTED, Do.LOST, Do.ENDED]
    assert (world.facts[1].code, world.facts[2].text) == (402, "for good: tiny: auth failed")
    assert second(world.facts[2]) < 1
    assert world.peers[0].is_closed_by_us


def test_a_server_that_accepts_nobody_and_says_nothing_is_left():
    world = in_world(lambda *_: anyio.sleep_forever, resting(40))
    assert "not accepted within 15 s" in world.told(Do.LOST)[0].text
    assert len(world.connects) > 1


def test_a_connection_that_hangs_while_it_is_made_is_given_up():
    async def main():
        world = World(always)
        world.connection._open_socket = lambda _vendor: anyio.sleep_forever()
        async with world.running():
            await anyio.sleep(40)
        return world

    assert "no connection within 15 s" in run(main).told(Do.LOST)[0].text


def test_a_mute_connection_is_told_then_made_anew_then_heard():
    async def fall_silent(world):
        await anyio.sleep(30)
        world.is_market_silent = True
        await anyio.sleep(32.6)
        world.is_market_silent = False
        await anyio.sleep(37)

    world = in_world(always, fall_silent)
    (mute,), (heard,) = world.told(Do.MUTE), world.told(Do.HEARD)
    assert mute.channel == heard.channel == "quotes"
    assert 40 <= second(mute) <= 43
    assert world.told(Do.LOST)[0].text == "mute: nothing on quotes"
    assert 60 <= second(world.told(Do.LOST)[0]) <= 62.6
    assert 63 < second(heard) < 67
    assert len(world.connects) == 2
    assert world.peers[0].is_closed_by_us
    assert world.missing("A", 1, 98) == []


def test_a_holiday_costs_some_connections_only():
    world = in_world(silent_always, resting(3 * HOUR_S), poll_s=30, vendor=tiny(history=None))
    assert len(world.told(Do.MUTE)) == 1
    assert len(world.connects) < 15


def silent_always(world, peer, _number):
    world.is_market_silent = True
    return lambda: serve(world, peer)


def test_the_night_is_no_silence():
    seconds_to_the_close = 15 * HOUR_S + 6 * 60 + 40  # the world begins at 4:53:20 in New York

    async def close(world):
        await anyio.sleep(55)
        world.is_market_silent = True
        await anyio.sleep(1.5 * HOUR_S)

    options = {"vendor": tiny(calendar="XNYS"), "offset_s": seconds_to_the_close - 60, "poll_s": 0.9}
    world = in_world(always, close, **options)
    told = [action for action in world.actions() if action is not Do.LAGGING]  # what comes is of another hour
    assert told == [Do.CONNECTED, Do.SUBSCRIBED, Do.ENDED]


def test_a_core_that_is_behind_is_no_silence():
    async def lag(world):
        await anyio.sleep(20)
        world.is_core_stuck = True
        await anyio.sleep(300)
        world.is_core_stuck = False
        await anyio.sleep(20)

    world = in_world(always, lag)
    assert world.actions() == [Do.CONNECTED, Do.SUBSCRIBED, Do.ENDED]
    assert world.missing("A", 1, 340) == []


def test_a_heartbeat_is_any_message():
    def script(world, peer, _number):
        async def beat():
            await accept(peer)
            await peer.hear()
            peer.say({"ok": ["heartbeats:"]})
            for _ in range(120):
                await anyio.sleep(1)
                peer.say({"beat": 1})
            await anyio.sleep_forever()

        return beat

    vendor = tiny(
        topics=lambda _symbols: frozenset(), sentinel=Topic(Channel.HEARTBEATS, ""), quiet_s={Channel.HEARTBEATS: 5.0}
    )
    world = in_world(script, resting(150), vendor=vendor)
    (mute,) = world.told(Do.MUTE)
    assert 124 <= second(mute) <= 129


def test_slow_answers_are_waited_for():
    def script(world, peer, _number):
        return lambda: serve(world, peer, answer=lambda said: answers.append((peer, said)))

    answers = []

    async def answer_late(world):
        await anyio.sleep(4)
        for peer, said in answers:
            say_yes(peer, set(), said)
        await anyio.sleep(20)

    world = in_world(script, answer_late, vendor=tiny(quiet_s={}))
    assert world.actions() == [Do.CONNECTED, Do.SUBSCRIBED, Do.ENDED]


def test_a_lost_answer_is_told_and_asked_for_again():
    said_before = []

    def script(world, peer, _number):
        topics = set()

        def answer(said):
            if said in said_before or "quotes:B" not in said.get("sub", []):
                say_yes(peer, topics, said)
            elif "sub" in said:
                say_yes(peer, topics, {"sub": ["quotes:A"]})
            said_before.extend([said, {"sub": ["quotes:B"]}])

        return lambda: serve_with(world, peer, topics, answer)

    world = in_world(script, resting(30))
    (told,) = world.told(Do.REJECTED)
    assert (told.channel, told.text) == ("quotes", "B: not answered within 5 s")
    assert [fact.text for fact in world.told(Do.SUBSCRIBED)] == ["A", "B"]
    assert len(world.connects) == 1


async def serve_with(world, peer, topics, answer):
    """As `serve`, with an answer that fills the topics itself."""
    if await accept(peer):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_hear, peer, answer)
            while not peer.is_over:
                await anyio.sleep(1)
                n = round(anyio.current_time())
                for text in sorted(topics):
                    peer.say({"t": text, "ns": START_NS + n * SECOND_NS, "n": n})
            tasks.cancel_scope.cancel()


async def _hear(peer, answer):
    while (said := await peer.hear()) is not None:
        answer(said)


def test_a_symbol_that_is_never_answered_costs_one_connection_and_no_other_symbol():
    def script(world, peer, _number):
        topics = set()

        def answer(said):
            if "sub" in said:
                say_yes(peer, topics, {"sub": [text for text in said["sub"] if text != "quotes:B"]})

        return lambda: serve_with(world, peer, topics, answer)

    world = in_world(script, resting(300))
    assert len(world.connects) == 2
    assert [fact.text for fact in world.told(Do.REJECTED)] == [
        "B: not answered within 5 s",
        "B: not answered, gone on without",
    ]
    assert world.told(Do.LOST)[0].text == "subscriptions not answered: B"
    assert world.told(Do.GAP_CLOSED)
    assert world.missing("A", 5, 290) == []


def test_what_is_asked_for_again_is_not_given_back_before():
    """A vendor that sends and does not say so would stop, and what comes in between would be missing in silence."""
    heard = []

    def script(world, peer, _number):
        topics = set()

        def answer(said):
            heard.append(said)
            say_yes(peer, topics, said | {"sub": [text for text in said.get("sub", []) if text != "quotes:B"]})
            topics.update(said.get("sub", []))

        return lambda: serve_with(world, peer, topics, answer)

    world = in_world(script, resting(9))
    assert len(world.connects) == 1
    assert sum("quotes:B" in said.get("sub", []) for said in heard) == 2
    assert not [said for said in heard if said.get("unsub")]
    assert world.missing("B", 3, 8) == []


def test_a_refused_symbol_is_told_and_the_others_flow():
    def script(world, peer, _number):
        topics = set()

        def answer(said):
            if "sub" in said:
                peer.say({"no": {"quotes:B": "not entitled"}})
                say_yes(peer, topics, {"sub": ["quotes:A"]})

        return lambda: serve_with(world, peer, topics, answer)

    world = in_world(script, resting(60))
    (told,) = world.told(Do.REJECTED)
    assert (told.channel, told.text) == ("quotes", "B: not entitled")
    assert len(world.connects) == 1


def test_symbols_come_and_go_while_it_runs():
    async def change(world):
        await anyio.sleep(10)
        world.connection.desire(["B", "C"])
        await anyio.sleep(10)
        world.connection.desire([])
        await anyio.sleep(30)

    world = in_world(always, change, vendor=tiny(sentinel=Topic(Channel.QUOTES, "SPY")))
    assert [(fact.action, fact.text) for fact in world.told(Do.SUBSCRIBED, Do.UNSUBSCRIBED)] == [
        (Do.SUBSCRIBED, "A B SPY"),
        (Do.UNSUBSCRIBED, "A"),
        (Do.SUBSCRIBED, "C"),
        (Do.UNSUBSCRIBED, "B C"),
    ]
    assert world.missing("C", 11, 20) == world.missing("SPY", 1, 50) == []
    assert ("quotes:A", 12) not in world.live
    assert len(world.connects) == 1
    assert second(world.told(Do.SUBSCRIBED)[1]) < 10.2


def test_symbols_come_and_go_while_disconnected():
    async def change(world):
        await anyio.sleep(24)
        world.connection.desire(["B", "C"])
        await anyio.sleep(36)

    world = in_world(ends_once(closes(1006), refused=4), change)
    assert [fact.text for fact in world.told(Do.SUBSCRIBED)] == ["A B", "B C"]
    assert {question.url.partition("?")[0][-1] for question in world.questions} == {"B"}
    assert world.missing("B", 1, 60) == world.missing("C", 52, 60) == []
    assert len(world.missing("A", 22, 60)) == 38


def test_a_connection_lost_in_the_middle_of_history_begins_it_again():
    def script(world, peer, number):
        if number == 1:
            return lambda: serve(world, peer, lasts_s=20.2, end=closes(1006))
        if number < 11:
            return ConnectionRefusedError("refused")
        if number == 11:
            return lambda: serve(world, peer, lasts_s=3.13, end=closes(1011))
        return lambda: serve(world, peer)

    world = in_world(script, resting(900))
    pages = [fact.count for fact in world.told(Do.BACKFILLED)]
    assert len(pages) == 2
    assert pages[0] < pages[1]
    assert world.missing("A", 1, 900) == world.missing("B", 1, 900) == []


@pytest.mark.parametrize("late_s", [0, 2, 6, 11])
def test_nothing_is_fetched_that_a_stream_which_is_late_brings_as_well(late_s):
    def script(world, peer, number):
        lasts = {"lasts_s": 20.2, "end": closes(1006)} if number == 1 else {"late_s": late_s}
        return lambda: serve(world, peer, **lasts)

    world = in_world(script, resting(100))
    assert world.foretold == set()
    assert world.missing("A", 1, 70) == world.missing("B", 1, 70) == []


def test_a_stream_that_stands_still_keeps_no_history_waiting():
    def script(world, peer, number):
        world.is_market_silent = number > 1
        return lambda: serve(world, peer, **({"lasts_s": 20.2, "end": closes(1006)} if number == 1 else {}))

    world = in_world(script, resting(45))
    assert world.missing("A", 1, 22) == []


def test_a_feed_that_is_delayed_by_rule_keeps_no_history_waiting():
    def script(world, peer, number):
        return lambda: serve(
            world, peer, late_s=900, **({"lasts_s": 1_800.2, "end": closes(1006)} if number == 1 else {})
        )

    world = in_world(script, resting(1_815), times=Times(late_s=2_000))
    assert Do.BACKFILLED in world.actions()


def test_history_that_fails_is_told_the_hole_stays_and_is_filled_later():
    async def fail_for_a_while(world):
        world.history_fails = lambda question: "HTTP status 503" if "quotes:A" in question.url else None
        await anyio.sleep(80)
        assert world.missing("A", 1, 80)
        assert world.missing("B", 1, 80) == []
        world.history_fails = lambda _question: None
        await anyio.sleep(80)

    world = in_world(ends_once(closes(1006), refused=2), fail_for_a_while)
    opened = [fact for fact in world.told(Do.GAP_OPENED) if fact.channel]
    closed = [fact for fact in world.told(Do.GAP_CLOSED) if fact.channel]
    assert [fact.text for fact in opened] == ["A: no history: HTTP status 503"]
    assert [(fact.text, fact.from_ns, fact.to_ns) for fact in closed] == [("A", opened[0].from_ns, opened[0].to_ns)]
    assert world.missing("A", 1, 155) == []


def test_a_body_that_cannot_be_read_is_a_history_that_failed():
    def script_history(topic, from_ns, to_ns):
        raise ValueError(f"{topic.symbol}: no page")
        yield from_ns + to_ns

    world = in_world(ends_once(closes(1006)), resting(60), vendor=tiny(history=script_history), symbols=["A"])
    assert [fact.text for fact in world.told(Do.GAP_OPENED) if fact.channel] == ["A: no history: A: no page"]
    assert len(world.connects) == 2


def test_only_channels_that_have_history_are_told_to_be_backfilled():
    def history_of_prints(topic, from_ns, to_ns):
        if topic.channel is Channel.PRINTS:
            yield from pages(topic, from_ns, to_ns)

    vendor = tiny(history=history_of_prints, sentinel=Topic(Channel.PRINTS, "SPY"))
    world = in_world(ends_once(closes(1006)), resting(60), vendor=vendor)
    assert [fact.channel for fact in world.told(Do.BACKFILLED)] == ["prints"]
    assert len(world.told(Do.GAP_CLOSED)) == 1


def test_a_vendor_without_history_has_its_holes_marked():
    world = in_world(ends_once(closes(1006)), resting(60), vendor=tiny(history=None))
    assert Do.BACKFILLED not in world.actions()
    (closed,) = world.told(Do.GAP_CLOSED)
    missing = world.missing("A", 1, 60)
    assert missing
    assert all(closed.from_ns < START_NS + n * SECOND_NS <= closed.to_ns for n in missing)


def test_a_session_that_goes_on_fills_what_came_while_it_was_down():
    async def main():
        await anyio.sleep(100)
        world = World(always, missing_since_ns=START_NS + 40 * SECOND_NS)
        async with world.running():
            await anyio.sleep(50)
        return world

    world = run(main)
    assert world.actions()[0] is Do.GAP_OPENED
    assert world.missing("A", 40, 150) == world.missing("B", 40, 150) == []


def test_a_session_that_goes_on_with_a_feed_that_is_behind_fills_from_what_it_had():
    """A delayed feed, or one whose clock is behind: its last events are older than when they were heard."""
    had = Progress()
    last = {
        "instrument_id": 1,
        "seq": 1,
        "ts_event_ns": START_NS + 10 * SECOND_NS,
        "ts_recv_ns": START_NS + 40 * SECOND_NS,
    }
    had.add(0, [Block.of(Kind.INSTRUMENT, 1, seq=1, instrument_id=1, symbol=["A"]), Block.of(Kind.QUOTE, 1, **last)])

    async def main():
        await anyio.sleep(100)
        world = World(always, missing_since_ns=START_NS + 40 * SECOND_NS, had=had)
        async with world.running():
            await anyio.sleep(50)
        return world

    world = run(main)
    assert world.missing("A", 11, 150) == world.missing("B", 11, 150) == []


def test_a_hole_from_before_that_was_not_filled_yet_is_filled_too():
    async def main():
        await anyio.sleep(100)
        since = START_NS + 80 * SECOND_NS
        world = World(always, missing_since_ns=since, unfilled_since_ns=START_NS + 40 * SECOND_NS)
        async with world.running():
            await anyio.sleep(50)
        return world, since

    world, since = run(main)
    assert world.facts[0].action is Do.GAP_OPENED
    assert world.facts[0].from_ns == since
    assert world.missing("A", 40, 150) == world.missing("B", 40, 150) == []


def test_what_the_vendor_stops_to_send_is_asked_for_again_and_its_hole_filled():
    sent = set()

    async def withdraw(world):
        await anyio.sleep(20.3)
        sent.discard("quotes:A")
        world.peers[0].say({"bye": ["quotes:A"]})
        await anyio.sleep(40)

    world = in_world(lambda world, peer, _number: lambda: serve(world, peer, topics=sent), withdraw)
    assert len(world.connects) == 1
    (withdrawn,) = world.told(Do.UNSUBSCRIBED)
    assert withdrawn.text == "A (by the vendor)"
    (opened,), (closed,) = world.told(Do.GAP_OPENED), world.told(Do.GAP_CLOSED)
    assert (opened.channel, opened.text) == ("quotes", "A: no longer sent by the vendor")
    assert (closed.channel, closed.text, closed.from_ns) == ("quotes", "A", opened.from_ns)
    assert opened.from_ns == START_NS + 20 * SECOND_NS + 300_000_000 < closed.to_ns == closed.ts_recv_ns
    assert ("quotes:A", 23) not in world.live
    assert world.missing("A", 1, 60) == world.missing("B", 1, 60) == []


def test_what_the_core_mistrusts_is_made_anew_once():
    async def mistrust(world):
        await anyio.sleep(20)
        for _ in range(3):
            world.connection.reconnect(1, "sequence broke: expected 7, found 9")
            await anyio.sleep(5)

    world = in_world(always, mistrust)
    assert len(world.connects) == 2
    assert world.told(Do.LOST)[0].text == "sequence broke: expected 7, found 9"


@pytest.mark.parametrize(("every", "connects"), [(1, 2), (2, 1)])
def test_nonsense_alone_ends_a_connection_and_nonsense_among_good_does_not(every, connects):
    def script(world, peer, number):
        async def mumble():
            await accept(peer)
            for _ in range(2):
                say_yes(peer, set(), await peer.hear())
            for n in range(10_000):
                await anyio.sleep(0.5)
                peer.say({"t": "quotes:A", "ns": START_NS, "n": n} if n % every else b"\xff\x00 nonsense")

        return mumble if number == 1 else lambda: serve(world, peer)

    vendor = tiny(sentinel=Topic(Channel.PRINTS, "SPY"), quiet_s={})

    async def ask_twice(world):
        await anyio.sleep(1)
        world.connection.desire(["A"])
        await anyio.sleep(17)

    world = in_world(script, ask_twice, vendor=vendor, symbols=())
    assert len(world.connects) == connects
    if connects == 2:
        assert world.told(Do.LOST)[0].text == "messages flow, but none of them could be read"


@pytest.mark.parametrize("at_s", [10, 21, 23])
def test_a_feed_ends_when_told_connected_or_not(at_s):
    async def end(world):
        await anyio.sleep(at_s)
        world.connection.end("16:00")
        await anyio.sleep(2)
        assert world.facts[-1].action is Do.ENDED
        assert world.facts[-1].text == "16:00"
        assert second(world.facts[-1]) < at_s + 1
        assert all(peer.is_over for peer in world.peers)

    in_world(ends_once(closes(1006), refused=20), end)


def test_a_full_inbox_stops_reading_is_told_and_loses_nothing():
    async def lag(world):
        await anyio.sleep(10)
        world.is_core_stuck = True
        await anyio.sleep(100)
        assert 20 <= len(world.inbox._items) <= 24
        world.is_core_stuck = False
        await anyio.sleep(20)

    world = in_world(always, lag, inbox=Inbox(count_max=20))
    slow = world.told(Do.SLOW)
    assert slow
    assert sum(fact.count for fact in slow) >= 1
    assert slow[0].from_ns < START_NS + 25 * SECOND_NS
    assert world.missing("A", 1, 129) == []
    assert len(world.connects) == 1


class Again(TinyDialogue):
    """A vendor that sends again what was missed; what each connection was told, and how far it came."""

    told: ClassVar = []
    whole_until_ns = None

    def connected(self):
        self.told.append(self.whole_until_ns)
        return super().connected()

    def concerns(self, payload):
        if not super().concerns(payload):
            self.whole_until_ns = json.loads(payload)["ns"]
            return False
        return True


def test_a_vendor_that_sends_again_is_told_up_to_when_nothing_is_missing():
    Again.told.clear()
    in_world(ends_once(closes(1006)), resting(60), vendor=tiny(dialogue=Again, history=None))
    assert Again.told == [None, START_NS + 20 * SECOND_NS]


def test_of_a_session_that_goes_on_a_vendor_that_sends_again_is_told_its_last_moment():
    Again.told.clear()
    since_ns = START_NS + 40 * SECOND_NS
    in_world(always, resting(5), vendor=tiny(dialogue=Again, history=None), missing_since_ns=since_ns)
    assert Again.told == [since_ns]


@pytest.mark.parametrize("asked_again", [False, True])
def test_the_hole_of_what_the_vendor_stopped_to_send_lasts_over_connections_and_until_nobody_wants_it(asked_again):
    async def withdraw(world):
        await anyio.sleep(20.3)
        world.peers[0].say({"bye": ["quotes:A"]})
        world.peers[0].end(1006)
        await anyio.sleep(20)
        if not asked_again:
            world.connection.desire(["B"])
        await anyio.sleep(20)

    def script(world, peer, number):
        forgets = number > 1 and not asked_again
        topics = set()
        answer = (lambda said: say_yes(peer, topics, {"sub": ["quotes:B"]})) if forgets else None
        return lambda: serve(world, peer, topics=topics, answer=answer)

    world = in_world(script, withdraw, times=Times(answer_s=1_000.0))
    opened, closed = (
        [fact for fact in world.told(action) if fact.channel] for action in (Do.GAP_OPENED, Do.GAP_CLOSED)
    )
    assert [fact.text for fact in opened] == ["A: no longer sent by the vendor"]
    assert [fact.text for fact in closed] == ["A"]
    assert (second(closed[0]) > 40) == (not asked_again)


def test_acknowledgements_that_come_one_by_one_are_told_together():
    symbols = [f"S{number}" for number in range(30)]

    def script(world, peer, _number):
        topics = set()

        def answer(said):
            for place, text in enumerate(said.get("sub", [])):
                world._tasks.start_soon(late, place, text)

        async def late(place, text):
            await anyio.sleep(0.05 * place)
            say_yes(peer, topics, {"sub": [text]})

        return lambda: serve(world, peer, answer=answer, topics=topics)

    world = in_world(script, resting(10), symbols=symbols)
    told = world.told(Do.SUBSCRIBED)
    assert len(told) <= 3
    assert sorted(" ".join(fact.text for fact in told).split()) == sorted(symbols)


def test_a_symbol_that_is_refused_after_all_is_refused_and_no_hole():
    async def refuse(world):
        await anyio.sleep(20.3)
        world.peers[0].say({"bye": ["quotes:A"], "no": {"quotes:A": "no such symbol"}})
        await anyio.sleep(10)

    class Refusing(TinyDialogue):
        def hear(self, payload):
            said = json.loads(payload)
            if "no" in said:
                super().hear(json.dumps({"no": said["no"]}))
            return super().hear(payload)

    world = in_world(always, refuse, vendor=tiny(dialogue=Refusing))
    assert [fact.text for fact in world.told(Do.REJECTED)] == ["A: no such symbol"]
    assert not world.told(Do.GAP_OPENED, Do.UNSUBSCRIBED)


def snapshots(world, peer, *, lasts_s=math.inf, end=lambda _peer: None):
    """A server that gives a snapshot a second, and nothing that is new."""

    async def served():
        await accept(peer)
        await peer.hear()
        peer.say({"ok": ["quotes:A", "quotes:B"]})
        begun_s = anyio.current_time()
        while not peer.is_over and anyio.current_time() - begun_s < lasts_s:
            for text in ("quotes:A", "quotes:B"):
                peer.say({"t": text, "ns": world.clock.now_ns(), "n": round(anyio.current_time()), "snap": True})
            await anyio.sleep(1)
        end(peer)

    return served


def test_snapshots_do_not_shorten_the_wait():
    world = in_world(lambda world, peer, _number: snapshots(world, peer, lasts_s=15.5, end=closes(1008)), resting(300))
    waits = [after - before - 15.5 for before, after in zip(world.connects, world.connects[1:], strict=False)]
    assert waits[:5] == pytest.approx([1, 2, 4, 8, 16], abs=1.1)


def test_a_channel_of_which_only_snapshots_come_is_mute():
    def script(world, peer, number):
        return (lambda: serve(world, peer)) if number > 1 else snapshots(world, peer)

    world = in_world(script, resting(90))
    assert [fact.action for fact in world.told(Do.MUTE, Do.HEARD)] == [Do.MUTE, Do.HEARD]
    assert world.told(Do.LOST)[0].text == "mute: nothing on quotes"


def test_a_symbol_of_which_nothing_comes_is_told_once():
    def script(world, peer, _number):
        return lambda: serve(world, peer, topics=Half(), lasts_s=150.4, end=closes(1006))

    world = in_world(script, resting(1_500))
    (unheard,) = world.told(Do.UNHEARD)
    assert (unheard.text, unheard.count) == ("B: nothing came in 300 s of market hours", 1)
    assert 300 < second(unheard) < 330


def test_before_the_market_is_busy_a_silent_symbol_is_no_news():
    seconds_to_half_past_nine = (datetime(2025, 10, 9, 13, 30, tzinfo=UTC).timestamp()) - START_NS // SECOND_NS

    def script(world, peer, _number):
        return lambda: serve(world, peer, topics=Half())

    options = {"vendor": tiny(calendar="XNYS"), "offset_s": seconds_to_half_past_nine - 600, "poll_s": 0.9}
    world = in_world(script, resting(1_000), **options)
    (unheard,) = world.told(Do.UNHEARD)
    assert 890 < second(unheard) - options["offset_s"] < 920


def test_a_feed_whose_events_are_old_is_told_once_until_they_are_young_again():
    async def lag(world):
        await anyio.sleep(20)
        world.clock._offset_s = 30
        await anyio.sleep(60)
        world.clock._offset_s = 0
        await anyio.sleep(20)

    world = in_world(always, lag)
    lagging, caught_up = world.told(Do.LAGGING, Do.CAUGHT_UP)
    assert (lagging.action, caught_up.action) == (Do.LAGGING, Do.CAUGHT_UP)
    assert lagging.count == pytest.approx(30_000, abs=2_000)
    assert lagging.text.startswith("what comes is 3")
    assert 30 <= second(lagging) - 30 <= 34
    assert 79 <= second(caught_up) <= 84


def test_no_key_is_told_or_recorded_whatever_says_it():
    def script(world, peer, number):
        if number == 1:
            return lambda: serve(world, peer, lasts_s=20.2, end=closes(1008, f"bad key {KEY}"))
        return lambda: serve(world, peer)

    async def fail(world):
        world.history_fails = lambda _question: f"HTTP status 401 for https://tiny.test/?key={KEY}"
        await anyio.sleep(60)

    world = in_world(script, fail, vendor=tiny(secrets=(KEY.encode(),)))
    assert [fact.text for fact in world.told(Do.LOST)] == ["bad key ***"]
    gaps = [fact.text for fact in world.told(Do.GAP_OPENED) if fact.channel]
    assert "A: no history: HTTP status 401 for https://tiny.test/?key=***" in gaps
    assert not [fact for fact in world.facts if KEY in fact.text]


class Chatty(World):
    """A world whose history says the key on every page."""

    async def _fetch(self, question):
        return (await super()._fetch(question))[:-1] + f', "about": "{KEY}"}}'.encode()

    def read(self):
        self.pages.extend(item.payload for _, item in self.inbox._items if isinstance(item, Answer))
        super().read()


def test_a_page_of_history_that_says_the_key_is_recorded_without_it():
    async def main():
        world = Chatty(ends_once(closes(1006)), vendor=tiny(secrets=(KEY.encode(),)))
        world.pages = []
        async with world.running():
            await anyio.sleep(60)
        return world

    world = run(main)
    assert world.missing("A", 1, 60) == []
    assert world.pages
    assert all(page.endswith(b'"about": "******"}') for page in world.pages)


def test_what_came_unsaid_and_was_not_read_yet_is_a_hole_when_the_connection_ends():
    async def stick(world):
        world.is_core_stuck = True
        await anyio.sleep(12)
        world.is_core_stuck = False
        await anyio.sleep(40)

    def script(world, peer, _number):
        topics = set()
        return lambda: serve(world, peer, topics=topics, answer=lambda said: topics.update(said.get("sub", ())))

    world = in_world(script, stick)
    lost = world.told(Do.LOST)[0]
    assert lost.text.startswith("subscriptions not answered")
    opened = world.told(Do.GAP_OPENED)[0]
    assert opened.ts_recv_ns == lost.ts_recv_ns
    assert world.missing("A", 1, 50) == world.missing("B", 1, 50) == []
