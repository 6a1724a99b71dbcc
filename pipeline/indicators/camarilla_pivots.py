"""Camarilla levels (Nick Scott 1989): a twelfth, a sixth, a quarter and half of 1.1 times a session's range, from its close.

When, see `pivots`. The third ones are where a move is faded, the fourth where a breakout is joined. Some sources show a
pivot beside them, the close or the typical price, on which the levels do not depend.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.state import state
from pipeline.indicators import finished_session
from pipeline.indicators.finished_session import FinishedSession, Params
from pipeline.indicators.indicator import Indicator, Pane


@state
class CamarillaPivots:
    """Four levels of resistance above the close and four of support below it; all NaN before a session is over."""

    session: FinishedSession
    r1: float = NAN
    r2: float = NAN
    r3: float = NAN
    r4: float = NAN
    s1: float = NAN
    s2: float = NAN
    s3: float = NAN
    s4: float = NAN


def update(
    pivots: CamarillaPivots,
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


def draw(pivots: CamarillaPivots, high: float, low: float, close: float) -> None:
    """The levels of a session with these prices."""
    width = 1.1 * (high - low)
    pivots.r1 = close + width / 12.0
    pivots.r2 = close + width / 6.0
    pivots.r3 = close + width / 4.0
    pivots.r4 = close + width / 2.0
    pivots.s1 = close - width / 12.0
    pivots.s2 = close - width / 6.0
    pivots.s3 = close - width / 4.0
    pivots.s4 = close - width / 2.0


def ready(pivots: CamarillaPivots, _open_minute: int, _close_minute: int, _zone: int) -> bool:
    """Whether a session is over."""
    return abs(pivots.r1) < INF


def reset(pivots: CamarillaPivots) -> None:
    """As new."""
    finished_session.reset(pivots.session)
    pivots.r1 = NAN
    pivots.r2 = NAN
    pivots.r3 = NAN
    pivots.r4 = NAN
    pivots.s1 = NAN
    pivots.s2 = NAN
    pivots.s3 = NAN
    pivots.s4 = NAN


INDICATOR = Indicator(
    name="camarilla_pivots",
    title="Camarilla pivot points",
    State=CamarillaPivots,
    Params=Params,
    inputs=("ts_event_ns", "high", "low", "close"),
    values=("r1", "r2", "r3", "r4", "s1", "s2", "s3", "s4"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda _: 2,
    pane=Pane.OVERLAY,
    convention="shares of the last regular session's range around its close; Skender and TradingView",
)
