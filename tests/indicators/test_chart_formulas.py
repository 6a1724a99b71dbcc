"""The indicators that charts draw beyond the basic ones, each against its plain formula over the whole series.

Formulas are those of the sources that the modules name, written with numpy and not a line of ours; tolerances are relative
to the largest value in play.
"""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from plain_formulas import LENGTHS, SERIES, close_to, exponential, of, rolling


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
