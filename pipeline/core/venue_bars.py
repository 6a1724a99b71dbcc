"""The simulated venue where there are no quotes, only bars.

Assumption: a bar says enough. A market order gets the open of the first bar that starts after its arrival, a limit its
limit once a bar trades through it (a touch is not enough), a stop the worse of its trigger and the open; all of them
together no more than the bar's volume. Danger: where in the bar anything traded, and at which spread, nobody knows; this
is rougher than quotes by far.

Where a bar leaves two ways open it is the worse one that happened: stops trade before all else, so a bar that reaches a
stop and a target is a loss. A trailing stop goes off where the bar found it, if the bar reaches that; else it follows the
bar's best price first, and goes off from there if the bar's worst reaches it. A stop with a limit that a bar woke tries it
on the next one.
"""

from pipeline.codes import Liquidity, OrderReason, OrderType, Side, TimeInForce
from pipeline.core.auction import is_for_auction, meet_bar
from pipeline.core.filling import expire_immediate, fill, wanted_steps
from pipeline.core.impact import moved_nano
from pipeline.core.instrument import InstrumentRow
from pipeline.core.lifetime import may_trade
from pipeline.core.market import Bar
from pipeline.core.orders import LIMITS, STOPS, OrderRow, remaining_steps
from pipeline.core.short_sales import is_barred
from pipeline.core.waking import trailed_nano
from pipeline.core.world import World, order_at, place_after
from pipeline.units import ABSENT


def match_bar(world: World, instrument: InstrumentRow, bar: Bar) -> None:
    """A closed bar meets the orders of an instrument without quotes that had arrived before it began."""
    is_of_the_sort = instrument.bar_unit == bar.bar_unit and instrument.bar_length == bar.bar_length
    if instrument.is_halted or not is_of_the_sort:
        return
    youngest = world.account.order_id_last
    volume_left = _match_all(world, instrument, bar, max(0, bar.volume_steps), youngest, True)
    _match_all(world, instrument, bar, volume_left, youngest, False)


def _match_all(world: World, instrument: InstrumentRow, bar: Bar, volume_left: int, youngest: int, stops: bool) -> int:  # noqa: FBT001  # the dialect has no keyword-only arguments without a default
    """The stops, or all others, oldest first; what they leave of the volume."""
    place = 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        if order.order_id > youngest:
            break
        order_id = order.order_id
        is_waiting = order.instrument_id == instrument.instrument_id and order.is_at_venue
        is_stop = order.order_type in STOPS
        if is_waiting and is_stop == stops and order.ts_arrival_ns <= bar.ts_event_ns:
            volume_left -= _match_with_bar(world, order, instrument, bar, volume_left)
        place = place_after(world, place, order_id)
    return volume_left


def _match_with_bar(world: World, order: OrderRow, instrument: InstrumentRow, bar: Bar, volume_left: int) -> int:
    """What an order takes of a bar's volume."""
    if is_for_auction(order):
        meet_bar(world, order, bar)
        return 0
    if not may_trade(order, instrument, world.settings, bar.ts_event_ns):
        expire_immediate(world, order, OrderReason.TIME_IN_FORCE)
        return 0
    price = _bar_price_nano(order, bar)
    if order.order_type not in LIMITS and is_barred(world, order, instrument):
        price = ABSENT
    steps = min(wanted_steps(world, order), volume_left) if price != ABSENT else 0
    if world.settings.impact != 0 and steps > 0 and order.order_type not in LIMITS:
        before = bar.volume_steps - volume_left
        price = moved_nano(instrument, world.settings, order.side, price, before, steps, bar.volume_steps)
        steps = steps if price != ABSENT else 0
    if order.time_in_force == TimeInForce.FOK and steps < remaining_steps(order):
        steps = 0
    if steps > 0:
        fill(world, order, price, steps, Liquidity.UNKNOWN)
    expire_immediate(world, order, OrderReason.TIME_IN_FORCE)
    return steps


def _bar_price_nano(order: OrderRow, bar: Bar) -> int:
    """The price a bar gives an order; ABSENT when it gives none."""
    is_buy = order.side == Side.BUY
    if order.order_type in STOPS and not order.is_triggered:
        worst = bar.high_nano if is_buy else bar.low_nano
        order.is_triggered = _is_reached(order, worst)
        if not order.is_triggered and order.order_type == OrderType.TRAILING_STOP:
            order.trigger_nano = trailed_nano(order, bar.low_nano if is_buy else bar.high_nano)
            order.is_triggered = _is_reached(order, worst)
            return order.trigger_nano if order.is_triggered else ABSENT
        if not order.is_triggered or order.order_type == OrderType.STOP_LIMIT:
            return ABSENT  # where in the bar it woke up is not known: its limit is tried on the next one
        return max(bar.open_nano, order.trigger_nano) if is_buy else min(bar.open_nano, order.trigger_nano)
    if order.order_type in LIMITS:
        is_through = bar.low_nano < order.limit_nano if is_buy else bar.high_nano > order.limit_nano
        return order.limit_nano if is_through else ABSENT
    return bar.open_nano


def _is_reached(order: OrderRow, price_nano: int) -> bool:
    return order.trigger_nano != ABSENT and (price_nano - order.trigger_nano) * order.side >= 0
