"""Parabolic stop and reverse (Wilder 1978): a stop that draws nearer the faster the further the price has run.

No later than the bar it is for: `coming` is known when the bar before closes. `value` is the stop of the latest bar; a
bar that went through it turned the trend, and its stop is then the extreme of the move that is over, that bar included.
A bar that only touches the stop does not turn (TA-Lib turns). Which way it goes first is anybody's guess: up when the
second bar's middle is not below the first's, as Tulip has it; Skender always begins up, TA-Lib goes by directional movement.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import extremes
from pipeline.indicators.indicator import Indicator, Pane


@state
class Psar:
    """`direction` is 1 (up, the stop below) or -1; `extreme` the furthest price of the move, `acceleration` its share a bar."""

    previous_high: float = NAN
    previous_low: float = NAN
    extreme: float = NAN
    acceleration: float = NAN
    direction: float = NAN
    value: float = NAN
    coming: float = NAN


def update(psar: Psar, high: float, low: float, step: float, limit: float) -> None:
    """Fold the two ends of a bar; one that lacks an end moves nothing."""
    if not (abs(high) < INF and abs(low) < INF):
        return
    if abs(psar.previous_high) < INF:
        if not abs(psar.direction) > 0.0:  # NaN
            begin(psar, high, low, step, limit)
        psar.value = psar.coming
        if psar.direction > 0.0:
            rise(psar, high, low, step, limit)
        else:
            fall(psar, high, low, step, limit)
    psar.previous_high = high
    psar.previous_low = low


def begin(psar: Psar, high: float, low: float, step: float, limit: float) -> None:
    """Choose a direction at the second bar; its stop is the other end of the first."""
    is_up = psar.previous_high + psar.previous_low <= high + low
    psar.direction = 1.0 if is_up else -1.0
    psar.extreme = psar.previous_high if is_up else psar.previous_low
    psar.coming = psar.previous_low if is_up else psar.previous_high
    psar.acceleration = extremes.lower(step, limit)


def rise(psar: Psar, high: float, low: float, step: float, limit: float) -> None:
    """One more bar of a move up, or the one that ends it."""
    if high > psar.extreme:
        psar.extreme = high
        psar.acceleration = extremes.lower(psar.acceleration + step, limit)
    if low < psar.value:
        psar.value = psar.extreme
        psar.extreme = low
        psar.acceleration = extremes.lower(step, limit)
        psar.direction = -1.0
    approach(psar, high, low)


def fall(psar: Psar, high: float, low: float, step: float, limit: float) -> None:
    """One more bar of a move down, or the one that ends it."""
    if low < psar.extreme:
        psar.extreme = low
        psar.acceleration = extremes.lower(psar.acceleration + step, limit)
    if high > psar.value:
        psar.value = psar.extreme
        psar.extreme = high
        psar.acceleration = extremes.lower(step, limit)
        psar.direction = 1.0
    approach(psar, high, low)


def approach(psar: Psar, high: float, low: float) -> None:
    """The stop of the next bar: nearer to the extreme, but never within the last two bars."""
    coming = psar.value + (psar.extreme - psar.value) * psar.acceleration
    if psar.direction > 0.0:
        psar.coming = extremes.lower(coming, extremes.lower(low, psar.previous_low))
    else:
        psar.coming = extremes.higher(coming, extremes.higher(high, psar.previous_high))


def ready(psar: Psar, _step: float, _limit: float) -> bool:
    """Whether two bars went in."""
    return abs(psar.direction) > 0.0


def reset(psar: Psar) -> None:
    """As new."""
    psar.previous_high = NAN
    psar.previous_low = NAN
    psar.extreme = NAN
    psar.acceleration = NAN
    psar.direction = NAN
    psar.value = NAN
    psar.coming = NAN


@params
class Params:
    """What may be set."""

    step: float = param(0.02, low=0.0, high=1.0, help="what each new extreme adds to the acceleration")
    limit: float = param(0.2, low=0.0, high=10.0, help="the highest acceleration")


INDICATOR = Indicator(
    name="psar",
    title="Parabolic stop and reverse",
    State=Psar,
    Params=Params,
    inputs=("high", "low"),
    values=("value", "direction", "coming"),
    undrawn=("direction",),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 2,
    pane=Pane.OVERLAY,
    convention="up first unless the second bar lies lower, turned by what goes beyond the stop; Tulip",
)
