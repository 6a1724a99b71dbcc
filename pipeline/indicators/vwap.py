"""Volume-weighted average price since it was last reset: anchor it anywhere by resetting it there."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.state import state
from pipeline.indicators.indicator import Indicator, Pane


@state
class Vwap:
    """`value` over all the volume since the reset."""

    amount: float
    volume: float
    value: float = NAN


def update(vwap: Vwap, price: float, volume: float) -> None:
    """Fold one print, or a bar by its own vwap; without price or volume nothing moves."""
    if abs(price) < INF and 0.0 < volume < INF:
        vwap.amount += price * volume
        vwap.volume += volume
        vwap.value = vwap.amount / vwap.volume


def reset(vwap: Vwap) -> None:
    """Start again from nothing."""
    vwap.amount = 0.0
    vwap.volume = 0.0
    vwap.value = NAN


def ready(vwap: Vwap) -> bool:
    """Whether there was any volume."""
    return vwap.volume > 0.0


INDICATOR = Indicator(
    name="vwap",
    title="VWAP since the first row",
    State=Vwap,
    inputs=("vwap", "volume"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 1,
    pane=Pane.OVERLAY,
    convention="amount over volume; Skender's when fed with typical prices",
)
