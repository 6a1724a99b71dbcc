"""Worth: what the account would be if all were closed now, and how much of the market it holds or asks for."""

from typing import NamedTuple

from pipeline.core.dialect import price_of
from pipeline.core.instrument import InstrumentRow, is_crossed, unit_value
from pipeline.core.portfolio import PositionRow
from pipeline.core.world import World
from pipeline.units import ABSENT


class Worth(NamedTuple):
    """`value` is cash and positions at their marks; `exposure` the amount of positions, long or short, and of working entries."""

    value: float
    exposure: float


def worth_of(world: World) -> Worth:
    """Of the whole account, positions in the order in which they came to be held."""
    value, exposure = world.account.cash, 0.0
    for place in range(1, world.counts.places + 1):
        position = world.positions[world.held[place].slot]
        instrument = world.instruments[position.instrument_id]
        amount = mark_of(instrument, position) * unit_value(instrument)
        value += float(position.quantity_steps) * amount
        exposure += _steps(position) * amount
    return Worth(value, exposure)


def exposure_of(instrument: InstrumentRow, position: PositionRow) -> float:
    """The amount of a position, long or short, and of the entries that work on it."""
    return _steps(position) * (mark_of(instrument, position) * unit_value(instrument))


def _steps(position: PositionRow) -> float:
    return float(abs(position.quantity_steps)) + float(position.buying_steps + position.selling_steps)


def mark_of(instrument: InstrumentRow, position: PositionRow) -> float:
    """The middle of the quote in force; without one the side there is, the last bar's close, or what the position cost."""
    if instrument.has_quotes:
        if instrument.bid_nano == ABSENT:
            return position.average_price if instrument.ask_nano == ABSENT else instrument.ask
        if instrument.ask_nano == ABSENT or is_crossed(instrument):
            return instrument.bid
        return (instrument.bid + instrument.ask) * 0.5
    return position.average_price if instrument.last_bar_nano == ABSENT else price_of(instrument.last_bar_nano)
