import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import AssetClass
from pipeline.errors import UnitError
from pipeline.instruments import (
    COIN_STEP_NANO,
    WHOLE_STEP_NANO,
    Instrument,
    checked_symbol,
    completed,
    is_on_tick,
    steps_from_text,
    tick_at,
)
from pipeline.units import ABSENT, INT64_MAX, NANO

STOCK = Instrument("ABC", "XNAS", WHOLE_STEP_NANO, tick_nano=NANO // 100, tick_below_one_nano=NANO // 10_000)


@pytest.mark.parametrize(("text", "symbol"), [("btcusdt", "BTCUSDT"), (" BRK.B ", "BRK.B"), ("ES H1-M1", "ES H1-M1")])
def test_symbols_are_printable_text_in_upper_case(text, symbol):
    assert checked_symbol(text) == symbol


def test_a_venue_that_knows_both_cases_keeps_them():
    assert checked_symbol("kPEPE", upper=False) == "kPEPE"


@pytest.mark.parametrize("text", ["", "   ", "A\n", "A\x1b[31m", "ÄPFEL", "A\u202e", "A" * 72])
def test_anything_else_is_no_symbol(text):
    with pytest.raises(UnitError, match="symbol"):
        checked_symbol(text)


@pytest.mark.parametrize(
    ("text", "step_nano", "steps"),
    [
        ("3.78826000", COIN_STEP_NANO, 378_826_000),
        ("25000000000", COIN_STEP_NANO, 2_500_000_000_000_000_000),
        ("1e3", WHOLE_STEP_NANO, 1_000),
        ("0", WHOLE_STEP_NANO, 0),
        ("0.50", NANO // 4, 2),
    ],
)
def test_sizes_are_counted_in_steps(text, step_nano, steps):
    assert steps_from_text(text, step_nano) == steps


@pytest.mark.parametrize(
    "text", ["", "x", "nan", "inf", "-1", "0.5", "1e-8", "1e30", "1e999999999", "9223372036854775808"]
)
def test_a_size_that_is_no_whole_number_of_steps_is_refused(text):
    with pytest.raises(UnitError, match="size"):
        steps_from_text(text, WHOLE_STEP_NANO)


@given(st.integers(0, INT64_MAX))
def test_steps_and_text_are_one_to_one(steps):
    text = f"{steps // 10**8}.{steps % 10**8:08d}"
    assert steps_from_text(text, COIN_STEP_NANO) == steps


def test_the_tick_is_finer_below_one():
    assert tick_at(2 * NANO, STOCK) == NANO // 100
    assert tick_at(NANO // 2, STOCK) == NANO // 10_000
    assert is_on_tick(1_230_000_000, STOCK)
    assert not is_on_tick(1_231_000_000, STOCK)
    assert is_on_tick(123_400_000, STOCK)
    assert is_on_tick(123, Instrument("A", "V", WHOLE_STEP_NANO))
    assert tick_at(5, Instrument("A", "V", WHOLE_STEP_NANO)) == ABSENT


def test_what_a_feed_leaves_out_keeps_its_old_value():
    stated = Instrument("ABC", "XNAS", WHOLE_STEP_NANO, AssetClass.EQUITY, currency="USD")
    both = completed(STOCK, stated)
    assert (both.tick_nano, both.currency, both.asset_class) == (NANO // 100, "USD", AssetClass.EQUITY)
    assert completed(both, STOCK) == both
    assert completed(both, Instrument("ABC", "XNAS", WHOLE_STEP_NANO, tick_nano=5)).tick_nano == 5


def test_another_size_step_can_t_be_completed():
    with pytest.raises(
        UnitError, match="XNAS ABC: size step 10 nano, but an earlier feed counts it in 1000000000 nano"
    ):
        completed(STOCK, Instrument("ABC", "XNAS", COIN_STEP_NANO))
