"""MACD (Appel 1979): a fast average less a slow one, the average of that difference, and what lies between the two."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.indicators import seeded_ema
from pipeline.indicators.indicator import Indicator
from pipeline.indicators.seeded import Seeded


@state
class Macd:
    """`value` is fast less slow, `signal` its average, `histogram` value less signal."""

    fast: Seeded
    slow: Seeded
    average: Seeded
    value: float = NAN
    signal: float = NAN
    histogram: float = NAN


def update(macd: Macd, value: float, fast: int, slow: int, signal: int) -> None:
    """Fold one value into averages of these lengths."""
    if not abs(value) < INF:
        return
    seeded_ema.update(macd.fast, value, fast)
    seeded_ema.update(macd.slow, value, slow)
    macd.value = macd.fast.value - macd.slow.value
    seeded_ema.update(macd.average, macd.value, signal)
    macd.signal = macd.average.value
    macd.histogram = macd.value - macd.signal


def ready(macd: Macd, _fast: int, _slow: int, signal: int) -> bool:
    """Whether the signal has its seed, and with it all the rest."""
    return seeded_ema.ready(macd.average, signal)


def reset(macd: Macd) -> None:
    """As new."""
    seeded_ema.reset(macd.fast)
    seeded_ema.reset(macd.slow)
    seeded_ema.reset(macd.average)
    macd.value = NAN
    macd.signal = NAN
    macd.histogram = NAN


@params
class Params:
    """What may be set."""

    fast: int = param(12, low=1, high=10_000, help="length of the fast average")
    slow: int = param(26, low=1, high=10_000, help="length of the slow average")
    signal: int = param(9, low=1, high=10_000, help="length of the average of their difference")


INDICATOR = Indicator(
    name="macd",
    title="MACD",
    State=Macd,
    Params=Params,
    values=("value", "signal", "histogram"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: max(p.fast, p.slow) + p.signal - 1,
    convention="all three averages seeded as in `seeded_ema`; LEAN and Skender",
)
