"""Highest and lowest since the last reset: of a session, or of its first minutes (an opening range)."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.state import state


@state
class Extremes:
    """`high` and `low` over `count` updates; NaN before the first."""

    high: float = NAN
    low: float = NAN
    count: int


def update(extremes: Extremes, high: float, low: float) -> None:
    """Fold the two ends of a bar, or one price given twice; one that lacks an end moves nothing."""
    if not (abs(high) < INF and abs(low) < INF):
        return
    extremes.high = higher(high, extremes.high)
    extremes.low = lower(low, extremes.low)
    extremes.count += 1


def higher(first: float, second: float) -> float:
    """The larger of two; the first when they are equal or the second is NaN, which `max` doesn't promise compiled."""
    return second if second > first else first  # noqa: FURB136  # for that reason


def lower(first: float, second: float) -> float:
    """The smaller of two; the first when they are equal or the second is NaN."""
    return second if second < first else first  # noqa: FURB136  # as in `higher`


def reset(extremes: Extremes) -> None:
    """Start again from nothing."""
    extremes.high = NAN
    extremes.low = NAN
    extremes.count = 0


def ready(extremes: Extremes, length: int) -> bool:
    """Whether `length` updates went in."""
    return extremes.count >= length
