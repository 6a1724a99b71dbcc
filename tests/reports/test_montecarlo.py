"""Monte Carlo: the same numbers however it is run, and those of the closed forms where there are any.

Each comparison has its seed, and as tolerance four standard errors of what is estimated, or the distance of
Kolmogorov and Smirnov that one in a thousand right samples passes.
"""

import math
import time
from statistics import NormalDist

import msgspec
import numpy as np
import pytest
from trips import trips_of

from pipeline.errors import ConfigError
from pipeline.reports import montecarlo
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
from pipeline.reports.montecarlo import DRAWN_MAX, Asked, curves_of, simulate

ALL_ON = Knobs(
    order=Blocks(5.0),
    slippage=Lognormal(2.0, 1.0),
    misses=Misses(0.1),
    anomalies=Anomalies(0.05, Sample((100.0, 300.0))),
    halts=Halts(0.1, (-2_000.0, 500.0, 1_000.0)),
    drops=FeedDrops(0.05, 3.0, 50.0),
    partials=PartialFills(0.3, 0.2),
)
TRADES = trips_of(
    np.random.default_rng(5).normal(2.0, 20.0, 80), entry=500.0, exit_=510.0, risk=20.0, day=np.arange(80) // 4
)
PATHS = 20_000


def bits(walked):
    return [column.tobytes() for column in walked]


def ends(trips, knobs, seed=11, **asked):
    return simulate(trips, Asked(knobs=knobs, paths=PATHS, seed=seed, **asked)).profit


def farthest(numbers, cumulative):
    """The distance of Kolmogorov and Smirnov, of whole numbers from a distribution: how far apart they are where it is most."""
    places = np.arange(math.floor(numbers.min()) - 1, math.ceil(numbers.max()) + 2)
    found = np.searchsorted(np.sort(numbers), places, side="right") / len(numbers)
    return max(abs(share - cumulative(int(place))) for share, place in zip(found, places, strict=True))


FAR = 1.95 / math.sqrt(PATHS)
"""What one right sample in a thousand passes (Smirnov 1948)."""


def test_neither_threads_nor_chunks_change_a_bit():
    asked = Asked(knobs=ALL_ON, paths=600, seed=3, capital=2_000.0)
    first = bits(simulate(TRADES, asked, threads=1, chunk=10_000))
    for threads, chunk in ((2, 512), (1, 1), (2, 7), (3, 599)):
        assert bits(simulate(TRADES, asked, threads=threads, chunk=chunk)) == first


def test_more_paths_begin_with_the_same_ones_and_another_seed_does_not():
    few, many = (simulate(TRADES, Asked(knobs=ALL_ON, paths=paths)) for paths in (50, 130))
    assert [column[:50].tobytes() for column in many[:-1]] == bits(few)[:-1]
    assert not set(few.profit) & set(simulate(TRADES, Asked(knobs=ALL_ON, paths=50, seed=2)).profit)
    assert not set(few.profit) & set(simulate(TRADES, Asked(knobs=ALL_ON, paths=50, seed=1 + 2**32)).profit)


def test_who_is_interrupted_waits_for_the_chunks_being_walked_alone(monkeypatch):
    walks, true_walk = [], montecarlo.compiled_walk()

    def counted(first, stop, *rest):
        walks.append(stop)
        time.sleep(0.001)  # all of them take two seconds at the least
        return true_walk(first, stop, *rest)

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(montecarlo, "compiled_walk", lambda: counted)
    with pytest.raises(KeyboardInterrupt):
        simulate(TRADES, Asked(paths=40_000), threads=1, chunk=20, told=interrupted)
    assert 1 <= len(walks) < 2_000
    told = []
    simulate(TRADES, Asked(paths=50), chunk=20, told=told.append)
    assert told == [20, 40, 50]


def test_no_path_is_better_off_for_a_cost():
    """Of the same draws: dearer slippage, anomalies, late exits."""
    plain = Knobs(order=Blocks(4.0), misses=Misses(0.2), partials=PartialFills(0.3, 0.1))
    for dearer in (
        {"slippage": Lognormal(3.0, 1.0)},
        {"anomalies": Anomalies(0.1, Sample((10.0, 500.0)))},
        {"drops": FeedDrops(0.1, 0.0, 80.0)},
    ):
        knobs = msgspec.structs.replace(plain, **dearer)
        cheap, dear = (simulate(TRADES, Asked(knobs=each, paths=500, capital=1e9)).profit for each in (plain, knobs))
        assert (dear <= cheap).all()
        assert (dear < cheap).any()


def test_curves_are_kept_of_so_many_paths_and_no_more():
    walked = simulate(trips_of([1.0, 2.0]), Asked(paths=DRAWN_MAX + 700))
    assert len(walked.profit) == DRAWN_MAX + 700
    assert curves_of(walked, trips_of([1.0, 2.0])).shape == (DRAWN_MAX, 3)
    assert (walked.profit == 3.0).all()


