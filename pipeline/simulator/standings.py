"""Standings: what a feed tells of how a generated name stands: halts, pauses, limit states, bands."""

from typing import Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import Kind, StatusReason, TradingStatus
from pipeline.simulator.bands import Held, Standing
from pipeline.simulator.ticks import Seconds
from pipeline.units import ABSENT, NANO, SECOND_NS

_STATUS: Final = {
    Standing.TRADING: (TradingStatus.TRADING, StatusReason.NONE),
    Standing.LIMIT_UP: (TradingStatus.LIMITS, StatusReason.LIMIT_STATE),
    Standing.LIMIT_DOWN: (TradingStatus.LIMITS, StatusReason.LIMIT_STATE),
    Standing.PAUSED: (TradingStatus.PAUSED, StatusReason.VOLATILITY),
    Standing.HALTED: (TradingStatus.HALTED, StatusReason.NEWS_PENDING),
    Standing.QUOTING: (TradingStatus.QUOTING, StatusReason.NONE),
}
_TRADES: Final = (Standing.TRADING, Standing.LIMIT_UP, Standing.LIMIT_DOWN)


def statuses_of(path: Held, is_regular: Numbers, seconds: Seconds, instrument_id: int) -> Block:
    """A row for every change of standing or of the bands, at the beginning of the second that has it; one at the open."""
    opens = _begins(is_regular)
    told = np.flatnonzero(_changed(path.standing) | opens | _moved(path))
    return Block.from_rows(
        Kind.STATUS,
        [
            {
                "ts_event_ns": seconds.starts_ns + second * SECOND_NS,
                "ts_recv_ns": seconds.starts_ns + second * SECOND_NS + seconds.delay_ns,
                "instrument_id": instrument_id,
                **_status(path, second, is_open=bool(opens[second])),
            }
            for second in told.tolist()
        ],
    )


def _changed(column: Numbers) -> Numbers:
    changed = np.zeros(len(column), np.bool_)
    changed[1:] = column[1:] != column[:-1]
    return changed


def _begins(is_regular: Numbers) -> Numbers:
    begins: Numbers = _changed(is_regular) & is_regular
    return begins


def _moved(path: Held) -> Numbers:
    """Where there are bands, and other ones than a second ago."""
    moved = ~np.isnan(path.high)
    moved[1:] &= _changed(path.high)[1:] | _changed(path.low)[1:]
    return moved


def _status(path: Held, second: int, *, is_open: bool) -> dict[str, int]:
    now = Standing(int(path.standing[second]))
    before = Standing(int(path.standing[second - 1])) if second else Standing.TRADING
    status, reason = _STATUS[now]
    if now is Standing.TRADING and is_open:
        reason = StatusReason.SCHEDULED
    elif now is Standing.TRADING and before in _TRADES:
        status = TradingStatus.LIMITS
    return {
        "status": int(status),
        "reason": int(reason),
        "limit_down_nano": _nano(path.low[second]),
        "limit_up_nano": _nano(path.high[second]),
        "is_quoting": int(now not in (Standing.PAUSED, Standing.HALTED)),
    }


def _nano(band: float) -> int:
    return ABSENT if np.isnan(band) else round(float(band) * 100) * (NANO // 100)
