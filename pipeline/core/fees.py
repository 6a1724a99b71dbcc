"""Fees: what an execution costs beside its price.

Assumption: commission by the unit and by the amount, less where a resting limit was filled (`maker_discount_bps`), at least
and at most so much an order (`fee_least`, `fee_most_percent`); of American shares that are sold, with `regulatory_fees`, also
what the SEC and FINRA take by the rates of that day (`core.fee_rates`), each execution being a trade. Danger: brokers round up
to the cent, some once a day; tiers by volume, exchanges' fees and rebates, borrowing, and what data cost are not here. All
of it is 0 unless it is set.
"""

from pipeline.codes import Liquidity, Side
from pipeline.core.dialect import price_of, size_of
from pipeline.core.fee_rates import activity_fee, section_31_rate
from pipeline.core.instrument import InstrumentRow, unit_value
from pipeline.core.orders import OrderRow
from pipeline.core.settings import SettingsRow
from pipeline.core.world import World
from pipeline.hours import Calendar, new_york_offset_ns
from pipeline.units import DAY_NS, NANO


def fee_of(world: World, order: OrderRow, price_nano: int, steps: int, liquidity: int) -> float:
    """What an execution of an order costs; below 0 for a rebate."""
    instrument, settings = world.instruments[order.instrument_id], world.settings
    fee = _plain(settings, instrument, price_nano, steps, liquidity)
    if settings.fee_least > 0.0 or settings.fee_most_percent > 0.0:
        fee = _bounded(settings, order, fee, _amount(instrument, price_nano, steps))
    if settings.regulatory_fees != 0 and order.side == Side.SELL:
        fee += _regulatory(instrument, price_nano, steps, world.clock.now_ns)
    return fee


def count_commission(world: World, order: OrderRow, price_nano: int, steps: int, liquidity: int) -> None:
    """An execution was charged: what bounds of an order's commission look at."""
    instrument, settings = world.instruments[order.instrument_id], world.settings
    if settings.fee_least > 0.0 or settings.fee_most_percent > 0.0:
        plain, amount = (
            _plain(settings, instrument, price_nano, steps, liquidity),
            _amount(instrument, price_nano, steps),
        )
        order.commission += _bounded(settings, order, plain, amount)
        order.commission_plain += plain
        order.amount += amount


def _plain(settings: SettingsRow, instrument: InstrumentRow, price_nano: int, steps: int, liquidity: int) -> float:
    """Commission by the unit and by the amount."""
    quantity = size_of(steps, instrument.size_step_nano)
    bps = settings.fee_bps
    if liquidity == Liquidity.MAKER:
        bps -= settings.maker_discount_bps
    fee: float = quantity * settings.fee_per_unit + _amount(instrument, price_nano, steps) * (bps / 10_000.0)
    return fee


def _bounded(settings: SettingsRow, order: OrderRow, plain: float, amount: float) -> float:
    """What is charged now, so that the order as a whole pays no less and no more than it should."""
    whole = max(order.commission_plain + plain, settings.fee_least)
    if settings.fee_most_percent > 0.0:
        whole = min(whole, (order.amount + amount) * (settings.fee_most_percent / 100.0))
    charged: float = whole - order.commission
    return charged


def _amount(instrument: InstrumentRow, price_nano: int, steps: int) -> float:
    return price_of(price_nano) * (float(steps) * unit_value(instrument))


def _regulatory(instrument: InstrumentRow, price_nano: int, steps: int, now_ns: int) -> float:
    """Of shares: what a contract stands for is more than one."""
    if instrument.calendar != Calendar.SHARES or instrument.multiplier_nano != NANO:
        return 0.0
    day = (now_ns + new_york_offset_ns(now_ns)) // DAY_NS
    of_amount = _amount(instrument, price_nano, steps) * section_31_rate(day)
    return of_amount + activity_fee(day, size_of(steps, instrument.size_step_nano))
