"""Repeating: recorded wishes put into an engine again, at the input at which they were wished.

They go the way of every wish, through arbitration and the risk gate to the venue, in one round behind what the input itself
caused. Nothing else is asked of strategies: who repeats has none that handle anything.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core import step
from pipeline.core.context import WISH
from pipeline.core.engine import Engine
from pipeline.core.tables import claim


class Wish(NamedTuple):
    """One wish, in the floats of the verbs; NaN where there is none, and for an exit's quantity: all of it."""

    strategy_id: int
    instrument_id: int
    is_engines: bool
    action: int
    side: int
    order_type: int
    time_in_force: int
    flags: int
    quantity: float
    limit: float
    trigger: float
    trail: float
    stop_loss: float
    take_profit: float
    rank_score: float
    tag: int
    expires_ns: int
    order_id: int


def repeat(engine: Engine, wishes: Sequence[Wish]) -> None:
    """Wish again, behind the last input; what comes of it is handed over with the rows of the next."""
    world, clock = engine.world, engine.world.clock
    clock.round += 1
    for wish in wishes:
        world.counts.outputs += 1
        output = claim(world.outputs, world.counts.outputs)
        output.kind = WISH
        for name, value in wish._asdict().items():
            setattr(output, name, value)
        output.cause_seq, output.cause_ord = clock.seq, 0
    step.finish(world, engine.cells)
