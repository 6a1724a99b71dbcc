"""Chaikin money flow (Chaikin): the share of the last bars' volume that went their closes' way, from -1 to 1.

Sums over a full window, added up anew (see `window`). Without any volume in it there is no share, and NaN, as with
Skender; LEAN calls it 0, and waits one bar longer.
"""

from pipeline.core.dialect import INF, NAN, sum_
from pipeline.core.params import param, params
from pipeline.core.state import group, state
from pipeline.indicators import accumulation_distribution, true_range, window
from pipeline.indicators.indicator import Indicator, capacity_of_length
from pipeline.indicators.window import Window


@state
class Cmf:
    """`value` is what `flows` add up to over what `volumes` do."""

    flows: Window = group(capacity="capacity")
    volumes: Window = group(capacity="capacity")
    value: float = NAN


def update(cmf: Cmf, high: float, low: float, close: float, volume: float, length: int) -> None:
    """Fold one bar; one that lacks a price or its volume moves nothing."""
    if not (true_range.is_whole(high, low, close) and 0.0 <= volume < INF):
        return
    window.push(cmf.flows, accumulation_distribution.flow(high, low, close, volume), length)
    window.push(cmf.volumes, volume, length)
    if window.is_full(cmf.volumes, length):
        traded = sum_(cmf.volumes.values, length)
        cmf.value = sum_(cmf.flows.values, length) / traded if traded > 0.0 else NAN


def ready(cmf: Cmf, length: int) -> bool:
    """Whether the windows are full."""
    return window.is_full(cmf.volumes, length)


def reset(cmf: Cmf) -> None:
    """As new."""
    window.reset(cmf.flows)
    window.reset(cmf.volumes)
    cmf.value = NAN


@params
class Params:
    """What may be set."""

    length: int = param(20, low=1, high=1_000, help="bars looked at")


INDICATOR = Indicator(
    name="cmf",
    title="Chaikin money flow",
    State=Cmf,
    Params=Params,
    inputs=("high", "low", "close", "volume"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.length,
    capacity=capacity_of_length,
    convention="a share from -1 to 1, NaN without volume; Skender and LEAN",
)
