"""A day written by hand, times in seconds after 2023-11-14 13:30 UTC, and the engine behind it."""

from pipeline.core.engine import Engine
from pipeline.core.world import order_at
from pipeline.simulator.handwritten import Day as Handwritten
from pipeline.simulator.handwritten import Derived, nano
from pipeline.units import NANO

__all__ = ["Derived", "nano"]
START_NS = 1_699_968_600 * NANO


class Day(Handwritten):
    def __init__(self, symbols=("AAA",), **steps):
        super().__init__(*symbols, starts_ns=START_NS, **steps)

    def run(self, plans, settings=None, size=None):
        """The engine after the day, and its derived rows by kind."""
        engine, derived = Engine(plans, settings), Derived()
        for batch in self.batches(size):
            derived.take(engine.reduce(batch))
        return engine, derived


def positions(engine):
    """The positions of all pairs, strategies in their order, then instruments."""
    return sorted(engine.world.positions[1:], key=lambda row: (row.strategy_id, row.instrument_id))


def open_orders(engine):
    """The open orders, oldest first."""
    return [order_at(engine.world, place) for place in range(1, engine.world.counts.open_orders + 1)]
