"""Indicators on charts: each that can be drawn is, with the numbers of its own fold, where it belongs, and never ahead of the rows."""

import numpy as np
import pyarrow as pa
import pytest

from dashboards import indicated, market
from dashboards.charts import Series
from dashboards.prices import panes, series
from pipeline.core.market import Quote
from pipeline.errors import ConfigError
from pipeline.indicators.catalog import INDICATORS
from pipeline.indicators.indicator import Pane
from pipeline.indicators.series import over
from pipeline.units import NANO

FIRST_S = 1_767_621_600  # 2026-01-05 09:00 in New York
ROWS = 1_600


@pytest.fixture(scope="module")
def rows():
    """Candles of a minute over two sessions, and the quotes that stood at their ends."""
    chance = np.random.default_rng(4)
    close = 100 + np.cumsum(chance.normal(0, 0.05, ROWS))
    candles = {
        "time": FIRST_S + 60 * np.arange(ROWS),
        "open": close + 0.01,
        "high": close + 0.05,
        "low": close - 0.05,
        "close": close,
        "volume": chance.integers(1, 900, ROWS).astype(float),
        "vwap": close + 0.002,
    }
    quotes = {
        "time": candles["time"],
        "low": close - 0.01,
        "high": close + 0.02,
        "bid_size": close,
        "ask_size": close + 7,
    }
    return pa.table(candles), pa.table(quotes)


@pytest.mark.parametrize("name", indicated.DRAWABLE)
def test_every_indicator_is_drawn_as_its_own_fold_says(rows, name):
    indicator = INDICATORS[name]
    columns = {each: rows[0][each].to_numpy() for each in rows[0].column_names} | {
        "ts_event_ns": rows[0]["time"].to_numpy() * NANO
    }
    if indicator.event is Quote:
        columns = {
            "bid": rows[1]["low"],
            "ask": rows[1]["high"],
            "bid_size": rows[1]["bid_size"],
            "ask_size": rows[1]["ask_size"],
        }
    expected = over(indicator, columns, {})
    drawn = {line.name: line for line in indicated.lines([name], *rows, "shares")}
    told = [value for value in indicator.values if value not in indicator.undrawn]
    for value in told:
        line = drawn.get(name if len(told) == 1 else f"{name} {value}")
        if line is None:
            assert np.isnan(expected[value]).all()
            continue
        np.testing.assert_array_equal([np.nan if each is None else each for each in line.values], expected[value])
        assert (line.pane == 0) is (indicator.pane is Pane.OVERLAY)
    assert drawn


def test_what_a_chart_shows_up_to_a_row_is_not_changed_by_later_ones(rows):
    wanted = [name for name in indicated.DRAWABLE if name != "spread"]
    whole = {line.name: line for line in indicated.lines(wanted, *rows, "shares")}
    begun = indicated.lines(wanted, rows[0].slice(0, 700), rows[1].slice(0, 700), "shares")
    assert len(begun) > 40
    for line in begun:
        assert line.values == whole[line.name].values[:700], line.name


def test_parameters_stand_behind_the_name(rows):
    (line,) = indicated.lines(["sma length=3"], *rows, "shares")
    close = rows[0]["close"].to_pylist()
    assert line.values[:2] == [None, None]
    assert line.values[2] == pytest.approx(sum(close[:3]) / 3)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("smaa", "did you mean"),
        ("tick_rate", "no indicator 'tick_rate' of bars or quotes"),
        ("sma width=3", "unknown parameter 'width'"),
        ("sma length=0", "accepted is an integer from 1"),
        ("sma length", "accepted is an integer from 1"),
    ],
)
def test_what_is_no_indicator_is_refused_in_a_line(word, told):
    with pytest.raises(ConfigError, match=told) as refused:
        indicated.chosen(word, "shares")
    assert "\n" not in str(refused.value)


def test_what_is_no_price_lies_on_a_pane_beneath_the_volume(rows):
    kept = pa.array([True] * ROWS)
    drawn = series(market.Candles(rows[0], "prints", 60), rows[1], "shares", ["rsi", "bollinger", "macd"], kept)
    lying = {each.name: each.pane for each in drawn}
    assert isinstance(drawn[0], Series)
    assert lying["volume"] == 1
    assert lying["rsi"] == 2
    assert {lying[f"macd {value}"] for value in ("value", "signal", "histogram")} == {3}
    assert lying["bollinger upper"] == 0
    assert panes(drawn) == (4, 1, 1, 1)
