"""Summary: all of it by hand over six trades of three days, and over none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_trades import MONDAY, NINE_THIRTY_NS, trades

from pipeline.reports.resampling import Bootstrap
from pipeline.reports.stretches import Streaks
from pipeline.reports.summary import R_EDGES, Watched, distribution, summary
from pipeline.units import DAY_NS, SECOND_NS

PROFITS = [100.0, -50.0, -100.0, 200.0, 0.0, -25.0]
DAYS = [0, 0, 0, 2, 2, 3]


def watched(*, days=range(5), hours=1.0, capital=1_000.0):
    """An hour from 9:30 on, on the first days of that week."""
    from_ns = np.array([(MONDAY + day) * DAY_NS + NINE_THIRTY_NS for day in days], dtype=np.int64)
    until_ns = from_ns + int(hours * 3_600) * SECOND_NS
    return Watched(from_ns, until_ns, np.array([MONDAY + day for day in days], dtype=np.int64), capital)


def values(told):
    return {name: figure.value for name, figure in told.items() if figure.value is not None}


def test_a_week_by_hand():
    made = trades(PROFITS, days=DAYS, risk=[50.0, 50.0, 50.0, 50.0, None, 25.0], currency=["USD"] * 6)
    told = summary(made, watched())
    assert (told.trades, told.days, told.days_traded, told.currencies) == (6, 5, 3, ("USD",))
    assert told.money["net_profit"].value == 125.0
    assert told.r["expectancy"].value == pytest.approx((2.0 - 1.0 - 2.0 + 4.0 - 1.0) / 5)
    assert told.r["expectancy"].unit == "R"
    assert told.distribution.unknown == 1
    assert told.distribution.counts == (0, 0, 1, 2, 0, 0, 0, 0, 1, 1, 0, 0)  # -2 lies from -2 on, -1 from -1 on
    assert told.distribution.quantiles["50%"].value == -1.0
    assert told.distribution.beyond_risk.value == 0.2
    assert told.streaks == Streaks(won_most=1, lost_most=2, won_now=0, lost_now=1, lost_sum_most=150.0)
    # six minutes of five hours
    assert values(told.time) == pytest.approx(
        {
            "held_mean": 60.0,
            "held_median": 60.0,
            "held_most": 60.0,
            "held_mean_won": 60.0,
            "held_mean_lost": 60.0,
            "exposure": 6 / 300,
            "held_at_once": 6 / 300,
        }
    )
    # 1000, 1100, 1050, 950, 1150, 1150, 1125: from 1100 to 950, made good on the third day; then 25 that are not
    second = 2 * 86_400.0
    assert values(told.drawdown) == pytest.approx(
        {
            "depth": 150.0,
            "depth_share": 150 / 1100,
            "length": second,
            "length_trades": 3.0,
            "recovery": second - 240.0,
            "depth_mean": 87.5,
            "length_most": second,
            "under_water": (second + 86_400 - 120) / (3 * 86_400 + 60),
            "recovery_factor": 125 / 150,
        }
    )
    # days: -50, 0, 200, -25, 0
    returns = np.array([-50 / 1000, 0.0, 200 / 950, -25 / 1150, 0.0])
    assert told.daily["daily_sharpe"].value == pytest.approx(returns.mean() / returns.std(ddof=1) * np.sqrt(252))
    assert told.daily["daily_total_return"].value == pytest.approx(0.125)
    assert [caution.split(",")[0] for caution in told.cautions] == ["6 trades", "3 days"]


def test_excursions_by_hand():
    """Profits of 2, -1 and 4 R, and one whose risk is not known; the third was never behind."""
    made = trades(
        [20.0, -10.0, 40.0, 5.0],
        risk=[10.0, 10.0, 10.0, None],
        mfe_r=[3.0, 0.5, 5.0, 1.0],
        mae_r=[-0.5, -1.2, 0.0, -1.0],
    )
    assert values(summary(made, watched()).excursion) == pytest.approx(
        {"mfe_mean": 8.5 / 3, "mae_mean": -1.7 / 3, "mae_mean_won": -0.25, "mfe_mean_lost": 0.5, "kept": 6 / 8}
    )
    lost = summary(made.where(made.profit < 0.0), watched()).excursion
    assert lost["kept"].absent == lost["mae_mean_won"].absent == "none of them won"


def test_no_trades_have_no_statistics_but_reasons():
    told = summary(trades([]), watched(), Bootstrap())
    for part in (told.money, told.r, told.drawdown, told.excursion, told.distribution.quantiles):
        assert all(figure.value is None and figure.absent for figure in part.values())
    assert told.time["held_mean"].absent == "no trade was closed"
    assert told.time["exposure"].value == 0.0  # it was watched, and nothing was open: that is known
    assert told.daily["daily_total_return"].value == 0.0
    assert summary(trades([]), watched(days=[])).daily["daily_total_return"].absent == "no day"


def test_a_fall_that_is_not_made_good_has_no_recovery_and_an_account_that_never_fell_no_fall():
    assert summary(trades([10.0, -20.0]), watched()).drawdown["recovery"].absent == "it is not made good yet"
    told = summary(trades([10.0, 20.0]), watched()).drawdown
    assert told["depth"].absent == "the account never fell"
    assert told["under_water"].value == 0.0


def test_several_currencies_are_told():
    told = summary(trades([1.0, 2.0], currency=["USD", "EUR"]), watched())
    assert told.cautions[-1] == "profits in EUR, USD are added up as if they were one currency"


def test_intervals_of_days_differ_from_those_of_trades_where_days_do():
    """Trades of a day are the same: thirty trades say no more than three days."""
    made = trades([1.0] * 10 + [-1.0] * 10 + [2.0] * 10, days=[0] * 10 + [1] * 10 + [2] * 10)
    narrow, wide = (
        summary(made, watched(), Bootstrap(resamples=300), is_by_day=by_day).money["expectancy"]
        for by_day in (False, True)
    )
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_every_r_has_its_band():
    told = distribution(np.array([-4.0, *R_EDGES, 11.0, np.nan]))
    assert told.counts == (1, *([1] * 10), 2)
    assert (told.known, told.unknown) == (13, 1)


@given(st.lists(st.one_of(st.just(np.nan), st.integers(-80, 200).map(lambda tenths: tenths / 10.0)), max_size=30))
def test_a_distribution_holds_every_trade_once(values):
    told = distribution(np.array(values))
    known = np.array([value for value in values if not np.isnan(value)])
    assert (sum(told.counts), told.known + told.unknown) == (len(known), len(values))
    for low, high, count in zip(R_EDGES[:-1], R_EDGES[1:], told.counts[1:-1], strict=True):
        assert count == ((known >= low) & (known < high)).sum()
    quantiles = [each.value for each in told.quantiles.values()]
    assert quantiles == (sorted(quantiles) if len(known) else [None] * 7)
    assert not len(known) or (quantiles[0], quantiles[-1]) == (known.min(), known.max())
