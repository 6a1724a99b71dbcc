"""Weighted moving average: the latest of `length` values weighs `length`, the one before it one less, the oldest 1.

Added up anew at each update (see `window`). No convention differs: all sources divide by length * (length + 1) / 2.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, Pane, capacity_of_length
from pipeline.indicators.window import Window


@state
class Wma:
    """`value` is the weighted average of a full window."""

    window: Window = group(capacity="capacity")
    value: float = NAN


def update(wma: Wma, value: float, length: int) -> None:
    """Fold one value into a window of `length`, which is at most the capacity and never changes."""
    if not abs(value) < INF:
        return
    window.push(wma.window, value, length)
    if not window.is_full(wma.window, length):
        return
    total = 0.0
    for i in range(length):
        total += (i + 1.0) * window.aged(wma.window, i)
    wma.value = total / (length * (length + 1.0) * 0.5)


def ready(wma: Wma, length: int) -> bool:
    """Whether the window is full."""
    return window.is_full(wma.window, length)


def reset(wma: Wma) -> None:
    """As new."""
    window.reset(wma.window)
    wma.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=1_000, help="values averaged")


INDICATOR = Indicator(
    name="wma",
    title="Weighted moving average",
    State=Wma,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    pane=Pane.OVERLAY,
    convention="weights 1 to length, NaN until the window is full; Skender, Tulip and TA-Lib",
)
