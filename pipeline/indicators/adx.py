"""Average directional index (Wilder 1978): how strong a trend is, whichever way it goes, from 0 to 100.

Wilder smooths sums, this smooths averages: a factor of `length` that cancels in every ratio.
"""

from pipeline.core.dialect import NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import rma, true_range
from pipeline.indicators.indicator import Indicator
from pipeline.indicators.seeded import Seeded
from pipeline.indicators.true_range import TrueRange


@state
class Adx:
    """`plus` and `minus` are the directional indicators, `dx` their contrast, `value` its average."""

    previous_high: float = NAN
    previous_low: float = NAN
    true_range: TrueRange
    range_average: Seeded
    plus_average: Seeded
    minus_average: Seeded
    dx_average: Seeded
    plus: float = NAN
    minus: float = NAN
    dx: float = NAN
    value: float = NAN


def update(adx: Adx, high: float, low: float, close: float, length: int) -> None:
    """Fold one bar; one that lacks a price moves nothing."""
    if not true_range.is_whole(high, low, close):
        return
    up = high - adx.previous_high  # NaN at the first bar: neither average takes it
    down = adx.previous_low - low
    adx.previous_high = high
    adx.previous_low = low
    true_range.update(adx.true_range, high, low, close)
    if not true_range.ready(adx.true_range):
        return
    rma.update(adx.range_average, adx.true_range.value, length)
    rma.update(adx.plus_average, up if up > down and up > 0.0 else 0.0, length)
    rma.update(adx.minus_average, down if down > up and down > 0.0 else 0.0, length)
    if rma.ready(adx.range_average, length):
        average(adx, length)


def average(adx: Adx, length: int) -> None:
    """The indicators from their averages; a market without any range has no direction, so they are 0."""
    moved = adx.range_average.value
    adx.plus = 100.0 * adx.plus_average.value / moved if moved > 0.0 else 0.0
    adx.minus = 100.0 * adx.minus_average.value / moved if moved > 0.0 else 0.0
    both = adx.plus + adx.minus
    adx.dx = 100.0 * abs(adx.plus - adx.minus) / both if both > 0.0 else 0.0
    rma.update(adx.dx_average, adx.dx, length)
    adx.value = adx.dx_average.value


def ready(adx: Adx, length: int) -> bool:
    """Whether `length` contrasts were seen."""
    return rma.ready(adx.dx_average, length)


def reset(adx: Adx) -> None:
    """As new."""
    adx.previous_high = NAN
    adx.previous_low = NAN
    true_range.reset(adx.true_range)
    rma.reset(adx.range_average)
    rma.reset(adx.plus_average)
    rma.reset(adx.minus_average)
    rma.reset(adx.dx_average)
    adx.plus = NAN
    adx.minus = NAN
    adx.dx = NAN
    adx.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(14, low=1, high=10_000, help="length of all averages")


INDICATOR = Indicator(
    name="adx",
    title="Average directional index",
    State=Adx,
    Params=Params,
    inputs=("high", "low", "close"),
    values=("value", "plus", "minus", "dx"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: 2 * p.length,
    convention="Wilder's averages over bars that have a bar before them; Skender, and LEAN's vectors",
)
