"""Finished session: high, low and close of the last regular session that is over, which the levels of the next stand on."""

from pipeline.core.dialect import NAN
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.hours import CLOSE_MINUTE, OPEN_MINUTE
from pipeline.indicators import extremes, true_range
from pipeline.indicators.extremes import Extremes
from pipeline.indicators.trading_day import minute_param, minutes_until, trading_time, zone_param


@state
class FinishedSession:
    """`high`, `low` and `close` of the last one; `running` and `last_close` gather the one that is under way."""

    day: int = -1
    is_over: bool
    running: Extremes
    last_close: float = NAN
    high: float = NAN
    low: float = NAN
    close: float = NAN


def update(
    session: FinishedSession,
    ts_event_ns: int,
    high: float,
    low: float,
    close: float,
    open_minute: int,
    close_minute: int,
    zone: int,
) -> bool:
    """Fold one bar by its start, or one price given thrice; whether that ended a session.

    The first row after the close ends it, or else the first of a later day. What belongs to it and comes later than that
    changes nothing any more; a bar that lacks a price moves nothing.
    """
    day, minute = trading_time(ts_event_ns, open_minute, zone)
    if day < session.day or not true_range.is_whole(high, low, close):
        return False
    is_regular = minute < minutes_until(open_minute, close_minute)
    has_ended = False
    if (day > session.day or not is_regular) and extremes.ready(session.running, 1):
        finish(session)
        has_ended = True
    if day > session.day:
        session.day = day
        session.is_over = False
    if not is_regular:
        session.is_over = True
    if not session.is_over:
        extremes.update(session.running, high, low)
        session.last_close = close
    return has_ended


def finish(session: FinishedSession) -> None:
    """Keep what was gathered, and begin anew."""
    session.high = session.running.high
    session.low = session.running.low
    session.close = session.last_close
    extremes.reset(session.running)
    session.last_close = NAN


def reset(session: FinishedSession) -> None:
    """As new."""
    session.day = -1
    session.is_over = False
    extremes.reset(session.running)
    session.last_close = NAN
    session.high = NAN
    session.low = NAN
    session.close = NAN


@params
class Params:
    """What may be set of levels that stand on it."""

    open_minute: int = minute_param(OPEN_MINUTE, "where a session begins: 570 is 9:30")
    close_minute: int = minute_param(CLOSE_MINUTE, "where it ends, exclusive: 960 is 16:00, 961 lets the auction in")
    zone: int = zone_param()
