"""Days on which a market trades, early closes, and clocks that change."""

import json
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from pipeline.errors import ConfigError
from pipeline.hours import DayPart
from pipeline.run import trading_days as module
from pipeline.run.trading_days import (
    close_ns,
    day_ns,
    day_of,
    is_early_close,
    is_trading_day,
    parts_of_day,
    previous_trading_day,
    special_days,
    trading_days,
)
from pipeline.scanner.clocks import SpecialDays
from pipeline.units import HOUR_NS, NANO


def told(ns):
    return datetime.fromtimestamp(ns // NANO, UTC).strftime("%Y-%m-%d %H:%M")


def test_holidays_are_no_trading_days():
    assert not is_trading_day(date(2026, 11, 26), "XNYS")
    assert is_trading_day(date(2026, 11, 27), "XNYS")
    assert is_trading_day(date(2026, 11, 26), "24/7")
    assert is_trading_day(date(2026, 11, 26), "CMES")
    assert not is_trading_day(date(2025, 1, 9), "XNYS")  # a day of mourning


@pytest.mark.parametrize(
    ("day", "close"),
    [
        ("2024-07-03", "2024-07-03 17:00"),
        ("2024-11-29", "2024-11-29 18:00"),
        ("2024-12-24", "2024-12-24 18:00"),
        ("2025-07-03", "2025-07-03 17:00"),
        ("2026-11-27", "2026-11-27 18:00"),
        ("2026-12-24", "2026-12-24 18:00"),
        ("1990-12-24", "1990-12-24 19:00"),  # at 14:00 then
        ("2026-11-25", "2026-11-25 21:00"),
        ("2026-07-02", "2026-07-02 20:00"),  # the 3rd is the holiday, so the day before is a whole one
    ],
)
def test_the_close_of_known_days(day, close):
    assert told(close_ns(date.fromisoformat(day), "XNYS")) == close


def test_on_a_half_day_after_hours_end_at_five():
    parts = parts_of_day(date(2026, 11, 27), "XNYS")
    assert [(each.part, told(each.from_ns)[11:], told(each.until_ns)[11:]) for each in parts] == [
        (DayPart.PREMARKET, "09:00", "14:30"),
        (DayPart.REGULAR, "14:30", "18:00"),
        (DayPart.AFTER_HOURS, "18:00", "22:00"),
    ]
    assert is_early_close(date(2026, 11, 27), "XNYS")
    assert not is_early_close(date(2026, 11, 27), "24/7")


def test_on_a_whole_day_they_end_at_eight():
    parts = parts_of_day(date(2026, 11, 24), "XNYS")
    assert [told(each.until_ns)[11:] for each in parts] == ["14:30", "21:00", "01:00"]
    assert parts_of_day(date(2026, 11, 26), "XNYS") == []


@pytest.mark.parametrize(
    ("day", "before"),
    [
        ("2026-11-27", "2026-11-25"),  # Thanksgiving between
        ("2026-11-30", "2026-11-27"),  # a weekend
        ("2026-04-06", "2026-04-02"),  # Good Friday
        ("2026-03-09", "2026-03-06"),
        ("2001-09-17", "2001-09-10"),  # closed for four trading days
    ],
)
def test_the_trading_day_before(day, before):
    assert previous_trading_day(date.fromisoformat(day), "XNYS") == date.fromisoformat(before)


def test_a_calendar_without_days_is_not_believed(monkeypatch):
    monkeypatch.setattr(module, "is_trading_day", lambda _day, _calendar: False)
    with pytest.raises(ConfigError, match="no trading day within 14 days before 2026-11-27"):
        previous_trading_day(date(2026, 11, 27), "XNYS")


def test_days_of_a_range_are_counted_with_both_ends():
    found = list(trading_days(date(2026, 11, 25), date(2026, 11, 30), "XNYS"))
    assert [day.day for day in found] == [25, 27, 30]
    assert list(trading_days(date(2026, 11, 30), date(2026, 11, 25), "XNYS")) == []


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-02", 24)])
def test_a_day_of_new_york_is_as_long_as_its_clocks_make_it(day, hours):
    first = date.fromisoformat(day)
    begins = day_ns(first, "XNYS")
    assert day_ns(first + timedelta(days=1), "XNYS") - begins == hours * HOUR_NS
    assert day_of(begins, "XNYS") == first
    assert day_of(begins - 1, "XNYS") == first - timedelta(days=1)


def test_regular_hours_move_in_utc_when_clocks_change():
    opens = [told(parts_of_day(date.fromisoformat(day), "XNYS")[1].from_ns) for day in ("2026-03-06", "2026-03-09")]
    assert opens == ["2026-03-06 14:30", "2026-03-09 13:30"]
    opens = [told(parts_of_day(date.fromisoformat(day), "XNYS")[1].from_ns) for day in ("2026-10-30", "2026-11-02")]
    assert opens == ["2026-10-30 13:30", "2026-11-02 14:30"]


def test_what_never_closes_has_one_part_a_day_of_utc():
    (part,) = parts_of_day(date(2026, 11, 1), "24/7")
    assert (part.part, told(part.from_ns), told(part.until_ns)) == (
        DayPart.REGULAR,
        "2026-11-01 00:00",
        "2026-11-02 00:00",
    )
    (part,) = parts_of_day(date(2026, 11, 2), "CMES")
    assert told(part.from_ns) == "2026-11-02 06:00"


def test_what_a_scanner_is_told_is_what_leans_market_hours_have(shared_data):
    """QuantConnect's database of hours: holidays and early closes of American shares, in the years that it has whole."""
    hours = json.loads((shared_data / "equities" / "lean" / "market-hours" / "market-hours-database.json").read_text())
    usa = hours["entries"]["Equity-usa-[*]"]
    read = lambda text: datetime.strptime(text, "%m/%d/%Y").date()  # noqa: E731, DTZ007 - a date alone
    years, told = range(2000, 2027), special_days()
    holidays = {day for text in usa["holidays"] if (day := read(text)).year in years and day.weekday() < 5}
    assert {day for day in told.closed if day.year in years} == holidays
    early = {read(text): clock for text, clock in usa["earlyCloses"].items()}
    assert {day: f"{minute // 60}:00:00" for day, minute in told.early.items() if day.year in years} == {
        day: clock
        for day, clock in early.items()
        if day.year in years and day.weekday() < 5  # it has a Sunday
    }


def test_a_scanner_is_told_the_same_whatever_the_day_and_a_log_keeps_it():
    told = special_days()
    assert list(told.closed) == sorted(told.closed)
    assert msgspec.convert(json.loads(msgspec.json.encode(told)), SpecialDays) == told
    assert told.closed[-1].year == 2035
