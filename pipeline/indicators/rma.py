"""Wilder's moving average (RMA, SMMA): as slow as an EMA of nearly twice its length (2 n - 1)."""

from pipeline.core.params import param, params
from pipeline.indicators import seeded
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.seeded import Seeded


def update(average: Seeded, value: float, length: int) -> None:
    """Fold one value; after the seed it weighs 1 / length."""
    seeded.update(average, value, length, 1.0 / length)


def ready(average: Seeded, length: int) -> bool:
    """Whether the seed is made."""
    return seeded.ready(average, length)


def reset(average: Seeded) -> None:
    """As new."""
    seeded.reset(average)


@params
class Params:
    """What may be set."""

    length: int = param(14, low=1, high=10_000, help="values of the seed; later ones weigh 1 / length")


INDICATOR = Indicator(
    name="rma",
    title="Wilder's moving average",
    State=Seeded,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    pane=Pane.OVERLAY,
    convention="Wilder 1978: seeded with the simple average, as in Skender, Tulip and TradingView",
)
