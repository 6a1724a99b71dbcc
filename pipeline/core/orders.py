"""Orders: a row for each that is open, and the one table of what may follow what."""

from typing import Final

from pipeline.codes import OrderFlag, OrderState, OrderType, Side, TimeInForce
from pipeline.core.state import state
from pipeline.units import ABSENT, INT64_MAX

_S = OrderState

FOLLOWS: Final[dict[OrderState, frozenset[OrderState]]] = {
    _S.INTENDED: frozenset({_S.REFUSED, _S.APPROVED}),
    _S.APPROVED: frozenset({_S.APPROVED, _S.SUBMITTED, _S.CANCELLED}),
    _S.SUBMITTED: frozenset({_S.SUBMITTED, _S.ACCEPTED, _S.REJECTED, _S.UNKNOWN, _S.CANCEL_PENDING, _S.CANCELLED}),
    _S.UNKNOWN: frozenset(
        {_S.ACCEPTED, _S.REJECTED, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCEL_PENDING, _S.CANCELLED, _S.EXPIRED}
    ),
    _S.ACCEPTED: frozenset(
        {
            _S.ACCEPTED,
            _S.PARTIALLY_FILLED,
            _S.FILLED,
            _S.CANCEL_PENDING,
            _S.CANCELLED,
            _S.EXPIRED,
            _S.REPLACED,
            _S.UNKNOWN,
        }
    ),
    _S.PARTIALLY_FILLED: frozenset(
        {_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCEL_PENDING, _S.CANCELLED, _S.EXPIRED, _S.REPLACED, _S.UNKNOWN}
    ),
    _S.CANCEL_PENDING: frozenset(
        {
            _S.ACCEPTED,
            _S.PARTIALLY_FILLED,
            _S.CANCEL_PENDING,
            _S.CANCELLED,
            _S.FILLED,
            _S.EXPIRED,
            _S.REJECTED,
            _S.UNKNOWN,
        }
    ),
    _S.REFUSED: frozenset(),
    _S.FILLED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.REPLACED: frozenset(),
}
"""A partial fill while a cancel is under way leaves the order CANCEL_PENDING, and one whose cancel a broker refuses is what it was before;
one that was made smaller stays as it was."""

ALLOWED: Final = tuple(sum(1 << after for after in FOLLOWS[before]) for before in OrderState)
"""FOLLOWS as bits: bit `after` of ALLOWED[before]."""


_REDUCE_ONLY: Final = OrderFlag.REDUCE_ONLY.value
_STOP_LEG: Final = OrderFlag.BRACKET_STOP.value
_TARGET: Final = OrderFlag.BRACKET_TARGET.value

STOPS: Final = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
"""Types that wait for their trigger."""

LIMITS: Final = (OrderType.LIMIT, OrderType.STOP_LIMIT)
"""Types that have a limit."""


