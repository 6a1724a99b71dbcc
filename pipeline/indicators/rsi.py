"""Relative strength index (Wilder 1978): how much of the recent movement went up, from 0 to 100."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import extremes, rma
from pipeline.indicators.indicator import Indicator
from pipeline.indicators.seeded import Seeded


@state
class Rsi:
    """`gain` and `loss` are Wilder's averages of the rises and of the falls."""

    previous: float = NAN
    gain: Seeded
    loss: Seeded
    value: float = NAN


def update(rsi: Rsi, value: float, length: int) -> None:
    """Fold one value; without any loss it is 100, even if there was no gain either, as the sources have it."""
    if not abs(value) < INF:
        return
    change = value - rsi.previous
    rsi.previous = value
    if not abs(change) < INF:  # the first value is no change
        return
    rma.update(rsi.gain, extremes.higher(0.0, change), length)
    rma.update(rsi.loss, extremes.higher(0.0, -change), length)
    if rma.ready(rsi.loss, length):
        rsi.value = 100.0 - 100.0 / (1.0 + rsi.gain.value / rsi.loss.value) if rsi.loss.value > 0.0 else 100.0


def ready(rsi: Rsi, length: int) -> bool:
    """Whether `length` changes were seen."""
    return rma.ready(rsi.loss, length)


def reset(rsi: Rsi) -> None:
    """As new."""
    rsi.previous = NAN
    rma.reset(rsi.gain)
    rma.reset(rsi.loss)
    rsi.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(14, low=1, high=10_000, help="length of Wilder's averages")


INDICATOR = Indicator(
    name="rsi",
    title="Relative strength index",
    State=Rsi,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + 1,
    convention="Wilder's averages of changes, seeded with their simple average; LEAN (Wilder), Skender, Tulip, TradingView",
)
