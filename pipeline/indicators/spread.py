"""Spread: what crossing from bid to ask costs, now. The quote in force is all it knows, so it has no memory."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.market import Quote
from pipeline.core.state import state
from pipeline.indicators.indicator import Indicator


@state
class Spread:
    """`value` is ask less bid, negative when they are crossed; `bps` the same over the middle, in 1/10,000."""

    value: float = NAN
    bps: float = NAN


def update(spread: Spread, bid: float, ask: float) -> None:
    """Take one quote; when it lacks a side there is no spread until the next."""
    middle = (bid + ask) * 0.5
    spread.value = ask - bid
    spread.bps = (ask - bid) / middle * 10_000.0 if middle > 0.0 else NAN


def ready(spread: Spread) -> bool:
    """Whether the quote has both sides."""
    return abs(spread.value) < INF


def reset(spread: Spread) -> None:
    """As new."""
    spread.value = NAN
    spread.bps = NAN


INDICATOR = Indicator(
    name="spread",
    title="Spread",
    State=Spread,
    event=Quote,
    inputs=("bid", "ask"),
    values=("value", "bps"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 1,
    convention="quoted spread, and relative to the middle price",
)
