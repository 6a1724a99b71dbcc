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
        apply_fill(position, account, instrument, side, price_nano, steps, fee_nano)
        turnover += price_nano / NANO * steps * unit + fee_nano / NANO
        cost = position.average_price * position.quantity_steps * unit
        assert math.isclose(account.cash + position.fees + cost - position.realized, 0.0, abs_tol=1e-9 * turnover)
        assert math.isclose(account.day_result, position.realized - position.fees, abs_tol=1e-9 * turnover)
    assert position.quantity_steps == sum(side * steps for side, _, steps, _ in fills)


@given(FILLS)
def test_a_flat_position_has_no_average_price(fills):
    position, account, instrument = new_rows()
    for fill in fills:
        apply_fill(position, account, instrument, *fill)
    if position.quantity_steps:
        side = Side.SELL if position.quantity_steps > 0 else Side.BUY
        apply_fill(position, account, instrument, side, nano(5), abs(position.quantity_steps), 0)
    assert (position.quantity_steps, position.average_price) == (0, 0.0)


def test_a_round_trip_realises_the_difference():
    position, account, instrument = new_rows()
    apply_fill(position, account, instrument, Side.BUY, nano(10), 100, nano(1))
    apply_fill(position, account, instrument, Side.BUY, nano(12), 100, nano(1))
    assert position.average_price == 11.0
    apply_fill(position, account, instrument, Side.SELL, nano(13), 150, nano(1))
    assert (position.realized, position.fees, position.average_price) == (300.0, 3.0, 11.0)
    apply_fill(position, account, instrument, Side.SELL, nano(9), 150, nano(1))  # closes 50 long, opens 100 short
    assert (position.realized, position.quantity_steps, position.average_price) == (200.0, -100, 9.0)


def test_a_new_day_starts_with_no_result():
    account = ACCOUNT.new()
    account.day_result = -50.0
    start_day(account, 0)
    assert account.day_result == -50.0
    start_day(account, DAY_NS)
    assert account.day_result == 0.0
