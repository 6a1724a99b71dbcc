"""The walk: each knob by hand on three trades, and the compiled walk against the same lines interpreted."""

import msgspec
import numpy as np
import pytest
from trips import trips_of

from pipeline.reports import walk
from pipeline.reports.knobs import (
    AS_RECORDED,
    Anomalies,
    Blocks,
    FeedDrops,
    Halts,
    Iid,
    Knobs,
    Lognormal,
    Misses,
    Normal,
    PartialFills,
    Sample,
)
from pipeline.reports.montecarlo import Asked, as_recorded, given_of, simulate, traded_of
from pipeline.reports.philox import philox
from pipeline.reports.walk import Walked

TRADES = trips_of([10.0, -4.0, 6.0], entry=[100, 200, 300], exit_=[110, 196, 306], sign=[1, 1, -1])
TURNOVER = 210 + 396 + 606
ALL_ON = Knobs(
    order=Blocks(5.0),
    slippage=Lognormal(2.0, 1.0),
    misses=Misses(0.1),
    anomalies=Anomalies(0.05, Sample((100.0, 300.0))),
    halts=Halts(0.1, (-2_000.0, 500.0, 1_000.0)),
    drops=FeedDrops(0.05, 3.0, 50.0),
    partials=PartialFills(0.3, 0.2),
)


def one(knobs, trips=TRADES, **asked):
    """What one path came to, by name."""
    walked = simulate(trips, Asked(knobs=knobs, paths=1, **asked), threads=1)
    return {name: float(column[0]) for name, column in zip(walked._fields[:-1], walked[:-1], strict=True)}


def words(place, block, seed=1):
    return philox(place, 0, 0, block, seed, 0)


def test_as_traded_it_is_the_account_as_it_was():
    assert one(AS_RECORDED, capital=100.0) == {
        "profit": 12.0,
        "drawdown": 4.0,
        "drawdown_share": 4 / 110,
        "under_water": 1.0,
        "ruined_at": 0.0,
        "worst_day_r": 0.0,
        "bad_days": 0.0,
    }


def test_slippage_is_a_share_of_what_was_bought_and_sold():
    assert one(Knobs(slippage=Normal(5.0, 0.0)))["profit"] == pytest.approx(12 - 5e-4 * TURNOVER, rel=1e-14)
    assert one(Knobs(slippage=Lognormal(5.0, 0.0)))["profit"] == pytest.approx(12 - 5e-4 * TURNOVER, rel=1e-14)
    drawn = [(10.0, 20.0)[(words(place, walk.EACH)[2] * 2) >> 32] * 1e-4 for place in range(3)]
    costs = np.array([210, 396, 606]) * drawn
    assert len(set(drawn)) == 2
    assert one(Knobs(slippage=Sample((10.0, 20.0))))["profit"] == pytest.approx(12 - costs.sum(), rel=1e-14)


def test_a_missed_entry_comes_to_nothing():
    assert one(Knobs(misses=Misses(1.0)))["profit"] == 0.0
    kept = [words(place, walk.EACH, seed=3)[1] >= 2**31 for place in range(3)]
    assert len(set(kept)) == 2
    assert one(Knobs(misses=Misses(0.5)), seed=3)["profit"] == np.array([10, -4, 6])[kept].sum()


def test_an_anomalous_trade_pays_that_instead_of_the_ordinary_slippage():
    knobs = Knobs(slippage=Normal(5.0, 0.0), anomalies=Anomalies(1.0, Normal(100.0, 0.0)))
    assert one(knobs)["profit"] == pytest.approx(12 - 1e-2 * TURNOVER, rel=1e-14)
    two_samples = Knobs(slippage=Sample((1.0, 2.0)), anomalies=Anomalies(1.0, Sample((100.0,))))
    assert one(two_samples)["profit"] == pytest.approx(12 - 1e-2 * TURNOVER, rel=1e-14)


def test_a_reopening_gap_moves_what_is_held_and_a_short_gains_by_a_fall():
    assert one(Knobs(halts=Halts(1.0, (-1_000.0,))))["profit"] == pytest.approx(12 + 0.1 * (306 - 110 - 196), abs=1e-12)
    beside_samples = Knobs(
        slippage=Sample((0.0,)), anomalies=Anomalies(0.0, Sample((7.0,))), halts=Halts(1.0, (1_000.0,))
    )
    assert one(beside_samples)["profit"] == pytest.approx(12 - 0.1 * (306 - 110 - 196), abs=1e-12)


def test_a_lost_feed_makes_an_exit_late_and_what_comes_next_unseen():
    assert one(Knobs(drops=FeedDrops(1.0, 0.0, 100.0)))["profit"] == pytest.approx(12 - 0.01 * 612, rel=1e-14)
    away = int(np.log(walk.uniform(words(0, walk.SIZES)[3])) / np.log(4 / 5))
    assert away >= 2
    assert one(Knobs(drops=FeedDrops(1.0, 4.0, 100.0)))["profit"] == pytest.approx(10 - 0.01 * 110, rel=1e-14)


