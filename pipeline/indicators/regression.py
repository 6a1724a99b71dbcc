"""Linear regression: the straight line of least squares through the last values, in the order they came.

Sums are taken anew at each update (see `window`), around the middle of the window and from the latest value, where they
are smallest.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import window
from pipeline.indicators.indicator import Indicator, Pane, capacity_of_length
from pipeline.indicators.window import Window


@state
class Regression:
    """`value` is where the line ends, `slope` its rise from one value to the next, `r2` the share it explains.

    `r2` is NaN while the window holds one value throughout.
    """

    window: Window = group(capacity="capacity")
    value: float = NAN
    slope: float = NAN
    r2: float = NAN


def update(regression: Regression, value: float, length: int) -> None:
    """Fold one value into a window of `length`, which is at most the capacity and never changes."""
    if not abs(value) < INF:
        return
    window.push(regression.window, value, length)
    if window.is_full(regression.window, length):
        fit(regression, value, float(length))


def fit(regression: Regression, latest: float, count: float) -> None:
    """The line through a full window of `count` values."""
    shift = 0.0
    for i in range(regression.window.filled):
        shift += window.aged(regression.window, i) - latest
    shift = shift / count
    centre = (count - 1.0) * 0.5
    products = 0.0
    squares = 0.0
    for i in range(regression.window.filled):
        distance = window.aged(regression.window, i) - latest - shift
        products += (i - centre) * distance
        squares += distance * distance
    spread = count * (count * count - 1.0) / 12.0  # of 0, 1, 2... around their centre
    regression.slope = products / spread
    regression.value = latest + shift + regression.slope * centre
    regression.r2 = products / spread * products / squares if squares > 0.0 else NAN


def ready(regression: Regression, length: int) -> bool:
    """Whether the window is full."""
    return window.is_full(regression.window, length)


def reset(regression: Regression) -> None:
    """As new."""
    window.reset(regression.window)
    regression.value = NAN
    regression.slope = NAN
    regression.r2 = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=2, high=1_000, help="values the line goes through")


INDICATOR = Indicator(
    name="regression",
    title="Linear regression",
    State=Regression,
    Params=Params,
    values=("value", "slope", "r2"),
    undrawn=("slope", "r2"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    pane=Pane.OVERLAY,
    convention="ordinary least squares; the value is the line's end, as in Tulip and TA-Lib",
)
