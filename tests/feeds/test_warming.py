"""Wishes for history: each is answered, whatever the vendor does, and no sooner than what is live of its symbol flows."""

import json

import anyio
import pytest
from jumping import run
from tiny_vendor import asked_for, bytes_of, tiny
from tiny_world import START_NS, WorldClock

from pipeline.feeds.history import HistoryError
from pipeline.feeds.holes import Holes
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.warming import FLOWS_S, LIMIT_S, Warming
from pipeline.ports import Channel, Topic, Warmed, Wish
from pipeline.units import SECOND_NS

TOPIC = Topic(Channel.QUOTES, "A")
SETTLE_S = 3.0


def wish(number=1, symbol="A", channels=(Channel.QUOTES,)):
    return Wish(number, symbol, frozenset(channels), START_NS)


async def answered(*wishes, fetch, flows_s=0.0, wait_s=3 * LIMIT_S):
    """What came of wishes, by number, each with the second it came in."""
    holes, inbox, clock = Holes(), Inbox(), WorldClock(0.0)
    topics = frozenset((Channel.QUOTES,))
    vendor = tiny(topics=lambda symbols: frozenset(Topic(channel, symbol) for channel in topics for symbol in symbols))
    warming = Warming(vendor, 1, holes, inbox, clock, fetch, settle_s=SETTLE_S)
    came = {}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(warming.serve)
        for each in wishes:
            warming.wish(each)
        if flows_s:
            await anyio.sleep(flows_s)
            holes.close({Topic(Channel.QUOTES, each.symbol) for each in wishes}, clock.now_ns())
        with anyio.move_on_after(wait_s):
            while len(came) < len(wishes):
                await anyio.sleep(0.5)
                for number, item in inbox.take(0.0):
                    assert number == 1
                    assert isinstance(item, Warmed)
                    assert item.wish.number not in came
                    came[item.wish.number] = item, (item.ts_recv_ns - START_NS) / SECOND_NS
        tasks.cancel_scope.cancel()
    return came


async def one_page(question):
    topic, from_ns, to_ns, _ = asked_for(question)
    return bytes_of({"events": [{"t": f"{topic.channel}:{topic.symbol}", "ns": from_ns, "n": to_ns}], "next": None})


def test_history_is_asked_for_up_to_behind_the_moment_in_which_it_flows():
    came = run(lambda: answered(wish(), fetch=one_page, flows_s=2.0))
    warmed, at_s = came[1]
    assert warmed.why == ""
    assert 2.0 + SETTLE_S <= at_s < 2.0 + SETTLE_S + 1.0
    assert 2.0 + SETTLE_S <= (warmed.to_ns - START_NS) / SECOND_NS <= at_s
    (event,) = json.loads(warmed.answers[0].payload)["events"]
    assert (event["ns"], event["n"]) == (START_NS, warmed.to_ns)


def test_of_what_the_vendor_never_acknowledges_history_is_asked_for_all_the_same():
    warmed, at_s = run(lambda: answered(wish(), fetch=one_page))[1]
    assert len(warmed.answers) == 1
    assert FLOWS_S + SETTLE_S <= at_s < FLOWS_S + SETTLE_S + 1.0


async def refuses(_):
    raise HistoryError("no right to it", is_final=True)


async def hangs(_):
    await anyio.sleep(10**6)


async def breaks(_):
    raise KeyError("ours")


async def floods(_):
    return b"x" * 40 * 2**20


@pytest.mark.parametrize(
    ("fetch", "why", "until_s"),
    [
        (refuses, "no right to it", 10.0),
        (hangs, f"not answered within {LIMIT_S:g} s", LIMIT_S + 1.0),
        (breaks, "a fault of this program: KeyError: 'ours'", 10.0),
        (floods, "more than 32 MiB of it", 10.0),
    ],
)
def test_whatever_goes_wrong_is_told_within_its_time_and_the_next_wish_is_served(fetch, why, until_s):
    async def first_fails(question):
        return await (fetch if asked_for(question)[0].symbol == "A" else one_page)(question)

    came = run(lambda: answered(wish(1), wish(2, "B"), fetch=first_fails, flows_s=1.0))
    failed, at_s = came[1]
    assert (failed.why, failed.answers) == (why, ())
    assert at_s <= until_s
    assert came[2][0].why == ""
    assert came[2][1] < 10.0


def test_what_may_come_is_asked_for_again():
    asked = []

    async def second_time(question):
        asked.append(question)
        if len(asked) == 1:
            raise HistoryError("busy", wait_s=5.0)
        return await one_page(question)

    warmed, at_s = run(lambda: answered(wish(), fetch=second_time, flows_s=1.0))[1]
    assert warmed.why == ""
    assert len(asked) == 2
    assert at_s >= 1.0 + SETTLE_S + 5.0


def test_hundreds_of_wishes_are_served_some_at_a_time():
    at_once = [0, 0]

    async def slow(question):
        at_once[0] += 1
        at_once[1] = max(at_once)
        await anyio.sleep(0.1)
        at_once[0] -= 1
        return await one_page(question)

    wishes = [wish(number, f"S{number}") for number in range(1, 501)]
    came = run(lambda: answered(*wishes, fetch=slow, flows_s=1.0))
    assert len(came) == 500
    assert {warmed.why for warmed, _ in came.values()} == {""}
    assert at_once[1] == 4
