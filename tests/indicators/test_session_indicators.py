"""Indicators that know what time it is, by days as they happen: premarket, open, close, and what comes late."""

import csv
import itertools
import math
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.record import record_of
from pipeline.indicators import anchored_vwap, gap, opening_range, pivots, relative_volume, session_extremes
from pipeline.indicators.anchored_vwap import AnchoredVwap
from pipeline.indicators.catalog import INDICATORS
from pipeline.indicators.gap import Gap
from pipeline.indicators.opening_range import OpeningRange
from pipeline.indicators.pivots import Pivots
from pipeline.indicators.relative_volume import RelativeVolume
from pipeline.indicators.series import over
from pipeline.indicators.session_extremes import SessionExtremes
from pipeline.units import DAY_NS, MINUTE_NS, NANO

NEW_YORK = ZoneInfo("America/New_York")
REGULAR = 570, 960, 1


def at(day, clock, month=11):
    """Nanoseconds of a clock time in New York; 3 November 2024 is when it put its clocks back."""
    hour, minute = map(int, clock.split(":"))
    return int(datetime(2024, month, day, hour, minute, tzinfo=NEW_YORK).timestamp()) * NANO


def test_the_sessions_vwap_begins_at_the_open_ends_at_the_close_and_stands_until_the_next():
    group = record_of(AnchoredVwap).new()
    anchored_vwap.update(group, at(1, "9:29"), 50.0, 100.0, *REGULAR)
    assert math.isnan(group.value)
    for clock, price, expected in [("9:30", 10.0, 10.0), ("15:59", 20.0, 15.0), ("16:00", 99.0, 15.0)]:
        anchored_vwap.update(group, at(1, clock), price, 100.0, *REGULAR)
        assert group.value == expected
    anchored_vwap.update(group, at(4, "8:00"), 99.0, 100.0, *REGULAR)
    assert group.value == 15.0
    anchored_vwap.update(group, at(4, "9:30"), 30.0, 100.0, *REGULAR)
    assert group.value == 30.0
    anchored_vwap.update(group, at(1, "12:00"), 99.0, 100.0, *REGULAR)
    assert group.value == 30.0, "of a day that is over"


def test_a_vwap_with_the_premarket_begins_at_four():
    group = record_of(AnchoredVwap).new()
    for clock, expected in [("3:59", math.nan), ("4:00", 10.0), ("9:30", 10.0)]:
        anchored_vwap.update(group, at(4, clock), 10.0, 5.0, 240, 960, 1)
        np.testing.assert_equal(group.value, expected)


def test_a_futures_day_goes_over_midnight():
    group = record_of(AnchoredVwap).new()
    for ts_ns, price, expected in [
        (at(5, "18:00"), 10.0, 10.0),
        (at(6, "2:00"), 20.0, 15.0),
        (at(6, "17:30"), 99.0, 15.0),
        (at(6, "18:00"), 30.0, 30.0),
    ]:
        anchored_vwap.update(group, ts_ns, price, 1.0, 1_080, 1_020, 1)
        assert group.value == expected


def test_the_vwap_of_an_intraday_day_is_amount_over_volume():
    ts_ns = np.array([at(day, "9:30") + i * MINUTE_NS for day in (1, 4) for i in range(390)])
    draw = np.random.default_rng(5)
    price, volume = draw.uniform(90, 110, 780), draw.uniform(0, 1_000, 780)
    made = over(INDICATORS["anchored_vwap"], {"ts_event_ns": ts_ns, "vwap": price, "volume": volume}, {})["value"]
    for day in (slice(0, 390), slice(390, 780)):
        expected = np.cumsum(price[day] * volume[day]) / np.cumsum(volume[day])
        np.testing.assert_allclose(made[day], expected, rtol=1e-13)


LEVELS = 240, 570, 960, 1


