"""Days that are not like others: no trading, an early close, and what a scanner's window, its close and the short-sale rule make of them."""

from datetime import date

import pytest
from scan_tape import FIELDS, Tape, at, definition_from, rows_of, scanned, toml, value_of

from pipeline.codes import Kind
from pipeline.scanner.clocks import SpecialDays, Window, trading_day
from pipeline.scanner.fold import FieldScanner
from pipeline.units import DAY_NS, MINUTE_NS, SECOND_NS

THANKSGIVING, BLACK_FRIDAY, MONDAY = "2026-11-26", "2026-11-27", "2026-11-30"
DAYS = SpecialDays((date(2026, 11, 26),), {date(2026, 11, 27): 13 * 60})
SHARES, FUTURES = 1, 2
WEEKDAYS = (0, 1, 2, 3, 4)


def scanner_on(days, **said):
    return FieldScanner(definition_from(toml(**said), "test.toml", FIELDS), FIELDS, special=days)


def open_minutes(window, day):
    """First and last minute of New York's day at which a window is open; None when it never is."""
    start_ns = at("00:00:00", day)
    is_open = [window.is_open(start_ns + minute * MINUTE_NS, DAYS) for minute in range(24 * 60)]
    first = next((minute for minute, each in enumerate(is_open) if each), None)
    if first is None:
        return None
    last = max(minute for minute, each in enumerate(is_open) if each)
    assert all(is_open[first : last + 1])
    return f"{first // 60:02}:{first % 60:02}-{(last + 1) // 60:02}:{(last + 1) % 60:02}"


def minutes(clock):
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


@pytest.mark.parametrize(
    ("window", "usual", "short"),
    [
        ("04:00-09:30", "04:00-09:30", "04:00-09:30"),
        ("09:30-16:00", "09:30-16:00", "09:30-13:00"),
        ("09:30-12:00", "09:30-12:00", "09:30-12:00"),
        ("16:00-20:00", "16:00-20:00", "13:00-17:00"),
        ("16:05-20:00", "16:05-20:00", "13:05-17:00"),
        ("04:00-20:00", "04:00-20:00", "04:00-17:00"),
        ("15:00-16:00", "15:00-16:00", None),
        ("00:00-23:59", "00:00-23:59", "00:00-23:59"),
    ],
)
def test_a_window_of_shares_ends_with_a_half_day_and_is_shut_on_a_holiday(window, usual, short):
    first, _, last = window.partition("-")
    made = Window(SHARES, minutes(first), minutes(last), WEEKDAYS)
    assert open_minutes(made, MONDAY) == usual
    assert open_minutes(made, BLACK_FRIDAY) == short
    assert open_minutes(made, THANKSGIVING) is None
    assert open_minutes(made, "2026-11-28") is None


def test_holidays_of_futures_are_not_known():
    assert Window(FUTURES, 8 * 60, 16 * 60, WEEKDAYS).is_open(at("12:00:00", THANKSGIVING), DAYS)


def test_a_window_past_midnight_belongs_to_the_day_it_began_on():
    night = Window(SHARES, 22 * 60, 4 * 60, WEEKDAYS)
    assert night.is_open(at("01:00:00", BLACK_FRIDAY), SpecialDays())
    assert not night.is_open(at("01:00:00", BLACK_FRIDAY), DAYS), "that of a holiday"
    assert night.is_open(at("01:00:00", "2026-11-28"), DAYS), "that of a half day"
    assert not night.is_open(at("01:00:00", MONDAY), DAYS), "that of a Sunday"


def test_without_being_told_every_weekday_is_like_another():
    for day in (THANKSGIVING, BLACK_FRIDAY):
        assert trading_day(SHARES, at("12:00:00", day)).closes_ns == at("16:00:00", day)
    assert trading_day(SHARES, at("12:00:00", BLACK_FRIDAY), DAYS).closes_ns == at("13:00:00", BLACK_FRIDAY)
    assert trading_day(SHARES, at("12:00:00", THANKSGIVING), DAYS).is_closed
    assert trading_day(SHARES, at("12:00:00", "2026-11-28"), DAYS).is_closed


@pytest.mark.parametrize(("days", "close", "high"), [(DAYS, 5.0, 5.0), (SpecialDays(), 7.0, 7.0)])
def test_what_trades_behind_an_early_close_is_no_close_and_no_regular_high(days, close, high):
    tape = Tape().instrument(at("12:00:00", BLACK_FRIDAY), 1, "A")
    tape.print(at("12:59:59", BLACK_FRIDAY), 1, 5.0, 100).print(at("13:30:00", BLACK_FRIDAY), 1, 7.0, 100)
    tape.timer(at("13:31:00", BLACK_FRIDAY))
    show = {"show": ["rth_high"], "schedule": {"every_s": 1, "from": "00:00", "until": "23:59"}}
    assert value_of(scanned(tape, scanner_on(days, **show))[1], "rth_high") == high
    tape.timer(at("08:00:00", MONDAY))
    assert value_of(scanned(tape, scanner_on(days, show=["prev_close"]))[1], "prev_close") == close


@pytest.mark.parametrize("rows", [0, 1])
def test_it_does_not_look_behind_the_end_of_a_half_day_and_drops_its_list_there(rows):
    tape = Tape().instrument(at("12:59:00", BLACK_FRIDAY), 1, "A").print(at("12:59:10", BLACK_FRIDAY), 1, 5.0, 100)
    tape.timers(at("12:59:57", BLACK_FRIDAY), at("13:00:03", BLACK_FRIDAY))
    schedule = {"every_s": 1, "from": "09:30", "until": "16:00", "at_end": "drop"}
    made, scanner = scanned(tape, scanner_on(DAYS, schedule=schedule), rows)
    looked = {row["ts_recv_ns"] for row in rows_of(made, Kind.CANDIDATE)}
    assert max(looked) == at("12:59:59", BLACK_FRIDAY)
    assert [row["ts_recv_ns"] for row in rows_of(made, Kind.UNIVERSE)] == [min(looked), at("13:00:00", BLACK_FRIDAY)]
    assert scanner.get_active_stock_list() == []


def test_a_short_sale_restriction_holds_on_the_next_day_on_which_they_trade():
    """A fall on Friday holds on Monday, one on the eve of Thanksgiving on the Friday behind it, also when the session went on between."""
    for fell, after, over in ((BLACK_FRIDAY, MONDAY, "2026-12-01"), ("2026-11-25", BLACK_FRIDAY, MONDAY)):
        tape = Tape().instrument(at("09:00:00", fell), 1, "A")
        tape.fact(at("09:00:00", fell), 1, "previous_close", 10.0, as_of_ns=at("09:00:00", fell) - DAY_NS)
        tape.print(at("10:00:00", fell), 1, 8.9, 100).print(at("10:00:01", fell), 1, 9.9, 100)
        tape.timers(at("10:00:02", fell), at("10:00:00", after), 3_600 * SECOND_NS)
        tape.print(at("10:00:00", after), 1, 9.9, 100).timer(at("10:00:01", after))
        assert value_of(scanned(tape, scanner_on(DAYS, show=["ssr"]))[1], "ssr") == 1
        tape.timer(at("10:00:00", over))
        assert value_of(scanned(tape, scanner_on(DAYS, show=["ssr"]))[1], "ssr") == 0
