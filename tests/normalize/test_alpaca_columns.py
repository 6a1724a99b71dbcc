"""Times and prices of many messages at once, against the plain way for one."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UnitError
from pipeline.normalize import alpaca_columns
from pipeline.normalize.alpaca_columns import nano_of_floats, ns_of_stamps, ns_of_texts, stamp_of, text_of_ns
from pipeline.units import ABSENT, NANO, TS_MAX_NS, nano_from_text

TIMES = st.integers(0, TS_MAX_NS - 1)
BASE_NS = 1_793_801_460 * NANO


@given(st.lists(st.one_of(TIMES, st.integers(BASE_NS, BASE_NS + 59 * NANO)), min_size=1))
def test_a_time_that_is_written_is_read(times):
    assert ns_of_texts([text_of_ns(ts_ns) for ts_ns in times]).tolist() == times


@given(st.lists(st.integers(BASE_NS, BASE_NS + 60 * NANO - 1), min_size=1))
def test_the_times_of_one_minute_are_read_the_quick_way(times):
    assert alpaca_columns._of_one_minute([text_of_ns(ts_ns) for ts_ns in times]).tolist() == times


PIECES = [
    "2026-11-04T14:31:",
    "0",
    "5",
    "59",
    "60",
    "1e3",
    ".",
    ",",
    ".123456789",
    ".1",
    "Z",
    "Z\n",
    "\n",
    "1",
    " ",
    "é",
    "\0",
]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), min_size=1, max_size=4))
def test_the_quick_way_takes_nothing_that_the_long_way_refuses(texts):
    quick = alpaca_columns._of_one_minute(texts)
    if quick is not None:
        assert quick.tolist() == alpaca_columns._of_any_minute(texts).tolist()


def stamps(*values):
    return [msgspec.msgpack.decode(value, type=msgspec.Raw) for value in values]


@given(st.lists(TIMES, min_size=1))
def test_a_stamp_that_is_written_is_read(times):
    assert ns_of_stamps(stamps(*map(stamp_of, times))).tolist() == times


@given(TIMES)
def test_all_three_forms_of_a_stamp_are_the_same_time(ts_ns):
    seconds, nanos = divmod(ts_ns, NANO)
    long = b"\xc7\x0c\xff" + nanos.to_bytes(4) + seconds.to_bytes(8)
    assert ns_of_stamps(stamps(long, stamp_of(0))).tolist() == [ts_ns, 0]
    short = b"\xd6\xff" + seconds.to_bytes(4)
    assert ns_of_stamps(stamps(short, stamp_of(ts_ns))).tolist() == [seconds * NANO, ts_ns]


@pytest.mark.parametrize("value", [5, "2021-02-22T15:51:44Z", None, [1], msgspec.msgpack.Ext(1, bytes(8)), "8letters"])
def test_what_is_no_stamp_is_absent(value):
    assert ns_of_stamps(stamps(msgspec.msgpack.encode(value), stamp_of(7))).tolist() == [ABSENT, 7]


@given(st.decimals(0, 2**23 - 1, places=9))
def test_a_price_of_nine_digits_is_exact(price):
    """Above 2**23 neighbouring floats lie further apart than the last digit."""
    assert nano_of_floats(np.array([float(price)]))[0] in (int(price * NANO), ABSENT)
    if price < 100_000 and price == round(price, 6):
        assert nano_of_floats(np.array([float(price)]))[0] == int(price * NANO)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_price_is_exact_or_absent(price):
    nano = int(nano_of_floats(np.array([price, 1.5]))[0])
    if nano == ABSENT:
        return
    assert nano / 1e9 == price
    assert nano >= 0


@given(st.decimals(0, 200_000, places=4))
def test_a_price_is_what_its_text_says(price):
    try:
        nano = nano_from_text(str(price))
    except UnitError:
        return
    assert nano_of_floats(np.array([float(price)])).tolist() == [nano]
    assert Decimal(nano) / NANO == price
