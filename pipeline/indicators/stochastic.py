"""Stochastic oscillator (Lane 1957): where between the lowest low and the highest high of the last bars the price closed.

What others call fast and slow are three lines of one: `fast` is the fast %K, `value` its average, which is both the fast
%D and the slow %K, and `signal` the average of that, the slow %D. A `smoothing` of 1 makes `value` the fast %K itself.
While a window has no range there is no place in it: `fast` is NaN and the averages stand, as LEAN's do. Skender, TA-Lib
and Tulip call that 0 and average it, which in a market that stands still looks like one sold off.
"""

from pipeline.core.dialect import NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import donchian, sma, true_range
from pipeline.indicators.donchian import Donchian
from pipeline.indicators.indicator import Indicator
from pipeline.indicators.sma import Sma


@state
class Stochastic:
    """`fast`, `value` and `signal` from 0 to 100, by the highs and lows of `channel`."""

    channel: Donchian = group(capacity="capacity")
    smooth: Sma = group(capacity="smoothing")
    smoother: Sma = group(capacity="signal")
    fast: float = NAN
    value: float = NAN
    signal: float = NAN


def update(
    stochastic: Stochastic, high: float, low: float, close: float, length: int, smoothing: int, signal: int
) -> None:
    """Fold one bar; one that lacks a price moves nothing."""
    if not true_range.is_whole(high, low, close):
        return
    donchian.update(stochastic.channel, high, low, length)
    stochastic.fast = place(stochastic.channel, close)
    if not abs(stochastic.fast) >= 0.0:  # NaN
        return
    sma.update(stochastic.smooth, stochastic.fast, smoothing)
    stochastic.value = stochastic.smooth.value
    sma.update(stochastic.smoother, stochastic.value, signal)
    stochastic.signal = stochastic.smoother.value


def place(channel: Donchian, price: float) -> float:
    """Where a price lies in a channel, in percent of its width from below; NaN before there is one, or without a width."""
    width = channel.upper - channel.lower
    return 100.0 * (price - channel.lower) / width if width > 0.0 else NAN


def ready(stochastic: Stochastic, _length: int, _smoothing: int, signal: int) -> bool:
    """Whether the second average has its window full, and with it all the rest."""
    return sma.ready(stochastic.smoother, signal)


def reset(stochastic: Stochastic) -> None:
    """As new."""
    donchian.reset(stochastic.channel)
    sma.reset(stochastic.smooth)
    sma.reset(stochastic.smoother)
    stochastic.fast = NAN
    stochastic.value = NAN
    stochastic.signal = NAN


@params
class Params:
    """What may be set."""

    length: int = param(14, low=1, high=1_000, help="bars looked at")
    smoothing: int = param(3, low=1, high=1_000, help="places averaged; 1 for the fast one")
    signal: int = param(3, low=1, high=1_000, help="values averaged once more")


INDICATOR = Indicator(
    name="stochastic",
    title="Stochastic oscillator",
    State=Stochastic,
    Params=Params,
    inputs=("high", "low", "close"),
    values=("value", "signal", "fast"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length + p.smoothing + p.signal - 2,
    capacity=lambda p: {"capacity": p.length, "smoothing": p.smoothing, "signal": p.signal},
    convention="%K, %D and the fast %K by simple averages; Skender, Tulip and LEAN (a flat window: LEAN)",
)
