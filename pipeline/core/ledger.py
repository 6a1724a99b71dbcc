"""Ledger: every change of an order or a position is written here, and told to its strategy."""

from pipeline.codes import OrderReason, OrderState
from pipeline.core.arbitration import count_place
from pipeline.core.dialect import NANO_FLOAT, is_nano, nano_of, price_of, size_of
from pipeline.core.fees import count_commission, fee_of
from pipeline.core.instrument import InstrumentRow
from pipeline.core.orders import OrderRow, is_final, move, reduces_only, remaining_steps
from pipeline.core.portfolio import PositionRow, apply_fill, expect, holds, start_day
from pipeline.core.tables import claim, close_gap
from pipeline.core.tape import Place, new_row, put
from pipeline.core.telling import is_venues, keep_view, new_report
from pipeline.core.world import ON_FILL, ON_ORDER, World, input_place, order_at, position_of


def enlist(world: World, order: OrderRow) -> None:
    """Count an order among the open ones."""
    counts = world.counts
    counts.open_orders += 1
    claim(world.open_orders, counts.open_orders).slot = order.slot
    order.is_open = True
    _count(world, order, 1)


def _delist(world: World, order: OrderRow) -> None:
    counts = world.counts
    place = 1
    while order_at(world, place).order_id != order.order_id:
        place += 1
    close_gap(world.open_orders, place, counts.open_orders)
    counts.open_orders -= 1
    order.is_open = False
    _count(world, order, -1)


def _count(world: World, order: OrderRow, change: int) -> None:
    world.instruments[order.instrument_id].open_orders += change
    position = position_of(world, order.strategy_id, order.instrument_id)
    position.open_orders += change
    if not reduces_only(order):
        did_hold = holds(position)
        position.entry_orders += change
        count_place(world, position, did_hold)
        expect(position, order.side, change * remaining_steps(order))


def change_order(world: World, order: OrderRow, after: int, cause: Place, reason: int = OrderReason.NONE) -> Place:
    """Move an order to a state; write it and tell its strategy. A final state takes it off the list."""
    move(order, after)
    place = _write_order(world, order, reason, cause)
    if after == OrderState.CANCEL_PENDING and order.cancel_seq == 0:
        order.cancel_seq = place.seq  # a fill that still comes is caused by the order, not by its cancel
        order.cancel_ord = place.ord
    else:
        order.cause_seq = place.seq
        order.cause_ord = place.ord
    _entered(world, order, reason, place)
    return place


def _entered(world: World, order: OrderRow, reason: int, place: Place) -> None:
    """An order is in another state: a final one takes it off the list, and its strategy is told."""
    if is_final(order) and order.is_open:
        _delist(world, order)
    _tell_order(world, order, reason, place)


def reduce_order(world: World, order: OrderRow, steps: int, cause: Place) -> None:
    """Make an order smaller; one that would have nothing left to fill is cancelled."""
    if remaining_steps(order) <= steps:
        change_order(world, order, OrderState.CANCELLED, cause, OrderReason.VENUE)
    else:
        order.quantity_steps -= steps
        came_from = cause_of(order)
        change_order(world, order, order.state, cause, OrderReason.VENUE)
        order.cause_seq = came_from.seq  # what it still fills is caused by the order, not by its shrinking
        order.cause_ord = came_from.ord


def cause_of(order: OrderRow) -> Place:
    """The place of the row that brought an order where it is."""
    return Place(order.cause_seq, order.cause_ord)


def fill_order(world: World, order: OrderRow, price_nano: int, steps: int, liquidity: int) -> Place:
    """Execute a part of an order: fill, order, position and money, each written, in this order."""
    fee_nano = nano_of(fee_of(world, order, price_nano, steps, liquidity))
    count_commission(world, order, price_nano, steps, liquidity)
    world.account.fill_id_last += 1
    start_day(world.account, world.clock.now_ns)
    instrument = world.instruments[order.instrument_id]
    place = _write_fill(world, order, instrument, price_nano, steps, fee_nano, liquidity)
    position = _book(world, order, price_nano, steps, fee_nano, place)
    change_order(world, order, _state_after_fill(order), place)
    _write_position(world, order.instrument_id, position, place)
    return place


def _book(world: World, order: OrderRow, price_nano: int, steps: int, fee_nano: int, place: Place) -> PositionRow:
    """Position and money move by an execution whose row is at `place`, and its strategy is told; gives the position."""
    instrument = world.instruments[order.instrument_id]
    position = position_of(world, order.strategy_id, order.instrument_id)
    did_hold = holds(position)
    keep_view(world, position)
    cash = world.account.cash
    apply_fill(position, world.account, instrument, order.side, price_nano, steps, fee_nano, world.clock.now_ns)
    count_place(world, position, did_hold)
    order.filled_steps += steps
    if not reduces_only(order):
        expect(position, order.side, -steps)
    _tell_fill(world, order, instrument, position, price_nano, steps, fee_nano, place, cash)
    return position


def fold_order(world: World, order: OrderRow, after: int, reason: int) -> None:
    """A broker says that an order is in a state: its word is the row, so none is written."""
    place = input_place(world)
    move(order, after)
    order.cause_seq = place.seq
    order.cause_ord = place.ord
    _entered(world, order, reason, place)


