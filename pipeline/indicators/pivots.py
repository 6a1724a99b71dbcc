"""Pivot points of floor traders: levels of a session from the high, low and close of the one before.

They are drawn anew once a session is over: by its first row after the close, else by the first of a later day. With
`open_minute` and `close_minute` equal a session is a whole day. The third levels are those of Skender and of TradingView's
traditional ones, high + 2 (pivot - low) and low - 2 (high - pivot); those of its classic ones lie two ranges
from the pivot.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.state import state
from pipeline.indicators import finished_session
from pipeline.indicators.finished_session import FinishedSession, Params
from pipeline.indicators.indicator import Indicator, Pane


@state
class Pivots:
    """`pivot`, three levels of resistance above and three of support below it; all NaN before a session is over."""

    session: FinishedSession
    pivot: float = NAN
    r1: float = NAN
    r2: float = NAN
    r3: float = NAN
    s1: float = NAN
    s2: float = NAN
    s3: float = NAN


def update(
    pivots: Pivots,
    ts_event_ns: int,
    high: float,
    low: float,
    close: float,
    open_minute: int,
    close_minute: int,
    zone: int,
) -> None:
    """Fold one bar by its start, or one price given thrice; a session that is over draws the levels anew."""
    if finished_session.update(pivots.session, ts_event_ns, high, low, close, open_minute, close_minute, zone):
        draw(pivots, pivots.session.high, pivots.session.low, pivots.session.close)


def draw(pivots: Pivots, high: float, low: float, close: float) -> None:
    """The levels of a session with these prices."""
    width = high - low
    pivots.pivot = (high + low + close) / 3.0
    pivots.r1 = 2.0 * pivots.pivot - low
    pivots.r2 = pivots.pivot + width
    pivots.r3 = high + 2.0 * (pivots.pivot - low)
    pivots.s1 = 2.0 * pivots.pivot - high
    pivots.s2 = pivots.pivot - width
    pivots.s3 = low - 2.0 * (high - pivots.pivot)


def ready(pivots: Pivots, _open_minute: int, _close_minute: int, _zone: int) -> bool:
    """Whether a session is over."""
    return abs(pivots.pivot) < INF


def reset(pivots: Pivots) -> None:
    """As new."""
    finished_session.reset(pivots.session)
    pivots.pivot = NAN
    pivots.r1 = NAN
    pivots.r2 = NAN
    pivots.r3 = NAN
    pivots.s1 = NAN
    pivots.s2 = NAN
    pivots.s3 = NAN


INDICATOR = Indicator(
    name="pivots",
    title="Pivot points",
    State=Pivots,
    Params=Params,
    inputs=("ts_event_ns", "high", "low", "close"),
    values=("pivot", "r1", "r2", "r3", "s1", "s2", "s3"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 2,
    pane=Pane.OVERLAY,
    convention="of the last regular session that is over; Skender's standard ones, TradingView's traditional ones",
)
