"""True range (Wilder 1978): the range of a bar, widened to where the last one closed."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.state import state
from pipeline.indicators import extremes
from pipeline.indicators.indicator import Indicator


@state
class TrueRange:
    """`value` of the last bar; the first has none, since nothing closed before it."""

    previous_close: float = NAN
    value: float = NAN


def update(true_range: TrueRange, high: float, low: float, close: float) -> None:
    """Fold one bar; one that lacks a price moves nothing."""
    if not is_whole(high, low, close):
        return
    top = extremes.higher(high, true_range.previous_close)
    bottom = extremes.lower(low, true_range.previous_close)
    if abs(true_range.previous_close) < INF:
        true_range.value = top - bottom
    true_range.previous_close = close


def is_whole(high: float, low: float, close: float) -> bool:
    """Whether a bar has all three prices."""
    return abs(high) < INF and abs(low) < INF and abs(close) < INF


def ready(true_range: TrueRange) -> bool:
    """Whether two bars went in."""
    return abs(true_range.value) < INF


def reset(true_range: TrueRange) -> None:
    """As new."""
    true_range.previous_close = NAN
    true_range.value = NAN


INDICATOR = Indicator(
    name="true_range",
    title="True range",
    State=TrueRange,
    inputs=("high", "low", "close"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 2,
    convention="none for the first bar, as in LEAN, Skender and TA-Lib (Wilder and Tulip begin with high less low)",
)
