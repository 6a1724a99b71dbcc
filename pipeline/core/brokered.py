"""Brokered: orders that a broker executes. What it says is folded; nothing fills here, and what only we can do is done here.

Assumption: a broker knows no order that reduces only, keeps stops for shares in regular hours, and ties no two orders
together. So an entry is protected fill by fill: a stop at the broker for each, the target kept here until the market is
there. Who leaves (an exit, a target whose price was seen) has what protects cancelled and goes once the broker confirms, for
no more than there is left; a stop that made room comes back behind it. Danger: between the two the position is protected by
this process alone, as it is where a broker refuses a stop or ends it by itself: such a stop is kept here. A target is reached
later than one that rests at the venue.

What can't follow on the state an order is in is not believed. A fill of an order that is not open, or of more than was
ordered, happened all the same: it moves the position where the order is still known, and it halts the account until a person
has looked (`tape halt --reset`).
"""

from typing import Final

from pipeline.codes import OrderFlag, OrderReason, OrderState, OrderType, Side, TimeInForce
from pipeline.core.desk import (
    can_make_room,
    is_left,
    launch,
    launch_again,
    make_room,
    protect,
    request_cancel,
    room_steps,
)
from pipeline.core.filling import cancel_others, drop_needless
from pipeline.core.instrument import InstrumentRow, far_side_nano
from pipeline.core.ledger import book_stray, fold_fill, fold_order, reduce_order
from pipeline.core.lifetime import may_trade
from pipeline.core.market import BrokerFill, BrokerOrder
from pipeline.core.missing import closes, count_missing, fold_difference, spare_steps, sum_steps
from pipeline.core.operator import close_again
from pipeline.core.orders import (
    ALLOWED,
    STANDS_BY,
    OrderRow,
    is_final,
    is_of,
    is_within_limit,
    rank_of,
    reduces_only,
    remaining_steps,
)
from pipeline.core.portfolio import expect
from pipeline.core.settings import SIMULATED
from pipeline.core.sizing import marketable_nano
from pipeline.core.tape import Place
from pipeline.core.waking import trailed_nano
from pipeline.core.world import World, input_place, is_defined, order_at, place_after, position_of
from pipeline.units import ABSENT

_STOP_LEG: Final = OrderFlag.BRACKET_STOP.value
_EXTENDED: Final = OrderFlag.EXTENDED_HOURS.value
_TARGET: Final = OrderFlag.BRACKET_TARGET.value
_ONE_CANCELS_OTHER: Final = OrderFlag.ONE_CANCELS_OTHER.value


def hear_order(world: World, word: BrokerOrder) -> None:
    """A broker says that an order is in a state."""
    place = _place_of(world, word.order_id)
    if place == 0:
        return
    order = order_at(world, place)
    if ALLOWED[order.state] >> word.state & 1 == 0:
        return
    was_asked = order.state == OrderState.CANCEL_PENDING
    fold_order(world, order, word.state, word.reason)
    if is_final(order):
        release(world, order.strategy_id, order.instrument_id, input_place(world))
        if word.state != OrderState.FILLED and order.flags & _STOP_LEG != 0:
            _protect_again(world, order, was_asked)
        _divide_what_is_left(world, order.instrument_id)
    elif (
        was_asked and order.state != OrderState.CANCEL_PENDING
    ):  # the broker keeps it: whoever waits for its room asks again
        release(world, order.strategy_id, order.instrument_id, input_place(world))
        _divide_what_is_left(world, order.instrument_id)


def _protect_again(world: World, stop: OrderRow, was_asked: bool) -> None:  # noqa: FBT001  # the dialect has no keyword-only arguments without a default
    """A stop that made room comes back; one that the broker refuses or ends by itself is kept here from now on."""
    held = position_of(world, stop.strategy_id, stop.instrument_id).quantity_steps
    if -held * stop.side <= 0 or (was_asked and not stop.is_evicted):
        return
    if not stop.is_evicted:
        stop.flags |= OrderFlag.HELD_BY_US.value
    launch_again(world, stop, remaining_steps(stop), input_place(world))


