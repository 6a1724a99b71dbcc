"""The walk: one path of the simulation, trade after trade, and what it comes to.

The loop of Monte Carlo, in functions that run as they stand, over arrays, and compiled by `compiled_walk`, over addresses.
Chance is drawn by place: what is drawn for a path's trade depends on the seed, the path and the place alone, each
decision having a word of its own. So it does not matter which thread walks which paths, and turning one knob changes no
draw of another: two runs of one seed differ by what was turned, not by luck.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.reports.normal_quantile import normal_quantile
from pipeline.reports.philox import WORD, philox

EACH: Final = 0
"""Words of every trade: which one it is, whether it is missed, its slippage, whether it is anomalous."""

EVENTS: Final = 1
"""Words of every trade where such knobs are on: whether it is halted, loses the feed, fills in part."""

SIZES: Final = 2
"""Words of a trade to which one of these happened: the gap, the part filled, the anomalous cost, how long the feed is away."""

NEVER: Final = WORD + 1
"""A word that is below no limit. As a limit: every word is below it."""

AS_TRADED: Final = 0
IID: Final = 1
BLOCKS: Final = 2

NO_COST: Final = 0
NORMAL: Final = 1
LOGNORMAL: Final = 2
SAMPLE: Final = 3

_WORD_SHARE: Final = 2.0**-32

Floats = np.ndarray[Any, np.dtype[np.float64]]
"""Numbers; compiled code is handed their address and checks no index, so lengths are checked before."""

Words = tuple[int, int, int, int]


class Given(NamedTuple):
    """What is the same for all paths. Limits: an event of probability p happens where its word is below p * 2**32."""

    seed_low: int
    seed_high: int
    trades: int
    """How many were traded, and how many a path has."""
    order: int
    jump_below: int
    """Of blocks: whether a new one begins."""
    has_events: int
    """Whether any of halts, feed drops and partial fills is on."""
    miss_below: int
    anomaly_below: int
    halt_below: int
    drop_below: int
    partial_below: int
    cost_kind: int
    cost_count: int
    """Of a sample: how many there are, in front of those of the anomalies, in front of the gaps."""
    worse_kind: int
    worse_count: int
    gap_count: int
    marks: int
    """Points of the equity curve that are kept, but for its start; not more than trades."""
    drawn_paths: int
    """So many first paths leave a curve."""
    cost_first: float
    """Mean, or logarithm of the median, as a share of the value traded."""
    cost_second: float
    """Deviation, of the logarithm if it is lognormal."""
    worse_first: float
    worse_second: float
    late_cost: float
    """Share of a position's value that it costs to leave late."""
    away_scale: float
    """1 / ln(q): a feed goes on being away with probability q, trade by trade; 0 where it is back at once."""
    fraction_least: float
    capital: float
    ruin_loss: float
    """A path that has lost so much trades on no more."""
    bad_day_r: float


class Traded(NamedTuple):
    """What was traded, (trades,) each."""

    profit: Floats
    turnover: Floats
    """Value bought and sold."""
    exposure: Floats
    """Value of what was held, below 0 for a short one: what a reopening gap is a share of."""
    inverse_risk: Floats
    """1 / money lost at the stop; 0 where that is not known."""
    ends_day: Floats
    """1 where the trade at this place is the last one of its day."""
    samples: Floats
    """Costs, anomalous costs, gaps, as shares, one behind the other."""


class Walked(NamedTuple):
    """What paths came to, (paths,) each, in money unless a name says else; `curves` (drawn paths * (marks + 1),)."""

    profit: Floats
    drawdown: Floats
    """Largest fall from a peak."""
    drawdown_share: Floats
    """Largest fall as a share of the account at the peak before it."""
    under_water: Floats
    """Trades behind which the account stood below its peak, of the longest such stretch; one that is ruined stays there."""
    ruined_at: Floats
    """The trade after which the path was ruined, from 1; 0 if it never was."""
    worst_day_r: Floats
    """0 where no day lost."""
    bad_days: Floats
    curves: Floats


def walk(first: int, stop: int, given: Given, traded: Traded, walked: Walked) -> None:
    """Walk the paths from `first` up to, not including, `stop`."""
    for path in range(first, stop):
        follow(path, given, traded, walked)


