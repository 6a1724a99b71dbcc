"""Trading day: which day a time belongs to and how far into it, by the clock on the wall where it trades.

Reducers have no time-zone database, and two machines may have two versions of one. So the zones are these two, as
arithmetic: UTC for what never closes, New York for American shares; Chicago is New York less an hour at all times.
"""

from enum import IntEnum
from typing import Final

from pipeline.core.params import param
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS

DAY_MINUTES: Final = 1_440

OPEN_MINUTE: Final = 570
"""9:30, when American shares open."""

CLOSE_MINUTE: Final = 960
"""16:00, when they close; the closing auction prints seconds later, so 961 lets it in."""

PREMARKET_MINUTE: Final = 240
"""4:00, when they begin to trade ahead of it."""

NEVER: Final = -2
"""A day before the -1 that a new group begins with, so whatever ignores days that are over ignores it."""


class Zone(IntEnum):
    """Whose wall clock."""

    UTC = 0
    NEW_YORK = 1


def minute_param(default: int, help: str) -> int:  # noqa: A002  # as in `param`
    """A parameter that is a minute of the zone's day."""
    minute: int = param(default, low=0, high=DAY_MINUTES - 1, help=help)
    return minute


def zone_param() -> int:
    """The parameter that names a zone."""
    zone: int = param(Zone.NEW_YORK.value, low=0, high=1, help="0 UTC, 1 New York")
    return zone


def trading_time(ts_ns: int, first_minute: int, zone: int) -> tuple[int, int]:
    """The day a time belongs to, in days since 1970, when days begin at `first_minute`; and minutes since it began.

    An absent time, like any before 1970-01-02, belongs to no day: NEVER.
    """
    if ts_ns < DAY_NS:
        return NEVER, 0
    local_ns = ts_ns - first_minute * MINUTE_NS
    if zone == Zone.NEW_YORK:
        local_ns += new_york_offset_ns(ts_ns)
    return local_ns // DAY_NS, local_ns % DAY_NS // MINUTE_NS


def minutes_after(first_minute: int, minute: int) -> int:
    """How many minutes into a day that begins at `first_minute` the clock shows `minute` for the first time."""
    return (minute - first_minute) % DAY_MINUTES


def minutes_until(first_minute: int, last_minute: int) -> int:
    """How long a stretch from `first_minute` to `last_minute` is; from a minute to itself a whole day."""
    length = (last_minute - first_minute) % DAY_MINUTES
    return length if length > 0 else DAY_MINUTES


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
