"""Daily returns: each statistic by hand, and what holds whatever the returns."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reports.daily import (
    OF_A_YEAR,
    OF_RETURNS,
    OF_TAILS,
    OF_WHOLE_YEARS,
    daily_figures,
    daily_profits,
    daily_returns,
    grown,
    growth_rate,
)

HAND = np.array([0.10, -0.10, 0.0, 0.05])
"""1 becomes 1.1, 0.99, 0.99, 1.0395. Mean 0.0125; squares around it 0.00765625 + 0.01265625 + 0.00015625 + 0.00140625 = 0.021875."""

DEVIATION = math.sqrt(0.021875 / 3)
RATE = 1.0395**63 - 1  # 252 / 4 = 63 times as long

BY_HAND = {
    "daily_total_return": 0.0395,
    "daily_growth_rate": RATE,
    "daily_volatility": DEVIATION * math.sqrt(252),
    "daily_sharpe": 0.0125 / DEVIATION * math.sqrt(252),
    "daily_sortino": 0.0125 * 252 / (math.sqrt(0.01 / 4) * math.sqrt(252)),
    "daily_drawdown": 0.1,
    "daily_calmar": RATE / 0.1,
    "daily_omega": 1.5,
    "daily_tail_ratio": 0.0925 / 0.085,  # interpolated: 0.05 + 0.85 * 0.05, -0.1 + 0.15 * 0.1
    "daily_value_at_risk": -0.085,
    "daily_shortfall": -0.1,
    "daily_ulcer_index": math.sqrt((0.1**2 + 0.1**2 + 0.055**2) / 3),
}

returns = st.lists(st.integers(-400, 400).map(lambda bps: bps / 1e4), max_size=30).map(np.array)


def test_every_statistic_is_as_by_hand():
    found = {name: of(HAND) for name, (of, _, _) in OF_RETURNS.items()}
    found.update({name: of(HAND, 252) for name, (of, _, _) in OF_A_YEAR.items()})
    assert found == pytest.approx(BY_HAND)
    shown = {name: told.value for name, told in daily_figures(HAND).items() if told.value is not None}
    assert shown == pytest.approx({name: BY_HAND[name] for name in BY_HAND if name not in (*OF_TAILS, *OF_WHOLE_YEARS)})


def test_what_does_not_exist_says_why():
    told = daily_figures(np.array([]))
    assert all(each.value is None and each.absent for each in told.values())
    told = daily_figures(np.array([0.01]))
    assert told["daily_sharpe"].absent == "fewer than two days, or all the same"
    assert told["daily_sortino"].absent == "fewer than two days, or none lost"
    assert told["daily_shortfall"].absent == "fewer than 20 days"
    assert told["daily_calmar"].absent == "fewer than 63 days"
    assert daily_figures(np.full(63, 0.01))["daily_calmar"].absent == "no day lost"
    assert told["daily_total_return"].value == pytest.approx(0.01)


def test_days_without_a_trade_count_as_nothing():
    days = np.array([3, 5, 5])
    assert daily_profits(days, np.array([10.0, 20.0, -5.0]), np.array([3, 4, 5])).tolist() == [10.0, 0.0, 15.0]
    with pytest.raises(ValueError, match="not among"):
        daily_profits(days, np.ones(3), np.array([3, 4]))


def test_a_return_is_of_what_the_account_was_worth_and_ends_when_that_is_gone():
    assert daily_returns(np.array([100.0, -550.0, 11.0]), 1_000.0) == pytest.approx([0.1, -0.5, 0.02])
    lost = daily_returns(np.array([100.0, -1_200.0, 500.0]), 1_000.0)
    assert lost == pytest.approx([0.1, -1_200 / 1_100])
    gone = daily_figures(np.append(np.zeros(70), -1.0))
    assert gone["daily_growth_rate"].absent == "no day, or everything was lost"


def test_growth_of_a_year_is_itself():
    assert growth_rate(1.25, 1.0) == 1.25 - 1.0
    assert growth_rate(1.44, 2.0) == pytest.approx(0.2)
    assert math.isnan(growth_rate(1.2, 0.0))


@given(returns.filter(len))
def test_daily_statistics_hold_together(values):
    found = {name: told.value for name, told in daily_figures(np.tile(values, 63)).items()}
    found |= {
        name: told.value for name, told in daily_figures(values).items() if name not in (*OF_TAILS, *OF_WHOLE_YEARS)
    }
    growth = grown(values)[-1]
    assert found["daily_total_return"] == pytest.approx(math.prod(1.0 + values) - 1.0, abs=1e-12)
    assert (1.0 + found["daily_growth_rate"]) ** (len(values) / 252) == pytest.approx(growth)
    assert 0.0 <= found["daily_drawdown"] < 1.0
    assert values.min() - 1e-15 <= found["daily_shortfall"] <= found["daily_value_at_risk"] + 1e-15
    if found["daily_sharpe"] is not None:
        assert found["daily_sharpe"] * found["daily_volatility"] == pytest.approx(values.mean() * 252, abs=1e-12)
    if found["daily_omega"] is not None:
        assert (found["daily_omega"] >= 1.0) == (values.sum() >= -1e-15) or abs(values.sum()) < 1e-12


@given(returns.filter(len), st.integers(1_000, 100_000))
def test_returns_of_profits_are_the_growth_of_the_account(values, capital):
    profits = np.diff(capital * grown(values))
    assert daily_returns(profits, capital) == pytest.approx(values, abs=1e-10)
