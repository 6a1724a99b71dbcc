"""Missing: what we hold by the log, and the broker does not have any more: somebody closed it there, or took the trade back.

What the broker says less what the log says is no event of ours to book: nobody knows at what price, or whether it comes back.
So positions stay as they are, nothing is entered in the instrument, and no more of it is closed than the broker has: an order
to close what is gone would open the other side. What an account held beside ours when we came is no part of it: closing ours
leaves that as it was. Danger: with strategies on both sides of one instrument only their sum is compared.
"""

from pipeline.core.instrument import InstrumentRow
from pipeline.core.orders import OrderRow, reduces_only, remaining_steps
from pipeline.core.world import World, order_at, position_of


def sum_steps(world: World, instrument_id: int) -> int:
    """What all strategies together hold of an instrument."""
    steps = 0
    for strategy_id in range(1, world.counts.strategies + 1):
        steps += position_of(world, strategy_id, instrument_id).quantity_steps
    return steps


def fold_difference(world: World, instrument: InstrumentRow, differs_steps: int) -> None:
    """The broker's position less that of the log is another one: what went from our side of it is missing."""
    held = sum_steps(world, instrument.instrument_id)
    went = instrument.differs_steps - differs_steps
    instrument.differs_steps = differs_steps
    side = 1 if held > 0 else -1
    there = max(0, (held + differs_steps) * side)
    missing = min(instrument.missing_steps + went * side, abs(held) - there)
    instrument.missing_steps = max(0, missing) if held != 0 else 0


def forget_what_is_closed(world: World, instrument: InstrumentRow) -> None:
    """Behind a fill: no more can be missing than is held."""
    if instrument.missing_steps > 0:
        held = abs(sum_steps(world, instrument.instrument_id))
        instrument.missing_steps = min(instrument.missing_steps, held)


def spare_steps(world: World, instrument: InstrumentRow, order_id: int) -> int:
    """Where something is missing: how much of what the broker has no order lies there to close but this one; negative: so much too many do."""
    held = sum_steps(world, instrument.instrument_id)
    spare = abs(held) - instrument.missing_steps
    for place in range(1, world.counts.open_orders + 1):
        order = order_at(world, place)
        if order.order_id != order_id and closes(order, instrument.instrument_id, held):
            spare -= remaining_steps(order)
    return spare


def closes(order: OrderRow, instrument_id: int, held_steps: int) -> bool:
    """Whether an order lies at the broker to close such a position."""
    is_there = order.instrument_id == instrument_id and not order.is_kept
    return is_there and reduces_only(order) and order.side * held_steps < 0
