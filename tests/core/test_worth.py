"""What the account is worth: cash and positions at the middle of the quotes, and what of the market it holds or asks for."""

import math

import pytest
from core_day import nano

from pipeline.core.arbitration import count_place
from pipeline.core.dialect import price_of
from pipeline.core.instrument import InstrumentRow
from pipeline.core.world import INSTRUMENT, POSITION, new_world
from pipeline.core.worth import mark_of, worth_of
from pipeline.units import ABSENT, NANO


def instrument(bid=math.nan, ask=math.nan, bar=math.nan, **more) -> InstrumentRow:
    row = INSTRUMENT.new()
    row.bid_nano = ABSENT if math.isnan(bid) else nano(bid)
    row.ask_nano = ABSENT if math.isnan(ask) else nano(ask)
    row.bid, row.ask = price_of(row.bid_nano), price_of(row.ask_nano)
    row.last_bar_nano = ABSENT if math.isnan(bar) else nano(bar)
    row.has_quotes = not math.isnan(bid) or not math.isnan(ask) or more.get("has_quotes", False)
    return row


@pytest.mark.parametrize(
    ("seen", "mark"),
    [
        ({"bid": 10.0, "ask": 11.0}, 10.5),
        ({"bid": 11.0, "ask": 10.0}, 11.0),  # crossed: no market has a middle then
        ({"bid": 10.0}, 10.0),
        ({"ask": 11.0}, 11.0),
        ({"has_quotes": True, "bar": 9.0}, 7.0),
        ({"bar": 9.0}, 9.0),
        ({}, 7.0),
    ],
)
def test_a_position_is_marked_at_what_there_is(seen, mark):
    position = POSITION.new()
    position.average_price = 7.0
    assert mark_of(instrument(**seen), position) == mark


def test_worth_and_exposure_of_long_short_and_what_still_works():
    world = new_world()
    world.account.cash = 1_000.0
    world.counts.strategies = 1
    for price, step_nano in ((10.0, NANO), (5.0, NANO // 10), (3.0, NANO)):
        world.instruments.grow(len(world.instruments) + 1)
        row = world.instruments[len(world.instruments) - 1]
        row.bid_nano = row.ask_nano = nano(price)
        row.bid = row.ask = price
        row.has_quotes, row.size_step_nano = True, step_nano
    for id_, (held, buying, selling, entries) in enumerate([(20, 5, 0, 1), (-40, 0, 10, 1), (0, 9, 0, 0)], 1):
        world.positions.grow(len(world.positions) + 1)
        position = world.positions[id_]
        position.instrument_id, position.quantity_steps, position.entry_orders = id_, held, entries
        position.buying_steps, position.selling_steps, position.strategy_id = buying, selling, 1
        count_place(world, position, False)
    worth = worth_of(world)
    assert worth.value == 1_000.0 + 20 * 10.0 - 4 * 5.0
    assert worth.exposure == 25 * 10.0 + 5 * 5.0
