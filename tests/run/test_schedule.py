from datetime import UTC, datetime

import pytest

from pipeline.errors import ConfigError
from pipeline.run.schedule import hours_of, next_stretch
from pipeline.units import HOUR_NS, NANO

DAY = hours_of("03:55-20:05")


def ns(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NANO


def told(stretch):
    return [datetime.fromtimestamp(each // NANO, UTC).strftime("%Y-%m-%d %H:%M") for each in stretch]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-27T20:00", ["2026-11-27 08:55", "2026-11-28 01:05"]),  # under way
        ("2026-11-28T02:00", ["2026-11-30 08:55", "2026-12-01 01:05"]),  # a weekend
        ("2026-11-26T12:00", ["2026-11-27 08:55", "2026-11-28 01:05"]),  # Thanksgiving
        ("2026-12-24T23:59", ["2026-12-24 08:55", "2026-12-25 01:05"]),
        ("2026-12-25T05:00", ["2026-12-28 08:55", "2026-12-29 01:05"]),  # Christmas, then a weekend
    ],
)
def test_the_next_trading_day_by_the_calendar(now, expected):
    assert told(next_stretch(ns(now), DAY, "XNYS")) == expected


def test_the_clocks_of_new_york_decide_on_both_sides_of_a_change():
    before, after = next_stretch(ns("2026-10-30T06:00"), DAY, "XNYS"), next_stretch(ns("2026-11-02T06:00"), DAY, "XNYS")
    assert told(before)[0] == "2026-10-30 07:55"
    assert told(after)[0] == "2026-11-02 08:55"
    spring = next_stretch(ns("2027-03-15T06:00"), DAY, "XNYS")
    assert told(spring)[0] == "2027-03-15 07:55"


def test_what_never_closes_is_recorded_every_day_of_utc_whatever_clocks_do():
    always = hours_of("00:00-00:00")
    for day in ("2026-03-08", "2026-11-01", "2026-11-28"):
        stretch = next_stretch(ns(f"{day}T05:00"), always, "24/7")
        assert stretch.until_ns - stretch.from_ns == 24 * HOUR_NS
        assert told(stretch)[0] == f"{day} 00:00"


def test_hours_past_midnight_belong_to_the_day_they_began_on():
    night = hours_of("20:00-03:50")
    assert told(next_stretch(ns("2026-11-24T06:00"), night, "XNYS")) == ["2026-11-24 01:00", "2026-11-24 08:50"]


@pytest.mark.parametrize("text", ["", "4-20", "03:55", "25:00-26:00", "03:55-20:60", "a:b-c:d"])
def test_hours_that_are_none_are_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="03:55-20:05"):
        hours_of(text)
