"""The simulated venue: fills against recorded quotes.

Assumption: the quotes would have been the same had we traded, and a taker gets the far side of the quote in force when
its order arrives, up to the size displayed there. Danger: no hidden size; in a fast,
thin market a real order gets less, later, or nothing. A crossed quote is no market: nothing fills on it, though
a real order might.

An order arrives a latency after it was sent, at the first input whose session time has reached that moment, and meets
the quote in force before that input. Displayed size is used up by our fills until the next quote; the rest of a market
or limit order waits (or pays more: `core.impact`), of an IOC it is cancelled, a FOK fills wholly or not at all. A resting limit fills at its limit,
and when the other side of a quote has come to it: a quote of our own side that touches it is no fill, nor is a print, but
for one that reaches its place in line (`core.queueing`), if that is asked for.
While an instrument is halted nothing fills, and behind a
halt nothing before the next quote.

What else there is to an order: when a stop wakes is `core.waking`, at which hours an order trades and until when it stands
`core.lifetime`, between which prices `core.bands`, short of what `core.short_sales`, opening and closing are `core.auction`, what an execution brings with it `core.filling`; an instrument that
never had a quote fills by `core.venue_bars`.
"""

from pipeline.codes import Liquidity, OrderFlag, OrderReason, OrderState, Side, TimeInForce
from pipeline.core.auction import AUCTION_LATE_NS, auction_ns, close_auction, is_for_auction, open_auction
from pipeline.core.bands import is_beyond
from pipeline.core.filling import cancel, expire, expire_immediate, fill, wanted_steps
from pipeline.core.impact import beyond_nano, take
from pipeline.core.instrument import InstrumentRow, far_side_nano, is_crossed
from pipeline.core.ledger import cause_of, change_order
from pipeline.core.lifetime import end_ns, is_for_regular_hours, may_trade
from pipeline.core.orders import LIMITS, OrderRow, is_final, is_within_limit, remaining_steps
from pipeline.core.queueing import stand_in_line
from pipeline.core.short_sales import is_barred
from pipeline.core.tape import Place
from pipeline.core.telling import hear_back, next_told_ns
from pipeline.core.waking import is_awake
from pipeline.core.world import NEVER, World, order_at, place_after
from pipeline.units import ABSENT

_POST_ONLY = OrderFlag.POST_ONLY.value


def arrive(world: World) -> None:
    """Orders and cancels whose time has come reach the venue, oldest order first; what it did is heard of."""
    if world.counts.late_facts > 0:
        hear_back(world)
    now, youngest, place = world.clock.now_ns, world.account.order_id_last, 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        if order.order_id > youngest:  # it came to be while the others arrived
            break
        order_id = order.order_id
        if not order.is_at_venue and order.ts_arrival_ns <= now:
            _accept(world, order)
        if order.ts_cancel_ns != 0 and order.ts_cancel_ns <= now and not is_final(order):
            cancel(world, order, Place(order.cancel_seq, order.cancel_ord), OrderReason.INTENT)
        if order.is_at_venue and order.ts_end_ns <= now and not is_final(order):
            expire(world, order)
        if is_for_auction(order) and _is_closed(order, now) and not is_final(order):
            close_auction(world, order, world.instruments[order.instrument_id])
        place = place_after(world, place, order_id)
    world.counts.next_arrival_ns = next_told_ns(world)
    for place in range(1, world.counts.open_orders + 1):
        world.counts.next_arrival_ns = min(world.counts.next_arrival_ns, next_arrival_ns(order_at(world, place)))


def next_arrival_ns(order: OrderRow) -> int:
    """Session time at which the order, or its cancel, reaches the venue, or it ends there; NEVER when all of that is past."""
    cancel_ns = order.ts_cancel_ns if order.ts_cancel_ns != 0 else NEVER
    if not order.is_at_venue:
        return min(order.ts_arrival_ns, cancel_ns)
    is_awaited = order.time_in_force == TimeInForce.CLOSING and not order.is_triggered
    return min(cancel_ns, order.ts_end_ns, order.ts_auction_ns if is_awaited else NEVER)


def _is_closed(order: OrderRow, now_ns: int) -> bool:
    is_awaited = order.time_in_force == TimeInForce.CLOSING and not order.is_triggered
    return order.is_at_venue and is_awaited and order.ts_auction_ns <= now_ns


