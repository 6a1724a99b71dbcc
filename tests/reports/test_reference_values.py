"""Reference values of empyrical, quantstats, backtesting.py, freqtrade and LEAN: who agrees, and by which convention.

They lie in ../shared/data/stats; without them these tests are skipped.
"""

import csv
import gzip
import json
from datetime import date

import numpy as np
import pytest

from pipeline.reports.daily import (
    CALENDAR_DAYS,
    YEAR_DAYS,
    daily_downside,
    daily_figures,
    daily_growth_rate,
    growth_rate,
)
from pipeline.reports.drawdowns import drawdowns, lengths, under_water
from pipeline.reports.metrics import FORMULAS, figure, sums_of
from pipeline.reports.stretches import exposure


def rows(path):
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file:
        return list(csv.reader(file))


def column(path, name):
    head, *lines = rows(path)
    return np.array([float(line[head.index(name)]) for line in lines])


def changes(prices):
    return prices[1:] / prices[:-1] - 1.0


SERIES = {
    "GOOG.csv Close pct_change().dropna()": lambda data: changes(
        column(data / "stats/backtesting_py/GOOG.csv", "Close")
    ),
    "pyfolio test_returns.csv.gz": lambda data: np.array(
        [float(line[1]) for line in rows(data / "stats/pyfolio/test_returns.csv.gz")]
    ),
    "skender quotes/default.csv close pct_change().dropna() (SPY 2017-2018)": lambda data: changes(
        column(data / "indicators/skender/quotes/default.csv", "close")
    ),
}
EMPYRICAL = {
    "total_return": "daily_total_return",
    "annual_return": "daily_growth_rate",
    "cagr": "daily_growth_rate",
    "annual_volatility": "daily_volatility",
    "sharpe_ratio": "daily_sharpe",
    "sortino_ratio": "daily_sortino",
    "calmar_ratio": "daily_calmar",
    "omega_ratio": "daily_omega",
    "tail_ratio": "daily_tail_ratio",
    "var_5pct": "daily_value_at_risk",
    "cvar_5pct": "daily_shortfall",
}
QUANTSTATS = {
    "comp": "daily_total_return",
    "cagr": "daily_growth_rate",
    "volatility": "daily_volatility",
    "sharpe": "daily_sharpe",
    "sortino": "daily_sortino",
    "calmar": "daily_calmar",
    "profit_factor": "daily_omega",
    "ulcer_index": "daily_ulcer_index",
}
"""Of the rest, its value at risk and shortfall suppose a normal distribution, which these do not."""


@pytest.mark.parametrize("series", SERIES)
def test_daily_returns_agree_with_empyrical_and_quantstats(shared_data, series):
    reference = json.loads((shared_data / "stats/returns_reference_values.json").read_text())[series]
    values = SERIES[series](shared_data)
    assert (len(values), values.sum()) == (reference["n"], pytest.approx(reference["sum"], abs=1e-12))
    told = {name: each.value for name, each in daily_figures(values).items()}
    empyrical, quantstats = reference["empyrical_reloaded_0.7.1"], reference["quantstats_0.0.86"]
    for theirs, ours in EMPYRICAL.items():
        assert told[ours] == pytest.approx(empyrical[theirs], rel=1e-12), theirs
    assert daily_downside(values, YEAR_DAYS) == pytest.approx(empyrical["downside_risk"], rel=1e-12)
    for theirs, ours in QUANTSTATS.items():
        assert told[ours] == pytest.approx(quantstats[theirs], rel=1e-12), theirs
    assert -told["daily_drawdown"] == pytest.approx(empyrical["max_drawdown"], rel=1e-12)


@pytest.mark.parametrize("series", SERIES)
def test_a_rate_of_days_agrees_with_quantstats_that_leaves_out_scratches(shared_data, series):
    """Of days as if they were trades: its win rate is of those that won or lost."""
    reference = json.loads((shared_data / "stats/returns_reference_values.json").read_text())[series][
        "quantstats_0.0.86"
    ]
    values = SERIES[series](shared_data)
    sums = sums_of(values[values != 0.0])
    for theirs, ours in {
        "win_rate": "win_rate",
        "payoff_ratio": "payoff",
        "kelly": "kelly",
        "profit_factor": "profit_factor",
    }.items():
        assert figure(FORMULAS[ours], sums).value == pytest.approx(reference[theirs], rel=1e-11), theirs


def test_trades_agree_with_backtesting_py(shared_data):
    """Its expectancy, average trade and profit factor are of returns, its SQN and Kelly of money."""
    folder = shared_data / "stats/backtesting_py"
    reference = json.loads((folder / "backtesting_py_GOOG_SmaCross_10_30_stats.json").read_text())
    file = folder / "backtesting_py_GOOG_SmaCross_10_30_trades.csv"
    profits, returns = column(file, "PnL"), column(file, "ReturnPct")
    money, fractions = (
        {name: figure(each, sums_of(values)).value for name, each in FORMULAS.items()} for values in (profits, returns)
    )
    assert len(profits) == reference["# Trades"]
    assert money["net_profit"] == pytest.approx(reference["Equity Final [$]"] - 10_000.0, rel=1e-12)
    assert 100.0 * money["win_rate"] == pytest.approx(reference["Win Rate [%]"], rel=1e-12)
    assert money["system_quality"] == pytest.approx(reference["SQN"], rel=1e-12)
    assert fractions["profit_factor"] == pytest.approx(reference["Profit Factor"], rel=1e-12)
    assert 100.0 * fractions["expectancy"] == pytest.approx(reference["Expectancy [%]"], rel=1e-12)
    assert money["kelly"] == pytest.approx(reference["Kelly Criterion"], rel=1e-12)
    opened, closed = (column(file, name).astype(np.int64) for name in ("EntryBar", "ExitBar"))
    bars = (np.array([0]), np.array([len(rows(folder / "GOOG.csv")) - 1]))
    assert 100.0 * exposure((opened, closed + 1), bars) == pytest.approx(reference["Exposure Time [%]"], rel=1e-12)


