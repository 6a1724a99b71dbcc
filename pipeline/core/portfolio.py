"""Positions and money: one row per (strategy, instrument), one account, and `apply_fill`, where all money moves.

A round trip ends when its position is flat, or turns: what an execution that turns a position costs counts with what it closes.

Quantities are integers. Cash and profit are float64, added up in one order, so they are reproducible; the warehouse
recomputes them from the integers.
"""

from pipeline.codes import Side
from pipeline.core.dialect import NANO_FLOAT, price_of
from pipeline.core.instrument import InstrumentRow, unit_value
from pipeline.core.state import state
from pipeline.units import DAY_NS


@state
class PositionRow:
    """A strategy's position in an instrument.

    `entry_orders` are open orders that may enlarge it, `buying_steps` and `selling_steps` what they have yet to fill.
    `trip_result` is what its round trip realised so far, fees taken off; `ts_lost_ns` when one last ended at a loss (0: never).
    `untold_*` is what its strategy has yet to hear of (core.telling), `told_average` what it knows of the average price
    meanwhile.
    """

    strategy_id: int
    instrument_id: int
    quantity_steps: int
    average_price: float
    realized: float
    fees: float
    open_orders: int
    entry_orders: int
    buying_steps: int
    selling_steps: int
    trip_result: float
    ts_lost_ns: int
    untold_steps: int
    untold_fills: int
    untold_orders: int
    told_average: float


@state
class AccountRow:
    """The one account all strategies share. `day_result` is what was realised, fees taken off, in UTC day `day`.

    `day_best` is the largest result of that day so far, 0 or more, `losses_in_row` its losing round trips since the last
    other one. `untold_cash` is by how much fills moved the cash that their strategies have yet to hear of. `ts_rate_ns` is when
    the account will have sent no entry too many, were it to send none from now on. While it `is_reducing` nothing is entered;
    what `is_halted` closes besides, `is_stray` where it was a broker's word that nobody can place. While the session `is_ending` nothing
    is entered either.
    """

    cash: float
    untold_cash: float
    day: int
    day_result: float
    day_best: float
    losses_in_row: int
    ts_rate_ns: int
    is_halted: bool
    is_reducing: bool
    is_stray: bool
    is_ending: bool
    order_id_last: int
    fill_id_last: int


def apply_fill(
    position: PositionRow,
    account: AccountRow,
    instrument: InstrumentRow,
    side: int,
    price_nano: int,
    quantity_steps: int,
    fee_nano: int,
    now_ns: int,
) -> None:
    """Move quantity, cash, profit and fees by one execution; the average price follows the average-cost rule."""
    assert quantity_steps > 0
    assert side in (Side.BUY, Side.SELL)
    price, unit, fee = price_of(price_nano), unit_value(instrument), float(fee_nano) / NANO_FLOAT
    held, traded = position.quantity_steps, side * quantity_steps
    result = 0.0
    if held * traded < 0:
        closed = min(abs(held), quantity_steps)
        result = (price - position.average_price) * (float(closed) * unit)
        if held < 0:
            result = -result
    position.average_price = _average(position, price, traded)
    position.quantity_steps = held + traded
    position.realized += result
    position.fees += fee
    account.day_result += result - fee
    account.day_best = max(account.day_best, account.day_result)
    position.trip_result += result - fee
    if held * traded < 0 and held * position.quantity_steps <= 0:
        _end_trip(position, account, now_ns)
    account.cash -= price * (float(traded) * unit)
    account.cash -= fee


def _end_trip(position: PositionRow, account: AccountRow, now_ns: int) -> None:
    if position.trip_result < 0.0:
        account.losses_in_row += 1
        position.ts_lost_ns = now_ns
    else:
        account.losses_in_row = 0
    position.trip_result = 0.0


def _average(position: PositionRow, price: float, traded: int) -> float:
    held = position.quantity_steps
    after = held + traded
    if after == 0:
        return 0.0
    if held == 0 or (held > 0) != (after > 0):
        return price
    if held * traded < 0:
        return position.average_price
    total = float(abs(held)) + float(abs(traded))
    return (position.average_price * float(abs(held)) + price * float(abs(traded))) / total


def expect(position: PositionRow, side: int, steps: int) -> None:
    """Count steps that an entry may yet fill; negative ones were filled, or never will be."""
    if side == Side.BUY:
        position.buying_steps += steps
    else:
        position.selling_steps += steps


def start_day(account: AccountRow, now_ns: int) -> None:
    """A new UTC day starts with no result, and no losses in a row."""
    day = now_ns // DAY_NS
    if day != account.day:
        account.day = day
        account.day_result = 0.0
        account.day_best = 0.0
        account.losses_in_row = 0


def holds(position: PositionRow) -> bool:
    """Whether this pair takes a place among those that may hold a position."""
    return position.quantity_steps != 0 or position.entry_orders > 0
