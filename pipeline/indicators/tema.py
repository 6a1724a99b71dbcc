"""Triple exponential moving average (Mulloy 1994): 3 e - 3 e(e) + e(e(e)) of an exponential average e.

Each of the three is seeded with a simple average of `length` values, as LEAN and TA-Lib have it; Tulip seeds with
single values.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import seeded_ema
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.seeded import Seeded


@state
class Tema:
    """`second` is the average of `first`, `third` that of `second`."""

    first: Seeded
    second: Seeded
    third: Seeded
    value: float = NAN


def update(tema: Tema, value: float, length: int) -> None:
    """Fold one value; in each average it weighs 2 / (length + 1)."""
    if not abs(value) < INF:
        return
    seeded_ema.update(tema.first, value, length)
    seeded_ema.update(tema.second, tema.first.value, length)
    seeded_ema.update(tema.third, tema.second.value, length)
    tema.value = 3.0 * (tema.first.value - tema.second.value) + tema.third.value


def ready(tema: Tema, length: int) -> bool:
    """Whether the third average has its seed."""
    return seeded_ema.ready(tema.third, length)


def reset(tema: Tema) -> None:
    """As new."""
    seeded_ema.reset(tema.first)
    seeded_ema.reset(tema.second)
    seeded_ema.reset(tema.third)
    tema.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=10_000, help="length of all three averages")


INDICATOR = Indicator(
    name="tema",
    title="Triple exponential moving average",
    State=Tema,
    Params=Params,
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: 3 * p.length - 2,
    pane=Pane.OVERLAY,
    convention="all averages seeded as in `seeded_ema`; LEAN and TA-Lib (Tulip seeds with single values)",
)
