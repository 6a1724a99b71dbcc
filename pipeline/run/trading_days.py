"""Trading days: on which days a market trades, when it closes early, and which moments the parts of its day are.

Days and early closes of American shares are those of the library `holidays` for the New York exchange; of futures all
weekdays, their holidays are not known here; what never closes trades every day of UTC. This is what the shell goes by:
reducers have `pipeline.hours`, which knows no holiday and no early close; scanners are told of both by `special_days`.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.errors import ConfigError
from pipeline.hours import AFTER_HOURS_END_MINUTE, CLOSE_MINUTE, OPEN_MINUTE, PREMARKET_MINUTE, DayPart
from pipeline.instruments import EXCHANGE_ZONES
from pipeline.scanner.clocks import SpecialDays
from pipeline.units import NANO

SHARES: Final = "XNYS"
FUTURES: Final = "CMES"
ALWAYS: Final = "24/7"

_SATURDAY: Final = 5
_LATE_TRADING_MINUTES: Final = 240
"""After hours end four hours after the close: at 20:00, and at 17:00 where the market closes at 13:00 (NYSE's calendar)."""

_YEARS_TOLD: Final = range(2000, 2036)
"""Not by today's date: what a scanner is told is part of what it decides by, and the same plan is the same tomorrow."""

_DAYS_BACK_MAX: Final = 14
"""No exchange is closed for longer; a calendar that says so is not believed."""

_CLOSE_TOLD: Final = re.compile(r"close at (\d{1,2}):(\d\d)pm")


class Part(NamedTuple):
    """A part of a trading day: from a moment until another, exclusive; UTC nanoseconds."""

    part: DayPart
    from_ns: int
    until_ns: int


def is_trading_day(day: date, calendar: str) -> bool:
    """Whether the market is open at some time of the day; one that has no calendar always is."""
    if calendar not in EXCHANGE_ZONES:
        return True
    if day.weekday() >= _SATURDAY:
        return False
    return calendar != SHARES or day not in _holidays(day.year)


def shared_zone(calendars: Iterable[str]) -> ZoneInfo:
    """By whose clocks moments of a session are read and told: the exchange's, where all its instruments share one; else UTC."""
    zones = {EXCHANGE_ZONES.get(calendar, "UTC") for calendar in calendars}
    return ZoneInfo(zones.pop() if len(zones) == 1 else "UTC")


def previous_trading_day(day: date, calendar: str) -> date:
    """The last trading day before this day. Raises ConfigError when none is near."""
    for back in range(1, _DAYS_BACK_MAX + 1):
        before = day - timedelta(days=back)
        if is_trading_day(before, calendar):
            return before
    raise ConfigError(f"calendar {calendar} knows no trading day within {_DAYS_BACK_MAX} days before {day}")


def trading_days(first: date, last: date, calendar: str) -> Iterator[date]:
    """The trading days from the first to the last day, both included."""
    for ahead in range((last - first).days + 1):
        day = first + timedelta(days=ahead)
        if is_trading_day(day, calendar):
            yield day


@cache
def special_days() -> SpecialDays:
    """The weekdays of American shares that are not like others, as a scanner is told of them: always the same for one version of the library."""
    closed = sorted(day for year in _YEARS_TOLD for day in _holidays(year) if day.weekday() < _SATURDAY)
    early = sorted(day for year in _YEARS_TOLD for day in _early_closes(year))
    return SpecialDays(tuple(closed), {day: _close_minute(day) for day in early})


def zone_of(calendar: str) -> ZoneInfo:
    """Whose clocks the calendar goes by."""
    return ZoneInfo(EXCHANGE_ZONES.get(calendar, "UTC"))


def day_of(ts_ns: int, calendar: str) -> date:
    """The day that a moment lies in, by the market's clocks."""
    return datetime.fromtimestamp(ts_ns // NANO, UTC).astimezone(zone_of(calendar)).date()


def day_ns(day: date, calendar: str) -> int:
    """When the day begins, by the market's clocks; UTC nanoseconds."""
    return _ns(day, 0, calendar)


def is_early_close(day: date, calendar: str) -> bool:
    """Whether the market closes earlier on this day than on others."""
    return calendar == SHARES and day in _early_closes(day.year)


def close_ns(day: date, calendar: str) -> int:
    """When regular trading of a trading day ends; UTC nanoseconds. Of futures and of what never closes: when the day does."""
    if calendar != SHARES:
        return _ns(day + timedelta(days=1), 0, calendar)
    return _ns(day, _close_minute(day), calendar)


def parts_of_day(day: date, calendar: str) -> list[Part]:
    """Premarket, regular and after hours of a trading day of American shares; of all others one regular part.

    Empty on a day on which the market stays closed.
    """
    if not is_trading_day(day, calendar):
        return []
    if calendar != SHARES:
        return [Part(DayPart.REGULAR, _ns(day, 0, calendar), close_ns(day, calendar))]
    close = _close_minute(day)
    minutes = (PREMARKET_MINUTE, OPEN_MINUTE, close, min(close + _LATE_TRADING_MINUTES, AFTER_HOURS_END_MINUTE))
    moments = [_ns(day, minute, calendar) for minute in minutes]
    parts = (DayPart.PREMARKET, DayPart.REGULAR, DayPart.AFTER_HOURS)
    return [Part(part, *pair) for part, pair in zip(parts, pairwise(moments), strict=True)]


def _close_minute(day: date) -> int:
    """Minute of the day; what the library tells of an early close is its reason and its time."""
    told = _early_closes(day.year).get(day)
    if told is None:
        return CLOSE_MINUTE
    clock = _CLOSE_TOLD.search(told)
    return (int(clock[1]) % 12 + 12) * 60 + int(clock[2]) if clock else 13 * 60


def _ns(day: date, minute: int, calendar: str) -> int:
    clock = time(minute // 60, minute % 60)
    return int(datetime.combine(day, clock, zone_of(calendar)).timestamp()) * NANO


@cache
def _holidays(year: int) -> frozenset[date]:
    return frozenset(_new_york(year))


@cache
def _early_closes(year: int) -> dict[date, str]:
    return _new_york(year, "half_day")


def _new_york(year: int, category: str = "public") -> dict[date, str]:
    """Days of a year at the New York exchange, and what the library calls them."""
    from holidays.financial import ny_stock_exchange  # noqa: PLC0415  # all countries come with it: 0.2 s

    return dict(ny_stock_exchange.NewYorkStockExchange(years=year, categories=[category]))  # type: ignore[no-untyped-call]  # it has no types
