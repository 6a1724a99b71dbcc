"""TRIX (Hutson 1983): by how many percent an average of an average of an average rose since the last value.

Percent, as LEAN, TA-Lib and Tulip have it; TradingView takes the logarithm first and multiplies by 10,000 in all. The
averages are seeded with simple ones, as those of LEAN and TA-Lib.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import seeded_ema, tema
from pipeline.indicators.indicator import Indicator
from pipeline.indicators.tema import Tema


@state
class Trix:
    """`value` is the change of `averages.third` in percent of `previous`, which it was before."""

    averages: Tema
    previous: float = NAN
    value: float = NAN


def update(trix: Trix, value: float, length: int) -> None:
    """Fold one value; in each average it weighs 2 / (length + 1). From an average of 0 no change is known: NaN."""
    if not abs(value) < INF:
        return
    trix.previous = trix.averages.third.value
    tema.update(trix.averages, value, length)
    if abs(trix.previous) > 0.0:
        trix.value = 100.0 * (trix.averages.third.value - trix.previous) / trix.previous
    else:
        trix.value = NAN


def ready(trix: Trix, length: int) -> bool:
    """Whether the third average has a value after its seed."""
    return seeded_ema.ready(trix.averages.third, length + 1)


def reset(trix: Trix) -> None:
    """As new."""
    tema.reset(trix.averages)
    trix.previous = NAN
    trix.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(15, low=1, high=10_000, help="length of all three averages")


INDICATOR = Indicator(
    name="trix",
    title="TRIX",
    State=Trix,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: 3 * p.length - 1,
    convention="percent of averages seeded as in `seeded_ema`; LEAN and TA-Lib",
)
