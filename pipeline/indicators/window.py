"""Window: the last values, as many as `length` says, in a ring of up to `capacity`.

What stands on it adds its values up anew at each update. That costs a multiple of the length, but nothing drifts: a
running sum of float64 keeps the rounding of every value that ever passed, and one huge value spoils it for good.
"""

from pipeline.core.dialect import NAN
from pipeline.core.state import FloatArray, array, state


@state
class Window:
    """`filled` of the first `length` places of `values` hold something; the next value goes to `next_index`."""

    values: FloatArray = array(float, "capacity", NAN)
    next_index: int
    filled: int


def push(window: Window, value: float, length: int) -> None:
    """Put one value in, over the oldest when the window is full; `length` is at most the capacity, and never changes."""
    window.values[window.next_index] = value
    window.next_index = window.next_index + 1 if window.next_index + 1 < length else 0
    if window.filled < length:
        window.filled += 1


def aged(window: Window, i: int) -> float:
    """The value at place `i` in the order they came, 0 the oldest; of a full window."""
    place = window.next_index + i
    return window.values[place if place < window.filled else place - window.filled]


def is_full(window: Window, length: int) -> bool:
    """Whether `length` values are in."""
    return window.filled >= length


def reset(window: Window) -> None:
    """As new."""
    for i in range(window.filled):
        window.values[i] = NAN
    window.next_index = 0
    window.filled = 0
