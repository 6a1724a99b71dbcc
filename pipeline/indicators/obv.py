"""On-balance volume (Granville 1963): volume added when the price rose, taken away when it fell."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.state import state
from pipeline.indicators.indicator import Indicator


@state
class Obv:
    """`value` since the first update, which makes it 0; only its changes mean something."""

    previous: float = NAN
    value: float = NAN


def update(obv: Obv, close: float, volume: float) -> None:
    """Fold one bar; one that lacks its close or its volume moves nothing."""
    if not (abs(close) < INF and abs(volume) < INF):
        return
    if not abs(obv.previous) < INF:
        obv.value = 0.0
    elif close > obv.previous:
        obv.value += volume
    elif close < obv.previous:
        obv.value -= volume
    obv.previous = close


def ready(obv: Obv) -> bool:
    """Whether a bar went in."""
    return abs(obv.previous) < INF


def reset(obv: Obv) -> None:
    """As new."""
    obv.previous = NAN
    obv.value = NAN


INDICATOR = Indicator(
    name="obv",
    title="On-balance volume",
    State=Obv,
    inputs=("close", "volume"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 1,
    convention="0 at the first bar, as in Skender and Tulip; LEAN begins with its volume",
)
