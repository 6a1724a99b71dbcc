"""Clocks: where a moment lies in the trading day of each calendar, and whether a scanner is open then.

Which days American shares don't trade, and on which they close early, is told by whoever starts a scanner, and kept with it.
"""

from bisect import bisect_left
from datetime import date, timedelta
from typing import Final, NamedTuple

import msgspec
import numpy as np

from pipeline.block import Numbers
from pipeline.hours import (
    AFTER_HOURS_END_MINUTE,
    CLOSE_MINUTE,
    Calendar,
    DayPart,
    Stretch,
    days_at,
    exchange_offset_ns,
    part_at,
)
from pipeline.units import DAY_NS, MINUTE_NS

CALENDARS: Final = {"XNYS": Calendar.SHARES, "CMES": Calendar.FUTURES, "24/7": Calendar.ALWAYS}
"""By the names that instruments use."""

_THURSDAY: Final = 3
"""1970-01-01, Monday being 0."""


_SATURDAY: Final = 5
_EPOCH: Final = date(1970, 1, 1)
_DAY_MINUTES: Final = 24 * 60


class SpecialDays(msgspec.Struct, frozen=True):
    """Weekdays on which American shares don't trade, the first of them first, and the minutes at which they close early, by date.

    Without any of them every weekday is like another.
    """

    closed: tuple[date, ...] = ()
    early: dict[date, int] = {}

    def is_closed(self, day: int) -> bool:
        """Whether shares don't trade at all on a day, in days since 1970."""
        if _weekday(day) >= _SATURDAY:
            return True
        place = bisect_left(self.closed, _date(day))
        return place < len(self.closed) and self.closed[place] == _date(day)

    def close_minute(self, day: int) -> int:
        """When regular trading ends, by New York's clocks."""
        return self.early.get(_date(day), CLOSE_MINUTE)


EVERY_WEEKDAY: Final = SpecialDays()


class TradingDay(NamedTuple):
    """A trading day of one calendar; UTC nanoseconds, `number` in days since 1970. Where it has no premarket, that is empty.

    On a day on which shares don't trade all parts lie behind its end.
    """

    number: int
    starts_ns: int
    premarket_ns: int
    opens_ns: int
    closes_ns: int
    ends_ns: int

    @property
    def is_closed(self) -> bool:
        """Whether nothing trades on it."""
        return self.opens_ns >= self.ends_ns


def trading_day(calendar: int, ts_ns: int, special: SpecialDays = EVERY_WEEKDAY) -> TradingDay:
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
    day = TradingDay(number, whole.from_ns, premarket.from_ns, regular.from_ns, regular.until_ns, whole.until_ns)
    if calendar != Calendar.SHARES:
        return day
    if special.is_closed(number):
        return day._replace(premarket_ns=day.ends_ns, opens_ns=day.ends_ns, closes_ns=day.ends_ns)
    return day._replace(closes_ns=day.closes_ns - (CLOSE_MINUTE - special.close_minute(number)) * MINUTE_NS)


class TradingDays:
    """The trading day of each calendar, as of a moment; `of` spreads one member of it over instruments."""

    def __init__(self, ts_ns: int, special: SpecialDays = EVERY_WEEKDAY) -> None:
        self._special = special
        self.by_calendar = [trading_day(calendar, ts_ns, special) for calendar in Calendar]

    def over_at(self, ts_ns: int) -> list[int]:
        """The calendars whose day is over at a moment."""
        return [calendar for calendar, day in enumerate(self.by_calendar) if ts_ns >= day.ends_ns]

    def turn(self, calendar: int, ts_ns: int) -> None:
        """The day of this calendar that a moment belongs to takes the place of the one before."""
        self.by_calendar[calendar] = trading_day(calendar, ts_ns, self._special)

    def of(self, name: str, calendars: Numbers) -> Numbers:
        """(n,) int64: that member of the trading day of each of these calendars, (n,) int."""
        return np.array([getattr(day, name) for day in self.by_calendar], np.int64)[calendars]


_WEEK: Final = 7


class Window(NamedTuple):
    """When a scanner looks: minutes of the day and days of the week, 0 is Monday, by a calendar's own clocks.

    A window that ends before it begins goes on past midnight, and belongs to the day it began on. Of shares it is shut on days on
    which they don't trade; where they close early, what lies behind the close comes earlier by as much, and what lay between is left out.
    """

    calendar: int
    from_minute: int
    until_minute: int
    days: tuple[int, ...]

    @property
    def never_closes(self) -> bool:
        """Whether it is open at any moment: no day of it is ever over."""
        return self.from_minute == self.until_minute and len(self.days) == _WEEK

    def day_of(self, ts_ns: int) -> int:
        """The day that a moment in it belongs to: that on which it began, counted from 1970."""
        return self._since_ns(ts_ns) // DAY_NS

    def _since_ns(self, ts_ns: int) -> int:
        """What a moment is behind 1970, by the calendar's clocks, were days to begin with the window."""
        return ts_ns + exchange_offset_ns(self.calendar, ts_ns) - self.from_minute * MINUTE_NS

    def is_open(self, ts_ns: int, special: SpecialDays = EVERY_WEEKDAY) -> bool:
        """Whether a moment lies in it."""
        local_ns = ts_ns + exchange_offset_ns(self.calendar, ts_ns)
        today = local_ns // DAY_NS
        return any(self._is_open_on(day, local_ns - day * DAY_NS, special) for day in (today, today - 1))

    def _is_open_on(self, day: int, since_ns: int, special: SpecialDays) -> bool:
        """Whether that of a day is open so long after the day's midnight."""
        if _weekday(day) not in self.days:
            return False
        from_minute, until_minute = self.from_minute, self.until_minute
        until_minute += _DAY_MINUTES * (until_minute <= from_minute)
        if self.calendar == Calendar.SHARES:
            if special.is_closed(day) and _weekday(day) < _SATURDAY:
                return False
            close = special.close_minute(day)
            from_minute, until_minute = _on_a_short_day(from_minute, close), _on_a_short_day(until_minute, close)
        return from_minute * MINUTE_NS <= since_ns < until_minute * MINUTE_NS


def _on_a_short_day(minute: int, close: int) -> int:
    """A minute of other days where shares close at another one."""
    if minute > AFTER_HOURS_END_MINUTE:
        return minute
    return max(min(minute, close), minute - (CLOSE_MINUTE - close)) if minute > close else minute


def _weekday(day: int) -> int:
    return (day + _THURSDAY) % 7


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)
