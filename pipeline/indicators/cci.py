"""Commodity channel index (Lambert 1980): how far the typical price lies from its average, in usual distances from it.

The typical price is the mean of high, low and close, the usual distance the mean absolute one, not the standard
deviation; 0.015 is Lambert's, so that most values lie within 100. A window that holds one price throughout has no such
distance, and NaN, as with Skender; LEAN and TA-Lib call it 0.
"""

from pipeline.core.dialect import NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import true_range, window
from pipeline.indicators.indicator import Indicator, capacity_of_length
from pipeline.indicators.window import Window


@state
class Cci:
    """`value` of a full window of typical prices."""

    window: Window = group(capacity="capacity")
    value: float = NAN


def update(cci: Cci, high: float, low: float, close: float, length: int) -> None:
    """Fold one bar; one that lacks a price moves nothing."""
    if not true_range.is_whole(high, low, close):
        return
    window.push(cci.window, typical(high, low, close), length)
    if window.is_full(cci.window, length):
        cci.value = index(cci.window, typical(high, low, close))


def typical(high: float, low: float, close: float) -> float:
    """The typical price of a bar."""
    return (high + low + close) / 3.0


def index(prices: Window, latest: float) -> float:
    """The index of the latest price of a full window; distances are taken from it, so that equal prices have exactly none."""
    shift = 0.0
    for i in range(prices.filled):
        shift += prices.values[i] - latest
    shift = shift / prices.filled
    distance = 0.0
    for i in range(prices.filled):
        distance += abs(prices.values[i] - latest - shift)
    usual = 0.015 * (distance / prices.filled)
    return (0.0 - shift) / usual if usual > 0.0 else NAN


def ready(cci: Cci, length: int) -> bool:
    """Whether the window is full."""
    return window.is_full(cci.window, length)


def reset(cci: Cci) -> None:
    """As new."""
    window.reset(cci.window)
    cci.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=2, high=1_000, help="bars averaged")


INDICATOR = Indicator(
    name="cci",
    title="Commodity channel index",
    State=Cci,
    Params=Params,
    inputs=("high", "low", "close"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    convention="Lambert's 0.015 and the mean absolute deviation; LEAN, Skender, Tulip and TA-Lib",
)
