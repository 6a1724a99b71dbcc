"""Volume-weighted average price since it was last reset: anchor it by resetting it when a session begins."""

from pipeline.core.dialect import NAN
from pipeline.core.state import state


@state
class Vwap:
    """`value` over all the volume since the reset."""

    amount: float
    volume: float
    value: float = NAN


def update(vwap: Vwap, price: float, volume: float) -> None:
    """Fold one print, or a bar by its own vwap; without volume nothing moves."""
    if volume > 0.0:
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
