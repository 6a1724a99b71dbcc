"""Resampling: the same for any number of threads, as wide as closed forms say, and honest where it can't tell."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.reports.metrics import FORMULAS, summands
from pipeline.reports.resampling import Bootstrap, by_unit, cautions, figures, interval, places, resampled

SKEWED = np.random.default_rng(5).exponential(1.0, 60) - 0.8


def test_a_resample_is_pinned():
    """Words of Philox under this key: another version of numpy must not draw others."""
    drawn = places(7, 0, 2, 10, 10).tolist()
    assert drawn == PINNED
    assert places(7, 1, 2, 10, 10).tolist() == PINNED[1:]
    assert places(8, 0, 2, 10, 10).tolist() != PINNED


PINNED = [[8, 2, 4, 4, 0, 6, 2, 6, 0, 7], [4, 8, 6, 7, 0, 5, 6, 4, 4, 3]]


def test_resamples_are_the_same_in_any_pieces_and_for_any_number_of_threads():
    """The last piece is larger than what is drawn at a time."""
    rows = summands(np.tile(SKEWED, 100))
    whole = resampled(rows, 7, 0, 90)
    for size in (1, 7, 90):
        starts = range(0, 90, size)
        with ThreadPoolExecutor(3) as pool:
            pieces = pool.map(lambda start, size=size: resampled(rows, 7, start, min(start + size, 90)), starts)
            assert np.vstack(list(pieces)).tobytes() == whole.tobytes()


def test_every_unit_is_drawn_as_often_as_any_other():
    counts = np.bincount(places(3, 0, 1_000, 50, 50).ravel(), minlength=50)
    # 50,000 draws of 50 places: chi square of 49 degrees of freedom, mean 49, deviation 10
    assert 20.0 < ((counts - 1_000.0) ** 2 / 1_000.0).sum() < 90.0


def test_a_resample_of_days_holds_whole_days():
    rows, days = summands(np.array([1.0, 2.0, 4.0])), np.array([0, 0, 1])
    sums = by_unit(rows, days)
    assert sums[:, 0].tolist() == [2.0, 1.0]
    made = resampled(sums, 1, 0, 50)
    assert set(made[:, 0]) == {2.0, 3.0, 4.0}  # two days are drawn: the first twice, both, the second twice


def test_the_spread_of_resampled_means_is_as_the_closed_form():
    means = resampled(summands(SKEWED), 7, 0, 2_000)
    spread = ((means[:, 3] - means[:, 4]) / means[:, 0]).std()
    assert spread == pytest.approx(SKEWED.std() / math.sqrt(len(SKEWED)), rel=0.05)


def test_intervals_hold_the_true_mean_as_often_as_they_say():
    """Skewed samples of known mean, 0.2, at a level of 0.9."""
    chance, held = np.random.default_rng(11), 0
    only = {"expectancy": FORMULAS["expectancy"]}
    for number in range(120):
        sample = chance.exponential(1.0, 40) - 0.8
        told = figures(sample, Bootstrap(seed=number, resamples=100, level=0.9), formulas=only)["expectancy"]
        held += told.low <= 0.2 <= told.high
    assert 0.84 <= held / 120 <= 0.96


def test_an_interval_lies_around_its_value_and_grows_with_its_level():
    narrow = figures(SKEWED, Bootstrap(resamples=500, level=0.5))
    wide = figures(SKEWED, Bootstrap(resamples=500, level=0.95))
    for name, told in wide.items():
        assert told.low <= narrow[name].low <= told.value <= narrow[name].high <= told.high, name


def test_an_end_that_nothing_bounds_is_absent():
    """Two of forty lost: more than one resample in forty holds no loss, and then no profit factor has an upper end."""
    told = figures(np.array([1.0] * 38 + [-1.0] * 2), Bootstrap(resamples=1_000))["profit_factor"]
    assert told.value == 19.0
    assert told.low is not None
    assert told.high is None


def test_a_statistic_that_most_resamples_lack_has_no_interval():
    values = np.array([1.0] * 90 + [math.nan] * 10)
    assert interval(1.0, values, np.ones(3), 0.95) == (None, None)
    assert interval(1.0, values[:92], np.ones(3), 0.95) == (1.0, 1.0)


def test_what_does_not_exist_has_no_interval_and_one_trade_none_at_all():
    assert figures(np.array([1.0, 2.0]), Bootstrap(resamples=50))["profit_factor"].low is None
    assert figures(np.array([-1.0]), Bootstrap(resamples=50))["expectancy"].low is None
    assert figures(np.array([]), Bootstrap(resamples=50))["expectancy"].absent == "no trade was closed"


@pytest.mark.parametrize(
    ("profits", "days", "told"),
    [
        ([1.0] * 15 + [-1.0] * 15, 10, []),
        ([1.0] * 15 + [-1.0] * 14, 10, ["29 trades, fewer than 30"]),
        ([1.0] * 30 + [-1.0] * 9, 10, ["30 won, 9 lost"]),
        ([1.0] * 15 + [-1.0] * 15, 1, ["1 day, fewer than 10"]),
        ([], 0, ["0 trades, fewer than 30", "0 days, fewer than 10"]),
    ],
)
def test_a_small_sample_is_told(profits, days, told):
    found = list(cautions(np.array(profits), days))
    assert len(found) == len(told)
    for sentence, beginning in zip(found, told, strict=True):
        assert sentence.startswith(beginning)
