"""Adaptive moving average (Kaufman 1995): as fast as the price goes straight, as slow as it goes to and fro.

It begins at the `length`th value, the one before the first that has an efficiency, as LEAN and TA-Lib have it; Tulip and
Skender also state that first price as a value. While nothing moves at all the efficiency is 1, as in LEAN, TA-Lib and
Tulip: the average goes to the price at its fastest.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, Pane, capacity_of_length
from pipeline.indicators.window import Window


@state
class Kama:
    """`value` follows by `efficiency`: the way made in `length` steps over the way gone, from 0 to 1.

    `average` is what `value` will be: it holds the price to begin with, which is no average yet.
    """

    window: Window = group(capacity="capacity")
    average: float = NAN
    efficiency: float = NAN
    count: int
    value: float = NAN


def update(kama: Kama, value: float, length: int, fast: int, slow: int) -> None:
    """Fold one value; it weighs between (2 / (slow + 1))^2 and (2 / (fast + 1))^2."""
    if not abs(value) < INF:
        return
    if window.is_full(kama.window, length):
        kama.efficiency = efficiency(kama.window, value, length)
        slowest = 2.0 / (slow + 1.0)
        smoothing = slowest + kama.efficiency * (2.0 / (fast + 1.0) - slowest)
        kama.average += smoothing * smoothing * (value - kama.average)
        kama.value = kama.average
    else:
        kama.average = value
    window.push(kama.window, value, length)
    kama.count += 1


def efficiency(before: Window, value: float, length: int) -> float:
    """Of the steps through a full window and on to `value`; rounding never makes it more than 1."""
    way = 0.0
    for i in range(1, length):
        way += abs(window.aged(before, i) - window.aged(before, i - 1))
    way += abs(value - window.aged(before, length - 1))
    made = abs(value - window.aged(before, 0))
    return made / way if made < way else 1.0


def ready(kama: Kama, length: int, _fast: int, _slow: int) -> bool:
    """Whether `length` steps were seen."""
    return kama.count > length


def reset(kama: Kama) -> None:
    """As new."""
    window.reset(kama.window)
    kama.count = 0
    kama.average = NAN
    kama.efficiency = NAN
    kama.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(10, low=1, high=1_000, help="steps whose efficiency counts")
    fast: int = param(2, low=1, high=10_000, help="length of the average when the price goes straight")
    slow: int = param(30, low=1, high=10_000, help="length of the average when it goes nowhere")


INDICATOR = Indicator(
    name="kama",
    title="Kaufman's adaptive moving average",
    State=Kama,
    Params=Params,
    values=("value", "efficiency"),
    undrawn=("efficiency",),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + 1,
    capacity=capacity_of_length,
    pane=Pane.OVERLAY,
    convention="begun at the price before the first efficiency; LEAN and TA-Lib",
)
