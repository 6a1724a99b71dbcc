"""Trading day: which day a time belongs to and how far into it, by the clock on the wall where it trades."""

from typing import Final

from pipeline.core.params import param
from pipeline.hours import Zone, new_york_offset_ns
from pipeline.units import DAY_NS, MINUTE_NS

DAY_MINUTES: Final = 1_440

NEVER: Final = -2
"""A day before the -1 that a new group begins with, so whatever ignores days that are over ignores it."""


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
