"""Each fold against its plain formula over the whole series, written with numpy and not a line of ours.

Tolerances are relative to the largest value in play: a formula in another order rounds otherwise.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_formulas import BARS, LENGTHS, SERIES, close_to, exponential, of, rolling, true_ranges

from pipeline.core.record import record_of
from pipeline.indicators import extremes
from pipeline.indicators.catalog import INDICATORS
from pipeline.indicators.series import over


@given(SERIES, LENGTHS)
def test_averages(values, length):
    close_to(of("sma", values, length=length)["value"], rolling(np.mean, values, length), values)
    close_to(of("ema", values, length=length)["value"], exponential(values, 2 / (length + 1)), values)
    close_to(of("seeded_ema", values, length=length)["value"], exponential(values, 2 / (length + 1), length), values)
    close_to(of("rma", values, length=length)["value"], exponential(values, 1 / length, length), values)


@given(SERIES, st.integers(1, 6), st.integers(1, 12), st.integers(1, 5))
def test_macd(values, fast, slow, signal):
    made = of("macd", values, fast=fast, slow=slow, signal=signal)
    line = exponential(values, 2 / (fast + 1), fast) - exponential(values, 2 / (slow + 1), slow)
    average = exponential(line, 2 / (signal + 1), signal)
    close_to(made["value"], line, values)
    close_to(made["signal"], average, values)
    close_to(made["histogram"], line - average, values)


@given(SERIES, LENGTHS)
def test_deviation_and_what_stands_on_it(values, length):
    mean, deviation = rolling(np.mean, values, length), rolling(np.std, values, length)
    close_to(of("deviation", values, length=length)["value"], deviation, values)
    bands = of("bollinger", values, length=length, width=2.5)
    close_to(bands["upper"], mean + 2.5 * deviation, values)
    close_to(bands["lower"], mean - 2.5 * deviation, values)
    score = of("zscore", values, length=length)["value"]
    sound = deviation > 1e-6 * values.max()  # of less, both formulas show rounding
    close_to(score[sound], ((values - mean) / np.where(sound, deviation, 1.0))[sound], length)


@given(SERIES, LENGTHS)
def test_regression(values, length):
    made = of("regression", values, length=length)
    steps = np.arange(length)
    slope = rolling(lambda window: np.polyfit(steps, window, 1)[0], values, length)
    end = rolling(lambda window: np.polyval(np.polyfit(steps, window, 1), length - 1), values, length)
    close_to(made["slope"], slope, values, rel=1e-8)
    close_to(made["value"], end, values, rel=1e-8)


@pytest.mark.filterwarnings("ignore:invalid value")  # of a flat window numpy divides 0 by 0
@given(st.lists(st.integers(1, 1_000), min_size=2, max_size=40), LENGTHS)
def test_the_share_that_a_line_explains_is_the_correlation_squared(values, length):
    made = of("regression", np.array(values, float), length=length)["r2"]
    share = rolling(lambda window: np.corrcoef(np.arange(length), window)[0, 1] ** 2, np.array(values, float), length)
    close_to(made, share, 1.0, rel=1e-7)


@given(BARS, LENGTHS)
def test_movement_of_bars(bars, length):
    ranges = true_ranges(bars)
    close_to(over(INDICATORS["true_range"], bars, {})["value"], ranges, bars["high"])
    average = exponential(ranges, 1 / length, length)
    close_to(over(INDICATORS["atr"], bars, {"length": length})["value"], average, bars["high"])
    channel = over(INDICATORS["donchian"], bars, {"length": length})
    close_to(channel["upper"], rolling(np.max, bars["high"], length), 0.0)
    close_to(channel["lower"], rolling(np.min, bars["low"], length), 0.0)


@given(SERIES, LENGTHS)
def test_rsi(values, length):
    changes = np.diff(values, prepend=np.nan)
    gain = exponential(np.where(changes > 0, changes, changes * 0), 1 / length, length)
    loss = exponential(np.where(changes < 0, -changes, changes * 0), 1 / length, length)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(loss == 0, 100.0, 100 * gain / (gain + loss))
    close_to(of("rsi", values, length=length)["value"], expected, 100.0)


@given(BARS, st.integers(1, 6))
def test_adx_by_wilders_own_sums(bars, length):
    made = over(INDICATORS["adx"], bars, {"length": length})
    up, down = np.diff(bars["high"], prepend=np.nan), -np.diff(bars["low"], prepend=np.nan)
    plus = wilder_sums(np.where(np.isnan(up), up, np.where((up > down) & (up > 0), up, 0.0)), length)
    minus = wilder_sums(np.where(np.isnan(up), up, np.where((down > up) & (down > 0), down, 0.0)), length)
    moved = wilder_sums(true_ranges(bars), length)
    sound = moved > 1e-6 * bars["high"].max()
    close_to(made["plus"][sound], (100 * plus[sound]) / moved[sound], 100.0, rel=1e-7)
    close_to(made["minus"][sound], (100 * minus[sound]) / moved[sound], 100.0, rel=1e-7)
    close_to(made["value"], exponential(made["dx"], 1 / length, length), 100.0)


def wilder_sums(values, length):
    made = np.full(len(values), np.nan)
    for i in range(length, len(values)):
        made[i] = values[1 : length + 1].sum() if i == length else made[i - 1] * (1 - 1 / length) + values[i]
    return made


@given(SERIES, LENGTHS)
def test_realized_volatility(values, length):
    made = of("realized_volatility", values, length=length, year=1_000.0)
    squares = np.append(np.nan, np.diff(np.log(values)) ** 2)
    total = rolling(np.sum, squares, length)
    close_to(made["value"], np.sqrt(total), 1e-3)
    close_to(made["annual"], np.sqrt(total / length * 1_000.0), 1e-3)


@given(st.lists(st.tuples(st.floats(0.01, 1e4), st.floats(0, 1e4)), min_size=1, max_size=40))
def test_volume(rows):
    price, volume = map(np.array, zip(*rows, strict=True))
    signs = np.sign(np.diff(price, prepend=price[0]))
    made = over(INDICATORS["obv"], {"close": price, "volume": volume}, {})["value"]
    close_to(made, np.cumsum(signs * volume), volume.sum())
    made = over(INDICATORS["vwap"], {"vwap": price, "volume": volume}, {})["value"]
    traded = np.cumsum(volume)
    with np.errstate(invalid="ignore"):
        expected = np.where(traded > 0, np.cumsum(price * volume) / traded, np.nan)
    close_to(made, expected, price)


@given(st.lists(st.tuples(*[st.floats(0, 1e6)] * 4), min_size=1, max_size=20))
def test_quotes(rows):
    bid, ask, bid_size, ask_size = map(np.array, zip(*rows, strict=True))
    made = over(INDICATORS["spread"], {"bid": bid, "ask": ask}, {})
    assert made["value"].tolist() == (ask - bid).tolist()
    made = over(INDICATORS["imbalance"], {"bid_size": bid_size, "ask_size": ask_size}, {})["value"]
    with np.errstate(invalid="ignore"):
        close_to(made, (bid_size - ask_size) / (bid_size + ask_size), 1.0)


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=80).map(sorted), st.integers(1, 20))
def test_tick_rate_counts_the_events_of_the_last_whole_seconds(milliseconds, seconds):
    ts_ns = np.array(milliseconds, np.int64) * 1_000_000
    made = over(INDICATORS["tick_rate"], {"ts_event_ns": ts_ns}, {"seconds": seconds})["value"]
    second = ts_ns // 1_000_000_000
    for i in range(len(ts_ns)):
        inside = (second[: i + 1] > second[i] - seconds).sum()
        expected = inside / seconds if second[i] - second[0] >= seconds - 1 else math.nan
        assert made[i] == expected or (math.isnan(made[i]) and math.isnan(expected))


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60))
def test_extremes_are_the_highest_and_the_lowest(prices):
    group = record_of(extremes.Extremes).new()
    assert math.isnan(group.high)
    for price in prices:
        extremes.update(group, price, price / 2)
        extremes.update(group, math.nan, math.nan)
    assert (group.high, group.low) == (max(prices), min(prices) / 2)
    assert extremes.ready(group, len(prices))
    assert not extremes.ready(group, len(prices) + 1)
    extremes.reset(group)
    assert not extremes.ready(group, 1)
