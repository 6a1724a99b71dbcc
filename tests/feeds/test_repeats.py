import numpy as np
import pytest

from pipeline.block import Block
from pipeline.codes import FeedAction, Kind, Origin
from pipeline.feeds.repeats import Heard, Shown
from pipeline.units import ABSENT

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


def numbered(*numbers, origin=Origin.INPUT, source=1, venue=4, instrument=1, first=1):
    """Trades without ids, by the number of the venue's message; the price is always the same."""
    count = len(numbers)
    return Block.of(
        Kind.PRINT,
        count,
        seq=np.arange(first, first + count),
        ts_event_ns=[START + number for number in numbers],
        instrument_id=instrument,
        source=source,
        venue=venue,
        price_nano=7,
        size_steps=100,
        vendor_seq=list(numbers),
        origin=int(origin),
    )


def connected(source=1, seq=1):
    return Block.of(Kind.FEED, 1, seq=seq, source=source, action=int(FeedAction.CONNECTED))


def test_equal_trades_of_one_message_are_two_and_known_when_it_is_sent_again_later():
    heard = Heard()
    assert repeated(heard, numbered(5, 5, 6)) == []
    assert repeated(heard, numbered(5, 5, 5, 6, 7)) == [0, 1, 3]
    assert repeated(heard, numbered(7)) == [], "nothing came between: they are two"


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_message_that_was_cut_in_its_middle_is_whole_once_it_is_replayed(cut):
    heard, sent = Heard(), [4, 5, 5, 5, 6]
    repeated(heard, numbered(*sent[:cut]))
    heard.meet([connected()])
    assert repeated(heard, numbered(*sent, origin=Origin.BACKFILL, first=2)) == list(range(cut))
    heard.meet([connected()])
    assert repeated(heard, numbered(*sent, origin=Origin.BACKFILL, first=2)) == list(range(5)), "replayed twice"


def test_a_replay_may_begin_with_what_the_one_before_ended_with():
    heard = Heard()
    for _ in range(3):
        heard.meet([connected()])
        first = repeated(heard, numbered(5, origin=Origin.BACKFILL, first=2))
    assert first == [0]


def test_a_connection_may_begin_in_the_middle_of_a_batch():
    heard = Heard()
    heard.meet([connected(seq=3), connected(source=2, seq=5)])
    assert repeated(heard, numbered(5, 5, 5, 5).with_columns(seq=np.array([1, 2, 4, 6]))) == [2, 3]
    heard.meet([])
    assert repeated(heard, numbered(5, 5, 5)) == [], "the run goes on"


def test_runs_are_of_a_venue_and_of_a_source():
    heard = Heard()
    assert repeated(heard, numbered(5)) == []
    assert repeated(heard, numbered(6, venue=9)) == []
    assert repeated(heard, numbered(5)) == [], "another venue's message is no end of it"
    assert repeated(heard, numbered(6, instrument=2)) == []
    assert repeated(heard, numbered(5)) == [0]


def test_a_session_that_goes_on_knows_what_it_had():
    heard, sent = Heard(), [5, 5, 6]
    rows = numbered(*sent, first=2)
    heard.meet([connected(), rows])
    repeated(heard, rows)
    heard.meet([connected()])
    assert repeated(heard, numbered(*sent, origin=Origin.BACKFILL, first=2)) == [0, 1, 2]


def test_trades_that_nothing_names_are_all_events_unless_fetched():
    heard = Heard()
    nameless = numbered(5, 6).with_columns(vendor_seq=np.full(2, ABSENT))
    assert repeated(heard, nameless) == repeated(heard, nameless) == []
    fetched = nameless.with_columns(origin=np.full(2, int(Origin.BACKFILL), np.int8))
    assert repeated(heard, fetched) == [0, 1]
