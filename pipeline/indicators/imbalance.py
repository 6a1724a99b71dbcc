"""Quote imbalance (Gould and Bonart 2016): which side of the best quotes shows more, from -1 to 1.

It has no memory. Displayed size is what others choose to show, so it can be made up of orders that never mean to trade.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.market import Quote
from pipeline.core.state import state
from pipeline.indicators.indicator import Indicator


@state
class Imbalance:
    """`value` is 1 when all size is on the bid, -1 when all is on the ask."""

    value: float = NAN


def update(imbalance: Imbalance, bid_size: float, ask_size: float) -> None:
    """Take one quote; when it shows no size there is no imbalance until the next."""
    shown = bid_size + ask_size
    imbalance.value = (bid_size - ask_size) / shown if shown > 0.0 else NAN


def ready(imbalance: Imbalance) -> bool:
    """Whether the quote shows size."""
    return abs(imbalance.value) < INF


def reset(imbalance: Imbalance) -> None:
    """As new."""
    imbalance.value = NAN


INDICATOR = Indicator(
    name="imbalance",
    title="Quote imbalance",
    State=Imbalance,
    event=Quote,
    inputs=("bid_size", "ask_size"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 1,
    convention="(bid size - ask size) / (bid size + ask size); Gould and Bonart 2016",
)
