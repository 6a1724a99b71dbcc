import math
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.dialect import ipow, is_nano, mean, nano_of, price_of, size_of, std, sum_
from pipeline.core.record import record_of
from pipeline.indicators import ema, extremes, sma, vwap
from pipeline.units import ABSENT

PRICES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60)


@given(PRICES, st.integers(1, 12))
def test_the_ema_is_its_formula(prices, length):
    group, expected = record_of(ema.Ema).new(), prices[0]
    for i, price in enumerate(prices):
        ema.update(group, price, length)
        expected = price if i == 0 else expected * (1 - 2 / (length + 1)) + price * 2 / (length + 1)
        assert group.value == pytest.approx(expected, rel=1e-9)
        assert ema.ready(group, length) == (i + 1 >= length)


@given(PRICES, st.integers(1, 12))
def test_the_sma_is_the_mean_of_its_window(prices, length):
    group = record_of(sma.Sma, {"capacity": 12}).new()
    for i, price in enumerate(prices):
        sma.update(group, price, length)
        assert group.value == pytest.approx(fmean(prices[max(0, i + 1 - length) : i + 1]), rel=1e-12)
        assert sma.ready(group, length) == (i + 1 >= length)


@given(st.lists(st.tuples(st.floats(0.01, 1e4), st.floats(0, 1e4)), max_size=40))
def test_the_vwap_is_amount_over_volume(prints):
    group = record_of(vwap.Vwap).new()
    for price, volume in prints:
        vwap.update(group, price, volume)
    total = sum(volume for _, volume in prints)
    assert vwap.ready(group) == (total > 0)
    if total:
        assert group.value == pytest.approx(sum(price * volume for price, volume in prints) / total)
    vwap.reset(group)
    assert math.isnan(group.value)


@given(PRICES)
def test_extremes_are_the_highest_and_the_lowest(prices):
    group = record_of(extremes.Extremes).new()
    for price in prices:
        extremes.update(group, price, price / 2)
        extremes.update(group, math.nan, math.nan)
    assert (group.high, group.low) == (max(prices), min(prices) / 2)
    assert extremes.ready(group, 2 * len(prices))
    extremes.reset(group)
    assert not extremes.ready(group, 1)


@given(PRICES)
def test_the_dialects_arithmetic(prices):
    count = len(prices)
    assert sum_(prices, count) == pytest.approx(math.fsum(prices))
    assert mean(prices, count) == pytest.approx(fmean(prices))
    assert std(prices, count) == pytest.approx(pstdev(prices), rel=1e-6, abs=1e-6 * max(prices))


def test_nothing_has_no_mean():
    assert math.isnan(mean([], 0))
    assert math.isnan(std([], 0))
    assert sum_([], 0) == 0.0


@given(st.floats(-10, 10), st.integers(0, 9))
def test_an_integer_power_is_repeated_multiplication(x, exponent):
    assert ipow(x, exponent) == pytest.approx(x**exponent, rel=1e-12)


@given(st.integers(-(10**15), 10**15))
def test_a_price_goes_to_a_float_and_back(nano):
    assert is_nano(price_of(nano))
    assert nano_of(price_of(nano)) == nano


def test_absent_is_nan_and_back():
    assert math.isnan(price_of(ABSENT))
    assert math.isnan(size_of(ABSENT, 10))
    assert not is_nano(math.nan)
    assert not is_nano(math.inf)
    assert size_of(123, 10) == 1.23e-6
