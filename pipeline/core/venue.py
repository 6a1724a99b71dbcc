"""The simulated venue: fills against recorded quotes.

Assumption: the quotes would have been the same had we traded, and a taker gets the far side of the quote in force when
its order arrives, up to the size displayed there. Danger: no market impact, no hidden size, no queue at our own price;
in a fast, thin market a real order gets less, later, or nothing. A crossed quote is no market: nothing fills on it, though
a real order might.

An order arrives a latency after it was sent, at the first input whose session time has reached that moment, and meets
the quote in force before that input. Displayed size is used up by our fills until the next quote; the rest of a market
or limit order waits, of an IOC it is cancelled, a FOK fills wholly or not at all. A resting limit fills at its limit,
and only when the other side of a quote has come to it: a print, or a quote of our own side, that touches it is no fill.
A stop is triggered by the quote it would trade against. While an instrument is halted nothing fills.

Of the two orders that protect an entry, one that fills makes the other as much smaller; together they never close more
than their entry filled.

An instrument that never had a quote fills against bars, which is rougher still: a market order at the open of the first
bar that starts after its arrival, a limit at its limit once a bar trades through it (a touch is not enough), a stop at
the worse of its trigger and the open, all of them together for no more than the bar's volume.
"""

from pipeline.codes import Liquidity, OrderFlag, OrderReason, OrderState, OrderType, Side, TimeInForce
from pipeline.core.desk import protect, request_cancel
from pipeline.core.instrument import InstrumentRow, far_side_nano, is_crossed
from pipeline.core.ledger import cause_of, change_order, fill_order, is_chargeable, reduce_order
from pipeline.core.market import Bar
from pipeline.core.operator import close_again
from pipeline.core.orders import OrderRow, is_final, reduces_only, remaining_steps
from pipeline.core.tape import Place
from pipeline.core.world import NEVER, World, order_at, place_after, position_of
from pipeline.units import ABSENT

_POST_ONLY = OrderFlag.POST_ONLY.value
_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
_LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_UNSUPPORTED = (TimeInForce.OPENING, TimeInForce.CLOSING, TimeInForce.GTD)


def arrive(world: World) -> None:
    """Orders and cancels whose time has come reach the venue, oldest order first."""
    now, youngest, place = world.clock.now_ns, world.account.order_id_last, 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        if order.order_id > youngest:  # it came to be while the others arrived
            break
        order_id = order.order_id
        if not order.is_at_venue and order.ts_arrival_ns <= now:
            _accept(world, order)
        if order.ts_cancel_ns != 0 and order.ts_cancel_ns <= now and not is_final(order):
            _cancel(world, order, Place(order.cancel_seq, order.cancel_ord), OrderReason.INTENT)
        place = place_after(world, place, order_id)
    world.counts.next_arrival_ns = NEVER
    for place in range(1, world.counts.open_orders + 1):
        world.counts.next_arrival_ns = min(world.counts.next_arrival_ns, next_arrival_ns(order_at(world, place)))


def next_arrival_ns(order: OrderRow) -> int:
    """Session time at which the order, or its cancel, reaches the venue; NEVER when both did."""
    arrival = NEVER if order.is_at_venue else order.ts_arrival_ns
    return min(arrival, order.ts_cancel_ns if order.ts_cancel_ns != 0 else NEVER)


def _accept(world: World, order: OrderRow) -> None:
    instrument = world.instruments[order.instrument_id]
    if order.order_type == OrderType.TRAILING_STOP or order.time_in_force in _UNSUPPORTED:
        change_order(world, order, OrderState.REJECTED, cause_of(order), OrderReason.UNSUPPORTED)
        return
    if order.flags & _POST_ONLY != 0 and _is_reached(order, far_side_nano(instrument, order.side)):
        change_order(world, order, OrderState.REJECTED, cause_of(order), OrderReason.WOULD_CROSS)
        return
    order.is_at_venue = True
    if order.state == OrderState.SUBMITTED:
        change_order(world, order, OrderState.ACCEPTED, cause_of(order), OrderReason.VENUE)
    if instrument.has_quotes:
        _match(world, order, instrument)


def match_quote(world: World, instrument: InstrumentRow) -> None:
    """A new quote meets the instrument's orders at the venue, oldest first."""
    youngest, place = world.account.order_id_last, 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        if order.order_id > youngest:
            break
        order_id = order.order_id
        if order.instrument_id == instrument.instrument_id and order.is_at_venue:
            _match(world, order, instrument)
        place = place_after(world, place, order_id)


def _match(world: World, order: OrderRow, instrument: InstrumentRow) -> None:
    if instrument.is_halted:
        _expire_immediate(world, order, OrderReason.HALTED)
        return
    if is_crossed(instrument):
        _expire_immediate(world, order, OrderReason.TIME_IN_FORCE)
        return
    if not _is_awake(order, instrument):
        return
    far = far_side_nano(instrument, order.side)
    displayed = instrument.ask_left_steps if order.side == Side.BUY else instrument.bid_left_steps
    steps = min(_wanted_steps(world, order), displayed) if _is_reached(order, far) else 0
    if order.time_in_force == TimeInForce.FOK and steps < remaining_steps(order):
        steps = 0
    if steps > 0:
        _take(instrument, order.side, steps)
        is_maker = order.is_resting and order.order_type in _LIMITS
        price = order.limit_nano if is_maker else far
        _fill(world, order, price, steps, Liquidity.MAKER if is_maker else Liquidity.TAKER)
    order.is_resting = True
    _expire_immediate(world, order, OrderReason.TIME_IN_FORCE)


