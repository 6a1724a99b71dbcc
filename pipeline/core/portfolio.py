"""Positions and money: one row per (strategy, instrument), one account, and `apply_fill`, where all money moves.

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


@state
class AccountRow:
    """The one account all strategies share. `day_result` is what was realised, fees taken off, in UTC day `day`."""

    cash: float
    day: int
    day_result: float
    is_halted: bool
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
    account.cash -= price * (float(traded) * unit)
    account.cash -= fee


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
    """A new UTC day starts with no result."""
    day = now_ns // DAY_NS
    if day != account.day:
        account.day = day
        account.day_result = 0.0


def holds(position: PositionRow) -> bool:
    """Whether this pair takes a place among those that may hold a position."""
    return position.quantity_steps != 0 or position.entry_orders > 0
