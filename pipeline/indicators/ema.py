"""Exponential moving average, seeded with its first value, as most charts draw it.

`seeded_ema` begins with an average instead. The two differ by less and less: after `length` values the seed weighs
about e^-2 (13.5%), after three times as many 0.25%.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators.indicator import Indicator, Pane


@state
class Ema:
    """`value` after `count` updates."""

    value: float = NAN
    count: int


def update(ema: Ema, value: float, length: int) -> None:
    """Fold one value; its weight is 2 / (length + 1)."""
    if not abs(value) < INF:
        return
    if ema.count == 0:
        ema.value = value
    else:
        ema.value += (value - ema.value) * (2.0 / (length + 1.0))
    ema.count += 1


def ready(ema: Ema, length: int) -> bool:
    """Whether `length` values went in, so that the seed weighs little."""
    return ema.count >= length


def reset(ema: Ema) -> None:
    """As new."""
    ema.value = NAN
    ema.count = 0


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=10_000, help="a value weighs 2 / (length + 1)")


INDICATOR = Indicator(
    name="ema",
    title="Exponential moving average",
    State=Ema,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    pane=Pane.OVERLAY,
    convention="seeded with the first value, as in Tulip and TradingView's reference code; a value from the first row on",
)
