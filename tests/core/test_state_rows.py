import math
import struct
from enum import IntEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.params import capacities_of, param, params
from pipeline.core.record import dtype_of, record_of
from pipeline.core.state import FloatArray, IntArray, array, group, rows, state
from pipeline.errors import StrategyError

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(width=64)


class Phase(IntEnum):
    NIGHT = 0
    DAY = 3


@state
class Ring:
    values: FloatArray = array(float, "capacity")
    next_index: int


@state
class Leg:
    size: int
    price: float = math.nan


@state
class Whole:
    phase: Phase = Phase.DAY
    is_open: bool = True
    count: int = -7
    ring: Ring = group(capacity="window")
    ids: IntArray = array(int, 3, 5)
    best: float = -math.inf
    legs: list[Leg] = rows(2)


RECORD = record_of(Whole, {"window": 4})


def filled(draw):
    row = RECORD.new()
    row.phase, row.is_open = draw(st.sampled_from(Phase)), draw(st.booleans())
    row.count, row.best, row.ring.next_index = draw(INT64), draw(FLOAT), draw(INT64)
    for i in range(4):
        row.ring.values[i] = draw(FLOAT)
    for i in range(3):
        row.ids[i] = draw(INT64)
    for leg in row.legs:
        leg.size, leg.price = draw(INT64), draw(FLOAT)
    return row


ROWS = st.composite(filled)()


def test_members_start_at_their_defaults():
    row = RECORD.new()
    assert (row.phase, row.is_open, row.count, row.best) == (Phase.DAY, True, -7, -math.inf)
    assert list(row.ids) == [5, 5, 5]
    assert list(row.ring.values) == [0.0] * 4
    assert [math.isnan(leg.price) for leg in row.legs] == [True, True]


def test_two_new_rows_share_nothing():
    first, second = RECORD.new(), RECORD.new()
    first.ring.values[0] = 1.0
    first.legs[0].size = 1
    assert RECORD.pack(second) == RECORD.pack(RECORD.new())


@given(ROWS)
def test_what_is_packed_can_be_unpacked(row):
    assert RECORD.pack(RECORD.unpack(RECORD.pack(row))) == RECORD.pack(row)


@given(ROWS, ROWS)
def test_a_saved_row_is_restored_bit_for_bit(row, other):
    saved = RECORD.save(row)
    RECORD.restore(other, saved)
    assert RECORD.save(other) == saved


@given(ROWS)
def test_the_bytes_are_those_of_the_numpy_dtype(row):
    record = np.frombuffer(RECORD.pack(row), RECORD.dtype)[0]
    assert RECORD.dtype == dtype_of(Whole, {"window": 4})
    assert record["count"] == row.count
    assert record["ids"].tolist() == list(row.ids)
    assert record["legs"]["size"].tolist() == [leg.size for leg in row.legs]
    np.testing.assert_array_equal(record["ring"]["values"], np.array(row.ring.values))


@given(st.integers(0, 2**52 - 2), st.booleans())
def test_every_nan_packs_to_the_same_bits(payload, negative):
    bits = (0x7FF0_0000_0000_0001 + payload) | (negative << 63)
    odd = struct.unpack("<d", struct.pack("<Q", bits))[0]
    row, plain = RECORD.new(), RECORD.new()
    row.best = row.ring.values[2] = odd
    plain.best = plain.ring.values[2] = math.nan
    assert RECORD.pack(row) == RECORD.pack(plain)


@pytest.mark.parametrize(
    ("path", "value", "error", "text"),
    [
        ("count", 2**63, OverflowError, "count can't hold 9223372036854775808"),
        ("count", 1.0, TypeError, "count can't hold a float"),
        ("best", "high", TypeError, "best can't hold a str"),
        ("ring.next_index", -(2**63) - 1, OverflowError, "ring.next_index"),
    ],
)
def test_a_value_that_does_not_fit_names_its_field(path, value, error, text):
    row = RECORD.new()
    *groups, name = path.split(".")
    setattr(row.ring if groups else row, name, value)
    with pytest.raises(error, match=text):
        RECORD.save(row)


def test_a_settled_row_is_what_its_bytes_say():
    row = RECORD.new()
    row.is_open, row.best, row.legs[1].price, row.phase = 5, 2**53 + 1, True, Phase.NIGHT
    RECORD.settle(row)
    again = RECORD.unpack(RECORD.save(row))
    assert (row.is_open, row.best, row.legs[1].price) == (again.is_open, again.best, again.legs[1].price)
    assert [type(value) for value in (row.is_open, row.best, row.legs[1].price)] == [bool, float, float]


def test_an_array_refuses_what_it_can_not_hold_at_once():
    row = RECORD.new()
    with pytest.raises(OverflowError):
        row.ids[0] = 2**63
    with pytest.raises(IndexError):
        row.ids[3] = 1


@given(ROWS, ROWS)
def test_a_diff_names_exactly_the_fields_that_differ(before, after):
    changes = RECORD.diff(RECORD.pack(before), RECORD.pack(after))
    assert (not changes) == (RECORD.pack(before) == RECORD.pack(after)) or all(
        change.before == change.after == 0 for change in changes
    )
    row = RECORD.new()
    after_row = RECORD.unpack(RECORD.pack(before))
    after_row.legs[1].price = 12.5
    before.legs[1].price = 1.0
    assert RECORD.diff(RECORD.pack(before), RECORD.pack(after_row)) == [("legs[1].price", 1.0, 12.5)]
    assert RECORD.diff(RECORD.pack(row), RECORD.pack(row)) == []


def test_capacities_come_from_the_upper_bounds_of_parameters():
    @params
    class Params:
        window: int = param(3, low=1, high=9)
        free: int = param(1)
        width: float = param(1.0, high=2.0)

    assert capacities_of(Params) == {"window": 9}
    assert dtype_of(Whole, capacities_of(Params))["ring"]["values"].shape == (9,)


def test_a_capacity_nobody_named_is_refused():
    with pytest.raises(StrategyError, match="no capacity named 'window'"):
        record_of(Whole)


def test_a_member_must_be_flat():
    with pytest.raises(StrategyError, match="names: <class 'str'> can't be a state member"):

        @state
        class _Bad:
            names: str = ""


def test_a_row_has_no_room_for_more():
    with pytest.raises(AttributeError):
        RECORD.new().more = 1


def test_bytes_of_another_length_are_refused():
    with pytest.raises(ValueError, match="Whole takes"):
        RECORD.unpack(b"short")


def test_a_row_of_nothing_takes_no_bytes():
    @state
    class Nothing:
        pass

    record = record_of(Nothing)
    record.restore(record.new(), b"")
    assert record.pack(record.new()) == b""
