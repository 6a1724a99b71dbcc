"""The indicators that charts draw beyond the basic ones, each against its plain formula over the whole series.

Formulas are those of the sources that the modules name, written with numpy and not a line of ours; tolerances are relative
to the largest value in play.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_formulas import BARS, LENGTHS, SERIES, close_to, exponential, of, rolling

from pipeline.indicators.catalog import INDICATORS
from pipeline.indicators.series import over


def weighted(values, length):
    return rolling(lambda window: np.average(window, weights=np.arange(1, length + 1)), values, length)


@given(SERIES, LENGTHS)
def test_weighted_averages(values, length):
    close_to(of("wma", values, length=length)["value"], weighted(values, length), values)
    raw = 2 * weighted(values, length // 2) - weighted(values, length)
    close_to(of("hma", values, length=length)["value"], weighted(raw, math.isqrt(length)), values)


@given(SERIES, st.integers(1, 8))
def test_averages_of_averages(values, length):
    first = exponential(values, 2 / (length + 1), length)
    second = exponential(first, 2 / (length + 1), length)
    third = exponential(second, 2 / (length + 1), length)
    close_to(of("dema", values, length=length)["value"], 2 * first - second, values)
    close_to(of("tema", values, length=length)["value"], 3 * first - 3 * second + third, values)
    before = np.append(np.nan, third[:-1])
    close_to(
        of("trix", values, length=length)["value"], 100 * (third / before - 1), 100 * (values.max() / values.min())
    )


@given(SERIES, LENGTHS, st.integers(1, 5), st.integers(5, 30))
def test_the_adaptive_average_goes_by_its_efficiency(values, length, fast, slow):
    made = of("kama", values, length=length, fast=fast, slow=slow)
    steps = np.abs(np.diff(values))
    average = values[min(length, len(values)) - 1]
    for i in range(length):
        assert all(math.isnan(column[i]) for column in made.values() if i < len(values))
    for i in range(length, len(values)):
        way = steps[i - length : i].sum()
        efficiency = abs(values[i] - values[i - length]) / way if way else 1.0
        average += (efficiency * (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1)) ** 2 * (values[i] - average)
        close_to(made["value"][i], average, values)
        close_to(made["efficiency"][i], efficiency, 1.0)


@given(SERIES, st.integers(1, 12))
def test_changes(values, length):
    before = np.concatenate([np.full(length, np.nan), values])[: len(values)]
    assert of("momentum", values, length=length)["value"].tobytes() == (values - before).tobytes()
    close_to(of("roc", values, length=length)["value"], 100 * (values / before - 1), 100 * values.max() / values.min())


def test_from_nothing_no_change_is_known():
    assert math.isnan(of("roc", np.array([0.0, 1.0]), length=1)["value"][1])
    assert math.isnan(of("trix", np.zeros(4), length=1)["value"][-1])


def places(bars, length):
    """Where each close lies between the highest high and the lowest low, in percent; NaN without a range."""
    highest, lowest = rolling(np.max, bars["high"], length), rolling(np.min, bars["low"], length)
    width = np.where(highest > lowest, highest - lowest, np.nan)
    return 100 * (bars["close"] - lowest) / width


@given(BARS, LENGTHS, st.integers(1, 4), st.integers(1, 4))
def test_stochastic_and_williams(bars, length, smoothing, signal):
    fast = places(bars, length)
    made = over(INDICATORS["stochastic"], bars, {"length": length, "smoothing": smoothing, "signal": signal})
    close_to(made["fast"], fast, 100.0)
    known = np.isfinite(fast)
    slow = rolling(np.mean, fast[known], smoothing)
    close_to(made["value"][known], slow, 100.0)
    slower = np.full(len(slow), np.nan)
    slower[smoothing - 1 :] = rolling(np.mean, slow[smoothing - 1 :], signal)
    close_to(made["signal"][known], slower, 100.0)
    close_to(over(INDICATORS["williams_r"], bars, {"length": length})["value"], fast - 100, 100.0)


@pytest.mark.parametrize("price", [0.1, 1e-9, 123.456])
def test_a_market_that_stands_still_has_no_place_and_no_distance(price):
    columns = {name: np.append([1.0, 3.0, 2.0], np.full(9, price)) for name in ("high", "low", "close")}
    made = over(INDICATORS["stochastic"], columns, {"length": 3, "smoothing": 1, "signal": 2})
    assert np.isnan(made["fast"][-6:]).all()
    assert (made["value"][-6:] == made["value"][5]).all()
    assert (made["signal"][-6:] == made["signal"][5]).all()
    for name in ("williams_r", "cci"):
        assert np.isnan(over(INDICATORS[name], columns, {"length": 3})["value"][-6:]).all()


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=40), LENGTHS)
def test_cci(prices, length):
    prices = np.array(prices, float)
    bars = {"high": prices + 2, "low": prices - 2, "close": prices + 1}

    def index(window):
        distance = np.abs(window - window.mean()).mean()
        return (window[-1] - window.mean()) / (0.015 * distance) if distance > 1e-9 else np.nan

    made = over(INDICATORS["cci"], bars, {"length": length})["value"]
    close_to(made, rolling(index, prices + 1 / 3, length), 100.0)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), LENGTHS)
def test_aroon_counts_from_the_latest_of_equal_extremes(prices, length):
    prices = np.array(prices, float)
    made = over(INDICATORS["aroon"], {"high": prices, "low": prices}, {"length": length})
    up = rolling(lambda window: 100 * (length - np.argmax(window[::-1])) / length, prices, length + 1)
    down = rolling(lambda window: 100 * (length - np.argmin(window[::-1])) / length, prices, length + 1)
    close_to(made["up"], up, 100.0)
    close_to(made["down"], down, 100.0)
    close_to(made["value"], up - down, 100.0)
