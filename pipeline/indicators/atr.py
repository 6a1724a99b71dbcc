"""Average true range (Wilder 1978): how far a bar usually moves, gaps included."""

from pipeline.core.dialect import NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import rma, true_range
from pipeline.indicators.indicator import Indicator
from pipeline.indicators.seeded import Seeded
from pipeline.indicators.true_range import TrueRange


@state
class Atr:
    """`value` is Wilder's average of `true_range.value`."""

    true_range: TrueRange
    average: Seeded
    value: float = NAN


def update(atr: Atr, high: float, low: float, close: float, length: int) -> None:
    """Fold one bar; one that lacks a price moves nothing."""
    if not true_range.is_whole(high, low, close):
        return
    true_range.update(atr.true_range, high, low, close)
    rma.update(atr.average, atr.true_range.value, length)
    atr.value = atr.average.value


def ready(atr: Atr, length: int) -> bool:
    """Whether `length` true ranges were seen."""
    return rma.ready(atr.average, length)


def reset(atr: Atr) -> None:
    """As new."""
    true_range.reset(atr.true_range)
    rma.reset(atr.average)
    atr.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(14, low=1, high=10_000, help="length of Wilder's average")


INDICATOR = Indicator(
    name="atr",
    title="Average true range",
    State=Atr,
    Params=Params,
    inputs=("high", "low", "close"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + 1,
    convention="the first bar has no true range, then Wilder's average; Skender and TA-Lib",
)
