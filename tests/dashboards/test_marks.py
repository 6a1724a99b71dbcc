"""Which candles of a long day are handed to a chart, and the marks on them: those of a side that fell into one candle are one."""

import pyarrow as pa
import pytest

from dashboards import prices
from dashboards.charts import Point
from dashboards.market import Candles
from dashboards.prices import Scene, on_grid


def test_those_of_a_side_in_a_candle_are_one_at_their_mean_price():
    came = [Point(61.2, "buy", 400, 2.61), Point(64.9, "buy", 200, 2.64), Point(64.9, "sell", 600, 2.58)]
    bought, sold = on_grid(came, 5)
    assert bought == Point(60, "buy", 600, pytest.approx(2.62))
    assert sold == Point(60, "sell", 600, pytest.approx(2.58))


def test_those_of_another_candle_stand_apart():
    assert [point.time_s for point in on_grid([Point(4.9, "buy", 1, 2.0), Point(5.0, "buy", 1, 2.0)], 5)] == [0, 5]


@pytest.mark.parametrize(
    ("shown_s", "expected"),
    [
        ((50, 60), list(range(50, 61))),
        ((998, 1_000), list(range(90, 100))),  # an hour behind the last print
        ((-1_000, -998), list(range(10))),
    ],
)
def test_there_are_candles_also_where_a_quiet_stretch_is_seen_first(shown_s, expected, monkeypatch):
    monkeypatch.setattr(prices, "_CANDLES_MAX", 10)
    made = Candles(pa.table({"time": list(range(100))}), "prints", 1)
    assert made.rows.filter(prices._window(made, Scene(shown_s=shown_s)))["time"].to_pylist() == expected
