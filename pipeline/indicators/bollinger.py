"""Bollinger bands (Bollinger 1983): a moving average, and as many standard deviations above and below it."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import deviation
from pipeline.indicators.deviation import Deviation
from pipeline.indicators.indicator import Indicator, Pane, capacity_of_length


@state
class Bollinger:
    """`middle` is the average, `upper` and `lower` the bands."""

    deviation: Deviation = group(capacity="capacity")
    middle: float = NAN
    upper: float = NAN
    lower: float = NAN


def update(bollinger: Bollinger, value: float, length: int, width: float) -> None:
    """Fold one value into a window of `length`; the bands lie `width` standard deviations away."""
    if not abs(value) < INF:
        return
    deviation.update(bollinger.deviation, value, length)
    distance = width * bollinger.deviation.value
    bollinger.middle = bollinger.deviation.mean
    bollinger.upper = bollinger.middle + distance
    bollinger.lower = bollinger.middle - distance


def ready(bollinger: Bollinger, length: int, _width: float) -> bool:
    """Whether the window is full."""
    return deviation.ready(bollinger.deviation, length)


def reset(bollinger: Bollinger) -> None:
    """As new."""
    deviation.reset(bollinger.deviation)
    bollinger.middle = NAN
    bollinger.upper = NAN
    bollinger.lower = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=1_000, help="values averaged")
    width: float = param(2.0, low=0.0, high=100.0, help="standard deviations from the average to a band")


INDICATOR = Indicator(
    name="bollinger",
    title="Bollinger bands",
    State=Bollinger,
    Params=Params,
    values=("middle", "upper", "lower"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    pane=Pane.OVERLAY,
    convention="around a simple average, deviation of a population; LEAN, Skender and Tulip",
)
