"""Filling: what an execution, and the end of an order, bring with them, whichever model of the venue made it.

Assumption: an order that may only reduce, and the two that protect an entry, are kept in step by the venue itself, at the
moment of an execution. Danger: two orders at a real broker can both fill before the one hears of the other.

Of the two orders that protect an entry, one that fills makes the other as much smaller; together they never close more
than their entry filled.
"""

from typing import Final

from pipeline.codes import OrderFlag, OrderReason, OrderState, TimeInForce
from pipeline.core.desk import protect, request_cancel
from pipeline.core.ledger import cause_of, change_order, fill_order, is_chargeable, reduce_order
from pipeline.core.operator import close_again
from pipeline.core.orders import OrderRow, is_beside, is_final, reduces_only, remaining_steps
from pipeline.core.settings import SIMULATED
from pipeline.core.tape import Place
from pipeline.core.world import World, order_at, place_after, position_of

_ONE_CANCELS_OTHER: Final = OrderFlag.ONE_CANCELS_OTHER.value


def wanted_steps(world: World, order: OrderRow) -> int:
    """What is left to fill; of an order that may only reduce, no more than there is to reduce."""
    left = remaining_steps(order)
    if not reduces_only(order):
        return left
    if order.parent_order_id != 0:
        for place in range(1, world.counts.open_orders + 1):
            other = order_at(world, place)
            if other.order_id == order.parent_order_id:
                left -= remaining_steps(other)
    held = position_of(world, order.strategy_id, order.instrument_id).quantity_steps
    return max(0, min(left, -held * order.side))


def fill(world: World, order: OrderRow, price_nano: int, steps: int, liquidity: int) -> None:
    """Execute, protect what was entered, and drop what has nothing left to protect or to reduce."""
    if not is_chargeable(world, order, price_nano, steps, liquidity):
        cancel(world, order, cause_of(order), OrderReason.UNSUPPORTED)
        return
    cause = fill_order(world, order, price_nano, steps, liquidity)
    held = position_of(world, order.strategy_id, order.instrument_id).quantity_steps
    if not reduces_only(order) and held != 0:
        if not _is_protected(world, order.order_id):
            protect(world, order, order.quantity_steps, cause)
        if order.is_unwanted or world.account.is_halted:
            close_again(world, order.strategy_id, order.instrument_id, cause)
    if order.parent_order_id != 0:
        _reduce_legs(world, order.parent_order_id, order.order_id, steps, cause)
    elif order.flags & _ONE_CANCELS_OTHER != 0:
        cancel_others(world, order, cause)
    drop_needless(world, order, held, cause)


def _is_protected(world: World, entry_id: int) -> bool:
    """Whether what protects an entry stands already: the venue keeps it as large as what the entry filled."""
    for place in range(1, world.counts.open_orders + 1):
        order = order_at(world, place)
        if order.parent_order_id == entry_id:
            return True
    return False


def _reduce_legs(world: World, entry_id: int, spared_id: int, steps: int, cause: Place) -> None:
    """Make the open orders that protect an entry smaller, but for one of them."""
    place = 1
    while place <= world.counts.open_orders:
        leg = order_at(world, place)
        leg_id = leg.order_id
        if leg.parent_order_id == entry_id and leg_id != spared_id:
            reduce_order(world, leg, steps, cause)
        place = place_after(world, place, leg_id)


def cancel_others(world: World, filled: OrderRow, cause: Place) -> None:
    """Send cancels after the other orders of its tag: no venue ties them together, so they take as long as any cancel."""
    place = 1
    while place <= world.counts.open_orders:
        other = order_at(world, place)
        other_id = other.order_id
        is_other = other.flags & _ONE_CANCELS_OTHER != 0 and other.parent_order_id == 0 and other.tag == filled.tag
        if (
            is_other
            and is_beside(other, filled)
            and other_id != filled.order_id
            and other.state != OrderState.CANCEL_PENDING
        ):
            request_cancel(world, other, cause, OrderReason.ONE_CANCELS_OTHER)
        place = place_after(world, place, other_id)


def drop_needless(world: World, filled: OrderRow, held: int, cause: Place) -> None:
    """Cancel what has nothing left to reduce, and the entry whose protection filled: a broker is asked to."""
    place = 1
    while place <= world.counts.open_orders:
        other = order_at(world, place)
        other_id = other.order_id
        is_idle = reduces_only(other) and held * other.side >= 0 and remaining_steps(other) > 0
        if is_beside(other, filled) and (is_idle or other_id == filled.parent_order_id):
            if is_idle and world.settings.execution == SIMULATED:
                change_order(world, other, OrderState.CANCELLED, cause, OrderReason.VENUE)
            elif other.state != OrderState.CANCEL_PENDING:
                request_cancel(world, other, cause, OrderReason.VENUE)
        place = place_after(world, place, other_id)


def expire_immediate(world: World, order: OrderRow, reason: int) -> None:
    """End what may not wait."""
    if order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK) and not is_final(order):
        cancel(world, order, cause_of(order), reason)


def cancel(world: World, order: OrderRow, cause: Place, reason: int) -> None:
    """End an order; what protects an entry shrinks to what it filled."""
    _end(world, order, OrderState.CANCELLED, cause, reason)


def expire(world: World, order: OrderRow) -> None:
    """End an order whose time is over, as `cancel` does."""
    _end(world, order, OrderState.EXPIRED, cause_of(order), OrderReason.TIME_IN_FORCE)


def _end(world: World, order: OrderRow, after: int, cause: Place, reason: int) -> None:
    place = change_order(world, order, after, cause, reason)
    _reduce_legs(world, order.order_id, 0, remaining_steps(order), place)
