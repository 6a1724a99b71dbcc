"""Short sales: while they are restricted, none takes the bid.

Assumption: a restricted short sale fills only after it was displayed above the bid, when the bid comes up to it (Regulation
SHO, rule 201(b)(1)(iii)(A)); the venue does not reprice it, it waits. Danger: many venues do reprice to a tick above the bid,
where it fills sooner; and a sale that is partly of shares that are held counts as short as a whole. Whether somebody lends
the shares is asked by the risk gate alone.
"""

from pipeline.codes import Side
from pipeline.core.instrument import InstrumentRow
from pipeline.core.orders import LIMITS, OrderRow, reduces_only, remaining_steps
from pipeline.core.world import World, position_of
from pipeline.hours import Calendar


def is_barred(world: World, order: OrderRow, instrument: InstrumentRow) -> bool:
    """Whether an order is a restricted short sale that was never displayed above the bid."""
    if not instrument.is_short_restricted or instrument.calendar != Calendar.SHARES:
        return False
    if order.side != Side.SELL or reduces_only(order) or (order.order_type in LIMITS and order.is_resting):
        return False
    return remaining_steps(order) > max(0, position_of(world, order.strategy_id, order.instrument_id).quantity_steps)
