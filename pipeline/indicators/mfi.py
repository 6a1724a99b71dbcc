"""Money flow index (Quong and Soudack 1989): how much of the recent turnover came with rising prices, from 0 to 100.

Turnover is the typical price times the volume; it counts for a bar whose typical price lies above the last one's, against
one whose lies below, and not at all when they are equal. Sums over a window, not Wilder's averages as in `rsi`. Without
any turnover that counts it is 100, as LEAN and Skender have it; TA-Lib calls it 0.
"""

from pipeline.core.dialect import INF, NAN, sum_
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import cci, true_range, window
from pipeline.indicators.indicator import Indicator, capacity_of_length
from pipeline.indicators.window import Window


@state
class Mfi:
    """`value` by the turnover of the last bars that rose and of those that fell."""

    previous: float = NAN
    rising: Window = group(capacity="capacity")
    falling: Window = group(capacity="capacity")
    value: float = NAN


def update(mfi: Mfi, high: float, low: float, close: float, volume: float, length: int) -> None:
    """Fold one bar; one that lacks a price or its volume moves nothing."""
    if not (true_range.is_whole(high, low, close) and 0.0 <= volume < INF):
        return
    before = mfi.previous
    mfi.previous = cci.typical(high, low, close)
    if not abs(before) < INF:  # the first bar neither rose nor fell
        return
    turnover = mfi.previous * volume
    window.push(mfi.rising, turnover if mfi.previous > before else 0.0, length)
    window.push(mfi.falling, turnover if mfi.previous < before else 0.0, length)
    if window.is_full(mfi.rising, length):
        rising = sum_(mfi.rising.values, length)
        both = rising + sum_(mfi.falling.values, length)
        mfi.value = rising / both * 100.0 if both > 0.0 else 100.0


def ready(mfi: Mfi, length: int) -> bool:
    """Whether `length` changes were seen."""
    return window.is_full(mfi.rising, length)


def reset(mfi: Mfi) -> None:
    """As new."""
    mfi.previous = NAN
    window.reset(mfi.rising)
    window.reset(mfi.falling)
    mfi.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(14, low=1, high=1_000, help="changes looked at")


INDICATOR = Indicator(
    name="mfi",
    title="Money flow index",
    State=Mfi,
    Params=Params,
    inputs=("high", "low", "close", "volume"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + 1,
    capacity=capacity_of_length,
    convention="sums over bars that have a bar before them; Skender, Tulip, TA-Lib, and LEAN's vectors",
)
