import numpy as np
import pytest

from pipeline.block import Block
from pipeline.codes import Kind, Origin
from pipeline.feeds.repeats import Heard, Shown

START = 1_793_779_200_000_000_000


def quotes(times, *, origin=Origin.INPUT, bid=100):
    count = len(times)
    return Block.of(
        Kind.QUOTE,
        count,
        seq=np.arange(1, count + 1),
        ts_event_ns=[START + time for time in times],
        instrument_id=1,
        bid_nano=bid,
        origin=int(origin),
    )


def prints(ids, *, origin=Origin.INPUT, venue=4, times=None):
    return Block.of(
        Kind.PRINT,
        len(ids),
        seq=np.arange(1, len(ids) + 1),
        ts_event_ns=[START + time for time in times or [0] * len(ids)],
        instrument_id=1,
        trade_id=ids,
        venue=venue,
        origin=int(origin),
    )


def repeated(memory, block):
    found = memory.repeated(block)
    return [] if found is None else np.flatnonzero(found).tolist()


def test_a_live_trade_heard_twice_is_known_by_its_number_and_venue():
    heard = Heard()
    assert repeated(heard, prints([1, 2, 3])) == []
    assert repeated(heard, prints([4, 2, 5, 4])) == [1, 3]
    assert repeated(heard, prints([1], venue=5)) == []


def test_two_equal_live_quotes_are_two_events():
    heard = Heard()
    assert repeated(heard, quotes([1, 1])) == []
    assert repeated(heard, quotes([1])) == []


def test_fetched_rows_that_were_heard_are_known_of_every_kind():
    heard = Heard()
    repeated(heard, quotes([1, 2, 3]))
    repeated(heard, prints([7, 8]))
    assert repeated(heard, quotes([2, 4, 4, 3], origin=Origin.BACKFILL)) == [0, 2, 3]
    assert repeated(heard, prints([8, 9, 9], origin=Origin.BACKFILL)) == [0, 2]
    assert repeated(heard, quotes([4], origin=Origin.BACKFILL)) == [0], "fetched twice"


@pytest.mark.parametrize("window", [1, 3, 8])
def test_a_live_memory_is_bounded_and_forgets_the_oldest(window):
    heard = Heard(window)
    repeated(heard, prints(list(range(1, 10))))
    assert repeated(heard, prints(list(range(10 - window, 10)))) == list(range(window))
    assert repeated(heard, prints([1])) == []
    repeated(heard, quotes(list(range(20))))
    assert repeated(heard, quotes([19, 0], origin=Origin.BACKFILL)) == [0]


def test_an_import_of_one_source_without_ids_has_nothing_to_remember():
    shown = Shown(1)
    assert shown.repeated(quotes([1, 1])) is None
    assert shown.repeated(prints([1, 1])).tolist() == [False, True]
    assert Shown(2).repeated(Block.of(Kind.TIMER, 1, seq=1)) is None


def test_fetched_rows_that_the_vendor_numbers_are_known_though_their_time_is_told_more_finely():
    heard = Heard()
    live = quotes([1_000_000, 2_000_000]).with_columns(vendor_seq=np.array([11, 12]))
    assert repeated(heard, live) == []
    again = quotes([1_234_567, 2_345_678, 2_345_678], origin=Origin.BACKFILL)
    assert repeated(heard, again.with_columns(vendor_seq=np.array([11, 12, 13]))) == [0, 1]
