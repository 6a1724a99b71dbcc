"""Drawdowns: by hand, and against the plain reading of the definition whatever the curve."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reports.drawdowns import deepest, drawdowns, lengths, recoveries, ulcer_index, under_water

#                 0      1      2     3     4      5      6      7      8
HAND = np.array([100.0, 120.0, 90.0, 60.0, 100.0, 120.0, 130.0, 117.0, 125.0])
MOMENTS = np.arange(9) * 10

curves = st.lists(st.integers(-50, 50).map(float), max_size=30).map(np.array)


def test_two_falls_by_hand():
    falls = drawdowns(HAND)
    assert falls.peak.tolist() == [1, 6]
    assert falls.bottom.tolist() == [3, 7]
    assert falls.end.tolist() == [5, 8]  # made good where the peak is reached again, exactly
    assert falls.is_over.tolist() == [True, False]
    assert falls.depth.tolist() == [60.0, 13.0]
    assert falls.share.tolist() == [0.5, 0.1]
    assert deepest(falls) == 0
    assert lengths(falls, MOMENTS).tolist() == [40, 20]
    assert recoveries(falls, MOMENTS).tolist() == [20, 10]
    assert under_water(falls, MOMENTS) == 60 / 80


def test_a_fall_from_nothing_has_no_fraction():
    falls = drawdowns(np.array([0.0, -5.0, 3.0]))
    assert falls.depth.tolist() == [5.0]
    assert math.isnan(falls.share[0])


def test_a_curve_that_never_falls_has_no_falls_and_an_empty_one_neither():
    for curve in (np.array([1.0, 1.0, 2.0]), np.array([])):
        assert deepest(drawdowns(curve)) is None
    assert math.isnan(under_water(drawdowns(np.array([])), np.array([], dtype=np.int64)))
    assert math.isnan(ulcer_index(np.array([1.0])))


def test_a_curve_with_a_hole_is_refused():
    with pytest.raises(ValueError, match="finite"):
        drawdowns(np.array([1.0, math.nan]))


@given(curves)
def test_falls_are_what_the_definition_says(curve):
    falls = drawdowns(curve)
    below = [bool(value < max(curve[: place + 1])) for place, value in enumerate(curve)]
    covered = [False] * len(curve)
    for peak, bottom, end, is_over, depth in zip(*falls[:5], strict=True):
        within = curve[peak + 1 : end if is_over else end + 1]
        assert curve[peak] == max(curve[: end if is_over else end + 1])
        assert depth == curve[peak] - curve[bottom] == curve[peak] - within.min() > 0
        assert not is_over or curve[end] >= curve[peak]
        covered[peak + 1 : end if is_over else end + 1] = [True] * len(within)
    assert covered == below
    deepest_fall = max((max(curve[: place + 1]) - value for place, value in enumerate(curve)), default=0.0)
    assert falls.depth.max(initial=0.0) == deepest_fall


@given(curves)
def test_a_fall_is_at_least_as_long_as_its_recovery_and_time_under_water_is_part_of_all(curve):
    falls, moments = drawdowns(curve), np.arange(len(curve)) * 7
    assert (lengths(falls, moments) > 0).all()
    assert (lengths(falls, moments) >= recoveries(falls, moments)).all()
    assert not len(curve) > 1 or 0.0 <= under_water(falls, moments) <= 1.0
    assert (np.isnan(falls.share) | (falls.share > 0.0)).all()


@given(st.lists(st.integers(1, 500).map(float), min_size=2, max_size=30).map(np.array))
def test_the_ulcer_index_lies_below_the_deepest_fall_and_knows_no_unit(curve):
    falls, count = drawdowns(curve), len(curve)
    assert ulcer_index(curve) <= falls.share.max(initial=0.0) * math.sqrt(count / (count - 1)) + 1e-12
    assert (ulcer_index(curve) == 0.0) == (not len(falls.depth))
    assert ulcer_index(curve * 3.0) == pytest.approx(ulcer_index(curve))
