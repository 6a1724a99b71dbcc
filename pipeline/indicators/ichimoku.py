"""Ichimoku (Hosoda 1969): middles of three ranges, two of them drawn ahead as a cloud, and the close drawn back.

Nothing here is known earlier than it can be. What charts draw ahead is `coming_a` and `coming_b`: known at this bar, its
place `displacement` bars on. The cloud at this bar is `leading_a` and `leading_b`, which were the coming ones
`displacement` bars ago. The lagging span is this bar's close drawn `displacement` bars back, and to be compared with the
close there: that is `past_close`; what charts draw at this bar is known as many bars later and does not exist here.

`displacement` counts bars between the two, as in LEAN and Skender; TradingView counts both ends, its 26 are our 25.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import extremes, true_range, window
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.window import Window


@state
class Ichimoku:
    """`conversion` (tenkan), `base` (kijun), the cloud now and to come (senkou A and B), and the close that lies back.

    `highs` and `lows` are as many as the longest range asks for; the other windows hold `displacement` bars.
    """

    highs: Window = group(capacity="capacity")
    lows: Window = group(capacity="capacity")
    spans_a: Window = group(capacity="displacement")
    spans_b: Window = group(capacity="displacement")
    closes: Window = group(capacity="displacement")
    count: int
    conversion: float = NAN
    base: float = NAN
    leading_a: float = NAN
    leading_b: float = NAN
    coming_a: float = NAN
    coming_b: float = NAN
    past_close: float = NAN


def update(
    ichimoku: Ichimoku,
    high: float,
    low: float,
    close: float,
    conversion: int,
    base: int,
    span: int,
    displacement: int,
) -> None:
    """Fold one bar; one that lacks a price moves nothing."""
    if not true_range.is_whole(high, low, close):
        return
    window.push(ichimoku.highs, high, max(conversion, base, span))
    window.push(ichimoku.lows, low, max(conversion, base, span))
    ichimoku.conversion = middle(ichimoku, conversion)
    ichimoku.base = middle(ichimoku, base)
    ichimoku.coming_a = (ichimoku.conversion + ichimoku.base) * 0.5
    ichimoku.coming_b = middle(ichimoku, span)
    ichimoku.leading_a = exchange(ichimoku.spans_a, ichimoku.coming_a, displacement)
    ichimoku.leading_b = exchange(ichimoku.spans_b, ichimoku.coming_b, displacement)
    ichimoku.past_close = exchange(ichimoku.closes, close, displacement)
    ichimoku.count += 1


def middle(ichimoku: Ichimoku, length: int) -> float:
    """The middle between the highest high and the lowest low of the last `length` bars; NaN of fewer."""
    if ichimoku.highs.filled < length:
        return NAN
    upper = -INF
    lower = INF
    for i in range(ichimoku.highs.filled - length, ichimoku.highs.filled):
        upper = extremes.higher(upper, window.aged(ichimoku.highs, i))
        lower = extremes.lower(lower, window.aged(ichimoku.lows, i))
    return (upper + lower) * 0.5


def exchange(line: Window, value: float, displacement: int) -> float:
    """Put the latest value in and take the one out that came `displacement` bars before; NaN while there is none."""
    before = window.aged(line, 0) if window.is_full(line, displacement) else NAN
    window.push(line, value, displacement)
    return before


def ready(ichimoku: Ichimoku, conversion: int, base: int, span: int, displacement: int) -> bool:
    """Whether the whole cloud has reached this bar."""
    return ichimoku.count >= max(conversion, base, span) + displacement


def reset(ichimoku: Ichimoku) -> None:
    """As new."""
    window.reset(ichimoku.highs)
    window.reset(ichimoku.lows)
    window.reset(ichimoku.spans_a)
    window.reset(ichimoku.spans_b)
    window.reset(ichimoku.closes)
    ichimoku.count = 0
    ichimoku.conversion = NAN
    ichimoku.base = NAN
    ichimoku.leading_a = NAN
    ichimoku.leading_b = NAN
    ichimoku.coming_a = NAN
    ichimoku.coming_b = NAN
    ichimoku.past_close = NAN


@params
class Params:
    """What may be set."""

    conversion: int = param(9, low=1, high=1_000, help="bars of the conversion line's range")
    base: int = param(26, low=1, high=1_000, help="bars of the base line's range")
    span: int = param(52, low=1, high=1_000, help="bars of the second leading span's range")
    displacement: int = param(26, low=1, high=1_000, help="bars the spans are drawn ahead and the close back")


INDICATOR = Indicator(
    name="ichimoku",
    title="Ichimoku cloud",
    State=Ichimoku,
    Params=Params,
    inputs=("high", "low", "close"),
    values=("conversion", "base", "leading_a", "leading_b", "coming_a", "coming_b", "past_close"),
    undrawn=("coming_a", "coming_b", "past_close"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: max(p.conversion, p.base, p.span) + p.displacement,
    capacity=lambda p: {"capacity": max(p.conversion, p.base, p.span), "displacement": p.displacement},
    pane=Pane.OVERLAY,
    convention="each bar's spans are those known displacement bars ago; LEAN and Skender",
)
