"""Hull moving average (Hull 2005): a weighted average of half the length doubled, less one of all of it, smoothed once more.

Hull takes the integer part of half the length and of its square root, as LEAN, Skender, Tulip and TradingView do; who
rounds instead gets other values for lengths whose root is none.
"""

import math

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import wma
from pipeline.indicators.indicator import Indicator, Pane, capacity_of_length
from pipeline.indicators.wma import Wma


@state
class Hma:
    """`value` is `smooth`, the average of what `half` doubled exceeds `whole` by."""

    half: Wma = group(capacity="capacity")
    whole: Wma = group(capacity="capacity")
    smooth: Wma = group(capacity="capacity")
    value: float = NAN


def update(hma: Hma, value: float, length: int) -> None:
    """Fold one value; `length` is at most the capacity and never changes."""
    if not abs(value) < INF:
        return
    wma.update(hma.half, value, length // 2)
    wma.update(hma.whole, value, length)
    wma.update(hma.smooth, 2.0 * hma.half.value - hma.whole.value, root(length))  # NaN, which moves nothing, at first
    hma.value = hma.smooth.value


def root(length: int) -> int:
    """The integer part of the square root."""
    return int(math.sqrt(float(length)))


def ready(hma: Hma, length: int) -> bool:
    """Whether the last of the three windows is full."""
    return wma.ready(hma.smooth, root(length))


def reset(hma: Hma) -> None:
    """As new."""
    wma.reset(hma.half)
    wma.reset(hma.whole)
    wma.reset(hma.smooth)
    hma.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=2, high=1_000, help="values of the longest of its averages")


INDICATOR = Indicator(
    name="hma",
    title="Hull moving average",
    State=Hma,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + root(p.length) - 1,
    capacity=capacity_of_length,
    pane=Pane.OVERLAY,
    convention="integer parts of length / 2 and of its root; LEAN, Skender, Tulip and TradingView",
)
