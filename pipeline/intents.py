"""Intents: what may be asked of a broker. Wishes in the imperative, integers only, every number exact.

A strategy's own wish is a row of its context's buffer (`core.context`), and kind INTENT in the log; what is left of it
after arbitration and risk is what stands here.
"""

from typing import NamedTuple

from pipeline.codes import OrderFlag, OrderType, Side, TimeInForce


class OrderRequest(NamedTuple):
    """Place an order. ABSENT where a price or a time is not given."""

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
