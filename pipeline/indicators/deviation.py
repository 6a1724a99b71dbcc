"""Standard deviation of the last values, as a population, in two passes over the window (see `window`).

Distances are taken from the latest value first: a window that holds one value throughout deviates by exactly nothing.
"""

import math

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, capacity_of_length
from pipeline.indicators.window import Window


@state
class Deviation:
    """`value` around `mean`, both of a full window."""

    window: Window = group(capacity="capacity")
    mean: float = NAN
    value: float = NAN


def update(deviation: Deviation, value: float, length: int) -> None:
    """Fold one value into a window of `length`, which is at most the capacity and never changes."""
    if not abs(value) < INF:
        return
    window.push(deviation.window, value, length)
    if not window.is_full(deviation.window, length):
        return
    shift = 0.0
    for i in range(length):
        shift += deviation.window.values[i] - value
    shift = shift / length
    squares = 0.0
    for i in range(length):
        distance = deviation.window.values[i] - value - shift
        squares += distance * distance
    deviation.mean = value + shift
    deviation.value = math.sqrt(squares / length)


def ready(deviation: Deviation, length: int) -> bool:
    """Whether the window is full."""
    return window.is_full(deviation.window, length)


def reset(deviation: Deviation) -> None:
    """As new."""
    window.reset(deviation.window)
    deviation.mean = NAN
    deviation.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=1_000, help="values looked at")


INDICATOR = Indicator(
    name="deviation",
    title="Standard deviation",
    State=Deviation,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    convention="of a population (divided by n); LEAN, Skender and Tulip",
)
