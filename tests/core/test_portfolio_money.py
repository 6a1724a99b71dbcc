import math

from core_day import nano
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import Side
from pipeline.core.instrument import unit_value
from pipeline.core.portfolio import apply_fill, start_day
from pipeline.core.world import ACCOUNT, INSTRUMENT, POSITION
from pipeline.units import DAY_NS, NANO

FILLS = st.lists(
    st.tuples(
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(nano(0.01), nano(900)),
        st.integers(1, 10_000),
        st.integers(0, nano(5)),
    ),
    max_size=30,
)


def new_rows(step_nano=NANO, multiplier_nano=NANO):
    instrument = INSTRUMENT.new()
    instrument.size_step_nano, instrument.multiplier_nano = step_nano, multiplier_nano
    return POSITION.new(), ACCOUNT.new(), instrument


@given(FILLS, st.sampled_from([1, 10, NANO]), st.sampled_from([NANO, 50 * NANO]))
def test_cash_fees_profit_and_cost_of_the_position_add_up(fills, step_nano, multiplier_nano):
    position, account, instrument = new_rows(step_nano, multiplier_nano)
    unit, turnover = unit_value(instrument), 1.0
    for side, price_nano, steps, fee_nano in fills:
        apply_fill(position, account, instrument, side, price_nano, steps, fee_nano, 1)
        turnover += price_nano / NANO * steps * unit + fee_nano / NANO
        cost = position.average_price * position.quantity_steps * unit
        assert math.isclose(account.cash + position.fees + cost - position.realized, 0.0, abs_tol=1e-9 * turnover)
        assert math.isclose(account.day_result, position.realized - position.fees, abs_tol=1e-9 * turnover)
    assert position.quantity_steps == sum(side * steps for side, _, steps, _ in fills)


@given(FILLS)
def test_a_flat_position_has_no_average_price(fills):
    position, account, instrument = new_rows()
    for fill in fills:
        apply_fill(position, account, instrument, *fill, 1)
    if position.quantity_steps:
        side = Side.SELL if position.quantity_steps > 0 else Side.BUY
        apply_fill(position, account, instrument, side, nano(5), abs(position.quantity_steps), 0, 1)
    assert (position.quantity_steps, position.average_price) == (0, 0.0)


def test_a_round_trip_realises_the_difference():
    position, account, instrument = new_rows()
    apply_fill(position, account, instrument, Side.BUY, nano(10), 100, nano(1), 1)
    apply_fill(position, account, instrument, Side.BUY, nano(12), 100, nano(1), 2)
    assert position.average_price == 11.0
    apply_fill(position, account, instrument, Side.SELL, nano(13), 150, nano(1), 3)
    assert (position.realized, position.fees, position.average_price) == (300.0, 3.0, 11.0)
    apply_fill(position, account, instrument, Side.SELL, nano(9), 150, nano(1), 4)  # closes 50 long, opens 100 short
    assert (position.realized, position.quantity_steps, position.average_price) == (200.0, -100, 9.0)


def test_a_new_day_starts_with_no_result():
    account = ACCOUNT.new()
    account.day_result, account.day_best, account.losses_in_row = -50.0, 20.0, 2
    start_day(account, 0)
    assert account.day_result == -50.0
    start_day(account, DAY_NS)
    assert (account.day_result, account.day_best, account.losses_in_row) == (0.0, 0.0, 0)


def test_losing_round_trips_are_counted_until_another_one():
    position, account, instrument = new_rows()

    def trade(side, price, steps, at):
        apply_fill(position, account, instrument, side, nano(price), steps, nano(1), at)
        return account.losses_in_row, position.ts_lost_ns

    assert trade(Side.BUY, 10, 100, 1) == (0, 0)
    assert trade(Side.SELL, 9, 50, 2) == (0, 0)  # half of it: the round trip goes on
    assert trade(Side.SELL, 10.5, 50, 3) == (1, 3)  # 50 lost, 25 won, 3 paid
    assert trade(Side.SELL, 10, 100, 4) == (1, 3)
    assert trade(Side.BUY, 10, 200, 5) == (2, 5)  # nothing won, 2 paid; and it turns
    assert trade(Side.SELL, 11, 100, 6) == (0, 5)  # won
    assert position.trip_result == 0.0


def test_the_best_result_of_a_day_is_remembered():
    position, account, instrument = new_rows()
    for side, price in ((Side.BUY, 10), (Side.SELL, 12), (Side.BUY, 12), (Side.SELL, 11)):
        apply_fill(position, account, instrument, side, nano(price), 100, 0, 1)
    assert (account.day_result, account.day_best) == (100.0, 200.0)
