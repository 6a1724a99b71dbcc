"""Stretches: streaks and time in the market, by hand and against counting one by one."""

import math
from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reports.stretches import Streaks, covered, exposure, held_at_once, joined, streaks

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), max_size=8)


def arrays(pairs):
    from_ = np.array([start for start, _ in pairs], dtype=np.int64)
    return from_, from_ + np.array([length for _, length in pairs], dtype=np.int64)


def test_streaks_by_hand():
    values = np.array([1.0, 2.0, -1.0, -3.0, -1.0, 0.0, -4.0, 5.0])
    assert streaks(values) == Streaks(won_most=2, lost_most=3, won_now=1, lost_now=0, lost_sum_most=5.0)
    assert streaks(np.array([2.0, 0.0])) == Streaks(1, 0, 0, 0, 0.0)  # a scratch ends it
    assert streaks(np.array([])) == Streaks(0, 0, 0, 0, 0.0)


@given(st.lists(st.integers(-3, 3).map(float), max_size=30))
def test_streaks_are_what_counting_gives(values):
    runs = [(sign, list(run)) for sign, run in groupby(values, np.sign)]
    told = streaks(np.array(values))
    assert told.won_most == max((len(run) for sign, run in runs if sign > 0), default=0)
    assert told.lost_most == max((len(run) for sign, run in runs if sign < 0), default=0)
    assert told.won_now == (len(runs[-1][1]) if runs and runs[-1][0] > 0 else 0)
    assert told.lost_now == (len(runs[-1][1]) if runs and runs[-1][0] < 0 else 0)
    assert told.lost_sum_most == max((-sum(run) for sign, run in runs if sign < 0), default=0.0)


def test_exposure_by_hand():
    """Watched from 0 to 10 and from 20 to 30; two trades overlap, and one ends as another begins."""
    trades, watched = arrays([(2, 4), (4, 4), (8, 1), (25, 5)]), arrays([(0, 10), (20, 10)])
    assert exposure(trades, watched) == 12 / 20
    assert held_at_once(trades, watched) == 14 / 20
    assert math.isnan(exposure(trades, arrays([])))
    assert exposure(arrays([]), watched) == 0.0


def test_a_trade_counts_while_it_was_watched():
    """It came with the session before, spans the pause, and is open behind the end; or misses what was watched."""
    watched = arrays([(10, 10), (30, 10)])
    assert held_at_once(arrays([(0, 15), (15, 20), (35, 100), (21, 5), (0, 3)]), watched) == (5 + 10 + 5) / 20


@given(spans, spans)
def test_what_is_covered_is_what_counting_gives(first, second):
    def ticks(pairs):
        return {tick for start, length in pairs for tick in range(start, start + length)}

    assert covered(arrays(first), arrays(second)) == len(ticks(first) & ticks(second))
    from_, until = joined(*arrays(first))
    assert (from_[1:] > until[:-1]).all()
    assert int((until - from_).sum()) == len(ticks(first))
