"""Intents: what a strategy wishes, and what the shell may ask of a broker. Wishes in the imperative, no effect yet."""

import math
from typing import NamedTuple

from pipeline.codes import IntentAction, OrderFlag, OrderType, Side, TimeInForce


class Intent(NamedTuple):
    """One wish, in the handler's own units: prices and money float64 in the quote currency, NaN where not given.

    `quantity` counts shares, contracts or coins; exactly one of `quantity`, `notional` and `risk` (with `stop_loss`)
    sizes an entry; an exit without any of them closes the whole position.
    """

    action: IntentAction
    side: Side = Side.NONE
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.DAY
    flags: OrderFlag = OrderFlag.NONE
    quantity: float = math.nan
    notional: float = math.nan
    risk: float = math.nan
    limit: float = math.nan
    trigger: float = math.nan
    stop_loss: float = math.nan
    take_profit: float = math.nan
    trail: float = math.nan
    rank_score: float = math.nan
    tag: int = 0
    order_id: int = 0


class OrderRequest(NamedTuple):
    """What a broker is asked: integers only, every number exact."""

    order_id: int
    instrument_id: int
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    flags: OrderFlag
    quantity_steps: int
    limit_nano: int
    trigger_nano: int
    expires_ns: int


class CancelRequest(NamedTuple):
    """Take back an order."""

    order_id: int
