"""Williams %R (Williams 1973): how far below the highest high of the last bars the price closed, from -100 to 0.

It is the fast line of `stochastic` less 100. A window without range has no such place, and NaN; LEAN, TA-Lib and Tulip
call it 0, Skender -100.
"""

from pipeline.core.dialect import NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import donchian, true_range
from pipeline.indicators.donchian import Donchian
from pipeline.indicators.indicator import Indicator, capacity_of_length


@state
class WilliamsR:
    """`value` by the highs and lows of `channel`."""

    channel: Donchian = group(capacity="capacity")
    value: float = NAN


def update(williams: WilliamsR, high: float, low: float, close: float, length: int) -> None:
    """Fold one bar; one that lacks a price moves nothing."""
    if not true_range.is_whole(high, low, close):
        return
    donchian.update(williams.channel, high, low, length)
    width = williams.channel.upper - williams.channel.lower
    williams.value = 100.0 * (close - williams.channel.upper) / width if width > 0.0 else NAN


def ready(williams: WilliamsR, length: int) -> bool:
    """Whether the window is full."""
    return donchian.ready(williams.channel, length)


def reset(williams: WilliamsR) -> None:
    """As new."""
    donchian.reset(williams.channel)
    williams.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(14, low=1, high=1_000, help="bars looked at")


INDICATOR = Indicator(
    name="williams_r",
    title="Williams %R",
    State=WilliamsR,
    Params=Params,
    inputs=("high", "low", "close"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    convention="from -100 to 0; LEAN, Skender, Tulip and TA-Lib (others have it from 0 to 100)",
)
