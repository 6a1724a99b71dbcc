"""Z-score: how many standard deviations the latest value lies above the average of its window."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import deviation
from pipeline.indicators.deviation import Deviation
from pipeline.indicators.indicator import Indicator, capacity_of_length


@state
class ZScore:
    """`value` of a full window; NaN while the window holds one value throughout."""

    deviation: Deviation = group(capacity="capacity")
    value: float = NAN


def update(zscore: ZScore, value: float, length: int) -> None:
    """Fold one value into a window of `length`; the value itself belongs to it."""
    if not abs(value) < INF:
        return
    deviation.update(zscore.deviation, value, length)
    if zscore.deviation.value > 0.0:
        zscore.value = (value - zscore.deviation.mean) / zscore.deviation.value
    else:
        zscore.value = NAN


def ready(zscore: ZScore, length: int) -> bool:
    """Whether the window is full."""
    return deviation.ready(zscore.deviation, length)


def reset(zscore: ZScore) -> None:
    """As new."""
    deviation.reset(zscore.deviation)
    zscore.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=2, high=1_000, help="values looked at")


INDICATOR = Indicator(
    name="zscore",
    title="Z-score",
    State=ZScore,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    convention="deviation of a population; Skender",
)
