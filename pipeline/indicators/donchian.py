"""Donchian channel: the highest high and the lowest low of the last bars, the present one included."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import extremes, window
from pipeline.indicators.indicator import Indicator, Pane, capacity_of_length
from pipeline.indicators.window import Window


@state
class Donchian:
    """`upper`, `lower` and the `middle` between them, of full windows."""

    highs: Window = group(capacity="capacity")
    lows: Window = group(capacity="capacity")
    upper: float = NAN
    lower: float = NAN
    middle: float = NAN


def update(donchian: Donchian, high: float, low: float, length: int) -> None:
    """Fold the two ends of a bar, or one price given twice; one that lacks an end moves nothing."""
    if not (abs(high) < INF and abs(low) < INF):
        return
    window.push(donchian.highs, high, length)
    window.push(donchian.lows, low, length)
    if not window.is_full(donchian.highs, length):
        return
    upper = -INF
    lower = INF
    for i in range(length):
        upper = extremes.higher(upper, donchian.highs.values[i])
        lower = extremes.lower(lower, donchian.lows.values[i])
    donchian.upper = upper
    donchian.lower = lower
    donchian.middle = (upper + lower) * 0.5


def ready(donchian: Donchian, length: int) -> bool:
    """Whether the windows are full."""
    return window.is_full(donchian.highs, length)


def reset(donchian: Donchian) -> None:
    """As new."""
    window.reset(donchian.highs)
    window.reset(donchian.lows)
    donchian.upper = NAN
    donchian.lower = NAN
    donchian.middle = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=1_000, help="bars looked at")


INDICATOR = Indicator(
    name="donchian",
    title="Donchian channel",
    State=Donchian,
    Params=Params,
    inputs=("high", "low"),
    values=("upper", "lower", "middle"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    pane=Pane.OVERLAY,
    convention="the present bar included, as in Tulip, TradingView and LEAN's vectors; Skender's is the same one bar later",
)
