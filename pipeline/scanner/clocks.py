"""Clocks: where a moment lies in the trading day of each calendar, and whether a scanner is open then."""

from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Numbers
from pipeline.hours import Calendar, DayPart, Stretch, days_at, new_york_offset_ns, part_at
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS

CALENDARS: Final = {"XNYS": Calendar.SHARES, "CMES": Calendar.FUTURES, "24/7": Calendar.ALWAYS}
"""By the names that instruments use."""

_CHICAGO_BEHIND_NS: Final = HOUR_NS
_THURSDAY: Final = 3
"""1970-01-01, Monday being 0."""


class TradingDay(NamedTuple):
    """A trading day of one calendar; UTC nanoseconds, `number` in days since 1970. Where it has no premarket, that is empty."""

    number: int
    starts_ns: int
    premarket_ns: int
    opens_ns: int
    closes_ns: int
    ends_ns: int


def trading_day(calendar: int, ts_ns: int) -> TradingDay:
    """The trading day a moment belongs to."""
    whole = days_at(calendar, ts_ns, 1)
    found: dict[int, Stretch] = {}
    at_ns = whole.from_ns
    while at_ns < whole.until_ns:
        part = part_at(calendar, at_ns)
        found.setdefault(part.part, part)
        at_ns = part.until_ns
    regular = found[DayPart.REGULAR]
    premarket = found.get(DayPart.PREMARKET, regular._replace(until_ns=regular.from_ns))
    number = (whole.until_ns - DAY_NS // 2) // DAY_NS  # named after the day it ends on, wherever that midnight is
    return TradingDay(number, whole.from_ns, premarket.from_ns, regular.from_ns, regular.until_ns, whole.until_ns)


class TradingDays:
    """The trading day of each calendar, as of a moment; `of` spreads one member of it over instruments."""

    def __init__(self, ts_ns: int) -> None:
        self.by_calendar = [trading_day(calendar, ts_ns) for calendar in Calendar]

    def over_at(self, ts_ns: int) -> list[int]:
        """The calendars whose day is over at a moment."""
        return [calendar for calendar, day in enumerate(self.by_calendar) if ts_ns >= day.ends_ns]

    def turn(self, calendar: int, ts_ns: int) -> None:
        """The day of this calendar that a moment belongs to takes the place of the one before."""
        self.by_calendar[calendar] = trading_day(calendar, ts_ns)

    def of(self, name: str, calendars: Numbers) -> Numbers:
        """(n,) int64: that member of the trading day of each of these calendars, (n,) int."""
        return np.array([getattr(day, name) for day in self.by_calendar], np.int64)[calendars]


class Window(NamedTuple):
    """When a scanner looks: minutes of the day and days of the week, 0 is Monday, by a calendar's own clocks.

    A window that ends before it begins goes on past midnight, and belongs to the day it began on.
    """

    calendar: int
    from_minute: int
    until_minute: int
    days: tuple[int, ...]

    def is_open(self, ts_ns: int) -> bool:
        """Whether a moment lies in it."""
        local_ns = ts_ns + offset_ns(self.calendar, ts_ns)
        length = (self.until_minute - self.from_minute) % (24 * 60) or 24 * 60
        since_ns = local_ns - self.from_minute * MINUTE_NS
        weekday = (since_ns // DAY_NS + _THURSDAY) % 7
        return weekday in self.days and since_ns % DAY_NS < length * MINUTE_NS


def offset_ns(calendar: int, ts_ns: int) -> int:
    """What the clocks of a calendar's exchange are ahead of UTC."""
    if calendar == Calendar.ALWAYS:
        return 0
    return new_york_offset_ns(ts_ns) - (_CHICAGO_BEHIND_NS if calendar == Calendar.FUTURES else 0)
