"""Auctions: orders for the opening and for the closing of American shares.

Assumption: an auction trades all of an order at the far side of a quote: at the opening that of the first sound quote in
regular hours, at the closing that of the last one before its moment; where there are only bars, at the open of the first
that starts after the opening, at the close of the one that reaches the closing. Danger: the auction's own price is not
known to the core; it lies within the quote mostly, so this pays half a spread too much, and with a large order, or where
there are few others, it may be far off. What the auction's limit does not let trade is cancelled.

Orders that come too late for an auction are rejected, until it is accepted for that of the next day: from 9:28, for the
closing from 15:50, until 19:00 in New York (Alpaca, "Placing orders", `opg` and `cls`).
"""

from typing import Final

from pipeline.codes import Liquidity, OrderReason, OrderType, TimeInForce
from pipeline.core.filling import cancel, fill, wanted_steps
from pipeline.core.instrument import InstrumentRow, far_side_nano, is_crossed
from pipeline.core.ledger import cause_of
from pipeline.core.market import Bar
from pipeline.core.orders import OrderRow, is_final, is_within_limit
from pipeline.core.world import World
from pipeline.hours import CLOSE_MINUTE, OPEN_MINUTE, Calendar, DayPart, minute_at, next_ns, part_at
from pipeline.units import ABSENT, MINUTE_NS

_AUCTIONS: Final = (TimeInForce.OPENING, TimeInForce.CLOSING)
_OPENING_UNTIL: Final = 9 * 60 + 28
_CLOSING_UNTIL: Final = 15 * 60 + 50
_NEXT_FROM: Final = 19 * 60
_DAY_LASTS_NS: Final = (CLOSE_MINUTE - OPEN_MINUTE) * MINUTE_NS
AUCTION_LATE_NS: Final = _DAY_LASTS_NS
"""Behind its moment an auction that was never seen is over: an order for it expires."""


def is_for_auction(order: OrderRow) -> bool:
    """Whether an order is for an auction alone."""
    return order.time_in_force in _AUCTIONS


def auction_ns(order: OrderRow, instrument: InstrumentRow, now_ns: int) -> int:
    """When the auction is that an order takes part in which comes now; 0: there is none for it."""
    if instrument.calendar != Calendar.SHARES or order.order_type not in (OrderType.MARKET, OrderType.LIMIT):
        return 0
    is_opening = order.time_in_force == TimeInForce.OPENING
    minute = minute_at(instrument.calendar, now_ns)
    if minute < _NEXT_FROM and minute >= (_OPENING_UNTIL if is_opening else _CLOSING_UNTIL):
        return 0
    return next_ns(instrument.calendar, now_ns, OPEN_MINUTE if is_opening else CLOSE_MINUTE)


def open_auction(world: World, order: OrderRow, instrument: InstrumentRow) -> None:
    """A new quote: the opening, if it is the first sound one in regular hours from the order's moment on."""
    now_ns = world.clock.now_ns
    if order.time_in_force != TimeInForce.OPENING or now_ns < order.ts_auction_ns or is_crossed(instrument):
        return
    if not instrument.is_halted and part_at(instrument.calendar, now_ns).part == DayPart.REGULAR:
        _cross(world, order, far_side_nano(instrument, order.side))


def close_auction(world: World, order: OrderRow, instrument: InstrumentRow) -> None:
    """The closing is over: by the quote in force, if it is of that day; without quotes the bar of that moment is still to come."""
    if not instrument.has_quotes:
        order.is_triggered = True
        return
    is_old = instrument.ts_quote_ns < order.ts_auction_ns - _DAY_LASTS_NS
    if instrument.is_halted or is_crossed(instrument) or is_old:
        reason = OrderReason.HALTED if instrument.is_halted else OrderReason.NO_REFERENCE_PRICE
        cancel(world, order, cause_of(order), reason)
    else:
        _cross(world, order, far_side_nano(instrument, order.side))


def meet_bar(world: World, order: OrderRow, bar: Bar) -> None:
    """A bar, where there are no quotes."""
    if order.time_in_force == TimeInForce.OPENING and bar.ts_event_ns >= order.ts_auction_ns:
        _cross(world, order, bar.open_nano)
    elif order.time_in_force == TimeInForce.CLOSING and bar.ts_close_ns >= order.ts_auction_ns:
        _cross(world, order, bar.close_nano if bar.ts_event_ns < order.ts_auction_ns else ABSENT)


def _cross(world: World, order: OrderRow, price_nano: int) -> None:
    """Trade at the auction's price, or never."""
    steps = wanted_steps(world, order) if is_within_limit(order, price_nano) else 0
    if steps > 0:
        fill(world, order, price_nano, steps, Liquidity.UNKNOWN)
    if not is_final(order):
        cancel(world, order, cause_of(order), OrderReason.TIME_IN_FORCE)
