"""Ledger: every change of an order or a position is written here, and told to its strategy."""

from pipeline.codes import Kind, Liquidity, OrderReason, OrderState
from pipeline.core.dialect import NANO_FLOAT, is_nano, nano_of, price_of, size_of
from pipeline.core.instrument import InstrumentRow, unit_value
from pipeline.core.market import Fill, OrderUpdate
from pipeline.core.orders import OrderRow, is_final, move, reduces_only, remaining_steps
from pipeline.core.portfolio import PositionRow, apply_fill, expect, start_day
from pipeline.core.tape import ROWS, Place
from pipeline.core.world import Fact, World


def enlist(world: World, order: OrderRow) -> None:
    """Count an order among the open ones."""
    world.orders.append(order)
    _count(world, order, 1)


def _delist(world: World, order: OrderRow) -> None:
    world.orders.remove(order)
    _count(world, order, -1)


def _count(world: World, order: OrderRow, change: int) -> None:
    world.instruments[order.instrument_id].open_orders += change
    position = world.position(order.strategy_id, order.instrument_id)
    position.open_orders += change
    if not reduces_only(order):
        position.entry_orders += change
        expect(position, order.side, change * remaining_steps(order))


def change_order(
    world: World, order: OrderRow, after: OrderState, cause: Place, reason: OrderReason = OrderReason.NONE
) -> Place:
    """Move an order to a state; write it and tell its strategy. A final state takes it off the list."""
    move(order, after)
    place = world.tape.write(Kind.ORDER, order.instrument_id, cause, _order_row(order, reason))
    if after == OrderState.CANCEL_PENDING and order.cancel_seq == 0:
        order.cancel_seq, order.cancel_ord = place  # a fill that still comes is caused by the order, not by its cancel
    else:
        order.cause_seq, order.cause_ord = place
    if is_final(order) and order in world.orders:
        _delist(world, order)
    world.facts.append(Fact("on_order", order.strategy_id, order.instrument_id, _update(world, order, reason), place))
    return place


def reduce_order(world: World, order: OrderRow, steps: int, cause: Place) -> None:
    """Make an order smaller; one that would have nothing left to fill is cancelled."""
    if remaining_steps(order) <= steps:
        change_order(world, order, OrderState.CANCELLED, cause, OrderReason.VENUE)
    else:
        order.quantity_steps -= steps
        came_from = order.cause_seq, order.cause_ord
        change_order(world, order, order.state, cause, OrderReason.VENUE)
        order.cause_seq, order.cause_ord = came_from  # what it still fills is caused by the order, not by its shrinking


def fill_order(world: World, order: OrderRow, price_nano: int, steps: int, liquidity: Liquidity) -> Place:
    """Execute a part of an order: fill, order, position and money, each written, in this order."""
    instrument = world.instruments[order.instrument_id]
    position = world.position(order.strategy_id, order.instrument_id)
    fee_nano = nano_of(_fee(world, instrument, price_nano, steps))
    world.account.fill_id_last += 1
    start_day(world.account, world.clock.now_ns)
    row = ROWS[Kind.FILL](
        strategy_id=order.strategy_id,
        order_id=order.order_id,
        fill_id=world.account.fill_id_last,
        side=order.side,
        price_nano=price_nano,
        quantity_steps=steps,
        fee_nano=fee_nano,
        liquidity=liquidity,
        bid_nano=instrument.bid_nano,
        ask_nano=instrument.ask_nano,
        tag=order.tag,
    )
    place = world.tape.write(Kind.FILL, order.instrument_id, Place(order.cause_seq, order.cause_ord), row)
    apply_fill(position, world.account, instrument, order.side, price_nano, steps, fee_nano)
    order.filled_steps += steps
    if not reduces_only(order):
        expect(position, order.side, -steps)
    fill = _fill(world, order, price_nano, steps, fee_nano, position)
    world.facts.append(Fact("on_fill", order.strategy_id, order.instrument_id, fill, place))
    change_order(world, order, _state_after_fill(order), place)
    world.tape.write(Kind.POSITION, order.instrument_id, place, _position_row(world, position))
    return place


def is_chargeable(world: World, order: OrderRow, price_nano: int, steps: int) -> bool:
    """Whether the fee of such an execution fits its column."""
    return is_nano(_fee(world, world.instruments[order.instrument_id], price_nano, steps))


def _state_after_fill(order: OrderRow) -> OrderState:
    if remaining_steps(order) == 0:
        return OrderState.FILLED
    is_leaving = order.state == OrderState.CANCEL_PENDING
    return OrderState.CANCEL_PENDING if is_leaving else OrderState.PARTIALLY_FILLED


def _fee(world: World, instrument: InstrumentRow, price_nano: int, steps: int) -> float:
    quantity = size_of(steps, instrument.size_step_nano)
    amount = price_of(price_nano) * (float(steps) * unit_value(instrument))
    return quantity * world.settings.fee_per_unit + amount * (world.settings.fee_bps / 10_000.0)


def _order_row(order: OrderRow, reason: OrderReason) -> tuple[object, ...]:
    row: tuple[object, ...] = ROWS[Kind.ORDER](
        strategy_id=order.strategy_id,
        order_id=order.order_id,
        state=order.state,
        reason=reason,
        side=order.side,
        order_type=order.order_type,
        time_in_force=order.time_in_force,
        flags=order.flags,
        quantity_steps=order.quantity_steps,
        filled_steps=order.filled_steps,
        limit_nano=order.limit_nano,
        trigger_nano=order.trigger_nano,
        parent_order_id=order.parent_order_id,
        tag=order.tag,
    )
    return row


def _position_row(world: World, position: PositionRow) -> tuple[object, ...]:
    row: tuple[object, ...] = ROWS[Kind.POSITION](
        strategy_id=position.strategy_id,
        quantity_steps=position.quantity_steps,
        average_price=position.average_price,
        realized=position.realized,
        fees=position.fees,
        cash=world.account.cash,
    )
    return row


def _update(world: World, order: OrderRow, reason: OrderReason) -> OrderUpdate:
    step_nano = world.instruments[order.instrument_id].size_step_nano
    return OrderUpdate(
        ts_event_ns=world.clock.now_ns,
        ts_recv_ns=world.clock.now_ns,
        instrument_id=order.instrument_id,
        origin=0,
        order_id=order.order_id,
        state=order.state,
        reason=reason,
        side=order.side,
        flags=order.flags,
        quantity=size_of(order.quantity_steps, step_nano),
        filled=size_of(order.filled_steps, step_nano),
        tag=order.tag,
    )


def _fill(world: World, order: OrderRow, price_nano: int, steps: int, fee_nano: int, position: PositionRow) -> Fill:
    step_nano = world.instruments[order.instrument_id].size_step_nano
    return Fill(
        ts_event_ns=world.clock.now_ns,
        ts_recv_ns=world.clock.now_ns,
        instrument_id=order.instrument_id,
        origin=0,
        order_id=order.order_id,
        side=order.side,
        flags=order.flags,
        price=price_of(price_nano),
        quantity=size_of(steps, step_nano),
        fee=float(fee_nano) / NANO_FLOAT,
        position=size_of(position.quantity_steps, step_nano),
        tag=order.tag,
    )
