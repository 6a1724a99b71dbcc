"""Executions on a chart: those of a side that fell into one candle are one mark."""

import pytest

from dashboards.charts import Point
from dashboards.prices import on_grid


def test_those_of_a_side_in_a_candle_are_one_at_their_mean_price():
    came = [Point(61.2, "buy", 400, 2.61), Point(64.9, "buy", 200, 2.64), Point(64.9, "sell", 600, 2.58)]
    bought, sold = on_grid(came, 5)
    assert bought == Point(60, "buy", 600, pytest.approx(2.62))
    assert sold == Point(60, "sell", 600, pytest.approx(2.58))


def test_those_of_another_candle_stand_apart():
    assert [point.time_s for point in on_grid([Point(4.9, "buy", 1, 2.0), Point(5.0, "buy", 1, 2.0)], 5)] == [0, 5]
