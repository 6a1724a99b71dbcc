"""Seeded episodes in which everything goes wrong between a desk and a broker: no order twice, none forgotten, no fill lost or made.

`TAPE_SEEDS=100000 just test tests/execution/test_broker_episodes.py` lives more of them.
"""

import os
import random

import pytest
from broker_world import World

from pipeline.codes import OrderType, Side
from pipeline.simulator.trading.book import Manners
from pipeline.simulator.trading.mischief import Mischief, Mishap
from pipeline.units import NANO

EPISODES = int(os.environ.get("TAPE_SEEDS", "10000"))
CHUNKS = 20
ROUGH_S = 15
CALM_S = 70
"""Longer than a request that is under way, a restart, and the proof that an order was never sent."""


def mischief_of(seed, draw):
    """Each episode has its own: often a single thing goes wrong again and again, sometimes a little of everything."""
    kinds = [draw.choice(list(Mishap))] if draw.random() < 0.4 else list(Mishap)
    odds = {kind: draw.uniform(0, 0.5 if len(kinds) == 1 else 0.08) for kind in kinds}
    odds[Mishap.PARTIAL_FILLS] = draw.random()
    return Mischief(seed, odds)


def episode(broker, seed):
    draw = random.Random(seed)
    mischief = mischief_of(seed, draw)
    manners = Manners(
        parts=mischief.parts,
        step_nano=NANO if broker == "alpaca" else 10_000_000,
        gap_ns=draw.randrange(1, 3 * NANO),
        cancel_ns=draw.choice([0, 0, NANO]),
        taker_ppm=0 if broker == "alpaca" else 6_000,
    )
    crashes = [draw.randrange(1, 60) for _ in range(draw.choice([0, 0, 1, 1, 2]))]
    world = World(broker, seed, mischief=mischief, crash_at=crashes, manners=manners)
    for _ in range(draw.randrange(1, 4)):
        world.run(draw.uniform(0, ROUGH_S / 3))
        side = draw.choice([Side.BUY, Side.SELL])
        type_ = draw.choice([OrderType.MARKET, OrderType.LIMIT])
        limit = draw.randrange(97, 104) if type_ is OrderType.LIMIT else None
        id_ = world.submit(side, type_, draw.randrange(1, 12), limit)
        if draw.random() < 0.4:
            world.at(draw.uniform(0, 4), world.cancel, id_)
        world.at(draw.uniform(0, 8), world.quote, draw.randrange(97, 104))
    world.run(ROUGH_S)
    world.calm()
    world.run(CALM_S)
    return world


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_order_is_sent_twice_and_none_is_forgotten(chunk):
    for seed in range(chunk, EPISODES, CHUNKS):
        broker = ("alpaca", "coinbase")[seed // CHUNKS % 2]
        try:
            episode(broker, seed).check()
        except AssertionError as error:
            error.add_note(f"seed {seed} at {broker}")
            raise
