"""Deflated Sharpe ratios: the paper's own figures, moments as plain numpy has them, and what has no answer."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.optimize_command import _deflated
from pipeline.log.backtests import TradeSums
from pipeline.reports.deflating import Shape, best_of_chance, probabilistic_sharpe, shape_of
from pipeline.reports.scoring import Score, candidate_value, deflated, drop_of
from pipeline.units import NANO

YEAR = 250
PAPER = Shape(1250, 2.5 / math.sqrt(YEAR), -3.0, 10.0)
"""Bailey and Lopez de Prado (2014), the numerical example: 2.5 a year over five years of days, and what 100 tries make of it."""


def sums(*profits):
    found = TradeSums()
    for profit in profits:
        found = found.with_trade(profit)
    return found


def score(*profits, sessions=1):
    return Score(sessions, sum(profits), sums(*profits))


def test_the_example_of_the_paper():
    assert best_of_chance(0.5 / YEAR, 100) == pytest.approx(0.1132, abs=5e-5)
    assert probabilistic_sharpe(PAPER, best_of_chance(0.5 / YEAR, 100)) == pytest.approx(0.9004, abs=5e-5)
    assert probabilistic_sharpe(PAPER, best_of_chance(0.5 / YEAR, 46)) == pytest.approx(0.9505, abs=5e-5)
    normal = Shape(PAPER.count, PAPER.sharpe, 0.0, 3.0)
    assert probabilistic_sharpe(normal, best_of_chance(0.5 / YEAR, 88)) == pytest.approx(0.9505, abs=5e-4)


@given(st.lists(st.integers(-(10**14), 10**14), min_size=2, max_size=40))
def test_moments_are_those_of_the_profits(profits):
    shape, values = shape_of(sums(*profits)), np.array(profits, dtype=np.float64)
    if len(set(profits)) == 1:
        assert shape is None
        return
    off = values - values.mean()
    spread = (off**2).mean()
    assert shape.sharpe == pytest.approx(values.mean() / values.std(ddof=1), rel=1e-6, abs=1e-9)
    assert shape.skew == pytest.approx((off**3).mean() / spread**1.5, rel=1e-6, abs=1e-6)
    assert shape.kurtosis == pytest.approx((off**4).mean() / spread**2, rel=1e-6)


def test_sums_of_sessions_have_the_moments_of_all_trades_at_once():
    first, second = (5, -3, 10**17), (-7, 11)
    assert shape_of(sums(*first) + sums(*second)) == shape_of(sums(*first, *second))


def test_trades_that_say_nothing_have_no_shape():
    assert shape_of(sums()) is shape_of(sums(5)) is shape_of(sums(5, 5, 5)) is None


def test_among_more_tries_the_same_best_is_worth_less():
    best = score(*[30, -10] * 50)
    others = [score(*[10 + i, -10] * 50) for i in range(60)]
    found = [deflated(best, [best, *others[:count]]) for count in (0, 5, 60)]
    assert [each.tried for each in found] == [1, 6, 61]
    assert found[0].best_of_chance == 0.0
    assert found[0].probability == probabilistic_sharpe(found[0].shape, 0.0)
    assert found[1].probability > found[2].probability


def test_tries_without_trades_count_as_tried():
    best, other = score(*[30, -10] * 50), score(*[20, -10] * 50)
    few, many = deflated(best, [best, other]), deflated(best, [best, other, *[score()] * 20])
    assert many.tried == 22
    assert deflated(best, [best, other], 20) == many
    assert many.best_of_chance > few.best_of_chance


def test_what_has_no_sharpe_ratio_has_no_probability():
    assert deflated(score(5), [score(5)]).probability is None


def test_the_only_ratio_among_several_is_not_told_as_if_it_was_deflated():
    best = score(*[30, -10] * 50)
    for tried, elsewhere in (([best, score(), score(5)], 0), ([best], 1)):
        found = deflated(best, tried, elsewhere)
        assert (found.tried, found.best_of_chance, found.probability) == (len(tried) + elsewhere, None, None)
        assert _deflated(found).startswith(f"none: of {found.tried} that were tried only this one")
    alone = _deflated(deflated(best, [best]))
    assert alone.endswith("one set was tried, so nothing is deflated")
    assert _deflated(deflated(score(5), [score(5), best])) == "none: it takes trades that differ"


def test_objectives_by_hand():
    found = score(3 * NANO, -NANO, sessions=4)
    assert candidate_value(found, "profit", 2) == 0.5
    assert candidate_value(found, "trade", 2) == 1.0
    assert candidate_value(found, "sharpe", 2) == pytest.approx(1.0 / math.sqrt(8.0))
    assert candidate_value(found, "profit", 3) is None
    assert candidate_value(Score(stopped=1, trade_sums=sums(1, 2)), "profit", 0) is None
    assert candidate_value(Score(1), "trade", 0) is candidate_value(Score(1), "sharpe", 0) is None
    assert found + found == score(3 * NANO, -NANO, 3 * NANO, -NANO, sessions=8)


def test_a_drop_is_of_what_was_above_zero():
    assert drop_of(4.0, 3.0) == 0.25
    assert drop_of(4.0, -4.0) == 2.0
    assert drop_of(-1.0, 1.0) is drop_of(None, 1.0) is drop_of(1.0, None) is None
