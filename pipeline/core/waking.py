"""Waking: when a stop has seen its price, where a trailing one stands, and what is sent of one that we keep ourselves.

Assumption: a stop is triggered by the quote it would trade against, and a trailing one follows the best such quote since it
arrived. Danger: venues trigger by prints, some by the last one whatever it was: a real stop goes off earlier, on one bad
print even.

A stop that we keep (`core.lifetime`) is seen to be triggered like any other and takes a latency to get to the venue then,
with a limit as far beyond the quote as the setting `price_collar_percent` lets an entry have. Where a stop has a limit of
its own, it keeps it. What falls further than that limit meanwhile is not sold: it rests there.
"""

from typing import Final

from pipeline.codes import OrderFlag, OrderReason, OrderType, Side
from pipeline.core.instrument import InstrumentRow, far_side_nano
from pipeline.core.ledger import cause_of, change_order
from pipeline.core.orders import STOPS, OrderRow
from pipeline.core.sizing import marketable_nano
from pipeline.core.world import World
from pipeline.units import ABSENT, INT64_MAX

_HELD: Final = OrderFlag.HELD_BY_US.value
_FAR: Final = INT64_MAX // 2
"""No price lies further: a distance may be added to it."""


def is_awake(world: World, order: OrderRow, instrument: InstrumentRow) -> bool:
    """Whether an order may trade: any that is no stop, or one whose trigger the quote has reached."""
    if order.order_type not in STOPS or order.is_triggered:
        return True
    far = far_side_nano(instrument, order.side)
    if far == ABSENT:
        return False
    if order.order_type == OrderType.TRAILING_STOP:
        order.trigger_nano = trailed_nano(order, far)
    order.is_triggered = order.trigger_nano != ABSENT and (far - order.trigger_nano) * order.side >= 0
    if order.is_triggered and order.flags & _HELD != 0:
        _send(world, order, instrument)
        return False
    return order.is_triggered


def trailed_nano(order: OrderRow, far_nano: int) -> int:
    """Where the trigger of a trailing stop is once the market was at a price: it only ever comes closer."""
    if not -_FAR < far_nano < _FAR:
        return order.trigger_nano
    level = far_nano + order.side * order.trail_nano
    if order.trigger_nano == ABSENT:
        return level
    return min(order.trigger_nano, level) if order.side == Side.BUY else max(order.trigger_nano, level)


def _send(world: World, order: OrderRow, instrument: InstrumentRow) -> None:
    """A stop of ours goes to the venue as a limit order."""
    if order.order_type != OrderType.STOP_LIMIT:
        order.order_type = OrderType.STOP_LIMIT
        order.limit_nano = marketable_nano(instrument, order.side, world.settings.price_collar_percent)
    order.is_at_venue = False
    order.ts_arrival_ns = world.clock.now_ns + world.settings.latency_ns
    world.counts.next_arrival_ns = min(world.counts.next_arrival_ns, order.ts_arrival_ns)
    change_order(world, order, order.state, cause_of(order), OrderReason.TRIGGERED)
