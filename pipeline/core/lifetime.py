"""Lifetimes: at which hours an order may trade, and until when it stands.

Assumption: with the setting `exchange_hours` American shares trade as retail brokers let them: outside of regular hours
only what has a limit and is meant for it (`extended`), everything else waits for the open; an order for the day ends with
regular hours, or, if extended, with those after them; one that comes later is for the next day. Danger: holidays and early
closes are not known (`pipeline.hours`): on such a day an order trades and ends when it would on any other. Without the
setting shares trade by any order whenever there is a quote, which no broker does.

A market order meant for extended hours is rejected, at any hour. A stop is kept by us then, at any hour (HELD_BY_US): no
venue has stops outside of regular hours. After Alpaca, "Placing orders": `extended_hours` works with type limit alone,
from 4:00 to 9:30 and 16:00 to 20:00 in New York; what is no order for extended hours is queued for the open. USERS.md 1.3
has the same of other brokers.
"""

from typing import Final

from pipeline.codes import OrderFlag, OrderType, TimeInForce
from pipeline.core.instrument import InstrumentRow
from pipeline.core.orders import LIMITS, STOPS, OrderRow
from pipeline.core.settings import SettingsRow
from pipeline.hours import Calendar, DayPart, end_of_day_ns, part_at
from pipeline.units import INT64_MAX

_EXTENDED: Final = OrderFlag.EXTENDED_HOURS.value
_HELD: Final = OrderFlag.HELD_BY_US.value


def end_ns(order: OrderRow, instrument: InstrumentRow, settings: SettingsRow, now_ns: int) -> int:
    """When an order that is at the venue from now on ends by itself; INT64_MAX: never."""
    if order.time_in_force == TimeInForce.GTD:
        return order.expires_ns
    if order.time_in_force == TimeInForce.DAY and settings.exchange_hours != 0:
        return end_of_day_ns(instrument.calendar, now_ns, order.flags & _EXTENDED != 0)
    return INT64_MAX


def is_held(order_type: int, flags: int, instrument: InstrumentRow, settings: SettingsRow) -> bool:
    """Whether we keep such an order ourselves until it is triggered."""
    return _has_hours(instrument, settings) and flags & _EXTENDED != 0 and order_type in STOPS


def is_for_regular_hours(order: OrderRow, instrument: InstrumentRow, settings: SettingsRow) -> bool:
    """Whether an order that is meant for extended hours can't be had there."""
    return _has_hours(instrument, settings) and order.flags & _EXTENDED != 0 and order.order_type == OrderType.MARKET


def is_limit_only(instrument: InstrumentRow, settings: SettingsRow, ts_ns: int) -> bool:
    """Whether nothing but a limit for extended hours trades at a moment."""
    return _has_hours(instrument, settings) and part_at(instrument.calendar, ts_ns).part != DayPart.REGULAR


def may_trade(order: OrderRow, instrument: InstrumentRow, settings: SettingsRow, ts_ns: int) -> bool:
    """Whether an order may trade, or be triggered, at a moment."""
    if not _has_hours(instrument, settings):
        return True
    part = part_at(instrument.calendar, ts_ns).part
    if part == DayPart.REGULAR:
        return True
    is_meant = order.flags & _EXTENDED != 0 and (order.order_type in LIMITS or order.flags & _HELD != 0)
    return is_meant and part != DayPart.NIGHT


def _has_hours(instrument: InstrumentRow, settings: SettingsRow) -> bool:
    return settings.exchange_hours != 0 and instrument.calendar == Calendar.SHARES