@pytest.mark.parametrize(
    "at_nothing",
    [
        {"slippage": Normal(0.0, 0.0)},
        {"slippage": Lognormal(0.0, 2.0)},
        {"slippage": Sample((0.0, 0.0))},
        {"misses": Misses(0.0)},
        {"anomalies": Anomalies(0.0, Normal(500.0, 9.0))},
        {"halts": Halts(0.0, (900.0,))},
        {"halts": Halts(1.0, (0.0,))},
        {"drops": FeedDrops(0.0, 9.0, 900.0)},
        {"partials": PartialFills(0.0, 0.0)},
        {"partials": PartialFills(1.0, 1.0)},
    ],
)
@pytest.mark.parametrize("others", [AS_RECORDED, ALL_ON])
def test_a_knob_at_nothing_changes_nothing(at_nothing, others):
    (name,) = at_nothing
    without = msgspec.structs.replace(others, **{name: None})
    asked = Asked(knobs=without, paths=64, seed=9, capital=2_000.0)
    turned = msgspec.structs.replace(asked, knobs=msgspec.structs.replace(without, **at_nothing))
    assert bits(simulate(TRADES, turned)) == bits(simulate(TRADES, asked))


def test_blocks_of_one_trade_are_trades_that_know_nothing_of_each_other():
    one, other = (simulate(TRADES, Asked(knobs=Knobs(order=order), paths=300)) for order in (Blocks(1.0), Iid()))
    assert bits(one) == bits(other)


def test_turning_a_knob_changes_no_draw_of_another():
    knobs = Knobs(order=Iid(), misses=Misses(0.3))
    trips = trips_of(np.ones(40), entry=100.0)
    with_slippage = msgspec.structs.replace(knobs, slippage=Normal(50.0, 0.0))
    plain, dearer = ends(trips, knobs), ends(trips, with_slippage)
    assert np.abs(dearer - plain * (1.0 - 200 * 50e-4)).max() < 1e-9, "who is missed pays nothing"
    assert len(set(plain)) > 10


def test_slippage_sums_to_the_normal_distribution():
    count, turnover = 50, 200.0
    made = ends(trips_of(np.zeros(count), entry=100.0), Knobs(slippage=Normal(30.0, 200.0)))
    law = NormalDist(-count * turnover * 30e-4, math.sqrt(count) * turnover * 200e-4)
    assert made.mean() == pytest.approx(law.mean, abs=4 * law.stdev / math.sqrt(PATHS))
    assert made.std() == pytest.approx(law.stdev, abs=4 * law.stdev / math.sqrt(2 * PATHS))
    for share in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99):
        error = math.sqrt(share * (1 - share) / PATHS) / law.pdf(law.inv_cdf(share))
        assert np.quantile(made, share) == pytest.approx(law.inv_cdf(share), abs=4 * error)


def test_lognormal_slippage_has_its_mean_and_deviation():
    made = -ends(trips_of(np.zeros(30), entry=100.0), Knobs(slippage=Lognormal(5.0, 0.8)))
    mean = 30 * 200 * 5e-4 * math.exp(0.32)
    deviation = math.sqrt(30 * (math.exp(0.64) - 1)) * 200 * 5e-4 * math.exp(0.32)
    assert made.mean() == pytest.approx(mean, abs=4 * deviation / math.sqrt(PATHS))
    assert made.std() == pytest.approx(deviation, rel=0.05)


def test_missed_entries_are_binomial():
    taken = ends(trips_of(np.ones(60)), Knobs(misses=Misses(0.2)))

    def binomial(most):
        return sum(math.comb(60, k) * 0.8**k * 0.2 ** (60 - k) for k in range(min(most, 60) + 1))

    assert farthest(taken, binomial) < FAR


def test_anomalies_and_halts_cost_what_they_do_as_often_as_they_do():
    count = 50
    flat = trips_of(np.zeros(count), entry=100.0)
    worse = ends(flat, Knobs(anomalies=Anomalies(0.1, Sample((50.0, 150.0)))))
    each = [0.0] * 18 + [-200 * 50e-4, -200 * 150e-4]
    assert worse.mean() == pytest.approx(count * np.mean(each), abs=4 * math.sqrt(count / PATHS) * np.std(each))
    gaps = ends(flat, Knobs(halts=Halts(0.2, (-1_000.0, 200.0))))
    each = [0.0] * 8 + [-10.0, 2.0]
    assert gaps.mean() == pytest.approx(count * np.mean(each), abs=4 * math.sqrt(count / PATHS) * np.std(each))
    assert gaps.std() == pytest.approx(math.sqrt(count) * np.std(each), rel=0.03)


def test_of_partial_fills_the_mean_part_is_halfway():
    made = ends(trips_of(np.ones(50)), Knobs(partials=PartialFills(0.4, 0.2)))
    mean, second = 0.6 + 0.4 * 0.6, 0.6 + 0.4 * (1 - 0.2**3) / (3 * 0.8)
    error = math.sqrt(50 * (second - mean**2) / PATHS)
    assert made.mean() == pytest.approx(50 * mean, abs=4 * error)