def _take(instrument: InstrumentRow, side: int, steps: int) -> None:
    """Use up displayed size."""
    if side == Side.BUY:
        instrument.ask_left_steps -= steps
    else:
        instrument.bid_left_steps -= steps


def _is_awake(order: OrderRow, instrument: InstrumentRow) -> bool:
    """Whether an order may trade: any that is no stop, or a stop whose trigger the quote has reached."""
    if order.order_type in _STOPS and not order.is_triggered:
        far = far_side_nano(instrument, order.side)
        order.is_triggered = far != ABSENT and (far - order.trigger_nano) * order.side >= 0
        return order.is_triggered
    return True


def _is_reached(order: OrderRow, far_nano: int) -> bool:
    """Whether the far side is there, and within the limit of an order that has one."""
    if far_nano == ABSENT:
        return False
    return order.order_type not in _LIMITS or (order.limit_nano - far_nano) * order.side >= 0


def _wanted_steps(world: World, order: OrderRow) -> int:
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


def _fill(world: World, order: OrderRow, price_nano: int, steps: int, liquidity: int) -> None:
    """Execute, protect what was entered, and drop what has nothing left to protect or to reduce."""
    if not is_chargeable(world, order, price_nano, steps):
        _cancel(world, order, cause_of(order), OrderReason.UNSUPPORTED)
        return
    cause = fill_order(world, order, price_nano, steps, liquidity)
    held = position_of(world, order.strategy_id, order.instrument_id).quantity_steps
    if not reduces_only(order) and held != 0:
        protect(world, order, cause)
        if order.is_unwanted or world.account.is_halted:
            close_again(world, order.strategy_id, order.instrument_id, cause)
    if order.parent_order_id != 0:
        _reduce_legs(world, order.parent_order_id, order.order_id, steps, cause)
    _drop_needless(world, order, held, cause)


def _reduce_legs(world: World, entry_id: int, spared_id: int, steps: int, cause: Place) -> None:
    """Make the open orders that protect an entry smaller, but for one of them."""
    place = 1
    while place <= world.counts.open_orders:
        leg = order_at(world, place)
        leg_id = leg.order_id
        if leg.parent_order_id == entry_id and leg_id != spared_id:
            reduce_order(world, leg, steps, cause)
        place = place_after(world, place, leg_id)


def _drop_needless(world: World, filled: OrderRow, held: int, cause: Place) -> None:
    """Cancel what has nothing left to reduce, and the entry whose protection filled."""
    place = 1
    while place <= world.counts.open_orders:
        other = order_at(world, place)
        other_id = other.order_id
        if other.strategy_id == filled.strategy_id and other.instrument_id == filled.instrument_id:
            if reduces_only(other) and held * other.side >= 0:
                change_order(world, other, OrderState.CANCELLED, cause, OrderReason.VENUE)
            elif other_id == filled.parent_order_id and other.state != OrderState.CANCEL_PENDING:
                request_cancel(world, other, cause, OrderReason.VENUE)
        place = place_after(world, place, other_id)


def _expire_immediate(world: World, order: OrderRow, reason: int) -> None:
    if order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK) and not is_final(order):
        _cancel(world, order, cause_of(order), reason)


def _cancel(world: World, order: OrderRow, cause: Place, reason: int) -> None:
    """End an order; what protects an entry shrinks to what it filled."""
    place = change_order(world, order, OrderState.CANCELLED, cause, reason)
    _reduce_legs(world, order.order_id, 0, remaining_steps(order), place)


def match_bar(world: World, instrument: InstrumentRow, bar: Bar) -> None:
    """A closed bar meets the orders of an instrument without quotes that had arrived before it began."""
    is_of_the_sort = instrument.bar_unit == bar.bar_unit and instrument.bar_length == bar.bar_length
    if instrument.is_halted or not is_of_the_sort:
        return
    volume_left, youngest, place = max(0, bar.volume_steps), world.account.order_id_last, 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        if order.order_id > youngest:
            break
        order_id = order.order_id
        is_waiting = order.instrument_id == instrument.instrument_id and order.is_at_venue
        if is_waiting and order.ts_arrival_ns <= bar.ts_event_ns:
            volume_left -= _match_with_bar(world, order, bar, volume_left)
        place = place_after(world, place, order_id)


def _match_with_bar(world: World, order: OrderRow, bar: Bar, volume_left: int) -> int:
    """What an order takes of a bar's volume."""
    price = _bar_price_nano(order, bar)
    steps = min(_wanted_steps(world, order), volume_left) if price != ABSENT else 0
    if order.time_in_force == TimeInForce.FOK and steps < remaining_steps(order):
        steps = 0
    if steps > 0:
        _fill(world, order, price, steps, Liquidity.UNKNOWN)
    _expire_immediate(world, order, OrderReason.TIME_IN_FORCE)
    return steps


def _bar_price_nano(order: OrderRow, bar: Bar) -> int:
    """The price a bar gives an order; ABSENT when it gives none."""
    is_buy = order.side == Side.BUY
    if order.order_type in _STOPS and not order.is_triggered:
        extreme = bar.high_nano if is_buy else bar.low_nano
        order.is_triggered = (extreme - order.trigger_nano) * order.side >= 0
        if not order.is_triggered or order.order_type == OrderType.STOP_LIMIT:
            return ABSENT  # where in the bar it woke up is not known: its limit is tried on the next one
        return max(bar.open_nano, order.trigger_nano) if is_buy else min(bar.open_nano, order.trigger_nano)
    if order.order_type in _LIMITS:
        is_through = bar.low_nano < order.limit_nano if is_buy else bar.high_nano > order.limit_nano
        return order.limit_nano if is_through else ABSENT
    return bar.open_nano
