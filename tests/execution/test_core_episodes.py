"""Seeded episodes of the reducer, the desk and a broker together, in which everything goes wrong: nothing is held twice, nothing stays unprotected.

`TAPE_SEEDS=100000 just test tests/execution/test_core_episodes.py` lives more of them.
"""

import os
import random

import pytest
from broker_world import STEPS
from core_world import CoreWorld, protected
from test_broker_episodes import CALM_S, mischief_of

from pipeline.simulator.trading.book import Manners
from pipeline.units import NANO

EPISODES = int(os.environ.get("TAPE_SEEDS", "300"))
CHUNKS = 10


def episode(broker, seed, *, has_person=False):
    draw = random.Random(seed)
    mischief = mischief_of(seed, draw)
    manners = Manners(
        parts=mischief.parts,
        step_nano=STEPS[broker],
        gap_ns=draw.randrange(1, 3 * NANO),
        cancel_ns=draw.choice([0, 0, NANO]),
        taker_ppm=0 if broker == "alpaca" else 6_000,
    )
    crashes = [draw.randrange(1, 120) for _ in range(draw.choice([0, 0, 1, 1, 2]))]
    world = CoreWorld(broker, seed, mischief=mischief, crash_at=crashes, manners=manners)
    price = 100
    for _ in range(draw.randrange(5, 25)):
        world.run(draw.expovariate(0.3 if has_person else 1.5))
        price += draw.choice([-2, -1, 0, 0, 1, 2])
        world.quote(price)
        if has_person:
            meddle(world, draw)
    world.calm()
    world.run(CALM_S)
    return world


def meddle(world, draw):
    held = world.position_steps
    if held > 0 and draw.random() < 0.2:
        world.take(draw.choice([held, max(1, held // 2)]))
    elif world.taken_steps and draw.random() < 0.2:
        world.take(-world.taken_steps)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_what_is_decided_is_held_once_and_protected(chunk):
    for seed in range(chunk, EPISODES, CHUNKS):
        broker = ("alpaca", "coinbase")[seed // CHUNKS % 2]
        try:
            world = episode(broker, seed)
            world.check()
            assert protected(world), "what is held has no stop, and nobody leaves it"
            world.flatten()
            world.run(CALM_S)
            world.check()
            assert world.position_steps == 0, "what is held was not closed"
            assert not world.book.open_orders(), "something works on"
        except AssertionError as error:
            error.add_note(f"seed {seed} at {broker}")
            raise


def test_what_a_person_takes_is_told_and_what_comes_back_is_protected_and_closed():
    """What fills before the difference was told may open the other side; what is sent behind it never does."""
    missed = 0
    for seed in (*range(20), 54):
        broker = ("alpaca", "coinbase")[seed // CHUNKS % 2]
        world = episode(broker, seed, has_person=True)
        instrument, position = world.engine.world.instruments[1], world.engine.world.positions[1]
        try:
            assert position.quantity_steps - world.taken_steps == world.position_steps
            assert instrument.differs_steps == -world.taken_steps
            missed += instrument.missing_steps > 0
            assert protected(world), "what is held, there or not, has no stop"
            if world.taken_steps:
                world.take(-world.taken_steps)
            world.run(CALM_S)
            assert instrument.missing_steps == 0
            assert protected(world)
            world.flatten()
            world.run(CALM_S)
            assert position.quantity_steps == world.position_steps == 0
            assert not world.book.open_orders()
            assert not world.blind, "an order that knew of it opened the other side"
        except AssertionError as error:
            error.add_note(f"seed {seed} at {broker}")
            raise
    assert missed > 3