@state
class OrderRow:
    """An open order. `ts_arrival_ns` is when it reaches the venue, `ts_cancel_ns` when its cancel does (0: none).

    A limit order `is_resting` once a quote went by that it did not take, behind `ahead_steps` in line (core.queueing); a stop `is_triggered` once its price was seen.
    A trailing stop has its `trigger_nano` where the price has brought it; of an entry `trail_nano` is that of its
    protection. It ends at `ts_end_ns` of itself, once it is at the venue; `ts_auction_ns` (0: none) is that of the
    auction it is for. `is_triggered` says of the latter that its moment passed.
    An entry `is_unwanted` that was still working when its position was flattened: what it fills is closed again.
    `commission` is what it was charged of it, `commission_plain` what it would have been without bounds, and `amount` what
    was executed, all three where there are bounds.
    `cause_*` is the place of its latest ORDER row, `cancel_*` that of the row that asked for its cancel. Its `slot` is
    taken while it `is_open`. One that a broker shall execute `is_kept` back until there is room for it (core.brokered), and
    `is_evicted` where it makes room for another. Until `ts_rest_ns` it looks at no price.
    """

    order_id: int
    slot: int
    is_open: bool
    strategy_id: int
    instrument_id: int
    state: int = OrderState.INTENDED.value
    side: int = Side.NONE.value
    order_type: int = OrderType.MARKET.value
    time_in_force: int = TimeInForce.DAY.value
    flags: int = OrderFlag.NONE.value
    quantity_steps: int
    filled_steps: int
    ahead_steps: int = -1
    limit_nano: int = ABSENT
    trigger_nano: int = ABSENT
    trail_nano: int = ABSENT
    stop_loss_nano: int = ABSENT
    take_profit_nano: int = ABSENT
    parent_order_id: int
    tag: int
    expires_ns: int = ABSENT
    ts_arrival_ns: int
    ts_cancel_ns: int
    ts_end_ns: int = INT64_MAX
    ts_auction_ns: int
    ts_rest_ns: int
    is_at_venue: bool
    is_resting: bool
    is_triggered: bool
    is_unwanted: bool
    is_kept: bool
    is_evicted: bool
    commission: float
    commission_plain: float
    amount: float
    cause_seq: int
    cause_ord: int
    cancel_seq: int
    cancel_ord: int


def move(order: OrderRow, after: int) -> None:
    """Enter a state. An illegal move is our own bug: it asserts and changes nothing."""
    assert ALLOWED[order.state] >> after & 1, (
        f"order {order.order_id}: {OrderState(order.state).name} -> {OrderState(after).name}"
    )
    order.state = after


def is_of(order: OrderRow, strategy_id: int, instrument_id: int) -> bool:
    """Whether it is an order of a strategy in an instrument."""
    return order.strategy_id == strategy_id and order.instrument_id == instrument_id


def is_beside(other: OrderRow, order: OrderRow) -> bool:
    """Whether two orders are of one strategy in one instrument."""
    return is_of(other, order.strategy_id, order.instrument_id)


def is_final(order: OrderRow) -> bool:
    """Whether nothing can happen to it any more."""
    return ALLOWED[order.state] == 0


def remaining_steps(order: OrderRow) -> int:
    """What is not filled yet."""
    return order.quantity_steps - order.filled_steps


def is_within_limit(order: OrderRow, price_nano: int) -> bool:
    """Whether a price is there, and no worse than the limit of an order that has one."""
    if price_nano == ABSENT:
        return False
    return order.order_type not in LIMITS or (order.limit_nano - price_nano) * order.side >= 0


def reduces_only(order: OrderRow) -> bool:
    """Whether it may only make a position smaller."""
    return order.flags & _REDUCE_ONLY != 0


AT_A_PRICE: Final = 2
"""The rank of who leaves at a limit."""

STANDS_BY: Final = 4
"""The rank of a stop that waits at the broker."""


def rank_of(order: OrderRow) -> int:
    """Who goes first of those that reduce one position: 0 a stop that saw its price, 1 who leaves at once, 2 who leaves at a price, 3 a target, 4 a stop that stands by."""
    if order.flags & _STOP_LEG != 0:
        return STANDS_BY if order.order_type in STOPS else 0
    if order.flags & _TARGET != 0:
        return 3
    return 1 if order.order_type == OrderType.MARKET else AT_A_PRICE


def _goes_by_itself(other: OrderRow, order: OrderRow) -> bool:
    """Whether a stop that stands by sees its price no later than one that saw its own."""
    is_so = rank_of(order) == 0 and rank_of(other) == STANDS_BY and other.trigger_nano != ABSENT
    return is_so and (order.trigger_nano - other.trigger_nano) * order.side >= 0


def gives_way(other: OrderRow, order: OrderRow) -> bool:
    """Whether an order at the broker is to be cancelled so that there is room for another one, and is not being cancelled yet."""
    is_there = reduces_only(other) and not other.is_kept and other.state != OrderState.CANCEL_PENDING
    return (
        is_there and is_beside(other, order) and rank_of(other) > rank_of(order) and not _goes_by_itself(other, order)
    )
