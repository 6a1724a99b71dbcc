"""Metrics: each by hand, each by a property, and the reasons for what does not exist."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reports.metrics import FORMULAS, computed, figure, missing, sums_of

HAND = np.array([30.0, -10.0, 0.0, 50.0, -20.0])
"""Sum 50, mean 10; two won 80, two lost 30, one scratch; squares around the mean 400 + 400 + 100 + 1600 + 900 = 3400."""

BY_HAND = {
    "net_profit": 50.0,
    "expectancy": 10.0,
    "win_rate": 0.4,
    "loss_rate": 0.4,
    "average_win": 40.0,
    "average_loss": 15.0,
    "payoff": 40.0 / 15.0,
    "profit_factor": 80.0 / 30.0,
    "expectancy_of_loss": 10.0 / 15.0,
    "deviation": math.sqrt(3400.0 / 4.0),
    "sharpe_per_trade": 10.0 / math.sqrt(850.0),
    "sortino_per_trade": 10.0 / math.sqrt(500.0 / 5.0),
    "system_quality": math.sqrt(5.0) * 10.0 / math.sqrt(850.0),
    "system_quality_of_100": math.sqrt(5.0) * 10.0 / math.sqrt(850.0),
    "kelly": 0.4 - 0.6 / (40.0 / 15.0),
}

profits = st.lists(st.integers(-10_000, 10_000).map(lambda cents: cents / 100.0), max_size=40).map(np.array)


def told(values):
    sums = sums_of(np.asarray(values, dtype=np.float64))
    return {name: figure(formula, sums) for name, formula in FORMULAS.items()}


def test_every_metric_is_as_by_hand():
    assert {name: each.value for name, each in told(HAND).items()} == pytest.approx(BY_HAND)


@pytest.mark.parametrize(
    ("values", "absent"),
    [
        ([], dict.fromkeys(FORMULAS, "no trade was closed")),
        ([5.0], {"deviation": "one trade has no spread", "profit_factor": "no trade lost", "payoff": "no trade lost"}),
        ([-0.1] * 3, {"payoff": "no trade won", "average_win": "no trade won", "system_quality": "all trades brought the same"}),
        ([3.0, 4.0], {"average_loss": "no trade lost", "sortino_per_trade": "no trade lost", "kelly": "no trade lost"}),
    ],
)  # fmt: skip
def test_what_does_not_exist_says_why_and_is_never_zero(values, absent):
    found = told(values)
    for name, reason in absent.items():
        assert (found[name].value, found[name].absent) == (None, reason), name


def test_a_profit_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        sums_of(np.array([1.0, math.nan]))


def test_a_small_spread_around_a_large_mean_is_not_lost():
    assert told([1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0])["deviation"].value == pytest.approx(1.0)


def test_more_than_100_trades_count_as_100_in_the_bounded_quality():
    values = np.tile(HAND, 80)
    found = told(values)
    assert found["system_quality"].value == pytest.approx(2.0 * found["system_quality_of_100"].value)


@given(profits)
def test_metrics_hold_together_whatever_the_profits(values):
    sums, found = sums_of(values), told(values)
    if not len(values):
        assert all(each.value is None for each in found.values())
        return
    for name, formula in FORMULAS.items():
        reason = missing(formula, sums)
        assert (found[name].value is None) == bool(reason), name
        assert bool(np.isfinite(computed(formula, sums))) == (not reason), name  # the reasons are all the reasons
    number = {name: each.value for name, each in found.items()}
    assert number["net_profit"] == pytest.approx(math.fsum(values), abs=1e-9)
    assert number["win_rate"] + number["loss_rate"] + float((values == 0).mean()) == pytest.approx(1.0)
    if number["payoff"] is not None:
        assert number["profit_factor"] == pytest.approx(number["payoff"] * number["win_rate"] / number["loss_rate"])
        expected = number["win_rate"] * number["payoff"] - number["loss_rate"]
        assert number["expectancy_of_loss"] == pytest.approx(expected, abs=1e-9)
    if number["deviation"] is not None:
        assert number["deviation"] == pytest.approx(float(np.std(values, ddof=1)), abs=1e-9)
    if number["system_quality"] is not None:
        assert number["system_quality"] == pytest.approx(number["sharpe_per_trade"] * math.sqrt(len(values)))
    if number["sortino_per_trade"] is not None:
        downside = math.sqrt(float((np.minimum(values, 0.0) ** 2).mean()))
        assert number["sortino_per_trade"] == pytest.approx(number["expectancy"] / downside, abs=1e-12)


@given(profits.filter(len), st.integers(2, 50), st.randoms(use_true_random=False))
def test_what_is_no_money_knows_neither_the_order_nor_the_unit(values, factor, chance):
    mixed = values.copy() * factor
    chance.shuffle(mixed)
    before, after = told(values), told(mixed)
    for name, formula in FORMULAS.items():
        if before[name].value is None:
            assert after[name] == before[name]
        else:
            scale = factor if formula.unit == "money" else 1
            assert after[name].value == pytest.approx(before[name].value * scale, rel=1e-9, abs=1e-9), name
