"""SuperTrend (Seban): a stop some average true ranges from the middle of the bars, which only ever moves with the trend.

The trend turns when a bar closes at the band or beyond it, and the first one is up when its bar closes at its middle or
above, as Skender has it. LEAN turns beyond the band only and knows no trend before the first such close.
"""

from pipeline.core.dialect import NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import atr, true_range
from pipeline.indicators.atr import Atr
from pipeline.indicators.indicator import Indicator, Pane


@state
class SuperTrend:
    """`value` is `lower` while `direction` is 1 (up), and `upper` while it is -1 (down)."""

    atr: Atr
    upper: float = NAN
    lower: float = NAN
    direction: float = NAN
    value: float = NAN


def update(supertrend: SuperTrend, high: float, low: float, close: float, length: int, width: float) -> None:
    """Fold one bar; one that lacks a price moves nothing."""
    if not true_range.is_whole(high, low, close):
        return
    previous_close = supertrend.atr.true_range.previous_close
    atr.update(supertrend.atr, high, low, close, length)
    if not atr.ready(supertrend.atr, length):
        return
    middle = (high + low) * 0.5
    if not abs(supertrend.direction) > 0.0:  # NaN
        supertrend.direction = 1.0 if close >= middle else -1.0
    trail(supertrend, middle, width * supertrend.atr.value, previous_close)
    if supertrend.direction > 0.0:
        supertrend.direction = -1.0 if close <= supertrend.lower else 1.0
    else:
        supertrend.direction = 1.0 if close > supertrend.upper else -1.0
    supertrend.value = supertrend.lower if supertrend.direction > 0.0 else supertrend.upper


def trail(supertrend: SuperTrend, middle: float, distance: float, previous_close: float) -> None:
    """Draw the bands closer; one that the last bar closed beyond begins anew, and so does what there is not yet."""
    if not (supertrend.upper <= middle + distance and previous_close <= supertrend.upper):
        supertrend.upper = middle + distance
    if not (supertrend.lower >= middle - distance and previous_close >= supertrend.lower):
        supertrend.lower = middle - distance


def ready(supertrend: SuperTrend, length: int, _width: float) -> bool:
    """Whether the average true range has its seed."""
    return atr.ready(supertrend.atr, length)


def reset(supertrend: SuperTrend) -> None:
    """As new."""
    atr.reset(supertrend.atr)
    supertrend.upper = NAN
    supertrend.lower = NAN
    supertrend.direction = NAN
    supertrend.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(10, low=1, high=10_000, help="length of the average true range")
    width: float = param(3.0, low=0.0, high=100.0, help="average true ranges from the middle of a bar to a band")


INDICATOR = Indicator(
    name="supertrend",
    title="SuperTrend",
    State=SuperTrend,
    Params=Params,
    inputs=("high", "low", "close"),
    values=("value", "direction", "upper", "lower"),
    undrawn=("direction", "upper", "lower"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + 1,
    pane=Pane.OVERLAY,
    convention="by `atr`, turned by a close at the band; Skender",
)