def test_premarket_and_session_have_their_own_high_and_low():
    group = record_of(SessionExtremes).new()
    for day, clock, price, premarket, regular in [
        (1, "4:00", 10.0, (10.0, 10.0), (math.nan, math.nan)),
        (1, "9:29", 14.0, (14.0, 10.0), (math.nan, math.nan)),
        (1, "9:30", 12.0, (14.0, 10.0), (12.0, 12.0)),
        (1, "15:59", 9.0, (14.0, 10.0), (12.0, 9.0)),
        (1, "16:00", 99.0, (14.0, 10.0), (12.0, 9.0)),
        (4, "7:00", 20.0, (20.0, 20.0), (math.nan, math.nan)),
        (1, "15:00", 99.0, (20.0, 20.0), (math.nan, math.nan)),
        (4, "10:00", 21.0, (20.0, 20.0), (21.0, 21.0)),
    ]:
        session_extremes.update(group, at(day, clock), price, price, *LEVELS)
        np.testing.assert_equal((group.premarket.high, group.premarket.low), premarket)
        np.testing.assert_equal((group.regular.high, group.regular.low), regular)
        assert session_extremes.ready(group, *LEVELS) == (not math.isnan(regular[0]))


RANGE = 570, 5, 960, 1


def test_the_opening_range_is_complete_once_its_minutes_are_over():
    group = record_of(OpeningRange).new()
    for day, clock, price, levels, is_ready in [
        (1, "9:29", 99.0, (math.nan, math.nan), False),
        (1, "9:30", 10.0, (10.0, 10.0), False),
        (1, "9:34", 12.0, (12.0, 10.0), False),
        (1, "9:35", 13.0, (12.0, 10.0), True),
        (1, "9:33", 99.0, (12.0, 10.0), True),
        (1, "17:00", 99.0, (12.0, 10.0), True),
        (4, "9:00", 99.0, (12.0, 10.0), True),
        (4, "9:31", 20.0, (20.0, 20.0), False),
        (1, "9:50", 99.0, (20.0, 20.0), False),
    ]:
        opening_range.update(group, at(day, clock), price, price, *RANGE)
        np.testing.assert_equal((group.range.high, group.range.low), levels)
        assert opening_range.ready(group, *RANGE) == is_ready


def test_a_timer_completes_the_opening_range_and_a_day_without_one_has_none():
    group = record_of(OpeningRange).new()
    opening_range.update(group, at(1, "9:31"), 10.0, 9.0, *RANGE)
    opening_range.advance(group, at(1, "9:35"), *RANGE)
    assert opening_range.ready(group, *RANGE)
    opening_range.update(group, at(4, "9:40"), 10.0, 9.0, *RANGE)
    assert group.is_complete
    assert not opening_range.ready(group, *RANGE)


def test_a_gap_is_the_first_regular_price_over_the_last():
    group = record_of(Gap).new()
    hours = 570, 960, 1
    for day, clock, price, value, change in [
        (31, "15:59", 100.0, math.nan, math.nan),
        (31, "16:30", 104.0, math.nan, 0.04),
        (32, "8:00", 120.0, math.nan, 0.2),
        (32, "9:30", 110.0, 0.1, 0.1),
        (32, "10:00", 105.0, 0.1, 0.05),
        (32, "15:59", 90.0, 0.1, -0.1),
        (32, "17:00", 99.0, math.nan, 0.1),
        (31, "17:30", 1.0, math.nan, 0.1),
    ]:
        ts_ns = at(31, clock, month=10) + (day - 31) * DAY_NS
        gap.update(group, ts_ns, price, price, *hours)
        np.testing.assert_allclose((group.value, group.change), (value, change), rtol=1e-12)
        assert gap.ready(group, *hours) == (not math.isnan(value))


def test_a_close_from_reference_data_makes_the_first_gap():
    group = record_of(Gap).new()
    gap.close_at(group, 50.0)
    gap.update(group, at(4, "9:30"), 60.0, 55.0, 570, 960, 1)
    assert (group.value, group.change, group.open) == (60.0 / 50.0 - 1.0, 55.0 / 50.0 - 1.0, 60.0)


