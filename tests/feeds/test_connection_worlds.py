"""Seeded worlds with everything going wrong at once: at the end of the day nothing is missing that is not marked."""

import random

import anyio
import pytest
from jumping import run
from tiny_vendor import topic_of
from tiny_world import START_NS, World, accept, say_yes, serve

from pipeline.codes import FeedAction as Do
from pipeline.ports import Topic
from pipeline.units import SECOND_NS

ROUGH_S = 600
CALM_S = 1_500
"""Long enough for the last round of history that had failed."""


def rough(seed):
    """A server that does something else on each connection, until the rough part is over."""
    draw = random.Random(seed)

    def script(world, peer, _number):
        if anyio.current_time() > ROUGH_S:
            return lambda: serve(world, peer)
        lasts_s, code = draw.uniform(0.1, 60), draw.choice([1000, 1001, 1006, 1008, 1011])
        ways = [
            ConnectionRefusedError("refused"),
            lambda: serve(world, peer, lasts_s=lasts_s, end=lambda peer: peer.end(code, "bye")),
            lambda: serve(world, peer, lasts_s=lasts_s),
            lambda: forgetful(world, peer, draw, lasts_s),
            lambda: throws_out(peer),
            lambda: says_nothing(peer, lasts_s),
        ]
        return draw.choices(ways, [2, 6, 2, 3, 2, 1])[0]

    return script, draw


async def forgetful(world, peer, draw, lasts_s):
    """Answers some of what is asked, late."""
    topics = set()

    def answer(said):
        if "sub" in said:
            said = {"sub": [text for text in said["sub"] if draw.random() < 0.7]}
        say_yes(peer, topics, said)

    await serve(world, peer, lasts_s=lasts_s, answer=answer, end=lambda peer: peer.end(1006, ""), topics=topics)


async def throws_out(peer):
    await accept(peer)
    peer.say({"error": "max connections", "code": 406, "floor_s": 5.0})
    await anyio.sleep(0.2)
    peer.end(1008, "max connections")


async def says_nothing(peer, lasts_s):
    await anyio.sleep(lasts_s)
    peer.end(1006)


async def trouble(world, draw):
    """Whatever else goes wrong, and a trader who changes his mind."""
    while anyio.current_time() < ROUGH_S:
        await anyio.sleep(draw.uniform(1, 40))
        match draw.randrange(4):
            case 0:
                world.is_core_stuck = not world.is_core_stuck
            case 1:
                fails = draw.random() < 0.5
                world.history_fails = lambda _question, fails=fails: "HTTP status 503" if fails else None
            case 2:
                world.connection.desire(["A", *draw.sample("BCDE", draw.randrange(4))])
            case 3:
                world.connection.reconnect(len(world.connects), "sequence broke")
    world.is_core_stuck = False
    world.history_fails = lambda _question: None
    world.connection.desire(["A"])


@pytest.mark.parametrize("seed", range(6))
def test_no_hole_is_silent(seed):
    script, draw = rough(seed)

    async def main():
        world = World(script, draw=draw.random, poll_s=0.5)
        async with world.running(["A"]):
            await trouble(world, draw)
            await anyio.sleep(CALM_S)
        return world

    world = run(main)
    first = min(n for text, n in world.live if topic_of(text).symbol == "A")
    assert world.missing("A", first, ROUGH_S + CALM_S - 2) == []
    assert set(world.live.values()) == {1}
    check_facts(world)


def check_facts(world):
    """Facts are of rising time, holes open once and close once, every connection ends before the next begins."""
    times = [fact.ts_recv_ns for fact in world.facts]
    assert times == sorted(times)
    is_open, is_connected, number = False, False, 0
    for fact in world.facts:
        match fact.action:
            case Do.CONNECTED:
                assert not is_connected
                is_connected, number = True, fact.count
            case Do.LOST:
                assert fact.count >= number
                is_connected = False
            case Do.GAP_OPENED if not fact.channel:
                assert not is_open
                is_open = True
            case Do.GAP_CLOSED if not fact.channel:
                assert is_open
                assert START_NS <= fact.from_ns < fact.to_ns
                is_open = False
    assert not is_open
    for before, after in zip(world.connects, world.connects[10:], strict=False):
        assert after - before > 59.9
    assert world.facts[-1].action is Do.ENDED


def test_what_is_told_of_a_topic_can_be_found_again():
    script, draw = rough(3)

    async def main():
        world = World(script, draw=draw.random)
        async with world.running(["A", "B"]):
            await anyio.sleep(300)
        return world

    told = run(main).told(Do.SUBSCRIBED)
    assert told
    assert {Topic(fact.channel, symbol).symbol for fact in told for symbol in fact.text.split()} <= {"A", "B"}
    assert all(fact.ts_recv_ns < START_NS + 301 * SECOND_NS for fact in told)
