"""Missing: what we hold by the log, and the broker does not have any more: somebody closed it there, or took the trade back.

What the broker says less what the log says is no event of ours to book: nobody knows at what price, or whether it comes back.
So positions stay as they are, nothing is entered in the instrument, and no more of it is closed than the broker has: an order
to close what is gone would open the other side. What an account held beside ours when we came is no part of it: closing ours
leaves that as it was. Danger: with strategies on both sides of one instrument only their sum is compared, and only who closes
the larger side is held back.
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
    """The broker's position less that of the log is another one. What is more on our side than ever was so is somebody's own."""
    held = sum_steps(world, instrument.instrument_id)
    instrument.differs_steps = differs_steps
    if (differs_steps - instrument.beside_steps) * held > 0:
        instrument.beside_steps = differs_steps
    count_missing(world, instrument)


def count_missing(world: World, instrument: InstrumentRow) -> None:
    """What went from our side since we hold it, and of that what the broker's position lacks; behind each fill too."""
    instrument_id = instrument.instrument_id
    held, side = sum_steps(world, instrument_id), 0
    if held != 0:
        side = 1 if held > 0 else -1
    elif not _is_held(world, instrument_id):  # what is there now was there when we come
        instrument.beside_steps = instrument.differs_steps
    there = max(0, (held + instrument.differs_steps) * side)
    went = (instrument.beside_steps - instrument.differs_steps) * side
    instrument.missing_steps = max(0, min(went, abs(held) - there))


def forget_broker(instrument: InstrumentRow) -> None:
    """Nobody but us fills from here on: nothing can be missing, and nobody would say that it is back."""
    instrument.differs_steps = instrument.beside_steps = instrument.missing_steps = 0


def _is_held(world: World, instrument_id: int) -> bool:
    """Whether any strategy holds an instrument: two of them may hold as much of both sides."""
    for strategy_id in range(1, world.counts.strategies + 1):
        if position_of(world, strategy_id, instrument_id).quantity_steps != 0:
            return True
    return False


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
