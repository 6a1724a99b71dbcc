"""Schedule: on which days, from when to when a market is recorded, by its own clocks.

What a trading day is, `run.trading_days` knows; a market that never closes is recorded every day of UTC. A stretch is told in UTC, so the two days a year on which clocks change are
an hour longer or shorter there, and right by the clocks.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.errors import ConfigError
from pipeline.run.trading_days import is_trading_day, zone_of
from pipeline.units import NANO

_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_DAYS_AHEAD_MAX: Final = 14
"""No exchange is closed for longer; a calendar that says so is not believed."""


class Hours(NamedTuple):
    """From when to when on a trading day, by the clocks of the market; the end may be past midnight."""

    begins: time
    ends: time


class Stretch(NamedTuple):
    """From a moment until another, exclusive; UTC nanoseconds."""

    from_ns: int
    until_ns: int


def hours_of(text: str) -> Hours:
    """The hours of a text like `03:55-20:05`. Raises ConfigError."""
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"--schedule {text}: write HH:MM-HH:MM by the market's clocks, e.g. 03:55-20:05")
    return Hours(time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4])))


def next_stretch(now_ns: int, hours: Hours, calendar: str) -> Stretch:
    """The stretch that goes on now, or the next one. Raises ConfigError when no trading day is near."""
    zone = zone_of(calendar)
    today = datetime.fromtimestamp(now_ns // NANO, UTC).astimezone(zone).date()
    for ahead in range(-1, _DAYS_AHEAD_MAX):
        day = today + timedelta(days=ahead)
        if is_trading_day(day, calendar):
            stretch = _stretch(day, hours, zone)
            if stretch.until_ns > now_ns:
                return stretch
    raise ConfigError(f"calendar {calendar} knows no trading day within {_DAYS_AHEAD_MAX} days of {today}")


def _stretch(day: date, hours: Hours, zone: ZoneInfo) -> Stretch:
    ends = day + timedelta(days=1) if hours.ends <= hours.begins else day
    return Stretch(_ns(day, hours.begins, zone), _ns(ends, hours.ends, zone))


def _ns(day: date, clock: time, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, clock, zone).timestamp()) * NANO
