"""Fractals (Bill Williams 1995): a high above those of as many bars on either side, and a low below theirs.

One is known when the last bar of its right wing is in, `wing` bars after it happened, and not before: a chart that draws
it over its own bar shows what nobody knew then. Equal highs make no fractal, as with Skender; some charts let bars of the
same height stand beside each other.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.window import Window


@state
class Fractals:
    """`high` and `low` of the latest ones known; `high_age` and `low_age` are how many bars ago they happened.

    At the bar at which one becomes known its age is the wing's length.
    """

    highs: Window = group(capacity="capacity")
    lows: Window = group(capacity="capacity")
    high: float = NAN
    low: float = NAN
    high_age: float = NAN
    low_age: float = NAN


def update(fractals: Fractals, high: float, low: float, wing: int) -> None:
    """Fold the two ends of a bar, or one price given twice; one that lacks an end moves nothing.

    The capacity is that of both wings and the bar between them: 2 * `wing` + 1.
    """
    if not (abs(high) < INF and abs(low) < INF):
        return
    window.push(fractals.highs, high, 2 * wing + 1)
    window.push(fractals.lows, low, 2 * wing + 1)
    fractals.high_age += 1.0  # NaN, while there is none, stays so
    fractals.low_age += 1.0
    if is_peak(fractals.highs, wing):
        fractals.high = window.aged(fractals.highs, wing)
        fractals.high_age = float(wing)
    if is_trough(fractals.lows, wing):
        fractals.low = window.aged(fractals.lows, wing)
        fractals.low_age = float(wing)


def is_peak(highs: Window, wing: int) -> bool:
    """Whether the window is full and its middle higher than all the rest."""
    if not window.is_full(highs, 2 * wing + 1):
        return False
    lower = 0
    for i in range(2 * wing + 1):
        if window.aged(highs, i) < window.aged(highs, wing):
            lower += 1
    return lower == 2 * wing


def is_trough(lows: Window, wing: int) -> bool:
    """Whether the window is full and its middle lower than all the rest."""
    if not window.is_full(lows, 2 * wing + 1):
        return False
    higher = 0
    for i in range(2 * wing + 1):
        if window.aged(lows, i) > window.aged(lows, wing):
            higher += 1
    return higher == 2 * wing


def ready(fractals: Fractals, wing: int) -> bool:
    """Whether both wings are full, so that there may be one; its value is NaN until there is."""
    return window.is_full(fractals.highs, 2 * wing + 1)


def reset(fractals: Fractals) -> None:
    """As new."""
    window.reset(fractals.highs)
    window.reset(fractals.lows)
    fractals.high = NAN
    fractals.low = NAN
    fractals.high_age = NAN
    fractals.low_age = NAN


@params
class Params:
    """What may be set."""

    wing: int = param(2, low=1, high=500, help="bars on either side; a fractal is known as many bars later")


INDICATOR = Indicator(
    name="fractals",
    title="Fractals",
    State=Fractals,
    Params=Params,
    inputs=("high", "low"),
    values=("high", "low", "high_age", "low_age"),
    undrawn=("high_age", "low_age"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: 2 * p.wing + 1,
    capacity=lambda p: {"capacity": 2 * p.wing + 1},
    pane=Pane.OVERLAY,
    convention="strictly beyond both wings, stated wing bars later, when it is known; Skender's, which stand at their own bar",
)
