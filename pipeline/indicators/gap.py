"""Gap: how far a session opened from where the last one closed, and how far the price stands from there now.

A day begins at the close. So what trades after hours and before the open moves `change` against that close: ahead of the
open it is the gap in the making, which premarket scanners rank by. The closing auction prints seconds after 16:00: a close
at 961 lets it in, or the official close is given with `close_at`.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.hours import CLOSE_MINUTE, OPEN_MINUTE
from pipeline.indicators.indicator import Indicator
from pipeline.indicators.trading_day import minute_param, minutes_after, trading_time, zone_param


@state
class Gap:
    """`value` is open / previous close - 1 (0.05 is five percent), `change` the same of the latest price.

    `last_close` is the latest price of a regular session; the next day takes it as its `previous_close`.
    """

    day: int = -1
    last_close: float = NAN
    previous_close: float = NAN
    open: float = NAN
    value: float = NAN
    change: float = NAN


def update(
    gap: Gap, ts_event_ns: int, open_: float, close: float, open_minute: int, close_minute: int, zone: int
) -> None:
    """Fold a bar by its start, or one price given twice; what comes after its day is over moves nothing."""
    day, minute = trading_time(ts_event_ns, close_minute, zone)
    if day < gap.day or not (0.0 < open_ < INF and 0.0 < close < INF):
        return
    if day > gap.day:
        gap.day = day
        gap.previous_close = gap.last_close
        gap.open = NAN
        gap.value = NAN
    if minute >= minutes_after(close_minute, open_minute):
        if not gap.open > 0.0:
            gap.open = open_
            gap.value = gap.open / gap.previous_close - 1.0
        gap.last_close = close
    gap.change = close / gap.previous_close - 1.0


def close_at(gap: Gap, price: float) -> None:
    """Give the close of the last session, from reference data, before the first row of a day."""
    gap.last_close = price


def ready(gap: Gap, _open_minute: int, _close_minute: int, _zone: int) -> bool:
    """Whether today has opened and a close before it is known."""
    return abs(gap.value) < INF


def reset(gap: Gap) -> None:
    """As new."""
    gap.day = -1
    gap.last_close = NAN
    gap.previous_close = NAN
    gap.open = NAN
    gap.value = NAN
    gap.change = NAN


@params
class Params:
    """What may be set."""

    open_minute: int = minute_param(OPEN_MINUTE, "where the regular session begins: 570 is 9:30")
    close_minute: int = minute_param(CLOSE_MINUTE, "where it ends, exclusive: 960 is 16:00, 961 lets the auction in")
    zone: int = zone_param()


INDICATOR = Indicator(
    name="gap",
    title="Gap",
    State=Gap,
    Params=Params,
    inputs=("ts_event_ns", "open", "close"),
    values=("value", "change"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 2,
    convention="first price of a regular session over the last price of the one before",
)