def fold_fill(world: World, order: OrderRow, price_nano: int, steps: int, fee_nano: int) -> None:
    """A broker says that a part of an order was executed: position and money move; the state of the order it says besides."""
    place = input_place(world)
    world.account.fill_id_last += 1
    start_day(world.account, world.clock.now_ns)
    position = _book(world, order, price_nano, steps, fee_nano, place)
    _write_position(world, order.instrument_id, position, place)


def book_stray(
    world: World, strategy_id: int, instrument_id: int, side: int, price_nano: int, steps: int, fee_nano: int
) -> None:
    """A broker says that something was executed of an order that is over, or was none: position and money move, and nobody is told."""
    world.account.fill_id_last += 1
    start_day(world.account, world.clock.now_ns)
    position = position_of(world, strategy_id, instrument_id)
    did_hold = holds(position)
    instrument = world.instruments[instrument_id]
    apply_fill(position, world.account, instrument, side, price_nano, steps, fee_nano, world.clock.now_ns)
    count_place(world, position, did_hold)
    _write_position(world, instrument_id, position, input_place(world))


def is_chargeable(world: World, order: OrderRow, price_nano: int, steps: int, liquidity: int) -> bool:
    """Whether the fee of such an execution fits its column."""
    return is_nano(fee_of(world, order, price_nano, steps, liquidity))


def _state_after_fill(order: OrderRow) -> int:
    if remaining_steps(order) == 0:
        return OrderState.FILLED
    is_leaving = order.state == OrderState.CANCEL_PENDING
    return OrderState.CANCEL_PENDING if is_leaving else OrderState.PARTIALLY_FILLED


def _write_order(world: World, order: OrderRow, reason: int, cause: Place) -> Place:
    row = new_row(world.tape, world.tape.orders)
    row.strategy_id = order.strategy_id
    row.order_id = order.order_id
    row.state = order.state
    row.reason = reason
    row.side = order.side
    row.order_type = order.order_type
    row.time_in_force = order.time_in_force
    row.flags = order.flags
    row.quantity_steps = order.quantity_steps
    row.filled_steps = order.filled_steps
    row.limit_nano = order.limit_nano
    row.trigger_nano = order.trigger_nano
    row.trail_nano = order.trail_nano
    row.expires_ns = order.expires_ns
    row.parent_order_id = order.parent_order_id
    row.tag = order.tag
    return put(world.clock, row, order.instrument_id, cause)


def _write_fill(
    world: World,
    order: OrderRow,
    instrument: InstrumentRow,
    price_nano: int,
    steps: int,
    fee_nano: int,
    liquidity: int,
) -> Place:
    row = new_row(world.tape, world.tape.fills)
    row.strategy_id = order.strategy_id
    row.order_id = order.order_id
    row.fill_id = world.account.fill_id_last
    row.side = order.side
    row.price_nano = price_nano
    row.quantity_steps = steps
    row.fee_nano = fee_nano
    row.liquidity = liquidity
    row.bid_nano = instrument.bid_nano
    row.ask_nano = instrument.ask_nano
    row.tag = order.tag
    return put(world.clock, row, order.instrument_id, cause_of(order))


def _write_position(world: World, instrument_id: int, position: PositionRow, cause: Place) -> None:
    row = new_row(world.tape, world.tape.positions)
    row.strategy_id = position.strategy_id
    row.quantity_steps = position.quantity_steps
    row.average_price = position.average_price
    row.realized = position.realized
    row.fees = position.fees
    row.cash = world.account.cash
    put(world.clock, row, instrument_id, cause)


def _tell_order(world: World, order: OrderRow, reason: int, place: Place) -> None:
    step_nano = world.instruments[order.instrument_id].size_step_nano
    fact = new_report(world, ON_ORDER, order, place, is_venues(order.state))
    fact.order_id = order.order_id
    fact.state = order.state
    fact.reason = reason
    fact.side = order.side
    fact.flags = order.flags
    fact.quantity = size_of(order.quantity_steps, step_nano)
    fact.filled = size_of(order.filled_steps, step_nano)
    fact.tag = order.tag


def _tell_fill(
    world: World,
    order: OrderRow,
    instrument: InstrumentRow,
    position: PositionRow,
    price_nano: int,
    steps: int,
    fee_nano: int,
    place: Place,
    cash_before: float,
) -> None:
    fact = new_report(world, ON_FILL, order, place, True)
    fact.order_id = order.order_id
    fact.side = order.side
    fact.flags = order.flags
    fact.price = price_of(price_nano)
    fact.quantity = size_of(steps, instrument.size_step_nano)
    fact.fee = float(fee_nano) / NANO_FLOAT
    fact.position = size_of(position.quantity_steps, instrument.size_step_nano)
    fact.tag = order.tag
    if world.settings.latency_back_ns > 0:
        fact.steps = order.side * steps
        fact.average_price = position.average_price
        fact.cash = world.account.cash - cash_before
        position.untold_steps += fact.steps
        world.account.untold_cash += fact.cash