def hear_fill(world: World, word: BrokerFill) -> None:
    """A broker says that a part of an order was executed."""
    place = _place_of(world, word.order_id)
    if place == 0 or word.quantity_steps <= 0:
        _hear_stray(world, word)
        return
    order, cause = order_at(world, place), input_place(world)
    beyond = word.quantity_steps - remaining_steps(order)
    if beyond > 0:
        order.quantity_steps += beyond
        if not reduces_only(order):
            expect(position_of(world, order.strategy_id, order.instrument_id), order.side, beyond)
        _halt(world)
    fold_fill(world, order, word.price_nano, word.quantity_steps, word.fee_nano)
    held = position_of(world, order.strategy_id, order.instrument_id).quantity_steps
    if not reduces_only(order) and held != 0:
        protect(world, order, word.quantity_steps, cause)
        if order.is_unwanted or world.account.is_halted:
            close_again(world, order.strategy_id, order.instrument_id, cause)
    if order.parent_order_id != 0:
        _shrink_kept(world, order, word.quantity_steps, cause)
    elif order.flags & _ONE_CANCELS_OTHER != 0:
        cancel_others(world, order, cause)
    drop_needless(world, order, held, cause)
    _miss_anew(world, order.instrument_id)
    release(world, order.strategy_id, order.instrument_id, cause)


def hear_difference(world: World, instrument_id: int, differs_steps: int) -> None:
    """A broker has another position than the log. What lies there to close what is gone is cancelled; stops come back for what is left."""
    if world.settings.execution == SIMULATED or not is_defined(world, instrument_id):
        return
    instrument = world.instruments[instrument_id]
    missed_steps = instrument.missing_steps
    fold_difference(world, instrument, differs_steps)
    if instrument.missing_steps > 0:
        _take_back(world, instrument)
    _release_all(world, instrument_id)
    if world.account.is_halted and instrument.missing_steps < missed_steps:  # who was to close it found less
        for strategy_id in range(1, world.counts.strategies + 1):
            if position_of(world, strategy_id, instrument_id).quantity_steps != 0:
                close_again(world, strategy_id, instrument_id, input_place(world))


def _take_back(world: World, instrument: InstrumentRow) -> None:
    """Have cancelled what closes more than there is: who goes last first, and of those the youngest."""
    instrument_id = instrument.instrument_id
    held = sum_steps(world, instrument_id)
    for rank in range(STANDS_BY, -1, -1):
        for place in range(world.counts.open_orders, 0, -1):
            order = order_at(world, place)
            is_one = closes(order, instrument_id, held) and rank_of(order) == rank
            if is_one and order.state != OrderState.CANCEL_PENDING and _excess_steps(world, instrument) > 0:
                order.is_evicted = order.flags & _STOP_LEG != 0
                request_cancel(world, order, input_place(world), OrderReason.VENUE)


def _excess_steps(world: World, instrument: InstrumentRow) -> int:
    """How much more lies at the broker to close a position than it has, without what is being cancelled."""
    held, excess = sum_steps(world, instrument.instrument_id), -spare_steps(world, instrument, 0)
    for place in range(1, world.counts.open_orders + 1):
        order = order_at(world, place)
        if closes(order, instrument.instrument_id, held) and order.state == OrderState.CANCEL_PENDING:
            excess -= remaining_steps(order)
    return excess


def _divide_what_is_left(world: World, instrument_id: int) -> None:
    """Where something is missing, what a broker refuses to cancel is asked for again, and the room that one leaves is everybody's."""
    instrument = world.instruments[instrument_id]
    if instrument.missing_steps > 0:
        _take_back(world, instrument)
        _release_all(world, instrument_id)


def _miss_anew(world: World, instrument_id: int) -> None:
    """Behind a fill another part of what is held may be missing, or none any more, for whichever strategy."""
    instrument = world.instruments[instrument_id]
    did_miss = instrument.missing_steps > 0
    count_missing(world, instrument)
    if did_miss and instrument.missing_steps == 0:
        _release_all(world, instrument_id)
    _divide_what_is_left(world, instrument_id)


def _release_all(world: World, instrument_id: int) -> None:
    for strategy_id in range(1, world.counts.strategies + 1):
        release(world, strategy_id, instrument_id, input_place(world))


def _hear_stray(world: World, word: BrokerFill) -> None:
    """A fill of no order that is open: its strategy has the position all the same, and it is closed."""
    _halt(world)
    is_ours = 0 < word.strategy_id <= world.counts.strategies and is_defined(world, word.instrument_id)
    if is_ours and word.quantity_steps > 0 and word.side in (Side.BUY, Side.SELL):
        book_stray(
            world, word.strategy_id, word.instrument_id, word.side, word.price_nano, word.quantity_steps, word.fee_nano
        )
        _miss_anew(world, word.instrument_id)
        close_again(world, word.strategy_id, word.instrument_id, input_place(world))


