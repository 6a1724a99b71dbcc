import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import Kind, Mark
from pipeline.normalize.grid import timers
from pipeline.normalize.marks import Seen, hashes, one_quote_marks, quote_marks, with_mark
from pipeline.normalize.rows import Rows, constant, ranked
from pipeline.units import ABSENT

prices = st.one_of(st.just(ABSENT), st.integers(-3, 3))


@given(st.lists(st.tuples(prices, prices), min_size=1, max_size=20))
def test_quotes_in_columns_are_marked_like_single_ones(pairs):
    bids, asks = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    assert quote_marks(bids, asks).tolist() == [one_quote_marks(bid, ask) for bid, ask in pairs]


def test_each_mark_of_a_quote():
    pairs = [(1, 2), (2, 2), (3, 2), (ABSENT, 2), (1, ABSENT), (ABSENT, ABSENT)]
    marks = [Mark.NONE, Mark.LOCKED, Mark.CROSSED, Mark.ONE_SIDED, Mark.ONE_SIDED, Mark.NONE]
    assert [one_quote_marks(bid, ask) for bid, ask in pairs] == marks


def test_a_mark_is_added_only_where_it_is_due():
    marks = constant("i4", 0, 3)
    assert with_mark(marks, np.array([False] * 3), Mark.LATE) is marks
    assert with_mark(marks, np.array([False, True, False]), Mark.LATE).tolist() == [0, Mark.LATE, 0]
    assert constant("i4", 0, 3).tolist() == [0, 0, 0]


showings = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=30)


@given(showings, st.booleans(), st.integers(1, 6), st.integers(1, 7))
def test_duplicates_are_found_like_one_row_at_a_time(rows, is_unique, window_rows, chunk):
    """The plain telling: an equal row within the window, of another owner, or of any when the identity is one."""
    expected, last, owner = [], {}, {}
    for place, (identity, source) in enumerate(rows):
        is_again = identity in last and place - last[identity] <= window_rows
        if not is_again:
            owner[identity] = source
        expected.append(is_again and (is_unique or owner[identity] != source))
        last[identity] = place
    seen, found = Seen(window_rows), []
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        columns = hashes([np.array([identity for identity, _ in part], np.int64)])
        sources = np.array([source for _, source in part], np.int16)
        found += seen.duplicates(columns, sources, np.full(len(part), is_unique)).tolist()
    assert found == expected


def test_hashes_tell_columns_and_their_order_apart():
    one, two = np.array([1, 2], np.int64), np.array([2, 1], np.int64)
    assert len({*hashes([one, two]).tolist(), *hashes([two, two]).tolist(), *hashes([one]).tolist()}) >= 5
    assert hashes([one]).tolist() == hashes([one]).tolist()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20).map(sorted), st.integers(1, 5), st.integers(1, 12))
def test_timers_are_those_a_clock_would_have_ticked(session, interval, quiet):
    rows, due = timers(np.array(session), session[0], interval_ns=interval, quiet_ns=quiet)
    expected, before = [], session[0]
    for row, now in enumerate(session):
        expected += [(row, tick) for tick in range(before + 1, min(now, before + quiet) + 1) if tick % interval == 0]
        before = now
    assert list(zip(rows.tolist(), due.tolist(), strict=True)) == expected


def test_rows_are_ranked_over_all_kinds():
    rows = Rows()
    rows.ts_recv_ns = 7
    rows.add(Kind.QUOTE, bid_nano=1)
    rows.add(Kind.PRINT, ts_event_ns=3)
    rows.add(Kind.QUOTE, bid_nano=2)
    assert len(rows) == 3
    quotes, prints = rows.batch()
    assert (quotes.number("seq").tolist(), prints.number("seq").tolist()) == ([1, 3], [2])
    assert (quotes.number("ts_event_ns").tolist(), prints.number("ts_event_ns").tolist()) == ([7, 7], [3])
    assert rows.batch() == []


@given(st.lists(st.integers(0, 50), unique=True, max_size=12), st.integers(0, 12))
def test_ranks_follow_the_places_given(places, split):
    def block(kind, part):
        return Block.of(kind, len(part), seq=np.array(part, np.int64), instrument_id=np.array(part, np.int64))

    got = ranked([block(Kind.PRINT, places[:split]), block(Kind.QUOTE, places[split:])])
    pairs = sorted(
        pair for b in got for pair in zip(b.number("seq").tolist(), b.number("instrument_id").tolist(), strict=True)
    )
    assert pairs == list(enumerate(sorted(places), 1))
    assert all((np.diff(b.number("seq")) > 0).all() for b in got)
