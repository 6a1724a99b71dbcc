"""Keltner channel, as Raschke has it since the 1980s: an exponential average, and as many true ranges above and below it.

Keltner's own (1960) was a simple average of typical prices and of ranges from high to low; LEAN's stands between the two,
with simple averages of typical prices and of true ranges.
"""

from pipeline.core.dialect import NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import atr, seeded_ema, true_range
from pipeline.indicators.atr import Atr
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.seeded import Seeded


@state
class Keltner:
    """`middle` is the average of closes, `upper` and `lower` the bands by `atr`."""

    average: Seeded
    atr: Atr
    middle: float = NAN
    upper: float = NAN
    lower: float = NAN


def update(keltner: Keltner, high: float, low: float, close: float, length: int, width: float, atr_length: int) -> None:
    """Fold one bar; one that lacks a price moves nothing. The bands lie `width` average true ranges away."""
    if not true_range.is_whole(high, low, close):
        return
    seeded_ema.update(keltner.average, close, length)
    atr.update(keltner.atr, high, low, close, atr_length)
    distance = width * keltner.atr.value
    keltner.middle = keltner.average.value
    keltner.upper = keltner.middle + distance
    keltner.lower = keltner.middle - distance


def ready(keltner: Keltner, length: int, _width: float, atr_length: int) -> bool:
    """Whether both averages have their seeds."""
    return seeded_ema.ready(keltner.average, length) and atr.ready(keltner.atr, atr_length)


def reset(keltner: Keltner) -> None:
    """As new."""
    seeded_ema.reset(keltner.average)
    atr.reset(keltner.atr)
    keltner.middle = NAN
    keltner.upper = NAN
    keltner.lower = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=10_000, help="length of the average")
    width: float = param(2.0, low=0.0, high=100.0, help="average true ranges from the average to a band")
    atr_length: int = param(10, low=1, high=10_000, help="length of the average true range")


INDICATOR = Indicator(
    name="keltner",
    title="Keltner channel",
    State=Keltner,
    Params=Params,
    inputs=("high", "low", "close"),
    values=("middle", "upper", "lower"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: max(p.length, p.atr_length + 1),
    pane=Pane.OVERLAY,
    convention="around `seeded_ema` of closes, by `atr`; Skender and TradingView (LEAN's are simple averages)",
)
