"""Deflating: how likely it is that a Sharpe ratio is above what chance alone finds, when the best of many was taken.

Bailey and López de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting and Non-Normality",
Journal of Portfolio Management 40 (2014). Of so many tries without any skill the best has a Sharpe ratio of about `best_of_chance`;
the probability that the true one is above it takes into account how many observations there are, their skew and their fat tails.

The formula is meant for tries that are independent. Sets of parameters that lie close to each other are not, so counting each
of them asks for more than is needed: the probability is told too low rather than too high.
"""

import math
from typing import Final

import msgspec

from pipeline.log.backtests import TradeSums
from pipeline.reports.normal_quantile import normal_quantile

_EULER_MASCHERONI: Final = 0.577215664901532861
_NONE: Final = float("nan")


class Shape(msgspec.Struct, frozen=True):
    """What profits of trades look like."""

    count: int
    sharpe: float
    """Mean by standard deviation (n - 1), of a trade, not of a year."""
    skew: float
    kurtosis: float
    """3 for a normal distribution."""


def shape_of(sums: TradeSums) -> Shape | None:
    """The shape of the profits that were added up; None of fewer than two trades, or when all came to the same.

    Exact until the last step: the moments are ratios of integers.
    """
    n, one, two, three, four = sums.count, sums.total, sums.squares, sums.cubes, sums.fourths
    spread = n * two - one**2  # n^2 times the second central moment
    if n < 2 or spread == 0:
        return None
    third = n**2 * three - 3 * n * one * two + 2 * one**3
    fourth = n**3 * four - 4 * n**2 * one * three + 6 * n * one**2 * two - 3 * one**4
    sharpe = math.copysign(math.sqrt(one**2 * (n - 1) / (n * spread)), one)
    return Shape(n, sharpe, math.copysign(math.sqrt(third**2 / spread**3), third), fourth / spread**2)


def probabilistic_sharpe(shape: Shape, benchmark: float) -> float:
    """Probability that the true Sharpe ratio is above the benchmark; NaN where the moments allow no answer.

    >>> round(probabilistic_sharpe(Shape(101, 0.1, 0.0, 3.0), 0.0), 4)
    0.8408
    """
    under = 1.0 - shape.skew * shape.sharpe + (shape.kurtosis - 1.0) / 4.0 * shape.sharpe**2
    if under <= 0.0:
        return _NONE
    return _normal((shape.sharpe - benchmark) * math.sqrt(shape.count - 1) / math.sqrt(under))


def best_of_chance(variance: float, tried: int) -> float:
    """The Sharpe ratio to expect of the best of so many tries without skill, whose ratios have this variance.

    >>> round(best_of_chance(1 / 500, 100), 4)
    0.1132
    """
    if tried < 2:
        return 0.0
    first, second = (normal_quantile(1.0 - 1.0 / (tried * by)) for by in (1.0, math.e))
    return math.sqrt(variance) * ((1.0 - _EULER_MASCHERONI) * first + _EULER_MASCHERONI * second)


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