def test_what_never_closes_gaps_at_midnight():
    closes = np.array([10.0, 12.0, 15.0])
    columns = {"ts_event_ns": np.array([DAY_NS, 2 * DAY_NS - 1, 2 * DAY_NS]), "open": closes, "close": closes}
    made = over(INDICATORS["gap"], columns, {"open_minute": 0, "close_minute": 0, "zone": 0})["value"]
    np.testing.assert_equal(made, [math.nan, math.nan, 15.0 / 12.0 - 1.0])


def test_relative_volume_is_what_was_gathered_over_what_usually_is_by_then():
    group = record_of(RelativeVolume, {"days": 2, "buckets": 13}).new()
    setting = 2, 30, 570, 960, 1
    for day, clock, volume, value in [
        (4, "9:00", 1e9, math.nan),
        (4, "9:30", 100.0, math.nan),
        (4, "15:59", 300.0, math.nan),
        (5, "9:59", 200.0, 2.0),
        (5, "10:00", 100.0, 3.0),
        (5, "15:45", 100.0, 1.0),
        (6, "9:30", 300.0, 2.0),
        (5, "12:00", 1e9, 2.0),
        (6, "10:30", 0.0, 1.5),
        (6, "16:00", 1e9, 1.5),
        (7, "10:15", 250.0, 250.0 / 300.0),
    ]:
        relative_volume.update(group, at(day, clock), volume, *setting)
        np.testing.assert_allclose(group.value, value, rtol=1e-12)
    assert relative_volume.ready(group, *setting)


