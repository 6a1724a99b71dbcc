"""Aroon (Chande 1995): how long ago the last bars had their highest high and their lowest low.

100 is now, 0 is `length` bars ago, so `length` + 1 bars are looked at. Of equal extremes the latest counts, as in TA-Lib
and Tulip; Skender counts the earliest.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, capacity_of_length
from pipeline.indicators.window import Window


@state
class Aroon:
    """`up` and `down` from 0 to 100, `value` up less down: the oscillator.

    `highs` and `lows` are those of the `length` bars before the latest.
    """

    highs: Window = group(capacity="capacity")
    lows: Window = group(capacity="capacity")
    count: int
    up: float = NAN
    down: float = NAN
    value: float = NAN


def update(aroon: Aroon, high: float, low: float, length: int) -> None:
    """Fold the two ends of a bar, or one price given twice; one that lacks an end moves nothing."""
    if not (abs(high) < INF and abs(low) < INF):
        return
    if window.is_full(aroon.highs, length):
        aroon.up = 100.0 * (length - since_highest(aroon.highs, high, length)) / length
        aroon.down = 100.0 * (length - since_lowest(aroon.lows, low, length)) / length
        aroon.value = aroon.up - aroon.down
    window.push(aroon.highs, high, length)
    window.push(aroon.lows, low, length)
    aroon.count += 1


def since_highest(before: Window, latest: float, length: int) -> int:
    """How many bars ago the highest of the latest value and those before it came."""
    highest = latest
    since = 0
    for ago in range(1, length + 1):
        if window.aged(before, length - ago) > highest:
            highest = window.aged(before, length - ago)
            since = ago
    return since


def since_lowest(before: Window, latest: float, length: int) -> int:
    """How many bars ago the lowest of the latest value and those before it came."""
    lowest = latest
    since = 0
    for ago in range(1, length + 1):
        if window.aged(before, length - ago) < lowest:
            lowest = window.aged(before, length - ago)
            since = ago
    return since


def ready(aroon: Aroon, length: int) -> bool:
    """Whether `length` bars lie before the latest."""
    return aroon.count > length


def reset(aroon: Aroon) -> None:
    """As new."""
    window.reset(aroon.highs)
    window.reset(aroon.lows)
    aroon.count = 0
    aroon.up = NAN
    aroon.down = NAN
    aroon.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(25, low=1, high=1_000, help="bars before the latest")


INDICATOR = Indicator(
    name="aroon",
    title="Aroon",
    State=Aroon,
    Params=Params,
    inputs=("high", "low"),
    values=("value", "up", "down"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + 1,
    capacity=capacity_of_length,
    convention="length + 1 bars, the latest of equal extremes; Tulip and TA-Lib",
)
