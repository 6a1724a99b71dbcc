"""What bars add up: exact past 64 bits, and bounded where a column ends."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.codes import BarUnit, Mark
from pipeline.core.bars import BAR, REVISION_MAX, VALUE_LIMB, add_value, close, is_full, set_length
from pipeline.units import INT64_MAX, NANO

PRICES = st.one_of(st.integers(-INT64_MAX, INT64_MAX), st.integers(1, 10**15))
SIZES = st.one_of(st.integers(1, INT64_MAX), st.integers(1, 10**12))
STEPS = st.sampled_from([1, 10, 1_000, NANO])


@given(st.lists(st.tuples(PRICES, SIZES), max_size=4))
def test_values_are_added_to_the_last_digit(prints):
    slot, expected = BAR.new().slots[0], 0
    for price_nano, steps in prints:
        add_value(slot, price_nano, steps, 0)
        if abs(price_nano) * steps <= 10**36:
            expected += abs(price_nano) * steps
    assert slot.value_high * VALUE_LIMB + slot.value_low == expected
    assert 0 <= slot.value_low < VALUE_LIMB
    is_whole = all(abs(price_nano) * steps <= 10**36 for price_nano, steps in prints)
    assert (slot.marks == 0) == is_whole


@given(st.tuples(st.integers(1, 10**15), st.integers(1, 10**12)), st.integers(1, INT64_MAX), STEPS, STEPS)
def test_a_bar_of_dollars_is_full_exactly_when_its_worth_reaches_its_length(seen, asked, step_nano, multiplier_nano):
    row = BAR.new()
    row.measure, row.asked = BarUnit.DOLLARS.value, asked
    set_length(row, step_nano, multiplier_nano)
    slot, (price_nano, steps) = row.slots[0], seen
    slot.open_nano = slot.close_nano = price_nano
    add_value(slot, price_nano, steps, 0)
    assert is_full(row, slot) == (price_nano * steps * step_nano * multiplier_nano >= asked * NANO * NANO)


@given(st.integers(1, INT64_MAX), STEPS)
def test_a_volume_is_reached_with_the_step_that_passes_it(asked, step_nano):
    row = BAR.new()
    row.measure, row.asked = BarUnit.VOLUME.value, asked
    set_length(row, step_nano, NANO)
    assert (row.length - 1) * step_nano < asked <= row.length * step_nano


def test_a_worth_beyond_all_measure_stays_within_64_bits():
    slot = BAR.new().slots[0]
    for _ in range(50):
        add_value(slot, 10**18, 10**18, 0)
    assert slot.value_high <= INT64_MAX
    assert slot.marks == Mark.UNTRUSTED


def test_what_counts_as_no_volume_is_worth_nothing():
    slot = BAR.new().slots[0]
    add_value(slot, NANO, 5, int(Mark.NO_VOLUME))
    add_value(slot, NANO, 0, 0)
    assert (slot.value_high, slot.value_low) == (0, 0)


def test_revisions_stop_counting_where_their_column_ends():
    slot = BAR.new().slots[0]
    slot.close_nano, slot.revision = NANO, REVISION_MAX
    numbers = []
    for _ in range(3):
        close(slot)
        numbers.append(slot.revision - 1)
    assert numbers == [REVISION_MAX] * 3