@pytest.mark.parametrize("bucket_minutes", [1, 7, 30, 390])
@given(seed=st.integers(0, 10_000))
def test_relative_volume_is_its_formula_over_whole_days(bucket_minutes, seed):
    draw = np.random.default_rng(seed)
    days, minutes = 5, np.sort(draw.choice(390, size=(5, 12)), axis=1)
    volume = draw.integers(0, 1_000, size=(5, 12)).astype(float)
    ts_ns = np.array([[at(4 + i, "9:30") + int(minute) * MINUTE_NS for minute in minutes[i]] for i in range(days)])
    columns = {"ts_event_ns": ts_ns.ravel(), "volume": volume.ravel()}
    made = over(INDICATORS["relative_volume"], columns, {"days": 3, "bucket_minutes": bucket_minutes})["value"]
    for i in range(days):
        for k in range(12):
            bucket = minutes[i, k] // bucket_minutes
            past = [volume[j][minutes[j] // bucket_minutes <= bucket].sum() for j in range(max(0, i - 3), i)]
            usual = np.mean(past) if past else 0.0
            expected = volume[i, : k + 1].sum() / usual if usual else math.nan
            np.testing.assert_allclose(made[i * 12 + k], expected, rtol=1e-12)


@pytest.fixture(scope="module")
def intraday(shared_data):
    """Four days of SPY by the minute, December 2020; by day, as columns."""
    path = shared_data / "indicators" / "skender" / "quotes" / "intraday.csv"
    with path.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    columns = {
        name: np.array([float(row[name]) for row in rows]) for name in ("open", "high", "low", "close", "volume")
    }
    stamps = [datetime.fromisoformat(row["date"]).replace(tzinfo=NEW_YORK) for row in rows]
    columns["ts_event_ns"] = np.array([int(stamp.timestamp()) * NANO for stamp in stamps])
    columns["day"] = np.array([stamp.date().toordinal() for stamp in stamps])
    return columns


def test_real_days_by_their_first_minutes_extremes_and_gaps(intraday):
    opening = over(INDICATORS["opening_range"], intraday, {"minutes": 15})
    levels = over(INDICATORS["session_extremes"], intraday, {"close_minute": 961})  # each ends with a bar of 16:00
    gaps = over(INDICATORS["gap"], intraday, {"close_minute": 961})
    last_close = math.nan
    for day in np.unique(intraday["day"]):
        of_day = intraday["day"] == day
        high, low, close = (intraday[name][of_day] for name in ("high", "low", "close"))
        assert opening["range.high"][of_day][-1] == high[:15].max()
        assert opening["range.low"][of_day][-1] == low[:15].min()
        np.testing.assert_array_equal(levels["regular.high"][of_day], np.maximum.accumulate(high))
        np.testing.assert_array_equal(levels["regular.low"][of_day], np.minimum.accumulate(low))
        expected = intraday["open"][of_day][0] / last_close - 1.0
        np.testing.assert_array_equal(gaps["value"][of_day], expected)
        last_close = close[-1]


def levels_of(high, low, close):
    """Pivot points of a session, as their sources write them down."""
    pivot, width = (high + low + close) / 3, high - low
    shares = {"1": 1.1 / 12, "2": 1.1 / 6, "3": 1.1 / 4, "4": 1.1 / 2}
    golden = {"1": 0.382, "2": 0.618, "3": 1.0}
    return {
        "pivots": {
            "pivot": pivot,
            "r1": 2 * pivot - low,
            "s1": 2 * pivot - high,
            "r2": pivot + width,
            "s2": pivot - width,
            "r3": high + 2 * (pivot - low),
            "s3": low - 2 * (high - pivot),
        },
        "fibonacci_pivots": {"pivot": pivot}
        | {f"r{i}": pivot + share * width for i, share in golden.items()}
        | {f"s{i}": pivot - share * width for i, share in golden.items()},
        "camarilla_pivots": {f"r{i}": close + share * width for i, share in shares.items()}
        | {f"s{i}": close - share * width for i, share in shares.items()},
    }


@pytest.mark.parametrize("name", ["pivots", "fibonacci_pivots", "camarilla_pivots"])
def test_real_days_by_the_levels_of_the_day_before(intraday, name):
    made = over(INDICATORS[name], intraday, {"close_minute": 961})
    days = np.unique(intraday["day"])
    assert all(np.isnan(column[intraday["day"] == days[0]]).all() for column in made.values())
    for before, day in itertools.pairwise(days):
        high, low, close = (intraday[each][intraday["day"] == before] for each in ("high", "low", "close"))
        expected = levels_of(high.max(), low.min(), close[-1])[name]
        assert made.keys() == expected.keys()
        for level, column in made.items():
            np.testing.assert_allclose(column[intraday["day"] == day], expected[level], rtol=1e-14)


def test_a_session_is_over_with_the_first_row_after_its_close_and_what_comes_late_changes_nothing():
    group = record_of(Pivots).new()
    for day, clock, price, pivot in [
        (1, "9:29", 99.0, math.nan),
        (1, "9:30", 10.0, math.nan),
        (1, "15:59", 16.0, math.nan),
        (1, "16:00", 99.0, 14.0),
        (1, "12:00", 99.0, 14.0),
        (4, "8:00", 99.0, 14.0),
        (4, "9:30", 20.0, 14.0),
        (1, "15:00", 99.0, 14.0),
        (4, "12:00", 26.0, 14.0),
        (5, "9:31", 50.0, 24.0),
        (6, "8:00", 99.0, 50.0),
        (7, "20:00", 99.0, 50.0),
    ]:
        pivots.update(group, at(day, clock), price, price, price, *REGULAR)
        np.testing.assert_equal(group.pivot, pivot)
        assert pivots.ready(group, *REGULAR) == (not math.isnan(pivot))


def test_what_never_closes_has_the_levels_of_the_last_whole_day():
    ts_ns = np.array([DAY_NS, 2 * DAY_NS - 1, 2 * DAY_NS])
    columns = {"ts_event_ns": ts_ns} | dict.fromkeys(("high", "low", "close"), np.array([10.0, 16.0, 99.0]))
    made = over(INDICATORS["pivots"], columns, {"open_minute": 0, "close_minute": 0, "zone": 0})["pivot"]
    np.testing.assert_equal(made, [math.nan, math.nan, 14.0])


def test_real_days_by_their_volume_so_far(intraday):
    setting = {"days": 2, "bucket_minutes": 1, "last_minute": 961}
    made = over(INDICATORS["relative_volume"], intraday, setting)["value"]
    days = np.unique(intraday["day"])
    gathered = [np.cumsum(intraday["volume"][intraday["day"] == day]) for day in days]
    np.testing.assert_allclose(
        made[intraday["day"] == days[2]], gathered[2] / np.mean(gathered[:2], axis=0), rtol=1e-12
    )
