"""Ultimate oscillator (Williams 1976): the share of the true ranges that closes made up from below, over three windows.

The shortest weighs 4, the middle one 2, the longest 1; from 0 to 100. The first bar has no true range, as in all sources.
A window without any range has no share, and NaN, as with Skender; TA-Lib leaves that window out.
"""

from pipeline.core.dialect import NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import extremes, true_range, window
from pipeline.indicators.indicator import Indicator
from pipeline.indicators.true_range import TrueRange
from pipeline.indicators.window import Window


@state
class UltimateOscillator:
    """`pressures` are how far closes lay above the bottom of `ranges`, each of the last bars, as many as the longest says."""

    true_range: TrueRange
    pressures: Window = group(capacity="capacity")
    ranges: Window = group(capacity="capacity")
    value: float = NAN


def update(
    ultimate: UltimateOscillator, high: float, low: float, close: float, short: int, middle: int, long: int
) -> None:
    """Fold one bar; one that lacks a price moves nothing. The capacity is that of the longest window."""
    if not true_range.is_whole(high, low, close):
        return
    bottom = extremes.lower(low, ultimate.true_range.previous_close)
    true_range.update(ultimate.true_range, high, low, close)
    if not true_range.ready(ultimate.true_range):
        return
    longest = max(short, middle, long)
    window.push(ultimate.pressures, close - bottom, longest)
    window.push(ultimate.ranges, ultimate.true_range.value, longest)
    if window.is_full(ultimate.ranges, longest):
        weighted = 4.0 * share(ultimate, short) + 2.0 * share(ultimate, middle) + share(ultimate, long)
        ultimate.value = 100.0 * weighted / 7.0


def share(ultimate: UltimateOscillator, length: int) -> float:
    """Pressure over range of the last `length` bars."""
    pressure = 0.0
    moved = 0.0
    for i in range(ultimate.ranges.filled - length, ultimate.ranges.filled):
        pressure += window.aged(ultimate.pressures, i)
        moved += window.aged(ultimate.ranges, i)
    return pressure / moved if moved > 0.0 else NAN


def ready(ultimate: UltimateOscillator, short: int, middle: int, long: int) -> bool:
    """Whether the longest window is full."""
    return window.is_full(ultimate.ranges, max(short, middle, long))


def reset(ultimate: UltimateOscillator) -> None:
    """As new."""
    true_range.reset(ultimate.true_range)
    window.reset(ultimate.pressures)
    window.reset(ultimate.ranges)
    ultimate.value = NAN


@params
class Params:
    """What may be set."""

    short: int = param(7, low=1, high=1_000, help="bars of the window that weighs 4")
    middle: int = param(14, low=1, high=1_000, help="bars of the window that weighs 2")
    long: int = param(28, low=1, high=1_000, help="bars of the window that weighs 1")


INDICATOR = Indicator(
    name="ultimate_oscillator",
    title="Ultimate oscillator",
    State=UltimateOscillator,
    Params=Params,
    inputs=("high", "low", "close"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: max(p.short, p.middle, p.long) + 1,
    capacity=lambda p: {"capacity": max(p.short, p.middle, p.long)},
    convention="weights 4, 2, 1 over bars that have a bar before them; Skender, Tulip and TA-Lib",
)
