"""Queueing: where a resting limit stands in line at its price, and which prints reach it.

Assumption (setting `queue` 1): ours is behind all that was displayed at its price when it came there; it moves up only by
what trades, so that nobody in front ever gives up, and it fills by prints at its price once those in front have traded, or
by any print through it, up to the print's size. Alone at a better price it is first. Danger: in truth orders in front are
cancelled, which makes a real order fill sooner; hidden ones stand in front too, which makes it fill later; and our size
would have moved others. Without the setting a print fills nothing: a touch is no fill.

What stands at a price behind the best one is not displayed: an order there has no place until its price is the best, and
until then only a print through it counts. A print on whose side the venue says ours was is none that met it; nor is one
that a tape's rules keep from moving the last price, or that was taken back.
"""

from typing import Final

from pipeline.codes import Liquidity, Mark, Side
from pipeline.core.filling import fill, wanted_steps
from pipeline.core.instrument import InstrumentRow
from pipeline.core.lifetime import may_trade
from pipeline.core.market import Print
from pipeline.core.orders import LIMITS, OrderRow
from pipeline.core.world import World, order_at, place_after
from pipeline.units import ABSENT

UNKNOWN: Final = -1
"""Steps ahead of an order whose price was not the best one yet."""

_ODD: Final = (
    Mark.DUPLICATE
    | Mark.OUT_OF_ORDER
    | Mark.NO_LAST
    | Mark.NO_HIGH_LOW
    | Mark.NO_VOLUME
    | Mark.CANCEL
    | Mark.CORRECTION
    | Mark.UNTRUSTED
).value


def stand_in_line(order: OrderRow, instrument: InstrumentRow) -> None:
    """A resting limit after a quote: behind what is displayed at its price, or first where its price is better."""
    is_buy = order.side == Side.BUY
    near = instrument.bid_nano if is_buy else instrument.ask_nano
    if near == order.limit_nano:
        if order.ahead_steps == UNKNOWN:
            order.ahead_steps = max(0, instrument.bid_left_steps if is_buy else instrument.ask_left_steps)
    elif near == ABSENT or (order.limit_nano - near) * order.side > 0:
        order.ahead_steps = 0


def match_print(world: World, seen: Print) -> None:
    """A print meets the resting orders of its instrument, oldest first."""
    instrument = world.instruments[seen.instrument_id]
    if seen.marks & _ODD != 0 or seen.size_steps <= 0 or instrument.is_halted or not instrument.has_quotes:
        return
    left, youngest, place = seen.size_steps, world.account.order_id_last, 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        if order.order_id > youngest:
            break
        order_id = order.order_id
        is_here = order.instrument_id == seen.instrument_id and order.is_at_venue and order.is_resting
        if is_here and order.order_type in LIMITS and may_trade(order, instrument, world.settings, world.clock.now_ns):
            left -= _meet_print(world, order, seen, left)
        place = place_after(world, place, order_id)


def _meet_print(world: World, order: OrderRow, seen: Print, left: int) -> int:
    """What an order takes of a print of which so much is left."""
    through = (order.limit_nano - seen.price_nano) * order.side
    if through < 0 or seen.aggressor == order.side:
        return 0
    if through > 0:
        order.ahead_steps = 0
    if order.ahead_steps == UNKNOWN:
        return 0
    passed = min(order.ahead_steps, seen.size_steps)
    order.ahead_steps -= passed
    steps = min(wanted_steps(world, order), left, seen.size_steps - passed)
    if steps > 0:
        fill(world, order, order.limit_nano, steps, Liquidity.MAKER)
    return max(0, steps)
