"""Hours against the time-zone database: parts of a day, days of 23 and 25 hours, and whose hours an instrument keeps."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import AssetClass
from pipeline.hours import (
    CLOSE_MINUTE,
    OPEN_MINUTE,
    Calendar,
    DayPart,
    calendar_of,
    days_at,
    end_of_day_ns,
    exchange_offset_ns,
    next_ns,
    part_at,
)
from pipeline.units import DAY_NS, NANO, TS_MAX_NS

NEW_YORK = ZoneInfo("America/New_York")
MOMENTS = st.integers(int(datetime(1988, 1, 1, tzinfo=UTC).timestamp()) * NANO, TS_MAX_NS - 10 * DAY_NS)
EDGES = {
    Calendar.SHARES: (0, [(240, DayPart.NIGHT), (570, DayPart.PREMARKET), (960, DayPart.REGULAR),
                          (1_200, DayPart.AFTER_HOURS), (1_440, DayPart.NIGHT)]),
    Calendar.FUTURES: (-360, [(1_380, DayPart.REGULAR), (1_440, DayPart.NIGHT)]),
}  # fmt: skip


def on_the_wall(date, minute):
    wall = datetime(date.year, date.month, date.day, tzinfo=NEW_YORK) + timedelta(minutes=minute)  # adds on the wall
    return int(wall.timestamp()) * NANO


def expected(calendar, ts_ns):
    first, edges = EDGES[calendar]
    wall = datetime.fromtimestamp(ts_ns // NANO, NEW_YORK).replace(tzinfo=None) - timedelta(minutes=first)
    date, start = wall.date(), 0
    for end, part in edges:
        bounds = on_the_wall(date, first + start), on_the_wall(date, first + end)
        if bounds[0] <= ts_ns < bounds[1]:
            return part, *bounds
        start = end
    raise AssertionError("a day has no holes")


@given(st.sampled_from(list(EDGES)), MOMENTS)
def test_the_part_of_a_day_is_what_the_clock_on_the_wall_says(calendar, ts_ns):
    assert part_at(calendar, ts_ns) == expected(calendar, ts_ns)


@given(st.sampled_from(list(EDGES)), MOMENTS)
def test_a_day_goes_from_its_first_minute_to_the_next_days(calendar, ts_ns):
    first = EDGES[calendar][0]
    date = (datetime.fromtimestamp(ts_ns // NANO, NEW_YORK).replace(tzinfo=None) - timedelta(minutes=first)).date()
    found = days_at(calendar, ts_ns, 1)
    assert found[1:] == (on_the_wall(date, first), on_the_wall(date, first + 1_440))


@given(st.sampled_from(list(Calendar)), MOMENTS, st.integers(1, 30))
def test_blocks_of_days_follow_each_other(calendar, ts_ns, count):
    found = days_at(calendar, ts_ns, count)
    assert found.from_ns <= ts_ns < found.until_ns
    after = days_at(calendar, found.until_ns, count)
    assert after.from_ns == found.until_ns
    assert abs(found.until_ns - found.from_ns - count * DAY_NS) <= DAY_NS // 24


@given(MOMENTS, st.sampled_from([OPEN_MINUTE, CLOSE_MINUTE]))
def test_the_next_of_a_minute_is_on_a_weekday_and_none_is_passed_over(ts_ns, minute):
    found = datetime.fromtimestamp(next_ns(Calendar.SHARES, ts_ns, minute) // NANO, NEW_YORK)
    moment = datetime.fromtimestamp(ts_ns // NANO, NEW_YORK).replace(hour=minute // 60, minute=minute % 60, second=0)
    while moment.weekday() > 4 or moment.timestamp() * NANO <= ts_ns:
        moment += timedelta(days=1)
    assert found == moment


@pytest.mark.parametrize(
    ("calendar", "sent", "extended", "ends"),
    [
        (Calendar.SHARES, "2026-03-06 15:59", False, "2026-03-06 16:00"),
        (Calendar.SHARES, "2026-03-06 16:00", False, "2026-03-09 16:00"),  # over a weekend on which clocks change
        (Calendar.SHARES, "2026-03-06 16:00", True, "2026-03-06 20:00"),
        (Calendar.FUTURES, "2026-03-06 16:59", False, "2026-03-06 17:00"),
        (Calendar.FUTURES, "2026-03-08 18:00", False, "2026-03-09 17:00"),
        (Calendar.FUTURES, "2026-03-06 17:00", False, "2026-03-09 17:00"),
    ],
)
def test_an_order_for_the_day_ends_at_the_next_close(calendar, sent, extended, ends):
    ts_ns, end = (
        int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * NANO for text in (sent, ends)
    )
    assert end_of_day_ns(calendar, ts_ns, extended) == end


ZONES = {Calendar.ALWAYS: UTC, Calendar.SHARES: NEW_YORK, Calendar.FUTURES: ZoneInfo("America/Chicago")}


@given(st.sampled_from(list(Calendar)), MOMENTS)
def test_the_clocks_at_an_exchange_are_those_of_its_zone(calendar, ts_ns):
    wall = datetime.fromtimestamp(ts_ns // NANO, ZONES[calendar])
    assert exchange_offset_ns(calendar, ts_ns) == wall.utcoffset().total_seconds() * NANO


@pytest.mark.parametrize("calendar", Calendar)
@pytest.mark.parametrize(("month", "first"), [(3, 8), (11, 1)])
def test_the_clocks_at_an_exchange_change_when_those_of_its_zone_do(calendar, month, first):
    begin = datetime(2026, month, first, tzinfo=UTC)
    for half_hours in range(14 * 48):
        moment = begin + timedelta(minutes=30 * half_hours)
        expected_ns = moment.astimezone(ZONES[calendar]).utcoffset().total_seconds() * NANO
        assert exchange_offset_ns(calendar, int(moment.timestamp()) * NANO) == expected_ns


@pytest.mark.parametrize(
    ("name", "asset_class", "calendar"),
    [
        ("", AssetClass.EQUITY, Calendar.SHARES),
        ("", AssetClass.ETF, Calendar.SHARES),
        ("", AssetClass.FUTURE, Calendar.FUTURES),
        ("24/7", AssetClass.FUTURE, Calendar.ALWAYS),
        ("XNYS", AssetClass.OTHER, Calendar.SHARES),
        ("", AssetClass.CRYPTO, Calendar.ALWAYS),
        ("XLON", AssetClass.EQUITY, Calendar.SHARES),
        ("", 99, Calendar.ALWAYS),
    ],
)
def test_an_instrument_keeps_the_hours_it_names_or_those_of_its_class(name, asset_class, calendar):
    assert calendar_of(name, asset_class) == calendar
