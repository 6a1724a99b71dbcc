"""Exponential moving average, seeded with the simple average of its first values."""

from pipeline.core.params import param, params
from pipeline.indicators import seeded
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.seeded import Seeded


def update(average: Seeded, value: float, length: int) -> None:
    """Fold one value; after the seed it weighs 2 / (length + 1)."""
    seeded.update(average, value, length, 2.0 / (length + 1.0))


def ready(average: Seeded, length: int) -> bool:
    """Whether the seed is made."""
    return seeded.ready(average, length)


def reset(average: Seeded) -> None:
    """As new."""
    seeded.reset(average)


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=10_000, help="values of the seed; later ones weigh 2 / (length + 1)")


INDICATOR = Indicator(
    name="seeded_ema",
    title="Exponential moving average, seeded",
    State=Seeded,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    pane=Pane.OVERLAY,
    convention="the simple average of the first length values is the seed, as in LEAN, Skender and TA-Lib",
)
