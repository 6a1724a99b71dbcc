"""Opening range (Crabel 1990): high and low of the first minutes of a session, once they are over."""

from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.hours import CLOSE_MINUTE, OPEN_MINUTE
from pipeline.indicators import extremes
from pipeline.indicators.extremes import Extremes
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.trading_day import DAY_MINUTES, minute_param, minutes_until, trading_time, zone_param


@state
class OpeningRange:
    """`range` of the latest session, still growing until `is_complete`."""

    day: int = -1
    range: Extremes
    is_complete: bool


def update(
    opening: OpeningRange,
    ts_event_ns: int,
    high: float,
    low: float,
    open_minute: int,
    minutes: int,
    close_minute: int,
    zone: int,
) -> None:
    """Fold the two ends of a bar by its start, or one price given twice; what lies outside the session moves nothing.

    The first row after the range completes it; what belongs into it and comes later than that widens it no more.
    """
    advance(opening, ts_event_ns, open_minute, minutes, close_minute, zone)
    day, minute = trading_time(ts_event_ns, open_minute, zone)
    if day == opening.day and minute < minutes and not opening.is_complete:
        extremes.update(opening.range, high, low)


def advance(opening: OpeningRange, ts_ns: int, open_minute: int, minutes: int, close_minute: int, zone: int) -> None:
    """Let time pass without a price: the next session empties the range, the end of its minutes completes it."""
    day, minute = trading_time(ts_ns, open_minute, zone)
    if day < opening.day or minute >= minutes_until(open_minute, close_minute):
        return
    if day > opening.day:
        reset(opening)
        opening.day = day
    if minute >= minutes:
        opening.is_complete = True


def ready(opening: OpeningRange, _open_minute: int, _minutes: int, _close_minute: int, _zone: int) -> bool:
    """Whether the range is complete and anything traded in it."""
    return opening.is_complete and extremes.ready(opening.range, 1)


def reset(opening: OpeningRange) -> None:
    """As new."""
    opening.day = -1
    extremes.reset(opening.range)
    opening.is_complete = False


@params
class Params:
    """What may be set."""

    open_minute: int = minute_param(OPEN_MINUTE, "where the session begins: 570 is 9:30")
    minutes: int = param(5, low=1, high=DAY_MINUTES, help="length of the range, shorter than the session")
    close_minute: int = minute_param(CLOSE_MINUTE, "where it ends, exclusive: 960 is 16:00, 961 lets the auction in")
    zone: int = zone_param()


INDICATOR = Indicator(
    name="opening_range",
    title="Opening range",
    State=OpeningRange,
    Params=Params,
    inputs=("ts_event_ns", "high", "low"),
    values=("range.high", "range.low"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 2,
    pane=Pane.OVERLAY,
    convention="rows that began within the minutes; complete with the first row after them",
)
