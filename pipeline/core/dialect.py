"""The arithmetic of the dialect: sequential, so that interpreted and compiled code give the same bits.

numpy's sums are pairwise, the builtin `sum` of floats changed between Python 3.11 and 3.12, and `x**3` differs between
the C library and a compiler: these few functions stand in for them. Every price and size becomes a float here, once.
"""

import math
from collections.abc import Sequence
from typing import Final

from pipeline.units import ABSENT

NAN: Final = math.nan
INF: Final = math.inf

NANO_FLOAT: Final = 1e9
"""1e9 as a float: int / int would round differently when compiled."""

_NANO_FLOAT_MAX: Final = 9.2e18
"""Just under the largest int64: what still may be rounded to nanos."""


def sum_(values: Sequence[float], count: int) -> float:
    """The first `count` values added from left to right."""
    total = 0.0
    for i in range(count):
        total += values[i]
    return total


def mean(values: Sequence[float], count: int) -> float:
    """Average of the first `count` values; NaN of none."""
    return sum_(values, count) / count if count else NAN


def std(values: Sequence[float], count: int) -> float:
    """Standard deviation of the first `count` values as a population, in two passes; NaN of none."""
    centre = mean(values, count)
    squares = 0.0
    for i in range(count):
        distance = values[i] - centre
        squares += distance * distance
    return math.sqrt(squares / count) if count else NAN


def ipow(x: float, exponent: int) -> float:
    """`x` multiplied by itself, `exponent` >= 0 times."""
    power = 1.0
    for _ in range(exponent):
        power *= x
    return power


def price_of(nano: int) -> float:
    """Nanos as a float64 price; NaN when absent."""
    return NAN if nano == ABSENT else float(nano) / NANO_FLOAT


def size_of(steps: int, step_nano: int) -> float:
    """Steps as a float64 count of shares, contracts or coins; NaN when absent."""
    return NAN if steps == ABSENT else float(steps) * float(step_nano) / NANO_FLOAT


def is_nano(value: float) -> bool:
    """Whether a float is finite and fits an int64 of nanos."""
    return abs(value) * NANO_FLOAT < _NANO_FLOAT_MAX


def nano_of(value: float) -> int:
    """The nanos nearest to a float for which `is_nano` holds, ties to even."""
    return round(value * NANO_FLOAT)
