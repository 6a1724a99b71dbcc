"""Accumulation and distribution (Chaikin): volume gathered by where in its range each bar closed.

All of a bar's volume counts for one that closed at its high, all against one that closed at its low. A bar without range
counts nothing, in all sources; Williams' older line of the same name goes by the previous close instead.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.state import state
from pipeline.indicators import true_range
from pipeline.indicators.indicator import Indicator


@state
class AccumulationDistribution:
    """`value` since the first bar; only its changes mean something."""

    value: float = NAN


def update(accumulation: AccumulationDistribution, high: float, low: float, close: float, volume: float) -> None:
    """Fold one bar; one that lacks a price or its volume moves nothing."""
    if not (true_range.is_whole(high, low, close) and 0.0 <= volume < INF):
        return
    if not ready(accumulation):
        accumulation.value = 0.0
    accumulation.value += flow(high, low, close, volume)


def flow(high: float, low: float, close: float, volume: float) -> float:
    """The volume of a bar by its close: all of it at the high, none in the middle, all of it negative at the low."""
    return ((close - low) - (high - close)) / (high - low) * volume if high - low > 0.0 else 0.0


def ready(accumulation: AccumulationDistribution) -> bool:
    """Whether there was any bar."""
    return abs(accumulation.value) < INF


def reset(accumulation: AccumulationDistribution) -> None:
    """As new."""
    accumulation.value = NAN


INDICATOR = Indicator(
    name="accumulation_distribution",
    title="Accumulation and distribution",
    State=AccumulationDistribution,
    inputs=("high", "low", "close", "volume"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 1,
    convention="from 0, the first bar included; LEAN, Skender, Tulip and TA-Lib",
)
