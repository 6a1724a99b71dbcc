"""Momentum: the price less the price `length` values ago, in units of the price."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, capacity_of_length
from pipeline.indicators.window import Window


@state
class Momentum:
    """`value` since the oldest that `window` held."""

    window: Window = group(capacity="capacity")
    count: int
    value: float = NAN


def update(momentum: Momentum, value: float, length: int) -> None:
    """Fold one value; `length` is at most the capacity and never changes."""
    if not abs(value) < INF:
        return
    if window.is_full(momentum.window, length):
        momentum.value = value - window.aged(momentum.window, 0)
    window.push(momentum.window, value, length)
    momentum.count += 1


def ready(momentum: Momentum, length: int) -> bool:
    """Whether `length` values lie before the latest."""
    return momentum.count > length


def reset(momentum: Momentum) -> None:
    """As new."""
    window.reset(momentum.window)
    momentum.count = 0
    momentum.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(10, low=1, high=1_000, help="values back")


INDICATOR = Indicator(
    name="momentum",
    title="Momentum",
    State=Momentum,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + 1,
    capacity=capacity_of_length,
    convention="a difference; Skender, Tulip and TA-Lib (others call a ratio so: see `roc`)",
)
