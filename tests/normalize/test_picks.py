"""Rows of a person's own lists."""

import math

import pytest

from pipeline.errors import ConfigError, UnitError
from pipeline.normalize.picks import pick_columns_of, pick_of_row
from pipeline.units import iso_from_ns


@pytest.mark.parametrize(
    ("day", "time", "expected"),
    [
        ("2026-11-20", "", "2026-11-20T09:00:00"),
        ("2026-03-06", "", "2026-03-06T09:00:00"),
        ("2026-03-09", "", "2026-03-09T08:00:00"),
        ("2026-11-20", "08:12", "2026-11-20T13:12:00"),
        ("2026-11-20", "08:12:30", "2026-11-20T13:12:30"),
        ("2026-11-20", "2026-11-20T13:12:00Z", "2026-11-20T13:12:00"),
        ("2026-11-20", "2026-11-20 08:12", "2026-11-20T13:12:00"),
    ],
)
def test_when_a_pick_was_made(day, time, expected):
    pick = pick_of_row({"day": day, "symbol": "abcd", "time": time}, provider="mine")
    assert iso_from_ns(pick.known_at_ns)[:19] == expected
    assert (pick.symbol, pick.text) == ("ABCD", day)


@pytest.mark.parametrize("time", ["08:12:30.75", "2026-11-20T13:12:30.75Z"])
def test_a_pick_is_no_earlier_than_its_list_says(time):
    pick = pick_of_row({"day": "2026-11-20", "symbol": "A", "time": time}, provider="mine")
    assert iso_from_ns(pick.known_at_ns) == "2026-11-20T13:12:30.750000000Z"


def test_a_score_may_be_there():
    assert pick_of_row({"day": "2026-11-20", "symbol": "A", "score": "7.5"}, provider="mine").value == 7.5
    assert math.isnan(pick_of_row({"day": "2026-11-20", "symbol": "A", "score": ""}, provider="mine").value)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"day": "20.11.2026", "symbol": "A"}, "day: '20.11.2026'"),
        ({"day": "2026-11-20", "symbol": ""}, "empty"),
        ({"day": "2026-11-20", "symbol": "A", "time": "early"}, "time: 'early'"),
        ({"day": "2026-11-20", "symbol": "A", "score": "good"}, "score: 'good'"),
    ],
)
def test_a_cell_that_can_not_be_read_is_named(cells, said):
    with pytest.raises(UnitError, match=said):
        pick_of_row(cells, provider="mine")


def test_a_list_needs_days_and_symbols():
    assert pick_columns_of(["when", "Ticker"], "day=when") == {"day": "when", "symbol": "Ticker"}
    with pytest.raises(UnitError, match="for the day"):
        pick_columns_of(["symbol"])
    with pytest.raises(ConfigError, match="did you mean symbol"):
        pick_columns_of(["day", "x"], "symbl=x")
