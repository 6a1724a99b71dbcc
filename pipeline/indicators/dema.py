"""Double exponential moving average (Mulloy 1994): an average, and what it exceeds its own average by.

Both averages are seeded with simple ones, each when it has `length` values, as LEAN and TA-Lib have it. Tulip seeds with
single values; the two come together as those of `ema` and `seeded_ema` do.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import seeded_ema
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.seeded import Seeded


@state
class Dema:
    """`second` is the average of `first`; `value` is twice the first less the second."""

    first: Seeded
    second: Seeded
    value: float = NAN


def update(dema: Dema, value: float, length: int) -> None:
    """Fold one value; in each average it weighs 2 / (length + 1)."""
    if not abs(value) < INF:
        return
    seeded_ema.update(dema.first, value, length)
    seeded_ema.update(dema.second, dema.first.value, length)
    dema.value = 2.0 * dema.first.value - dema.second.value


def ready(dema: Dema, length: int) -> bool:
    """Whether the second average has its seed."""
    return seeded_ema.ready(dema.second, length)


def reset(dema: Dema) -> None:
    """As new."""
    seeded_ema.reset(dema.first)
    seeded_ema.reset(dema.second)
    dema.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=10_000, help="length of both averages")


INDICATOR = Indicator(
    name="dema",
    title="Double exponential moving average",
    State=Dema,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: 2 * p.length - 1,
    pane=Pane.OVERLAY,
    convention="both averages seeded as in `seeded_ema`; LEAN and TA-Lib (Tulip seeds with single values)",
)
