"""Comparing: the first difference is found wherever it is, and equal is equal to the bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.run.comparing import first_difference, readable


def intents(places, **columns):
    seq, ord_ = zip(*places, strict=True)
    return Block.of(Kind.INTENT, len(places), seq=seq, ord=ord_, **columns)


PLACES = [(1, 1), (1, 3), (4, 1), (9, 2)]


def test_equal_is_equal_whatever_nan_it_holds():
    assert first_difference([intents(PLACES)], [intents(PLACES)]) is None
    other = intents(PLACES)
    other.columns["risk"] = np.frombuffer(np.array([0x7FF8000000000001] * 4, np.int64).tobytes(), np.float64)
    assert first_difference([intents(PLACES)], [other]).differs == ()  # a NaN of other bits is not what was written


@given(row=st.integers(0, 3), name=st.sampled_from(["tag", "limit_nano", "risk", "side", "quantity_steps"]))
def test_one_changed_number_is_found_and_named(row, name):
    changed = intents(PLACES)
    changed.columns[name] = changed.columns[name].copy()
    changed.columns[name][row] = 1
    difference = first_difference([intents(PLACES)], [changed])
    assert (difference.seq, difference.ord) == PLACES[row]
    assert difference.differs == (name,)


@pytest.mark.parametrize("missing", range(4))
def test_a_row_that_one_side_lacks_is_shown(missing):
    rest = [place for row, place in enumerate(PLACES) if row != missing]
    for left, right, side in (
        ([intents(PLACES)], [intents(rest)], "derived"),
        ([intents(rest)], [intents(PLACES)], "recorded"),
    ):
        difference = first_difference(left, right)
        assert (difference.seq, difference.ord) == PLACES[missing]
        assert getattr(difference, side) is None


def test_the_earliest_over_all_kinds_is_the_first():
    orders = Block.of(Kind.ORDER, 1, seq=2, ord=1, order_id=7)
    difference = first_difference([intents(PLACES), orders], [intents(PLACES[:3])])
    assert (difference.kind, difference.seq) == ("order", 2)


def test_texts_are_compared_too():
    one, other = (Block.of(Kind.ORDER, 1, seq=2, ord=1, text=text) for text in "ab")
    assert first_difference([one], [other]).differs == ("text",)


def test_a_row_is_readable():
    row = next(intents([(1, 1)], limit_nano=10_250_000_000, side=1, ts_event_ns=1_723_161_253_937_085_768).rows())
    assert (
        readable("intent", row)
        == "intent seq=1 ord=1 ts_event_ns=2024-08-08T23:54:13.937085768Z side=BUY limit_nano=10.25"
    )
