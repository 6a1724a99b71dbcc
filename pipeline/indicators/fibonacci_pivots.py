"""Fibonacci pivot points: 38.2, 61.8 and 100% of the last session's range around its pivot. When, see `pivots`."""

from pipeline.core.dialect import INF, NAN
from pipeline.core.state import state
from pipeline.indicators import finished_session
from pipeline.indicators.finished_session import FinishedSession, Params
from pipeline.indicators.indicator import Indicator, Pane


@state
class FibonacciPivots:
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
    pivots: FibonacciPivots,
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


def draw(pivots: FibonacciPivots, high: float, low: float, close: float) -> None:
    """The levels of a session with these prices."""
    width = high - low
    pivots.pivot = (high + low + close) / 3.0
    pivots.r1 = pivots.pivot + 0.382 * width
    pivots.r2 = pivots.pivot + 0.618 * width
    pivots.r3 = pivots.pivot + width
    pivots.s1 = pivots.pivot - 0.382 * width
    pivots.s2 = pivots.pivot - 0.618 * width
    pivots.s3 = pivots.pivot - width


def ready(pivots: FibonacciPivots, _open_minute: int, _close_minute: int, _zone: int) -> bool:
    """Whether a session is over."""
    return abs(pivots.pivot) < INF


def reset(pivots: FibonacciPivots) -> None:
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
    name="fibonacci_pivots",
    title="Fibonacci pivot points",
    State=FibonacciPivots,
    Params=Params,
    inputs=("ts_event_ns", "high", "low", "close"),
    values=("pivot", "r1", "r2", "r3", "s1", "s2", "s3"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 2,
    pane=Pane.OVERLAY,
    convention="0.382, 0.618 and 1 of the last regular session's range; Skender and TradingView",
)
