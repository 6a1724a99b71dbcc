"""Rate of change: by how many percent the price differs from the price `length` values ago.

Percent, as Skender, TA-Lib and LEAN's percentage; LEAN's plain rate and Tulip's are the hundredth part.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, capacity_of_length
from pipeline.indicators.window import Window


@state
class Roc:
    """`value` since the oldest that `window` held; NaN when that was 0."""

    window: Window = group(capacity="capacity")
    count: int
    value: float = NAN


def update(roc: Roc, value: float, length: int) -> None:
    """Fold one value; `length` is at most the capacity and never changes."""
    if not abs(value) < INF:
        return
    if window.is_full(roc.window, length):
        before = window.aged(roc.window, 0)
        roc.value = 100.0 * (value - before) / before if abs(before) > 0.0 else NAN
    window.push(roc.window, value, length)
    roc.count += 1


def ready(roc: Roc, length: int) -> bool:
    """Whether `length` values lie before the latest."""
    return roc.count > length


def reset(roc: Roc) -> None:
    """As new."""
    window.reset(roc.window)
    roc.count = 0
    roc.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(10, low=1, high=1_000, help="values back")


INDICATOR = Indicator(
    name="roc",
    title="Rate of change",
    State=Roc,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + 1,
    capacity=capacity_of_length,
    convention="percent; Skender, TA-Lib and LEAN's RateOfChangePercent",
)
