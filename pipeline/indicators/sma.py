"""Simple moving average over the last values, exact: the window is added up anew, so no error creeps in."""

from pipeline.core.dialect import NAN, sum_
from pipeline.core.state import FloatArray, array, state


@state
class Sma:
    """A ring of up to `capacity` values; `value` is the average of those in the window so far."""

    values: FloatArray = array(float, "capacity", NAN)
    next_index: int
    count: int
    value: float = NAN


def update(sma: Sma, value: float, length: int) -> None:
    """Fold one value into a window of `length`, which is at most the capacity and never changes."""
    sma.values[sma.next_index] = value
    sma.next_index = sma.next_index + 1 if sma.next_index + 1 < length else 0
    sma.count += 1
    filled = min(sma.count, length)
    sma.value = sum_(sma.values, filled) / filled


def ready(sma: Sma, length: int) -> bool:
    """Whether the window is full."""
    return sma.count >= length
