"""The operator's hand: account statements and requests, and how positions are flattened."""

from pipeline.codes import AccountAction, IntentAction, RequestAction
from pipeline.core.context import OUTPUT, Output
from pipeline.core.dialect import NANO_FLOAT
from pipeline.core.market import AccountStatement, Request
from pipeline.core.orders import reduces_only
from pipeline.core.portfolio import AccountRow
from pipeline.core.tape import Place
from pipeline.core.world import Wish, World
from pipeline.units import ABSENT


def fold_account(account: AccountRow, statement: AccountStatement) -> None:
    """Opening cash replaces the settings'; HALTED holds all entries back until RESET."""
    if statement.action == AccountAction.OPENING_CASH and statement.cash_nano != ABSENT:
        account.cash = float(statement.cash_nano) / NANO_FLOAT
    elif statement.action == AccountAction.HALTED:
        account.is_halted = True
    elif statement.action == AccountAction.RESET:
        account.is_halted = False


def obey(world: World, request: Request) -> None:
    """FLATTEN closes all, or what the target symbol names; HALT also holds entries back until RESET."""
    if request.action == RequestAction.RESET:
        world.account.is_halted = False
    if request.action == RequestAction.HALT:
        world.account.is_halted = True
    if request.action not in (RequestAction.FLATTEN, RequestAction.HALT):
        return
    if not request.target:
        flatten(world, 0, 0, world.tape.input)
        return
    for instrument_id, symbol in sorted(world.symbols.items()):
        if symbol == request.target:
            flatten(world, 0, instrument_id, world.tape.input)


def flatten(world: World, strategy_id: int, instrument_id: int, cause: Place) -> None:
    """Wish to cancel the orders and exit the positions of a strategy in an instrument; 0: of all.

    An entry may still fill before its cancel arrives: it is marked, and the venue has what it fills closed again.
    """
    for key, position in sorted(world.positions.items()):
        if strategy_id not in (0, key[0]) or instrument_id not in (0, key[1]):
            continue
        if position.open_orders:
            world.wishes.append(Wish(*key, _output(IntentAction.CANCEL), cause))
        if position.quantity_steps:
            close_again(world, *key, cause)
        for order in world.orders_of(*key):
            order.is_unwanted = not reduces_only(order)


def close_again(world: World, strategy_id: int, instrument_id: int, cause: Place) -> None:
    """Wish to exit what of a position no exit under way closes yet."""
    world.wishes.append(Wish(strategy_id, instrument_id, _output(IntentAction.FLATTEN), cause))


def _output(action: IntentAction) -> Output:
    output: Output = OUTPUT.new()
    output.action = action
    return output
