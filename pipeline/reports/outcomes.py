"""Outcomes: what the paths came to, as distributions, with what was traded marked in them."""

import math
from typing import Final

import msgspec
import numpy as np

from pipeline.reports.montecarlo import Asked, as_recorded, curves_of, knows_r, marks_of, simulate
from pipeline.reports.pieces import deviation, mean, quantiles, total
from pipeline.reports.round_trips import RoundTrips
from pipeline.reports.walk import Floats, Walked

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_Z: Final = 1.959963984540054
"""Deviations on either side that hold 95 % of a normal distribution."""


class Spread(msgspec.Struct, frozen=True):
    """One number over all paths. Quantiles are exact, between two paths on the line that joins them."""

    mean: float
    deviation: float
    quantiles: tuple[float, ...]
    """At QUANTILES."""
    actual: float
    """What was traded came to."""
    percentile: float
    """How many in a hundred paths are below that, those that are equal by half."""


class Chance(msgspec.Struct, frozen=True):
    """A share of the paths, and between which bounds its true value lies with 95 % (Wilson, JASA 22, 1927), which many paths bring near."""

    share: float
    low: float
    high: float


class Bands(msgspec.Struct, frozen=True):
    """Quantiles of the profit so far, after so many trades; those that are drawn begin at 0."""

    after_trades: tuple[float, ...]
    quantiles: tuple[tuple[float, ...], ...]
    """One row for each of QUANTILES."""
    actual: tuple[float, ...]
    drawn_paths: int


class Outcome(msgspec.Struct, frozen=True):
    """What came of it. Money as the trades; what is told in R is None where 1 R of some trade is not known."""

    paths: int
    trades: int
    days: int
    profit: Spread
    drawdown: Spread
    drawdown_share: Spread
    under_water: Spread
    """Trades."""
    worst_day_r: Spread | None
    loss: Chance
    """Of ending below the beginning."""
    ruin: Chance
    bad_day: float | None
    """Share of all days of all paths that are bad."""
    any_bad_day: Chance | None
    bands: Bands | None


def outcome_of(trips: RoundTrips, asked: Asked, *, threads: int | None = None, is_drawn: bool = True) -> Outcome:
    """Simulate, and tell what came of it, with bands if it is to be drawn. Raises ConfigError."""
    return told(trips, asked, simulate(trips, asked, threads=threads), is_drawn=is_drawn)


def told(trips: RoundTrips, asked: Asked, walked: Walked, *, is_drawn: bool = True) -> Outcome:
    """What these paths came to."""
    actual = as_recorded(trips, asked)
    days = int(np.count_nonzero(trips.day[1:] != trips.day[:-1])) + 1
    is_in_r = knows_r(trips, asked)
    return Outcome(
        paths=asked.paths,
        trades=len(trips),
        days=days,
        profit=_spread(walked.profit, actual.profit),
        drawdown=_spread(walked.drawdown, actual.drawdown),
        drawdown_share=_spread(walked.drawdown_share, actual.drawdown_share),
        under_water=_spread(walked.under_water, actual.under_water),
        worst_day_r=_spread(walked.worst_day_r, actual.worst_day_r) if is_in_r else None,
        loss=chance(total(walked.profit, lambda piece: piece < 0.0), asked.paths),
        ruin=chance(total(walked.ruined_at, lambda piece: piece > 0.0), asked.paths),
        bad_day=mean(walked.bad_days) / days if is_in_r else None,
        any_bad_day=chance(total(walked.bad_days, lambda piece: piece > 0.0), asked.paths) if is_in_r else None,
        bands=_bands(trips, walked, actual) if is_drawn else None,
    )


def chance(happened: float, count: int) -> Chance:
    """The share of so many paths in which something happened.

    >>> chance(0, 100).high < 0.04
    True
    """
    share = happened / count
    spread = _Z * math.sqrt(share * (1.0 - share) / count + _Z * _Z / (4.0 * count * count))
    middle, scale = share + _Z * _Z / (2.0 * count), 1.0 + _Z * _Z / count
    return Chance(share, max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))


def _spread(numbers: Floats, actual: Floats) -> Spread:
    value = float(actual[0])
    below, equal = (total(numbers, of) for of in (lambda piece: piece < value, lambda piece: piece == value))
    return Spread(
        mean=mean(numbers),
        deviation=deviation(numbers),
        quantiles=quantiles(numbers, QUANTILES),
        actual=value,
        percentile=100.0 * (below + equal / 2) / len(numbers),
    )


def _bands(trips: RoundTrips, walked: Walked, actual: Walked) -> Bands:
    curves = np.ascontiguousarray(curves_of(walked, trips).T)
    return Bands(
        after_trades=tuple(marks_of(trips).tolist()),
        quantiles=tuple(tuple(row) for row in np.quantile(curves, QUANTILES, axis=1).tolist()),
        actual=tuple(actual.curves.tolist()),
        drawn_paths=curves.shape[1],
    )