def test_a_curve_agrees_with_backtesting_py(shared_data):
    """Its Sharpe and Sortino divide the growth rate, not the mean return; its volatility compounds. Falls are ours."""
    folder = shared_data / "stats/backtesting_py"
    reference = json.loads((folder / "backtesting_py_GOOG_SmaCross_10_30_stats.json").read_text())
    _, *lines = rows(folder / "backtesting_py_GOOG_SmaCross_10_30_equity.csv")
    days = np.array([date.fromisoformat(line[0][:10]).toordinal() for line in lines])
    curve = np.array([float(line[1]) for line in lines])
    falls, values = drawdowns(curve), changes(curve)
    assert -100.0 * falls.share.max() == pytest.approx(reference["Max. Drawdown [%]"], rel=1e-12)
    assert -100.0 * falls.share.mean() == pytest.approx(reference["Avg. Drawdown [%]"], rel=1e-12)
    assert lengths(falls, days).max() == int(reference["Max. Drawdown Duration"].split()[0])
    assert 0.0 < under_water(falls, days) < 1.0
    rate = daily_growth_rate(values, YEAR_DAYS)
    mean = (1.0 + rate) ** (1.0 / YEAR_DAYS)
    assert 100.0 * growth_rate(curve[-1] / curve[0], (days[-1] - days[0]) / CALENDAR_DAYS) == pytest.approx(
        reference["CAGR [%]"], rel=1e-9
    )
    volatility = np.sqrt((values.var(ddof=1) + mean**2) ** YEAR_DAYS - mean ** (2 * YEAR_DAYS))
    assert 100.0 * rate == pytest.approx(reference["Return (Ann.) [%]"], rel=1e-9)
    assert 100.0 * volatility == pytest.approx(reference["Volatility (Ann.) [%]"], rel=1e-9)
    assert rate / volatility == pytest.approx(reference["Sharpe Ratio"], rel=1e-9)
    assert rate / daily_downside(values, YEAR_DAYS) == pytest.approx(reference["Sortino Ratio"], rel=1e-9)
    assert rate / falls.share.max() == pytest.approx(reference["Calmar Ratio"], rel=1e-9)


def test_trades_agree_with_freqtrade(shared_data):
    (told,) = json.loads((shared_data / "stats/freqtrade/backtest-result.json").read_text())["strategy"].values()
    trades = sorted(told["trades"], key=lambda trade: trade["close_timestamp"])
    profits, ratios = (np.array([trade[name] for trade in trades]) for name in ("profit_abs", "profit_ratio"))
    sums, outcomes = (
        sums_of(profits),
        sums_of(ratios),
    )  # its draws are of ratios: a last fraction of a coin is left in money
    assert (outcomes.won, outcomes.lost, outcomes.trades) == (told["wins"], told["losses"], told["total_trades"])
    assert figure(FORMULAS["profit_factor"], sums).value == pytest.approx(told["profit_factor"], rel=1e-12)
    assert figure(FORMULAS["net_profit"], sums).value == pytest.approx(told["profit_total_abs"], rel=1e-12)
    assert figure(FORMULAS["expectancy"], outcomes).value == pytest.approx(told["profit_mean"], rel=1e-12)
    held = np.array([trade["trade_duration"] * 60.0 for trade in trades])
    assert held[ratios > 0].mean() == pytest.approx(told["winner_holding_avg_s"], abs=60.0)


def test_expectancies_of_lean_are_ours(shared_data):
    """Of every algorithm that won and lost, by the rates and the ratio it prints, which are rounded; LEAN has 0 for what does not exist."""
    found = json.loads((shared_data / "stats/lean/lean_expected_statistics.json").read_text())
    compared = 0
    for told in (each["expected"] for each in found.values()):
        wins, losses = (float(told[name].rstrip("%")) / 100.0 for name in ("Win Rate", "Loss Rate"))
        payoff, theirs = float(told["Profit-Loss Ratio"]), float(told["Expectancy"])
        if not wins or not losses:
            continue
        # as many trades as make these rates, to a thousandth: won ones bring the payoff, lost ones cost 1
        trades = np.repeat([payoff, -1.0], [round(1_000 * wins), round(1_000 * losses)])
        ours = figure(FORMULAS["expectancy_of_loss"], sums_of(trades)).value
        assert ours == pytest.approx(theirs, abs=0.006 + 0.011 * payoff), told
        compared += 1
    assert compared > 10


def test_growth_of_lean_is_ours(shared_data):
    """BasicTemplateAlgorithm, from Monday to the close of Friday, 16:00; a year has 365 days there."""
    found = json.loads((shared_data / "stats/lean/lean_expected_statistics.json").read_text())
    told = next(each for name, each in found.items() if name.endswith("/BasicTemplateAlgorithm.cs"))
    (_, *begins), (_, *ends) = told["dates"]
    days = (date(*ends) - date(*begins)).days + 16 / 24
    growth = float(told["expected"]["End Equity"]) / float(told["expected"]["Start Equity"])
    theirs = float(told["expected"]["Compounding Annual Return"].rstrip("%")) / 100.0
    assert growth_rate(growth, days / 365.0) == pytest.approx(theirs, abs=6e-6)
