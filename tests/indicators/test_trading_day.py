"""Trading day: our two clocks against the time-zone database."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hours import Zone, new_york_offset_ns
from pipeline.indicators.trading_day import NEVER, minutes_after, minutes_until, trading_time
from pipeline.units import ABSENT, DAY_NS, HOUR_NS, MINUTE_NS, NANO, TS_MAX_NS

NEW_YORK = ZoneInfo("America/New_York")
SINCE_1987_NS = int(datetime(1987, 1, 1, tzinfo=UTC).timestamp()) * NANO
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offset_ns(ts_ns):
    return int(datetime.fromtimestamp(ts_ns // NANO, NEW_YORK).utcoffset().total_seconds()) * NANO


@pytest.mark.parametrize("year", range(1987, 2100))
def test_new_york_changes_its_clock_on_the_hour_the_law_says(year):
    start_ns = int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * NANO
    hours = range(start_ns, min(start_ns + 366 * DAY_NS, TS_MAX_NS), HOUR_NS)
    changes = [i for i in range(1, len(hours)) if new_york_offset_ns(hours[i]) != new_york_offset_ns(hours[i - 1])]
    assert len(changes) == 2
    for i in changes:
        for ts_ns in (hours[i] - 1, hours[i], hours[i] - HOUR_NS, hours[i] + HOUR_NS):
            assert new_york_offset_ns(ts_ns) == offset_ns(ts_ns)


@given(st.integers(SINCE_1987_NS, TS_MAX_NS - 1), st.integers(0, 1_439))
def test_a_new_york_day_begins_at_its_first_minute_by_the_clock_on_the_wall(ts_ns, first_minute):
    wall = datetime.fromtimestamp(ts_ns // NANO, NEW_YORK).replace(tzinfo=UTC)
    shifted = wall - timedelta(minutes=first_minute)
    expected = (shifted - EPOCH).days, shifted.hour * 60 + shifted.minute
    assert trading_time(ts_ns, first_minute, Zone.NEW_YORK) == expected


@given(st.integers(SINCE_1987_NS, TS_MAX_NS - 1))
def test_a_utc_day_is_a_utc_day(ts_ns):
    assert trading_time(ts_ns, 0, Zone.UTC) == (ts_ns // DAY_NS, ts_ns % DAY_NS // MINUTE_NS)


@pytest.mark.parametrize("ts_ns", [ABSENT, -1, 0])
def test_an_absent_time_belongs_to_no_day(ts_ns):
    assert trading_time(ts_ns, 570, Zone.NEW_YORK) == (NEVER, 0)


def test_stretches_go_round_the_clock():
    assert minutes_after(240, 570) == 330
    assert minutes_after(1_080, 0) == 360
    assert minutes_until(570, 960) == 390
    assert minutes_until(1_080, 1_020) == 1_380
    assert minutes_until(0, 0) == 1_440