def test_a_lost_feed_hides_as_many_trades_as_it_says():
    """Seen and lost with probability p, hidden for m trades in the mean: a share of 1 / (1 + p * m) is seen in the long run."""
    drops = Knobs(drops=FeedDrops(0.02, 10.0, 0.0))
    seen = simulate(trips_of(np.ones(2_000)), Asked(knobs=drops, paths=1_000)).profit / 2_000
    assert seen.mean() == pytest.approx(1 / 1.2, abs=0.003), "and at the start a little more"
    two = ends(trips_of(np.ones(2)), Knobs(drops=FeedDrops(0.5, 3.0, 0.0)))
    assert (two == 1.0).mean() == pytest.approx(0.5 * 3 / 4, abs=4 * math.sqrt(0.375 * 0.625 / PATHS))


def test_resampled_trades_have_the_variance_of_their_own():
    knobs = Knobs(order=Iid())
    made = ends(TRADES, knobs, capital=1e9)
    mean, deviation = 80 * TRADES.profit.mean(), math.sqrt(80) * TRADES.profit.std()
    assert made.mean() == pytest.approx(mean, abs=4 * deviation / math.sqrt(PATHS))
    assert made.std() == pytest.approx(deviation, abs=4 * deviation / math.sqrt(2 * PATHS))


def test_blocks_keep_as_much_of_the_order_as_the_stationary_bootstrap_says():
    """Politis and Romano (1994), lemma 1: covariances at a distance k, around the circle, count (1 - p)**k."""
    wave = np.sin(np.arange(60) * 2 * np.pi / 30)
    made = ends(trips_of(wave), Knobs(order=Blocks(6.0)), capital=1e9)
    around = [np.mean((wave - wave.mean()) * (np.roll(wave, -k) - wave.mean())) for k in range(60)]
    variance = 60 * around[0] + 2 * sum((60 - k) * (5 / 6) ** k * around[k] for k in range(1, 60))
    assert made.mean() == pytest.approx(60 * wave.mean(), abs=4 * math.sqrt(variance / PATHS))
    assert made.var() == pytest.approx(variance, rel=0.05)
    assert variance > 2 * 60 * around[0], "far from what trades that know nothing of each other have"


def test_ruin_of_a_random_walk_is_that_of_the_reflection_principle():
    """P(a walk of n steps of +-1 was at -a) = P(S_n <= -a) + P(S_n < -a) (Feller I, III.7)."""
    steps, lost = 100, 12
    walked = simulate(
        trips_of(np.tile([1.0, -1.0], steps // 2)),
        Asked(knobs=Knobs(order=Iid()), paths=PATHS, seed=4, capital=float(lost), ruin_share=1.0),
    )
    heads = [math.comb(steps, k) / 2**steps for k in range(steps + 1)]
    at_most = sum(p for k, p in enumerate(heads) if 2 * k - steps <= -lost)
    below = sum(p for k, p in enumerate(heads) if 2 * k - steps < -lost)
    ruined = (walked.ruined_at > 0).mean()
    assert ruined == pytest.approx(at_most + below, abs=4 * math.sqrt(ruined * (1 - ruined) / PATHS))
    assert (walked.profit[walked.ruined_at > 0] == -lost).all()


def largest_fall_below(depth, steps):
    """P(the largest fall of a walk of +-1 is below a depth): the walk under its peak, reflected at 0, never came there."""
    at = np.zeros(depth)
    at[0] = 1.0
    for _ in range(steps):
        moved = np.zeros(depth)
        moved[:-1] += at[1:] / 2
        moved[0] += at[0] / 2
        moved[1:] += at[:-1] / 2
        at = moved
    return at.sum()


def test_the_largest_fall_of_a_random_walk_is_that_of_the_reflected_one():
    steps = 200
    falls = simulate(
        trips_of(np.tile([1.0, -1.0], steps // 2)), Asked(knobs=Knobs(order=Iid()), paths=PATHS, seed=6)
    ).drawdown
    law = [largest_fall_below(depth, steps) for depth in range(1, 90)]
    assert farthest(falls, lambda depth: law[depth] if 0 <= depth < len(law) else float(depth > 0)) < FAR
    expected = sum(1.0 - share for share in law)
    assert falls.mean() == pytest.approx(expected, abs=4 * falls.std() / math.sqrt(PATHS))
    brownian = math.sqrt(math.pi / 2 * steps)  # of which a walk sees the peaks at whole steps alone
    assert expected == pytest.approx(brownian, abs=1.0), "Magdon-Ismail and others (2004): sqrt(pi / 2) * sd * sqrt(T)"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"paths": 0}, "paths 0: accepted is 1 to 10,000,000"),
        ({"seed": -1}, "seed -1: accepted is 0 to 18,446,744,073,709,551,615"),
        ({"capital": 0.0}, "capital 0"),
        ({"ruin_share": 1.5}, "ruin 1.5"),
        ({"risk": math.nan}, "risk nan"),
    ],
)
def test_what_can_not_be_asked_is_refused(wrong, told):
    with pytest.raises(ConfigError, match=told):
        Asked(**wrong)


def test_no_trades_and_no_numbers_are_refused():
    with pytest.raises(ConfigError, match="no closed trade"):
        trips_of([])
    with pytest.raises(ConfigError, match="trade 2: its profit is no number"):
        trips_of([1.0, math.nan])
