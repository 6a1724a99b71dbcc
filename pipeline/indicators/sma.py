"""Simple moving average, added up anew at each update (see `window`)."""

from pipeline.core.dialect import INF, NAN, sum_
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, Pane, capacity_of_length
from pipeline.indicators.window import Window


@state
class Sma:
    """`value` is the average of a full window."""

    window: Window = group(capacity="capacity")
    value: float = NAN


def update(sma: Sma, value: float, length: int) -> None:
    """Fold one value into a window of `length`, which is at most the capacity and never changes."""
    if not abs(value) < INF:
        return
    window.push(sma.window, value, length)
    if window.is_full(sma.window, length):
        sma.value = sum_(sma.window.values, length) / length


def ready(sma: Sma, length: int) -> bool:
    """Whether the window is full."""
    return window.is_full(sma.window, length)


def reset(sma: Sma) -> None:
    """As new."""
    window.reset(sma.window)
    sma.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=1_000, help="values averaged")


INDICATOR = Indicator(
    name="sma",
    title="Simple moving average",
    State=Sma,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    pane=Pane.OVERLAY,
    convention="NaN until the window is full, as in LEAN, Skender and Tulip",
)