def _halt(world: World) -> None:
    """Something was filled that nobody asked for."""
    world.account.is_halted = True
    world.account.is_stray = True


def watch(world: World, instrument: InstrumentRow) -> None:
    """A new quote: whether an order that is kept back has seen its price. What would trade meets it as at a venue, at its hours."""
    place = 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        order_id = order.order_id
        is_one = order.instrument_id == instrument.instrument_id and order.is_kept and not instrument.is_halted
        if is_one and may_trade(order, instrument, world.settings, world.clock.now_ns):
            _look(world, order, far_side_nano(instrument, order.side))
        place = place_after(world, place, order_id)


def _look(world: World, order: OrderRow, far_nano: int) -> None:
    if far_nano == ABSENT or world.clock.now_ns < order.ts_rest_ns:
        return
    cause = Place(order.cause_seq, order.cause_ord)
    if order.flags & _TARGET != 0:
        if not order.is_triggered and is_within_limit(order, far_nano):
            order.is_triggered = True
            make_room(world, order, cause)
            release(world, order.strategy_id, order.instrument_id, cause)
        return
    if order.order_type == OrderType.TRAILING_STOP:
        order.trigger_nano = trailed_nano(order, far_nano)
    is_stop = order.order_type in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
    if is_stop and order.trigger_nano != ABSENT and (far_nano - order.trigger_nano) * order.side >= 0:
        _wake(world, order)
        make_room(world, order, cause)
        release(world, order.strategy_id, order.instrument_id, cause)


def _wake(world: World, order: OrderRow) -> None:
    """A stop of ours saw its price: it goes to the broker as what is had there at once, in extended hours with a limit beyond the quote."""
    order.order_type = OrderType.MARKET
    order.time_in_force = TimeInForce.DAY
    order.is_triggered = True
    if order.flags & _EXTENDED != 0:
        instrument = world.instruments[order.instrument_id]
        order.order_type = OrderType.LIMIT
        order.limit_nano = marketable_nano(instrument, order.side, world.settings.price_collar_percent)


def release(world: World, strategy_id: int, instrument_id: int, cause: Place) -> None:
    """Send what is kept back and for which there is room by now, by rank and then the oldest first."""
    for rank in range(STANDS_BY + 1):
        place = 1
        while place <= world.counts.open_orders:
            order = order_at(world, place)
            order_id = order.order_id
            if (
                is_of(order, strategy_id, instrument_id)
                and order.is_kept
                and order.is_triggered
                and rank_of(order) == rank
            ):
                _go(world, order, cause)
            place = place_after(world, place, order_id)


def _go(world: World, order: OrderRow, cause: Place) -> None:
    """Send who waits for nothing but room where there is some; have more made where something gives way; else who finds less takes what is left.

    What protects what is missing stands by: it may come back.
    """
    room, left, beyond = room_steps(world, order), remaining_steps(order), 0
    if room < left and can_make_room(world, order):
        make_room(world, order, cause)
    elif 0 < room < left and not is_left(world, order):  # there is no more to be had
        is_missed = world.instruments[order.instrument_id].missing_steps > 0
        beyond = left - room if is_missed and order.flags & _STOP_LEG != 0 else 0
        reduce_order(world, order, left - room, cause)
        left = room
    if 0 < left <= room:
        launch(world, order, cause)
    if beyond > 0:
        launch_again(world, order, beyond, cause)


def _place_of(world: World, order_id: int) -> int:
    """Where an order stands among the open ones that are not kept back; 0 when it is not there."""
    for place in range(1, world.counts.open_orders + 1):
        order = order_at(world, place)
        if order.order_id == order_id and not order.is_kept:
            return place
    return 0


def _shrink_kept(world: World, filled: OrderRow, steps: int, cause: Place) -> None:
    """Make the kept orders of the other sort that protect the same entry smaller, by that much in all."""
    place, left = 1, steps
    while place <= world.counts.open_orders and left > 0:
        leg = order_at(world, place)
        leg_id = leg.order_id
        is_other = leg.parent_order_id == filled.parent_order_id and leg.flags & _TARGET != filled.flags & _TARGET
        if is_other and leg.is_kept:
            taken = min(left, remaining_steps(leg))
            reduce_order(world, leg, taken, cause)
            left -= taken
        place = place_after(world, place, leg_id)