def _accept(world: World, order: OrderRow) -> None:
    instrument, now = world.instruments[order.instrument_id], world.clock.now_ns
    if is_for_auction(order):
        order.ts_auction_ns = auction_ns(order, instrument, now)
    has_no_auction = is_for_auction(order) and order.ts_auction_ns == 0
    if has_no_auction or is_for_regular_hours(order, instrument, world.settings):
        change_order(world, order, OrderState.REJECTED, cause_of(order), OrderReason.UNSUPPORTED)
        return
    if order.flags & _POST_ONLY != 0 and is_within_limit(order, far_side_nano(instrument, order.side)):
        change_order(world, order, OrderState.REJECTED, cause_of(order), OrderReason.WOULD_CROSS)
        return
    order.is_at_venue = True
    if order.state == OrderState.SUBMITTED:
        order.ts_end_ns = end_ns(order, instrument, world.settings, now)
        if is_for_auction(order):
            order.ts_end_ns = order.ts_auction_ns + AUCTION_LATE_NS
        change_order(world, order, OrderState.ACCEPTED, cause_of(order), OrderReason.VENUE)
    if instrument.has_quotes and not is_for_auction(order):
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
            if is_for_auction(order):
                open_auction(world, order, instrument)
            else:
                _match(world, order, instrument)
        place = place_after(world, place, order_id)


def _match(world: World, order: OrderRow, instrument: InstrumentRow) -> None:
    if world.settings.exchange_hours != 0 and not may_trade(order, instrument, world.settings, world.clock.now_ns):
        expire_immediate(world, order, OrderReason.TIME_IN_FORCE)
        return
    if instrument.is_halted:
        expire_immediate(world, order, OrderReason.HALTED)
        return
    if is_crossed(instrument):
        expire_immediate(world, order, OrderReason.TIME_IN_FORCE)
        return
    if not is_awake(world, order, instrument):
        return
    far = far_side_nano(instrument, order.side)
    if instrument.is_short_restricted and is_barred(world, order, instrument):
        _show(world, order, instrument, not is_within_limit(order, far))
        return
    is_maker = order.is_resting and order.order_type in LIMITS
    price = order.limit_nano if is_maker else far
    wanted = wanted_steps(world, order) if is_within_limit(order, far) else 0
    displayed = max(0, instrument.ask_left_steps if order.side == Side.BUY else instrument.bid_left_steps)
    steps, behind, behind_price = min(wanted, displayed), 0, ABSENT
    if instrument.has_bands and is_beyond(instrument, price, world.clock.now_ns):
        steps = 0
    elif world.settings.impact != 0 and not is_maker and wanted > steps:
        behind_price = beyond_nano(instrument, world.settings, order.side, far, wanted - steps)
        behind = wanted - steps if _is_to_be_had(world, order, instrument, behind_price) else 0
    if order.time_in_force == TimeInForce.FOK and steps + behind < remaining_steps(order):
        steps, behind = 0, 0
    if steps > 0:
        take(instrument, order.side, steps)
        fill(world, order, price, steps, Liquidity.MAKER if is_maker else Liquidity.TAKER)
    if behind > 0 and not is_final(order):
        take(instrument, order.side, behind)
        fill(world, order, behind_price, behind, Liquidity.TAKER)
    _show(world, order, instrument, True)


def _is_to_be_had(world: World, order: OrderRow, instrument: InstrumentRow, price_nano: int) -> bool:
    """Whether an order may pay a price behind the best."""
    if not is_within_limit(order, price_nano):
        return False
    return not (instrument.has_bands and is_beyond(instrument, price_nano, world.clock.now_ns))


def _show(world: World, order: OrderRow, instrument: InstrumentRow, is_shown: bool) -> None:  # noqa: FBT001  # the dialect has no keyword-only arguments without a default
    """What is left of an order rests, if it may be shown; what may not wait ends."""
    if is_shown:
        order.is_resting = True
        if world.settings.queue != 0 and order.order_type in LIMITS and not is_final(order):
            stand_in_line(order, instrument)
    expire_immediate(world, order, OrderReason.TIME_IN_FORCE)
