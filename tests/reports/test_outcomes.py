"""Outcomes: distributions by hand, the actual run marked in them, what is not known left out, and each knob turned."""

import numpy as np
import pytest
from trips import trips_of

from pipeline.errors import ConfigError
from pipeline.reports.knobs import Blocks, Halts, Iid, Knobs, Lognormal, Misses, Normal, Sample, scaled
from pipeline.reports.montecarlo import Asked, simulate
from pipeline.reports.outcomes import QUANTILES, chance, outcome_of, told
from pipeline.reports.sensitivity import grid_of_two, one_at_a_time, turned
from pipeline.reports.walk import Walked

TRADES = trips_of([10.0, -40.0, 30.0, 5.0], risk=10.0, day=[1, 1, 2, 3])


def test_an_outcome_by_hand():
    asked = Asked(paths=4, capital=100.0)
    column = np.array([-10.0, 0.0, 5.0, 20.0])
    at = {"profit": column, "ruined_at": np.array([0, 3, 0, 0.0]), "bad_days": np.array([0, 1, 2, 0.0])}
    curves = np.arange(4.0).repeat(5)
    came = told(TRADES, asked, Walked(**(dict.fromkeys(Walked._fields, column) | at | {"curves": curves})))
    assert (came.paths, came.trades, came.days) == (4, 4, 3)
    assert (came.profit.mean, came.profit.quantiles[2], came.profit.actual) == (3.75, 2.5, 5.0)
    assert came.profit.percentile == 62.5, "two of four below, one equal"
    assert (came.loss.share, came.ruin.share, came.any_bad_day.share) == (0.25, 0.25, 0.5)
    assert came.bad_day == 3 / 12
    assert came.bands.after_trades == (0, 1, 2, 3, 4)
    assert came.bands.actual == (0, 10, -30, 0, 5)
    assert came.bands.quantiles[2] == (1.5,) * 5
    assert len(came.bands.quantiles) == len(QUANTILES)


def test_what_was_traded_is_marked_with_all_it_came_to():
    came = outcome_of(TRADES, Asked(knobs=Knobs(order=Iid()), paths=500, capital=50.0))
    assert (came.profit.actual, came.drawdown.actual, came.under_water.actual) == (5.0, 40.0, 3.0)
    assert came.drawdown_share.actual == 40 / 60
    assert came.worst_day_r.actual == -3.0
    assert 0.0 < came.ruin.low < came.ruin.share < came.ruin.high < 1.0
    assert list(came.profit.quantiles) == sorted(came.profit.quantiles)


def test_without_what_a_trade_risked_nothing_is_told_in_r():
    half_known = trips_of([1.0, 2.0], risk=[5.0, np.nan])
    came = outcome_of(half_known, Asked(paths=3))
    assert (came.worst_day_r, came.bad_day, came.any_bad_day) == (None, None, None)
    assert outcome_of(half_known, Asked(paths=3, risk=5.0)).worst_day_r is not None


def test_a_chance_never_seen_is_bounded_and_not_none():
    """Wilson's bounds of 0 of n: 0 and z**2 / (n + z**2)."""
    never = chance(0, 1_000)
    assert (never.share, never.low) == (0.0, pytest.approx(0.0, abs=1e-15))
    assert never.high == pytest.approx(3.8415 / 1003.8415, rel=1e-4)
    half = chance(5_000, 10_000)
    assert (half.low, half.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.5098, abs=1e-4))


def test_the_drawn_band_is_that_of_the_ends():
    asked = Asked(knobs=Knobs(order=Iid()), paths=400)
    walked = simulate(TRADES, asked)
    came = told(TRADES, asked, walked)
    assert [row[-1] for row in came.bands.quantiles] == pytest.approx(list(came.profit.quantiles))


def test_each_knob_is_turned_alone_under_the_same_chance():
    asked = Asked(knobs=Knobs(order=Iid(), slippage=Normal(10.0, 0.0), misses=Misses(0.4)), paths=300)
    rows = list(turned(TRADES, asked, one_at_a_time(asked.knobs)))
    assert [row.factors for row in rows] == [
        {},
        {"order": 0.0},
        *({"slippage": factor} for factor in (0.0, 0.5, 2.0)),
        *({"misses": factor} for factor in (0.0, 0.5, 2.0)),
    ]
    assert rows[0].outcome == outcome_of(TRADES, asked, is_drawn=False)
    by = {tuple(row.factors.items()): row.outcome.profit.mean for row in rows}
    none, half, once, twice = (
        by[key] for key in ((("slippage", 0.0),), (("slippage", 0.5),), (), (("slippage", 2.0),))
    )
    assert [none - half, half - once] == pytest.approx([(none - twice) / 4] * 2), "a fixed cost of the same trades"
    assert rows[-1].outcome.profit.deviation != rows[0].outcome.profit.deviation


def test_two_knobs_are_turned_against_each_other():
    asked = Asked(knobs=Knobs(slippage=Lognormal(5.0, 1.0), misses=Misses(0.2), order=Iid()), paths=50)
    rows = list(turned(TRADES, asked, grid_of_two(asked.knobs, "slippage", "misses")))
    assert len(rows) == 16
    assert rows[0].factors == {"slippage": 0.0, "misses": 0.0}
    assert rows[10].factors == {"slippage": 1.0, "misses": 1.0}
    assert rows[10].outcome == outcome_of(TRADES, asked, is_drawn=False)
    assert rows[0].outcome == outcome_of(TRADES, Asked(knobs=Knobs(order=Iid()), paths=50), is_drawn=False)
    assert len(grid_of_two(asked.knobs, "order", "misses")) == 8
    with pytest.raises(ConfigError, match="'halts' is no knob that is on; those are order, slippage, misses"):
        grid_of_two(asked.knobs, "halts", "misses")
    with pytest.raises(ConfigError, match="misses twice"):
        grid_of_two(asked.knobs, "misses", "misses")


def test_knobs_are_turned_by_their_size():
    knobs = Knobs(order=Blocks(4.0), slippage=Sample((2.0, 4.0)), misses=Misses(0.7), halts=Halts(0.1, (50.0,)))
    assert scaled(knobs, "order", 2.0).order == Blocks(8.0)
    assert scaled(knobs, "order", 0.1).order == Blocks(1.0)
    assert scaled(knobs, "slippage", 0.5).slippage == Sample((1.0, 2.0))
    assert scaled(knobs, "misses", 2.0).misses == Misses(1.0)
    assert scaled(knobs, "halts", 2.0).halts == Halts(0.2, (50.0,))
    assert scaled(knobs, "halts", 0.0).halts is None
    with pytest.raises(ConfigError, match="order iid: it has no size"):
        scaled(Knobs(order=Iid()), "order", 2.0)
