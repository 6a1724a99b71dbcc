"""Highest and lowest since the last reset: of a session, or of its first minutes (an opening range)."""

from pipeline.core.dialect import INF
from pipeline.core.state import state


@state
class Extremes:
    """`high` and `low` over `count` updates; infinite the wrong way round before the first."""

    high: float = -INF
    low: float = INF
    count: int


def update(extremes: Extremes, high: float, low: float) -> None:
    """Fold the two ends of a bar, or one price given twice; NaN moves nothing."""
    if high > extremes.high:  # noqa: PLR1730  # max() of a NaN depends on its place
        extremes.high = high
    if low < extremes.low:  # noqa: PLR1730  # same
        extremes.low = low
    extremes.count += 1


def reset(extremes: Extremes) -> None:
    """Start again from nothing."""
    extremes.high = -INF
    extremes.low = INF
    extremes.count = 0


def ready(extremes: Extremes, length: int) -> bool:
    """Whether `length` updates went in."""
    return extremes.count >= length
