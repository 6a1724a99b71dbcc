"""The indicators that charts draw beyond the basic ones, each against its plain formula over the whole series.

Formulas are those of the sources that the modules name, written with numpy and not a line of ours; tolerances are relative
to the largest value in play.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_formulas import BARS, LENGTHS, SERIES, close_to, exponential, of, rolling, true_ranges

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


def test_a_distance_too_small_to_divide_by_is_none():
    columns = dict.fromkeys(("high", "low", "close"), np.array([0.0, 0.0, 5e-324]))
    assert math.isnan(over(INDICATORS["cci"], columns, {"length": 3})["value"][-1])


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


@given(BARS, LENGTHS, st.integers(1, 6), st.floats(0.0, 5.0))
def test_keltner(bars, length, atr_length, width):
    made = over(INDICATORS["keltner"], bars, {"length": length, "width": width, "atr_length": atr_length})
    middle = exponential(bars["close"], 2 / (length + 1), length)
    distance = width * exponential(true_ranges(bars), 1 / atr_length, atr_length)
    close_to(made["middle"], middle, bars["high"])
    close_to(made["upper"], middle + distance, bars["high"])
    close_to(made["lower"], middle - distance, bars["high"])


TURNS = st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=60).map(
    lambda rows: {
        "high": 500.0 + np.array([move + up for move, up, _ in rows]),
        "low": 500.0 + np.array([move - down for move, _, down in rows]),
        "close": 500.0 + np.array([float(move) for move, _, _ in rows]),
    }
)
"""Bars that go to and fro, in whole steps, so that touches and ties happen."""


@given(TURNS, st.integers(1, 4), st.sampled_from([0.5, 1.0, 2.0]))
def test_supertrend_trails_with_the_trend_and_turns_at_the_band(bars, length, width):
    made = over(INDICATORS["supertrend"], bars, {"length": length, "width": width})
    assert np.isnan(np.stack(list(made.values()))[:, :length]).all()
    middle = (bars["high"] + bars["low"]) / 2
    distance = width * exponential(true_ranges(bars), 1 / length, length)
    close = bars["close"]
    for i in range(length + 1, len(close)):
        before = made["upper"][i - 1], made["lower"][i - 1], made["direction"][i - 1]
        upper = middle[i] + distance[i] if close[i - 1] > before[0] else min(before[0], middle[i] + distance[i])
        lower = middle[i] - distance[i] if close[i - 1] < before[1] else max(before[1], middle[i] - distance[i])
        close_to(made["upper"][i], upper, 500.0)
        close_to(made["lower"][i], lower, 500.0)
        is_up = close[i] > (made["lower"][i] if before[2] > 0 else made["upper"][i])
        assert made["direction"][i] == (1.0 if is_up else -1.0)
        assert made["value"][i] == made["lower" if is_up else "upper"][i]


@given(TURNS, st.sampled_from([0.02, 0.25]), st.sampled_from([0.2, 0.75]))
def test_the_parabolic_stop_is_known_a_bar_ahead_and_turns_when_gone_through(bars, step, limit):
    made = over(INDICATORS["psar"], bars, {"step": step, "limit": limit})
    high, low = bars["high"], bars["low"]
    assert all(np.isnan(column[0]) for column in made.values())
    since = 0
    for i in range(1, len(high)):
        known = made["coming"][i - 1] if i > 1 else (low[0] if made["direction"][1] > 0 else high[0])
        was_up = made["direction"][i - 1] > 0 if i > 1 else high[0] + low[0] <= high[1] + low[1]
        if i == 1:
            known = low[0] if was_up else high[0]
        extreme = high[since : i + 1].max() if was_up else low[since : i + 1].min()
        is_turn = low[i] < known if was_up else high[i] > known
        if is_turn:
            since = i
        assert made["direction"][i] == (1.0 if was_up != is_turn else -1.0)
        assert made["value"][i] == (extreme if is_turn else known)
        is_up = was_up != is_turn
        furthest = (high if is_up else low)[since : i + 1]
        news = np.diff(np.maximum.accumulate(furthest) if is_up else np.minimum.accumulate(furthest))
        share = min(step + step * np.count_nonzero(news), limit)
        target = (furthest.max() if is_up else furthest.min()) - made["value"][i]
        coming = made["value"][i] + target * share
        coming = min(coming, low[i - 1], low[i]) if is_up else max(coming, high[i - 1], high[i])
        close_to(made["coming"][i], coming, 500.0)


def flows(bars):
    width = bars["high"] - bars["low"]
    multiplier = np.where(
        width > 0, (2 * bars["close"] - bars["low"] - bars["high"]) / np.where(width > 0, width, 1), 0
    )
    return multiplier * bars["volume"]


@given(TURNS, st.integers(0, 1_000), LENGTHS)
def test_flows_of_volume(bars, seed, length):
    bars = bars | {"volume": np.random.default_rng(seed).integers(0, 3, len(bars["close"])).astype(float)}
    gathered = over(INDICATORS["accumulation_distribution"], bars, {})["value"]
    close_to(gathered, np.cumsum(flows(bars)), bars["volume"].sum())
    traded = rolling(np.sum, bars["volume"], length)
    with np.errstate(invalid="ignore"):
        expected = rolling(np.sum, flows(bars), length) / traded
    close_to(over(INDICATORS["cmf"], bars, {"length": length})["value"], expected, 1.0)

    typical = (bars["high"] + bars["low"] + bars["close"]) / 3
    change = np.diff(typical, prepend=np.nan)
    turnover = np.where(np.isnan(change), np.nan, typical * bars["volume"])
    rising = rolling(np.sum, np.where(change < 0, 0, np.where(change == 0, 0, turnover)), length)
    falling = rolling(np.sum, np.where(change > 0, 0, np.where(change == 0, 0, turnover)), length)
    with np.errstate(invalid="ignore"):
        expected = np.where(rising + falling == 0, 100.0, 100 * rising / (rising + falling))
    close_to(over(INDICATORS["mfi"], bars, {"length": length})["value"], expected, 100.0)


@given(TURNS, st.permutations([2, 3, 5]))
def test_ultimate_oscillator_of_windows_in_any_order(bars, lengths):
    before = np.append(np.nan, bars["close"][:-1])
    pressure = bars["close"] - np.minimum(bars["low"], before)
    ranges = true_ranges(bars)
    with np.errstate(invalid="ignore"):
        shares = [rolling(np.sum, pressure, each) / rolling(np.sum, ranges, each) for each in lengths]
    expected = 100 * (4 * shares[0] + 2 * shares[1] + shares[2]) / 7
    made = over(INDICATORS["ultimate_oscillator"], bars, dict(zip(("short", "middle", "long"), lengths, strict=True)))
    close_to(made["value"], expected, 100.0)


@given(TURNS, st.permutations([2, 3, 5]), st.integers(1, 6))
def test_each_span_of_a_cloud_stands_where_it_is_known(bars, lengths, displacement):
    given_ = dict(zip(("conversion", "base", "span"), lengths, strict=True)) | {"displacement": displacement}
    made = over(INDICATORS["ichimoku"], bars, given_)
    tenkan, kijun, span_b = (
        (rolling(np.max, bars["high"], each) + rolling(np.min, bars["low"], each)) / 2 for each in lengths
    )
    for name, line in [
        ("conversion", tenkan),
        ("base", kijun),
        ("coming_a", (tenkan + kijun) / 2),
        ("coming_b", span_b),
        ("leading_a", earlier((tenkan + kijun) / 2, displacement)),
        ("leading_b", earlier(span_b, displacement)),
        ("past_close", earlier(bars["close"], displacement)),
    ]:
        np.testing.assert_array_equal(made[name], line)


def earlier(values, bars_back):
    return np.concatenate([np.full(bars_back, np.nan), values])[: len(values)]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 4))
def test_a_fractal_is_known_when_its_right_wing_is_complete(prices, wing):
    high = np.array(prices, float)
    made = over(INDICATORS["fractals"], {"high": high, "low": -high}, {"wing": wing})
    peaks = [
        i
        for i in range(wing, len(prices) - wing)
        if max(prices[i - wing : i] + prices[i + 1 : i + wing + 1]) < prices[i]
    ]
    for now in range(len(prices)):
        known = [i for i in peaks if i + wing <= now]
        expected = (high[known[-1]], now - known[-1]) if known else (np.nan, np.nan)
        np.testing.assert_equal((made["high"][now], made["high_age"][now]), expected)
        np.testing.assert_equal((-made["low"][now], made["low_age"][now]), expected)
