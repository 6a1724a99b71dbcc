"""Hours: whose clock an exchange keeps, the parts of its day, and where in them a moment lies.

Reducers have no time-zone database, and two machines may have two versions of one. So the zones are these two, as
arithmetic: UTC for what never closes, New York for American shares; Chicago is New York less an hour at all times.
Holidays and early closes are not known here: on such a day the parts are where they always are, and little trades in them.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from pipeline.codes import AssetClass
from pipeline.units import DAY_NS, HOUR_NS, INT64_MAX, MINUTE_NS


class Zone(IntEnum):
    """Whose wall clock."""

    UTC = 0
    NEW_YORK = 1


class Calendar(IntEnum):
    """Whose hours."""

    ALWAYS = 0
    """Never closed; a day is a UTC day and all of it regular."""
    SHARES = 1
    """American shares: premarket from 4:00, regular from 9:30, after hours from 16:00 to 20:00, in New York."""
    FUTURES = 2
    """CME Globex: a day begins at 18:00 in New York and trades until 17:00."""


class DayPart(IntEnum):
    """A part of a trading day."""

    NIGHT = 0
    """What lies between the others."""
    PREMARKET = 1
    REGULAR = 2
    AFTER_HOURS = 3


class Stretch(NamedTuple):
    """From a moment until another, exclusive; UTC nanoseconds. `part` is a DayPart; of whole days NIGHT, which says nothing."""

    part: int
    from_ns: int
    until_ns: int


PREMARKET_MINUTE: Final = 240
OPEN_MINUTE: Final = 570
CLOSE_MINUTE: Final = 960
AFTER_HOURS_END_MINUTE: Final = 1_200
_GLOBEX_OPEN_MINUTE: Final = 1_080 - 1_440
"""18:00 on the day before: days are named after the day they end on."""
_GLOBEX_CLOSE_MINUTE: Final = 1_020
_SUNDAY: Final = 0
_THURSDAY: Final = 4
"""On one began 1970."""
_SATURDAY: Final = 6

_NAMED: Final[Mapping[str, Calendar]] = {
    "24/7": Calendar.ALWAYS,
    "XNYS": Calendar.SHARES,
    "XNAS": Calendar.SHARES,
    "CMES": Calendar.FUTURES,
}
_OF_CLASS: Final[Mapping[int, Calendar]] = {
    AssetClass.EQUITY: Calendar.SHARES,
    AssetClass.ETF: Calendar.SHARES,
    AssetClass.OPTION: Calendar.SHARES,
    AssetClass.FUTURE: Calendar.FUTURES,
}


def calendar_of(name: str, asset_class: int) -> Calendar:
    """The hours of an instrument: those its definition names, else those its class keeps here, else always."""
    if name in _NAMED:
        return _NAMED[name]
    return _OF_CLASS.get(asset_class, Calendar.ALWAYS)


# What follows is in the dialect.


def days_at(calendar: int, ts_ns: int, count: int) -> Stretch:
    """The trading day that a moment belongs to; or the block of `count` of them, counted since 1970."""
    day = _day_of(calendar, ts_ns)
    first = day - day % count
    return Stretch(DayPart.NIGHT, _moment_ns(calendar, first, 0), _moment_ns(calendar, first + count, 0))


def part_at(calendar: int, ts_ns: int) -> Stretch:
    """The part of the trading day that a moment lies in."""
    day = _day_of(calendar, ts_ns)
    from_ns, until_ns = _moment_ns(calendar, day, 0), _moment_ns(calendar, day + 1, 0)
    if calendar == Calendar.FUTURES:
        close_ns = _moment_ns(calendar, day, _GLOBEX_CLOSE_MINUTE - _GLOBEX_OPEN_MINUTE)
        if ts_ns < close_ns:
            return Stretch(DayPart.REGULAR, from_ns, close_ns)
        return Stretch(DayPart.NIGHT, close_ns, until_ns)
    if calendar == Calendar.SHARES:
        return _part_of_shares(ts_ns, day, from_ns, until_ns)
    return Stretch(DayPart.REGULAR, from_ns, until_ns)


def exchange_offset_ns(calendar: int, ts_ns: int) -> int:
    """What the clocks at the exchange are ahead of UTC: New York's, Chicago's of futures, none where nothing ever closes."""
    if calendar == Calendar.SHARES:
        return new_york_offset_ns(ts_ns)
    if calendar == Calendar.FUTURES:
        return new_york_offset_ns(ts_ns - HOUR_NS) - HOUR_NS  # Chicago's clocks change at 2:00 by themselves
    return 0


def minute_at(calendar: int, ts_ns: int) -> int:
    """Minutes after midnight by the clocks at the exchange; 0 to 1439."""
    return (ts_ns + exchange_offset_ns(calendar, ts_ns)) % DAY_NS // MINUTE_NS


def next_ns(calendar: int, ts_ns: int, minute: int) -> int:
    """The first moment after `ts_ns` that lies so many minutes after the beginning of a trading day from Monday to Friday."""
    day = _day_of(calendar, ts_ns)
    if _moment_ns(calendar, day, minute) <= ts_ns:
        day += 1
    while (day + _THURSDAY) % 7 in (_SATURDAY, _SUNDAY):
        day += 1
    return _moment_ns(calendar, day, minute)


def end_of_day_ns(calendar: int, ts_ns: int, is_extended: bool) -> int:  # noqa: FBT001  # the dialect has no keyword-only arguments without a default
    """When an order that comes at `ts_ns` and is good for the day ends: at the next close; never where nothing closes."""
    if calendar == Calendar.FUTURES:
        return next_ns(calendar, ts_ns, _GLOBEX_CLOSE_MINUTE - _GLOBEX_OPEN_MINUTE)
    if calendar == Calendar.SHARES:
        return next_ns(calendar, ts_ns, AFTER_HOURS_END_MINUTE if is_extended else CLOSE_MINUTE)
    return INT64_MAX


def _part_of_shares(ts_ns: int, day: int, from_ns: int, until_ns: int) -> Stretch:
    premarket_ns = _moment_ns(Calendar.SHARES, day, PREMARKET_MINUTE)
    if ts_ns < premarket_ns:
        return Stretch(DayPart.NIGHT, from_ns, premarket_ns)
    open_ns = _moment_ns(Calendar.SHARES, day, OPEN_MINUTE)
    if ts_ns < open_ns:
        return Stretch(DayPart.PREMARKET, premarket_ns, open_ns)
    close_ns = _moment_ns(Calendar.SHARES, day, CLOSE_MINUTE)
    if ts_ns < close_ns:
        return Stretch(DayPart.REGULAR, open_ns, close_ns)
    end_ns = _moment_ns(Calendar.SHARES, day, AFTER_HOURS_END_MINUTE)
    if ts_ns < end_ns:
        return Stretch(DayPart.AFTER_HOURS, close_ns, end_ns)
    return Stretch(DayPart.NIGHT, end_ns, until_ns)


def _first_minute(calendar: int) -> int:
    """When a trading day begins, by the clock of its zone."""
    return _GLOBEX_OPEN_MINUTE if calendar == Calendar.FUTURES else 0


def _day_of(calendar: int, ts_ns: int) -> int:
    """The trading day of a moment, in days since 1970."""
    if calendar == Calendar.ALWAYS:
        return ts_ns // DAY_NS
    return (ts_ns + new_york_offset_ns(ts_ns) - _first_minute(calendar) * MINUTE_NS) // DAY_NS


def _moment_ns(calendar: int, day: int, minute: int) -> int:
    """When the clock shows so many minutes after the beginning of a trading day; no day begins or parts between 1:00 and 3:00."""
    wall_ns = day * DAY_NS + (_first_minute(calendar) + minute) * MINUTE_NS
    if calendar == Calendar.ALWAYS:
        return wall_ns
    return wall_ns - new_york_offset_ns(wall_ns + 5 * HOUR_NS)


def new_york_offset_ns(ts_ns: int) -> int:
    """What New York's clock is ahead of UTC, by the rules since 1987 (Energy Policy Act of 2005 from 2007 on)."""
    days = ts_ns // DAY_NS + 719_468  # since 1 March of the year 0: leap days come last (H. Hinnant, days_from_civil)
    day_of_era = days % 146_097
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    year = year_of_era + days // 146_097 * 400
    march = year * 365 + year // 4 - year // 100 + year // 400 - 719_468
    if year >= 2007:  # from the second Sunday of March to the first of November
        begin, end = _sunday_from(march + 7), _sunday_from(march + 245)
    else:  # from the first Sunday of April to the last of October
        begin, end = _sunday_from(march + 31), _sunday_from(march + 238)
    if begin * DAY_NS + 7 * HOUR_NS <= ts_ns < end * DAY_NS + 6 * HOUR_NS:  # at 2:00 by the clock, both times
        return -4 * HOUR_NS
    return -5 * HOUR_NS


def _sunday_from(day: int) -> int:
    """The first Sunday that is no earlier; 1970 began on a Thursday."""
    return day + (-day - 4) % 7
