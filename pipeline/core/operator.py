"""The operator's hand: account statements and requests, and how positions are flattened."""

from collections.abc import Mapping
from typing import Final

from pipeline.codes import AccountAction, IntentAction, OrderReason, OrderState, RequestAction
from pipeline.core.context import WISH
from pipeline.core.desk import request_cancel
from pipeline.core.dialect import NANO_FLOAT
from pipeline.core.market import AccountStatement, Request
from pipeline.core.orders import AT_A_PRICE, LIMITS, STANDS_BY, OrderRow, is_beside, is_of, rank_of, reduces_only
from pipeline.core.portfolio import AccountRow
from pipeline.core.settings import SIMULATED
from pipeline.core.tables import claim
from pipeline.core.tape import Place
from pipeline.core.world import World, input_place, is_defined, order_at, place_after, position_of
from pipeline.units import ABSENT

GUARD: Final = "guard"
"""Whom a request to reduce is from that no person made: it was made because of the losses of those who traded then."""


def fold_account(account: AccountRow, statement: AccountStatement) -> None:
    """Opening cash replaces the settings'; HALTED and REDUCING hold all entries back until RESET."""
    if statement.action == AccountAction.OPENING_CASH and statement.cash_nano != ABSENT:
        account.cash = float(statement.cash_nano) / NANO_FLOAT
    elif statement.action == AccountAction.HALTED:
        account.is_halted = True
    elif statement.action == AccountAction.REDUCING:
        account.is_reducing = True
    elif statement.action == AccountAction.RESET:
        account.is_halted = False
        account.is_reducing = False
        account.is_stray = False


def go_on(world: World) -> None:
    """Nobody looked for a while: what was displayed then fills nothing any more, until a quote says what is; and no end is near."""
    world.account.is_ending = False
    for instrument_id in range(1, world.counts.instruments + 1):
        world.instruments[instrument_id].bid_left_steps = 0
        world.instruments[instrument_id].ask_left_steps = 0


def obey(world: World, request: Request, symbols: Mapping[int, str]) -> None:
    """FLATTEN closes all, or what the target symbol names; HALT also holds entries back until RESET, REDUCE does only that.

    WITHDRAW cancels entries that still work, and lets nothing be entered until the session goes on. One that a loss brought about concerns the session that lost, and not what other strategies would have done that day.
    """
    if request.action == RequestAction.RESET:
        world.account.is_halted = False
        world.account.is_reducing = False
        world.account.is_stray = False
    if request.action == RequestAction.REDUCE and (request.target != GUARD or world.settings.heeds_guard != 0):
        world.account.is_reducing = True
    if request.action == RequestAction.HALT:
        world.account.is_halted = True
    if request.action == RequestAction.WITHDRAW:
        world.account.is_ending = True
        withdraw(world, input_place(world))
    if request.action not in (RequestAction.FLATTEN, RequestAction.HALT):
        return
    if not request.target:
        flatten(world, 0, 0, input_place(world))
        return
    for instrument_id, symbol in sorted(symbols.items()):
        if symbol == request.target:
            flatten(world, 0, instrument_id, input_place(world))


def withdraw(world: World, cause: Place) -> None:
    """Have every order cancelled that may enlarge a position, and who leaves at a limit in the place of a stop: that comes back then."""
    place = 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        order_id = order.order_id
        is_to_go = not reduces_only(order) or _stands_for_a_stop(world, order)
        if is_to_go and order.state != OrderState.CANCEL_PENDING:
            request_cancel(world, order, cause, OrderReason.SESSION_ENDED)
        place = place_after(world, place, order_id)


def _stands_for_a_stop(world: World, order: OrderRow) -> bool:
    """Whether an order may wait for its price for long while a stop of the same position waits for room."""
    if order.order_type not in LIMITS or rank_of(order) == STANDS_BY or not order.is_triggered:
        return False
    for place in range(1, world.counts.open_orders + 1):
        other = order_at(world, place)
        is_to_come = other.is_evicted or (other.is_kept and other.is_triggered)
        if is_to_come and is_beside(other, order) and rank_of(other) == STANDS_BY:
            return True
    return False


def flatten(world: World, strategy_id: int, instrument_id: int, cause: Place) -> None:
    """Wish to cancel the orders and exit the positions of a strategy in an instrument; 0: of all.

    An entry may still fill before its cancel arrives: it is marked, and the venue has what it fills closed again.
    """
    for strategy in range(1, world.counts.strategies + 1):
        for instrument in range(1, world.counts.instruments + 1):
            if strategy_id in (0, strategy) and instrument_id in (0, instrument) and is_defined(world, instrument):
                _flatten_one(world, strategy, instrument, cause)


def _flatten_one(world: World, strategy_id: int, instrument_id: int, cause: Place) -> None:
    position = position_of(world, strategy_id, instrument_id)
    if position.open_orders > 0:
        if world.settings.execution == SIMULATED:
            _wish(world, strategy_id, instrument_id, IntentAction.CANCEL, cause)
        else:
            _clear(world, strategy_id, instrument_id, cause)
        for place in range(1, world.counts.open_orders + 1):
            order = order_at(world, place)
            if order.strategy_id == strategy_id and order.instrument_id == instrument_id:
                order.is_unwanted = not reduces_only(order)
    if position.quantity_steps != 0:
        close_again(world, strategy_id, instrument_id, cause)


def _clear(world: World, strategy_id: int, instrument_id: int, cause: Place) -> None:
    """At a broker: cancel entries and who leaves at a price. Stops make room for who leaves at once, and come back should that come to nothing."""
    place = 1
    while place <= world.counts.open_orders:
        order = order_at(world, place)
        order_id = order.order_id
        is_to_go = not reduces_only(order) or rank_of(order) == AT_A_PRICE
        if is_of(order, strategy_id, instrument_id) and is_to_go and order.state != OrderState.CANCEL_PENDING:
            request_cancel(world, order, cause, OrderReason.OPERATOR)
        place = place_after(world, place, order_id)


def close_again(world: World, strategy_id: int, instrument_id: int, cause: Place) -> None:
    """Wish to exit what of a position no exit under way closes yet."""
    _wish(world, strategy_id, instrument_id, IntentAction.FLATTEN, cause)


def _wish(world: World, strategy_id: int, instrument_id: int, action: int, cause: Place) -> None:
    """A wish of the engine's own, among the outputs of the strategies."""
    counts = world.counts
    counts.outputs += 1
    output = claim(world.outputs, counts.outputs)
    output.kind = WISH
    output.is_engines = True
    output.strategy_id = strategy_id
    output.instrument_id = instrument_id
    output.action = action
    output.cause_seq = cause.seq
    output.cause_ord = cause.ord