def follow(path: int, given: Given, traded: Traded, walked: Walked) -> None:
    """Walk one path."""
    profit = peak = drawdown = share = day_r = worst_day_r = 0.0
    index, away, peak_at, longest, bad_days, ruined_at, mark = -1, 0, 0, 0, 0, 0, 1
    is_drawn = path < given.drawn_paths
    curve = path * (given.marks + 1)
    next_at = given.trades // given.marks if is_drawn else -1
    if is_drawn:
        walked.curves[curve] = 0.0
    low, high = path & WORD, path >> 32
    for place in range(given.trades):
        words = philox(place, low, high, EACH, given.seed_low, given.seed_high)
        index = picked(words[0], place, index, given)
        made, away = outcome(place, path, index, away, words, given, traded)
        profit += made
        day_r += made * traded.inverse_risk[index]
        if profit >= peak:
            peak, peak_at = profit, place + 1
        else:
            fall = peak - profit
            drawdown = max(drawdown, fall)
            if fall > share * (given.capital + peak):
                share = fall / (given.capital + peak)
            longest = max(longest, place + 1 - peak_at)
        if traded.ends_day[place] != 0:
            worst_day_r, bad_days = day_counted(day_r, worst_day_r, bad_days, given)
            day_r = 0.0
        if place + 1 == next_at:
            walked.curves[curve + mark] = profit
            mark += 1
            next_at = mark * given.trades // given.marks
        if profit <= -given.ruin_loss:
            ruined_at = place + 1
            worst_day_r, bad_days = day_counted(day_r, worst_day_r, bad_days, given)
            longest = max(longest, given.trades - peak_at)
            break
    while is_drawn and mark <= given.marks:
        walked.curves[curve + mark] = profit
        mark += 1
    walked.profit[path] = profit
    walked.drawdown[path] = drawdown
    walked.drawdown_share[path] = share
    walked.under_water[path] = longest
    walked.ruined_at[path] = ruined_at
    walked.worst_day_r[path] = worst_day_r
    walked.bad_days[path] = bad_days


def day_counted(day_r: float, worst_day_r: float, bad_days: int, given: Given) -> tuple[float, int]:
    """The worst day and the count of bad ones, with one day more."""
    return min(worst_day_r, day_r), bad_days + (1 if day_r < given.bad_day_r else 0)


def picked(word: int, place: int, before: int, given: Given) -> int:
    """Which trade stands at a place, the one before having been `before`.

    The upper bits of word * trades are an index, as likely as any other to one part in 2**32 / trades; the lower ones,
    which are as good as independent of it, decide whether a block ends: the stationary bootstrap of Politis and
    Romano, "The stationary bootstrap", JASA 89 (1994), in which blocks of geometric lengths run on over the end.
    """
    if given.order == AS_TRADED:
        return place
    drawn = word * given.trades
    if given.order == IID or place == 0 or (drawn & WORD) < given.jump_below:
        return drawn >> 32
    return before + 1 if before + 1 < given.trades else 0


def outcome(
    place: int, path: int, index: int, away: int, words: Words, given: Given, traded: Traded
) -> tuple[float, int]:
    """What a trade comes to at a place, and for how many trades more the feed is away. `words` are those of EACH."""
    if away > 0:
        return 0.0, away - 1
    low, high = path & WORD, path >> 32
    _, miss_word, cost_word, anomaly_word = words
    halt_word = drop_word = partial_word = NEVER
    if given.has_events != 0:
        halt_word, drop_word, partial_word, _ = philox(place, low, high, EVENTS, given.seed_low, given.seed_high)
    is_anomalous, is_halted = anomaly_word < given.anomaly_below, halt_word < given.halt_below
    is_dropped, is_partial = drop_word < given.drop_below, partial_word < given.partial_below
    gap_word = fraction_word = worse_word = away_word = 0
    if is_anomalous or is_halted or is_dropped or is_partial:
        gap_word, fraction_word, worse_word, away_word = philox(
            place, low, high, SIZES, given.seed_low, given.seed_high
        )
    if is_dropped:
        away = int(math.log(uniform(away_word)) * given.away_scale)
    if miss_word < given.miss_below:
        return 0.0, away
    profit = float(traded.profit[index])
    if is_anomalous:
        kind, first, second = given.worse_kind, given.worse_first, given.worse_second
        share = cost(worse_word, kind, first, second, given.cost_count, given.worse_count, traded.samples)
        profit -= traded.turnover[index] * share
    elif given.cost_kind != NO_COST:
        kind, first, second = given.cost_kind, given.cost_first, given.cost_second
        profit -= traded.turnover[index] * cost(cost_word, kind, first, second, 0, given.cost_count, traded.samples)
    if is_halted:
        gap_at = given.cost_count + given.worse_count + ((gap_word * given.gap_count) >> 32)
        profit += traded.exposure[index] * traded.samples[gap_at]
    if is_dropped:
        profit -= abs(traded.exposure[index]) * given.late_cost
    if is_partial:
        profit *= given.fraction_least + (1.0 - given.fraction_least) * uniform(fraction_word)
    return profit, away


def cost(word: int, kind: int, first: float, second: float, begin: int, count: int, samples: Floats) -> float:
    """A cost drawn from a distribution, as a share of the value traded. `begin` and `count`: where its sample stands."""
    if kind == SAMPLE:
        return float(samples[begin + ((word * count) >> 32)])
    drawn = first + second * normal_quantile(uniform(word))
    return math.exp(drawn) if kind == LOGNORMAL else drawn


def uniform(word: int) -> float:
    """The middle of a word's share of the numbers between 0 and 1.

    >>> uniform(0) > 0.0, uniform(WORD) < 1.0
    (True, True)
    """
    return (word + 0.5) * _WORD_SHARE
