"""Databento's codes of trading states as ours: its two tables, and the columns they fill.

Codes of databento_dbn 0.70, StatusAction and StatusReason; a code that is not among them is kept in `vendor_action`
and `vendor_reason`, and says UNKNOWN and OTHER.
"""

from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.codes import StatusReason, TradingStatus
from pipeline.normalize.records import Records

STATUS_BY_ACTION: Final = {
    1: TradingStatus.PRE_OPEN,
    2: TradingStatus.PRE_OPEN,
    3: TradingStatus.QUOTING,
    4: TradingStatus.QUOTING,
    5: TradingStatus.QUOTING,
    6: TradingStatus.LIMITS,
    7: TradingStatus.TRADING,
    8: TradingStatus.HALTED,
    9: TradingStatus.PAUSED,
    10: TradingStatus.SUSPENDED,
    11: TradingStatus.TRADING,
    12: TradingStatus.CLOSED,
    13: TradingStatus.POST_CLOSE,
    14: TradingStatus.LIMITS,
    15: TradingStatus.CLOSED,
}
"""2 pre-cross, 4 cross and 5 rotation are stages of an auction; 6 is a new price indication, 14 a change of the
short-sale restriction: both leave the state as it is. 11 is the pre-close: it still trades."""

REASON_BY_CODE: Final = {
    0: StatusReason.NONE,
    1: StatusReason.SCHEDULED,
    10: StatusReason.REGULATORY,
    11: StatusReason.REGULATORY,
    12: StatusReason.REGULATORY,
    13: StatusReason.REGULATORY,
    14: StatusReason.REGULATORY,
    30: StatusReason.NEWS_PENDING,
    31: StatusReason.NEWS_RELEASED,
    32: StatusReason.NEWS_RELEASED,
    40: StatusReason.ORDER_IMBALANCE,
    50: StatusReason.LIMIT_STATE,
    60: StatusReason.TECHNICAL,
    80: StatusReason.CORPORATE_ACTION,
    100: StatusReason.CORPORATE_ACTION,
    120: StatusReason.MARKET_WIDE,
    121: StatusReason.MARKET_WIDE,
    122: StatusReason.MARKET_WIDE,
    123: StatusReason.MARKET_WIDE,
    124: StatusReason.MARKET_WIDE,
}

_TRI_STATE: Final = {b"Y": 1, b"N": 0, b"~": -1}


def status_columns(records: Records) -> dict[str, Numbers | int]:
    """The payload columns of (n,) status records."""
    actions, reasons = records["action"], records["reason"]
    return {
        "status": _translated(actions, STATUS_BY_ACTION, TradingStatus.UNKNOWN),
        "reason": _translated(reasons, REASON_BY_CODE, StatusReason.OTHER),
        "is_short_restricted": _tri_state(records["is_short_sell_restricted"]),
        "is_quoting": _tri_state(records["is_quoting"]),
        "vendor_action": actions.astype(np.int32),
        "vendor_reason": reasons.astype(np.int32),
    }


def _translated(codes: Numbers, meanings: dict[int, TradingStatus] | dict[int, StatusReason], other: int) -> Numbers:
    return np.array([meanings.get(code, other) for code in codes.tolist()], np.int8)


def _tri_state(letters: Numbers) -> Numbers:
    return np.array([_TRI_STATE.get(letter, -1) for letter in letters.tolist()], np.int8)