def test_of_an_entry_filled_in_part_all_shrinks():
    parts = np.array([0.2 + 0.8 * walk.uniform(words(place, walk.SIZES)[1]) for place in range(3)])
    profits = np.array([10, -4, 6]) - 5e-4 * np.array([210, 396, 606])
    knobs = Knobs(slippage=Normal(5.0, 0.0), partials=PartialFills(1.0, 0.2))
    assert one(knobs)["profit"] == pytest.approx((profits * parts).sum(), rel=1e-14)
    assert one(Knobs(partials=PartialFills(1.0, 1.0)))["profit"] == 12.0


def test_trades_are_drawn_with_putting_back_or_in_blocks_that_run_on_over_the_end():
    drawn = [words(place, walk.EACH)[0] * 3 for place in range(3)]
    assert one(Knobs(order=Iid()))["profit"] == sum((10, -4, 6)[word >> 32] for word in drawn)
    first = drawn[0] >> 32
    assert one(Knobs(order=Blocks(1e6)), capital=1e9) == one(
        AS_RECORDED, trips_of(np.roll(TRADES.profit, -first)), capital=1e9
    )
    assert first > 0
    given = given_of(TRADES, Asked(knobs=Knobs(order=Blocks(4.0))))
    assert [walk.picked(word, 1, 2, given) for word in (0, 0x55555556)] == [0, 1], (
        "low bits below a quarter: a new block"
    )
    assert walk.picked(0x7FFFFFFF, 1, 2, given) == 0, "the block goes on, over the end"


def test_a_path_that_lost_what_ruins_trades_on_no_more():
    made = one(AS_RECORDED, trips_of([5.0, -60.0, 100.0], risk=10.0, day=[0, 1, 1]), capital=100.0)
    assert (made["profit"], made["ruined_at"], made["drawdown"], made["under_water"]) == (-55.0, 2.0, 60.0, 2.0)
    assert (made["worst_day_r"], made["bad_days"]) == (-6.0, 1.0), "the day on which it ends counts"
    went_on = as_recorded(trips_of([5.0, -60.0, 100.0]), Asked(capital=100.0))
    assert went_on.profit[0] == 45.0


def test_days_are_told_in_r_of_each_trade_and_bad_below_the_limit_alone():
    trips = trips_of([-20.0, -10.0, -30.0, 5.0], risk=[10, 10, 10, 1], day=[1, 1, 2, 3])
    assert (one(AS_RECORDED, trips)["worst_day_r"], one(AS_RECORDED, trips)["bad_days"]) == (-3.0, 0.0)
    assert one(AS_RECORDED, trips, bad_day_r=2.9)["bad_days"] == 2.0
    unknown = trips_of([-20.0], risk=np.nan)
    assert one(AS_RECORDED, unknown, risk=5.0)["worst_day_r"] == -4.0


def test_the_curve_is_kept_at_a_hundred_places_and_stays_where_a_path_was_ruined():
    walked = simulate(TRADES, Asked(paths=1))
    assert walked.curves.tolist() == [0.0, 10.0, 6.0, 12.0]
    many = trips_of(np.ones(250))
    curve = simulate(many, Asked(paths=1)).curves
    assert curve.tolist() == [mark * 250 // 100 for mark in range(101)]
    lost = simulate(trips_of([-60.0] * 250), Asked(paths=1, capital=100.0)).curves
    assert lost.tolist() == [0.0] + [-60.0] * 100


@pytest.mark.parametrize("knobs", [AS_RECORDED, Knobs(order=Iid(), slippage=Normal(1.0, 4.0)), ALL_ON])
def test_compiled_it_is_the_same_to_the_last_bit(knobs):
    random = np.random.default_rng(3)
    trips = trips_of(
        random.normal(1, 20, 60), entry=random.uniform(100, 900, 60), sign=random.choice([-1, 1], 60), risk=15.0,
        day=np.arange(60) // 7,
    )  # fmt: skip
    asked = Asked(knobs=knobs, paths=40, seed=2**40 + 5, capital=400.0, bad_day_r=2.0)
    given = given_of(trips, asked)
    plain = Walked(*[np.zeros(40) for _ in Walked._fields[:-1]], np.zeros(40 * (given.marks + 1)))
    walk.walk(0, 40, given, traded_of(trips, asked), plain)
    compiled = simulate(trips, asked)
    assert [column.tobytes() for column in compiled] == [column.tobytes() for column in plain]
    assert len(set(plain.profit)) == (1 if knobs is AS_RECORDED else 40)


def test_a_path_far_out_draws_other_words_than_the_first():
    given = given_of(TRADES, Asked(knobs=Knobs(order=Iid(), slippage=Normal(0.0, 10.0))))
    ends = []
    for path in (0, 1, 2**32, 2**32 + 1):
        walked = Walked(*[np.zeros(1) for _ in Walked._fields[:-1]], np.zeros(0))
        shifted = Walked(*[_At(column, path) for column in walked])
        walk.follow(path, given._replace(drawn_paths=0), traded_of(TRADES, Asked()), shifted)
        ends.append(walked.profit[0])
    assert len(set(ends)) == 4


class _At:
    """A column that begins at a path."""

    def __init__(self, column, first):
        self._column, self._first = column, first

    def __setitem__(self, path, value):
        self._column[path - self._first] = value


def test_asked_is_kept_as_text():
    asked = Asked(knobs=ALL_ON, seed=2**64 - 1)
    assert msgspec.json.decode(msgspec.json.encode(asked), type=Asked) == asked
