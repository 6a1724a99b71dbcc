"""Units: exact in, exact out, or refused."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import units
from pipeline.errors import UnitError
from pipeline.instruments import steps_from_text

nanos = st.integers(-units.INT64_MAX, units.INT64_MAX)


@given(nanos)
def test_a_nano_survives_its_text(nano):
    assert units.nano_from_text(units.text_from_nano(nano)) == nano


@given(nanos)
def test_the_text_names_exactly_the_nanos(nano):
    assert Decimal(units.text_from_nano(nano)) == Decimal(nano) / units.NANO


@given(st.integers(-(10**15), 10**15))
def test_a_price_survives_the_float_a_handler_sees(nano):
    assert units.nano_from_float(units.float_from_nano(nano)) == nano


@pytest.mark.parametrize(
    "text",
    ["", "abc", "nan", "Infinity", "-inf", "1e-10", "0.0000000001", "9300000000", "1e400", "1E+30", "0x10", "1,5"],
)
def test_a_number_that_does_not_fit_is_refused(text):
    with pytest.raises(UnitError):
        units.nano_from_text(text)


@pytest.mark.parametrize("text", ["0e999999999", "-0e-999999999", "0.00e400"])
def test_a_zero_is_zero_whatever_its_exponent(text):
    """No power is worked out for it: that would take all memory there is."""
    assert units.nano_from_text(text) == steps_from_text(text, units.NANO) == 0


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_refused(text):
    with contextlib.suppress(UnitError):
        units.nano_from_text(text)


def test_absent_is_nan_to_a_handler_and_nothing_to_a_reader():
    assert units.float_from_nano(units.ABSENT) != units.float_from_nano(units.ABSENT)
    assert units.text_from_nano(units.ABSENT) == ""
    assert units.nano_from_float(float("nan")) == units.ABSENT
    assert units.iso_from_ns(units.ABSENT) == ""


@pytest.mark.parametrize("ts_ns", [-1, units.TS_MAX_NS, 2**63 - 1, units.ABSENT])
def test_a_time_in_the_wrong_unit_is_refused(ts_ns):
    with pytest.raises(UnitError, match="unit"):
        units.checked_ts(ts_ns)


def test_seconds_as_text_keep_their_nanoseconds():
    assert units.ns_from_seconds_text("1618677817.061845123") == 1_618_677_817_061_845_123
    assert units.iso_from_ns(1_618_677_817_061_845_123) == "2021-04-17T16:43:37.061845123Z"


def test_an_infinite_price_is_refused():
    with pytest.raises(UnitError):
        units.nano_from_float(float("inf"))


@pytest.mark.parametrize("text", ["1." + "0" * 5_000, "1" * 5_000, "0." + "0" * 4_400 + "1"])
def test_a_number_of_thousands_of_digits_is_refused_like_any_other(text):
    with pytest.raises(UnitError, match="characters"):
        units.nano_from_text(text)
