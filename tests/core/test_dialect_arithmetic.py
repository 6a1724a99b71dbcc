import math
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.dialect import ipow, is_nano, mean, nano_of, price_of, size_of, std, sum_
from pipeline.units import ABSENT

PRICES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60)


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
