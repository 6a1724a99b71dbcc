"""VWAP of each day from its anchor on: 9:30 for the session's, 4:00 for one with the premarket, or any minute."""

from pipeline.core.dialect import NAN
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.hours import CLOSE_MINUTE, OPEN_MINUTE
from pipeline.indicators import vwap
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.trading_day import minute_param, minutes_until, trading_time, zone_param
from pipeline.indicators.vwap import Vwap


@state
class AnchoredVwap:
    """`value` of the latest day that had any volume; it stands until the next anchor brings some."""

    day: int = -1
    since_anchor: Vwap
    value: float = NAN


def update(
    anchored: AnchoredVwap,
    ts_event_ns: int,
    price: float,
    volume: float,
    first_minute: int,
    last_minute: int,
    zone: int,
) -> None:
    """Fold one print, or a bar by its start and its own vwap; only volume from the anchor to the last minute counts.

    What comes late counts while its day is the latest, and not any more afterwards.
    """
    day, minute = trading_time(ts_event_ns, first_minute, zone)
    if day < anchored.day or minute >= minutes_until(first_minute, last_minute):
        return
    if day > anchored.day:
        vwap.reset(anchored.since_anchor)
        anchored.day = day
    vwap.update(anchored.since_anchor, price, volume)
    anchored.value = anchored.since_anchor.value


def ready(anchored: AnchoredVwap, _first_minute: int, _last_minute: int, _zone: int) -> bool:
    """Whether there was any volume since the latest anchor."""
    return vwap.ready(anchored.since_anchor)


def reset(anchored: AnchoredVwap) -> None:
    """As new."""
    anchored.day = -1
    vwap.reset(anchored.since_anchor)
    anchored.value = NAN


@params
class Params:
    """What may be set."""

    first_minute: int = minute_param(OPEN_MINUTE, "where it begins anew: 570 is 9:30, 240 is 4:00")
    last_minute: int = minute_param(CLOSE_MINUTE, "where it ends, exclusive; where it begins for a whole day")
    zone: int = zone_param()


INDICATOR = Indicator(
    name="anchored_vwap",
    title="Anchored VWAP",
    State=AnchoredVwap,
    Params=Params,
    inputs=("ts_event_ns", "vwap", "volume"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 1,
    pane=Pane.OVERLAY,
    convention="as `vwap`, begun anew each day",
)
