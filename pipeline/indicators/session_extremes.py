"""Session extremes: high and low of the premarket and of the regular session, the levels a day trader draws first."""

from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.hours import CLOSE_MINUTE, OPEN_MINUTE, PREMARKET_MINUTE
from pipeline.indicators import extremes
from pipeline.indicators.extremes import Extremes
from pipeline.indicators.indicator import Indicator, Pane
from pipeline.indicators.trading_day import minute_param, minutes_after, minutes_until, trading_time, zone_param


@state
class SessionExtremes:
    """Of the latest day: `premarket` and `regular`, each with `high` and `low`."""

    day: int = -1
    premarket: Extremes
    regular: Extremes


def update(
    session: SessionExtremes,
    ts_event_ns: int,
    high: float,
    low: float,
    premarket_minute: int,
    open_minute: int,
    close_minute: int,
    zone: int,
) -> None:
    """Fold the two ends of a bar by its start, or one price given twice; both pairs begin anew with the premarket.

    What comes late counts while its day is the latest, and not any more afterwards.
    """
    day, minute = trading_time(ts_event_ns, premarket_minute, zone)
    if day < session.day or minute >= minutes_until(premarket_minute, close_minute):
        return
    if day > session.day:
        reset(session)
        session.day = day
    if minute < minutes_after(premarket_minute, open_minute):
        extremes.update(session.premarket, high, low)
    else:
        extremes.update(session.regular, high, low)


def ready(session: SessionExtremes, _premarket_minute: int, _open_minute: int, _close_minute: int, _zone: int) -> bool:
    """Whether the regular session of the latest day has begun to trade."""
    return extremes.ready(session.regular, 1)


def reset(session: SessionExtremes) -> None:
    """As new."""
    session.day = -1
    extremes.reset(session.premarket)
    extremes.reset(session.regular)


@params
class Params:
    """What may be set."""

    premarket_minute: int = minute_param(PREMARKET_MINUTE, "where a day begins: 240 is 4:00")
    open_minute: int = minute_param(OPEN_MINUTE, "where the regular session begins: 570 is 9:30")
    close_minute: int = minute_param(CLOSE_MINUTE, "where it ends, exclusive: 960 is 16:00, 961 lets the auction in")
    zone: int = zone_param()


INDICATOR = Indicator(
    name="session_extremes",
    title="Session high and low",
    State=SessionExtremes,
    Params=Params,
    inputs=("ts_event_ns", "high", "low"),
    values=("premarket.high", "premarket.low", "regular.high", "regular.low"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 1,
    pane=Pane.OVERLAY,
    convention="running extremes of the latest day; nothing after the close",
)
