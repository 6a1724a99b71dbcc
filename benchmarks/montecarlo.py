"""Monte Carlo: 10,000 paths of 1,000 trades, to the same by hand: one parallel numba loop for just these knobs.

The loop by hand draws the same words for the same things, so both must come to the same numbers to the last bit.
"""

import math
import os

import numba
import numpy as np

from benchmarks.measure import Figure, ratio, seconds
from pipeline.reports.knobs import Anomalies, Iid, Knobs, Lognormal, Misses
from pipeline.reports.montecarlo import Asked, simulate
from pipeline.reports.outcomes import outcome_of
from pipeline.reports.round_trips import RoundTrips
from pipeline.reports.walk import Walked

PATHS = 10_000
TRADES = 1_000
MARKS = 100
ASKED = Asked(
    knobs=Knobs(
        order=Iid(),
        slippage=Lognormal(2.0, 1.0),
        misses=Misses(0.1),
        anomalies=Anomalies(0.01, Lognormal(100.0, 1.0)),
    ),
    paths=PATHS,
)


def figures():
    trips = traded()
    room = Walked(*[np.zeros(PATHS) for _ in Walked._fields[:-1]], np.zeros(PATHS * (MARKS + 1)))
    walked = simulate(trips, ASKED)
    by_hand(trips, room)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(walked, room, strict=True)), (
        "another result by hand"
    )
    to_hand, ours_s, hand_s = ratio(lambda: simulate(trips, ASKED), lambda: by_hand(trips, room), runs=9)
    one_s = seconds(lambda: simulate(trips, ASKED, threads=1))
    whole_s = seconds(lambda: outcome_of(trips, ASKED))
    return [
        Figure(
            "Monte Carlo of 10,000 paths x 1,000 trades, its time to a parallel numba loop by hand",
            1 / to_hand,
            "",
            1.3,
            at_least=False,
            beside=f"same numbers to the last bit; {ours_s:.2f} s to {hand_s:.2f} s, on one thread of {os.cpu_count()} {one_s:.2f} s, with distributions and bands {whole_s:.2f} s",
        ),
    ]


def traded():
    random = np.random.default_rng(7)
    value = random.uniform(1_000, 20_000, TRADES)
    return RoundTrips(
        profit=random.normal(10, 100, TRADES),
        entry_value=value,
        exit_value=value * random.normal(1, 0.01, TRADES),
        sign=np.ones(TRADES),
        risk=np.full(TRADES, 100.0),
        day=np.arange(TRADES) // 5.0,
        slippage_bps=np.full(TRADES, math.nan),
    )


def by_hand(trips, room):
    _loop(
        trips.profit,
        trips.entry_value + trips.exit_value,
        1 / trips.risk,
        np.append(np.diff(trips.day) > 0, True),
        *room,
    )


@numba.njit
def _words(a, b, c, d, k, m):
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = ((q >> 32) & 0xFFFFFFFF) ^ b ^ k, q & 0xFFFFFFFF, ((p >> 32) & 0xFFFFFFFF) ^ d ^ m, p & 0xFFFFFFFF
        k, m = (k + 0x9E3779B9) & 0xFFFFFFFF, (m + 0xBB67AE85) & 0xFFFFFFFF
    return a, b, c, d


# fmt: off
@numba.njit
def _normal(word):
    p = (word + 0.5) * 2.0**-32
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * (((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r + 45921.953931549871457) * r + 13731.693765509461125) * r + 1971.5909503065514427) * r + 133.14166789178437745) * r + 3.387132872796366608) / (((((((5226.495278852545925 * r + 28729.085735721942674) * r + 39307.89580009271061) * r + 21213.794301586595867) * r + 5394.1960214247511077) * r + 687.1870074920579083) * r + 42.313330701600911252) * r + 1.0)
    r = math.sqrt(-math.log(p if q < 0 else 1 - p)) - 1.6  # 32 bits never reach the far tail: sqrt(33 ln 2) < 5
    z = (((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r + 0.24178072517745061177) * r + 1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.7694972214606914055) * r + 4.6303378461565452959) * r + 1.42343711074968357734) / (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r + 0.14810397642748007459) * r + 0.68976733498510000455) * r + 1.6763848301838038494) * r + 2.05319162663775882187) * r + 1.0)
    return -z if q < 0 else z
# fmt: on


@numba.njit(parallel=True)
def _loop(  # noqa: C901, PLR0912, PLR0915, PLR0917  # one loop, as it would be written by hand
    profits, turnovers, inverse_risks, ends_day, ends, falls, shares, waters, ruins, worst_days, bad_days, curves
):
    count, paths = len(profits), len(ends)
    miss, rare = round(0.1 * 2**32), round(0.01 * 2**32)
    usual, worse = math.log(2.0 * 1e-4), math.log(100.0 * 1e-4)
    for unsigned in numba.prange(paths):
        path = np.int64(unsigned)
        profit = peak = fall_max = share_max = day = worst_day = 0.0
        peak_at = water = ruined = bad = 0
        mark, next_at = 1, count // MARKS
        curves[path * (MARKS + 1)] = 0.0
        for place in range(count):
            w0, w1, w2, w3 = _words(place, path & 0xFFFFFFFF, path >> 32, 0, 1, 0)
            i = (w0 * count) >> 32
            if w1 >= miss:
                made = profits[i]
                if w3 < rare:
                    _, _, again, _ = _words(place, path & 0xFFFFFFFF, path >> 32, 2, 1, 0)
                    made -= turnovers[i] * math.exp(worse + _normal(again))
                else:
                    made -= turnovers[i] * math.exp(usual + _normal(w2))
                profit += made
                day += made * inverse_risks[i]
            if profit >= peak:
                peak, peak_at = profit, place + 1
            else:
                fall = peak - profit
                fall_max = max(fall_max, fall)
                if fall > share_max * (100_000.0 + peak):
                    share_max = fall / (100_000.0 + peak)
                water = max(water, place + 1 - peak_at)
            if ends_day[place]:
                worst_day = min(worst_day, day)
                if day < -3.0:
                    bad += 1
                day = 0.0
            if place + 1 == next_at:
                curves[path * (MARKS + 1) + mark] = profit
                mark += 1
                next_at = mark * count // MARKS
            if profit <= -50_000.0:
                ruined = place + 1
                break
        if ruined:
            water = max(water, count - peak_at)
            worst_day = min(worst_day, day)
            if day < -3.0:
                bad += 1
            while mark <= MARKS:
                curves[path * (MARKS + 1) + mark] = profit
                mark += 1
        ends[path], falls[path], shares[path], waters[path] = profit, fall_max, share_max, water
        ruins[path], worst_days[path], bad_days[path] = ruined, worst_day, bad
