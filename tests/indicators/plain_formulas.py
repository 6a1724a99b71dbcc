"""Plain formulas over whole series, written with numpy and not a line of ours, and what they are asked about."""

import numpy as np
from hypothesis import strategies as st

from pipeline.indicators.catalog import INDICATORS
from pipeline.indicators.series import over

SERIES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60).map(np.array)
BARS = st.lists(st.tuples(*[st.floats(0.01, 1e4)] * 3), min_size=1, max_size=60).map(
    lambda rows: {
        name: np.array(column)
        for name, column in zip(("high", "low", "close"), zip(*map(sorted_bar, rows), strict=True), strict=True)
    }
)
LENGTHS = st.integers(2, 12)


def sorted_bar(prices):
    low, close, high = sorted(prices)
    return high, low, close


def rolling(function, values, length):
    """The function of every full window, NaN before the first."""
    made = np.full(len(values), np.nan)
    for i in range(length - 1, len(values)):
        made[i] = function(values[i + 1 - length : i + 1])
    return made


def exponential(values, weight, length=1):
    """An exponential average whose seed is the mean of the first `length`; NaN before, and through leading NaN."""
    made = np.full(len(values), np.nan)
    first = int(np.isnan(values).sum()) + length - 1
    for i in range(first, len(values)):
        seed = np.mean(values[i + 1 - length : i + 1])
        made[i] = seed if i == first else made[i - 1] * (1 - weight) + values[i] * weight
    return made


def close_to(made, expected, size, rel=1e-9):
    np.testing.assert_allclose(made, expected, rtol=rel, atol=rel * float(np.max(np.abs(size), initial=0.0)))


def of(name, values, **given_):
    return over(INDICATORS[name], {"close": values}, given_)


def true_ranges(bars):
    before = np.append(np.nan, bars["close"][:-1])
    return np.maximum(bars["high"], before) - np.minimum(bars["low"], before)
