"""Streams beside each other: what a plain comparison of lists finds, numpy finds."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import Kind, Origin
from pipeline.reports.explain_streams import apart, stream_of

TICKS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=12)


def stream(ticks, lag=0):
    """Prints of (event time, price), in this order."""
    times, prices = [[tick[column] for tick in ticks] for column in (0, 1)]
    seq = np.arange(1, len(ticks) + 1) * 2
    prints = {"ts_event_ns": times, "ts_recv_ns": np.array(times, np.int64) + lag, "price_nano": prices}
    return stream_of([Block.of(Kind.PRINT, len(ticks), seq=seq, instrument_id=1, **prints)], 1)


@given(TICKS, TICKS)
def test_what_only_one_has_is_what_is_left_when_equals_are_taken_off(a, b):
    found = apart(stream(a), stream(b))
    left_a, left_b = Counter(a) - Counter(b), Counter(b) - Counter(a)
    assert Counter(tick for tick, only in zip(a, found.only_a, strict=True) if only) == left_a
    assert Counter(tick for tick, only in zip(b, found.only_b, strict=True) if only) == left_b


@given(TICKS)
def test_the_same_ticks_are_nowhere_apart(ticks):
    found = apart(stream(ticks), stream(ticks, lag=5))
    assert not (found.only_a.any())
    assert not (found.only_b.any())
    assert not (found.displaced.any())
    assert found.later_ns.tolist() == [5] * len(ticks)


@given(st.lists(st.integers(0, 50), unique=True, max_size=10), st.randoms())
def test_without_a_displaced_tick_the_order_is_the_same(times, chance):
    shuffled = list(times)
    chance.shuffle(shuffled)
    found = apart(stream([(at, 1) for at in times]), stream([(at, 1) for at in shuffled]))
    assert found.displaced.any() == (shuffled != times)


def test_what_was_fetched_later_was_not_heard_and_others_are_not_of_it():
    rows = [
        Block.of(
            Kind.PRINT, 3, seq=[2, 4, 6], instrument_id=1, price_nano=[1, 2, 3], origin=[0, int(Origin.BACKFILL), 0]
        ),
        Block.of(Kind.QUOTE, 2, seq=[3, 5], instrument_id=[1, 2], bid_nano=7),
        Block.of(Kind.TIMER, 1, seq=[1]),
    ]
    found = stream_of(rows, 1)
    assert found.seq.tolist() == [2, 3, 6]
    assert found.says[:, 0].tolist() == [Kind.PRINT, Kind.QUOTE, Kind.PRINT]
    assert len(stream_of(rows, 3).seq) == 0
