import pytest
from feed_samples import START_NS, RowSource, counts_of, quotes_and_prints, readable, rows_of
from hypothesis import given
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import FeedAction, Kind, Mark
from pipeline.errors import ConfigError, FeedError
from pipeline.feeds.merge import merged
from pipeline.instruments import COIN_STEP_NANO, WHOLE_STEP_NANO, Instrument
from pipeline.normalize.rows import ranked
from pipeline.units import ABSENT, MINUTE_NS, SECOND_NS

MARKET = (Kind.QUOTE, Kind.PRINT)
times = st.lists(st.integers(0, 40), max_size=25).map(lambda steps: [START_NS + step * 250_000_000 for step in steps])


def market_rows(rows):
    return [row for row in rows if row["kind"] in MARKET]


def sources_of(days, chunk=None):
    return [RowSource(f"day{n}", quotes_and_prints(day, symbol=f"S{n}", chunk=chunk)) for n, day in enumerate(days)]


@given(st.lists(times, min_size=1, max_size=4))
def test_rows_stand_by_session_time_then_source_then_place(days):
    expected = []
    for number, day in enumerate(days, 1):
        high = 0
        for place, time_ns in enumerate(day):
            high = max(high, time_ns)
            expected.append((high, number, place))
    rows = market_rows(rows_of(merged(sources_of(days))))
    got = [(row["source"], row["vendor_seq"]) for row in rows]
    assert got == [(number, place) for _, number, place in sorted(expected)]
    behind = [bool(row["marks"] & Mark.OUT_OF_ORDER) for row in rows]
    assert behind == [days[number - 1][place] < high for high, number, place in sorted(expected)]


@given(st.lists(times, min_size=1, max_size=3), st.sampled_from([1, 2, 7]), st.sampled_from([1, 5, 1_000]))
def test_chunks_of_any_size_give_the_same_rows(days, chunk, batch_rows):
    whole = rows_of(merged(sources_of(days)))
    assert str(rows_of(merged(sources_of(days, chunk), batch_rows=batch_rows))) == str(whole)


@given(st.lists(times, min_size=1, max_size=3))
def test_timers_stand_on_the_grid_in_front_of_the_first_row_due(days):
    rows = rows_of(merged(sources_of(days)))
    session_ns = None
    for place, row in enumerate(rows):
        if row["kind"] is Kind.TIMER:
            assert row["ts_recv_ns"] % SECOND_NS == 0
            assert row["ts_event_ns"] == row["ts_recv_ns"]
            following = next(later for later in rows[place:] if later["kind"] is not Kind.TIMER)
            assert session_ns < row["ts_recv_ns"] <= following["ts_recv_ns"]
        else:
            due = range((session_ns or row["ts_recv_ns"]) // SECOND_NS + 1, row["ts_recv_ns"] // SECOND_NS + 1)
            before = [earlier["ts_recv_ns"] // SECOND_NS for earlier in rows[:place] if earlier["kind"] is Kind.TIMER]
            assert before[len(before) - len(due) :] == list(due) or not due
            session_ns = max(session_ns or 0, row["ts_recv_ns"])
    timers = [row["ts_recv_ns"] for row in rows if row["kind"] is Kind.TIMER]
    assert len(set(timers)) == len(timers)


def test_the_grid_pauses_in_quiet_periods():
    first, second = START_NS + 1, START_NS + 3 * 3_600 * SECOND_NS + 5
    rows = rows_of(merged(sources_of([[first, second, second + SECOND_NS]])))
    timers = [row["ts_recv_ns"] for row in rows if row["kind"] is Kind.TIMER]
    assert timers[0] == START_NS + SECOND_NS
    assert timers[-2] == START_NS + 15 * MINUTE_NS
    assert timers[-1] == START_NS + (3 * 3_600 + 1) * SECOND_NS


def test_a_fine_grid_over_sparse_rows_is_made_in_pieces():
    """A day a row and a timer a millisecond: each gap has as many as a quiet period allows, and no batch has more."""
    days = [START_NS + n * 86_400 * SECOND_NS for n in range(60)]
    held, timer_ns = [], []
    for batch in merged(sources_of([days]), timer_interval_ns=1_000_000, quiet_ns=20 * SECOND_NS, batch_rows=1_000):
        held.append(sum(map(len, batch)))
        timer_ns += [ns for block in batch if block.kind is Kind.TIMER for ns in block.number("ts_recv_ns").tolist()]
    assert max(held) <= 2_000
    assert timer_ns == [day + step * 1_000_000 for day in days[:-1] for step in range(1, 20_001)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"timer_interval_ns": 1}, "timer interval 1 ns; accepted are 1 ms and more"),
        ({"timer_interval_ns": 1_000_000, "quiet_ns": 10**16}, "over a million in one gap"),
    ],
)
def test_a_grid_that_no_memory_holds_is_refused_before_anything_is_read(options, reason):
    with pytest.raises(ConfigError, match=reason):
        merged(sources_of([[START_NS, START_NS + 3_600 * SECOND_NS]]), **options)


def test_no_interval_means_no_timers():
    batches = list(merged(sources_of([[START_NS, START_NS + MINUTE_NS]]), timer_interval_ns=None))
    assert "TIMER" not in counts_of(batches)


def test_every_source_is_declared_first_and_told_when_it_ends():
    rows = rows_of(merged(sources_of([[START_NS], [], [START_NS + 1]]), timer_interval_ns=None))
    feed = [(row["action"], row["source"], row["text"]) for row in rows if row["kind"] is Kind.FEED]
    assert feed[:3] == [(FeedAction.DECLARED, n, f"day{n - 1}") for n in (1, 2, 3)]
    assert sorted(feed[3:]) == [(FeedAction.ENDED, n, f"day{n - 1}") for n in (1, 2, 3)]
    assert all(START_NS <= row["ts_recv_ns"] <= START_NS + 1 for row in rows)
    assert [row["kind"] for row in rows[:3]] == [Kind.FEED] * 3


def test_no_sources_and_empty_sources_give_no_market():
    assert list(merged([])) == []
    assert counts_of(merged([RowSource("empty", [])])) == {"FEED": 2}


def test_instruments_are_numbered_over_all_sources():
    sources = [RowSource(name, quotes_and_prints([START_NS + n], symbol="ABC")) for n, name in enumerate("ab")]
    sources.append(RowSource("c", quotes_and_prints([START_NS + 9], symbol="XYZ")))
    rows = rows_of(merged(sources, timer_interval_ns=None))
    assert [(row["symbol"], row["instrument_id"]) for row in rows if row["kind"] is Kind.INSTRUMENT] == [
        ("ABC", 1),
        ("XYZ", 2),
    ]
    assert [row["instrument_id"] for row in market_rows(rows)] == [1, 1, 2]
    seen = set()
    for row in rows:
        seen |= {row["instrument_id"]} if row["kind"] is Kind.INSTRUMENT else set()
        assert row["kind"] not in MARKET or row["instrument_id"] in seen


def test_a_changed_definition_is_a_new_row_under_the_same_number():
    def definition(recv_ns, **fields):
        row = {"ts_recv_ns": recv_ns, "instrument_id": 1, **Instrument("A", "V", WHOLE_STEP_NANO, **fields).row()}
        return ranked([Block.from_rows(Kind.INSTRUMENT, [row])])

    batches = [definition(START_NS, tick_nano=5), definition(START_NS + 1), definition(START_NS + 2, tick_nano=7)]
    rows = rows_of(merged([RowSource("a", batches)]))
    assert [(row["instrument_id"], row["tick_nano"]) for row in rows if row["kind"] is Kind.INSTRUMENT] == [
        (1, 5),
        (1, 7),
    ]


def test_two_size_steps_of_one_instrument_are_refused():
    other = Instrument("S0", "TEST", COIN_STEP_NANO).row()
    batch = ranked([Block.from_rows(Kind.INSTRUMENT, [{"ts_recv_ns": START_NS, "instrument_id": 1, **other}])])
    with pytest.raises(FeedError, match=r"coins: instrument: TEST S0: size step 10 nano"):
        list(merged([*sources_of([[START_NS]]), RowSource("coins", [batch])]))


def test_a_trade_shown_twice_is_marked_whoever_brings_it():
    day = [START_NS, START_NS + 1, START_NS + 2]
    ids = {0: 41, 1: 42, 2: 41}
    sources = [RowSource(name, quotes_and_prints(day, trade_ids=ids)) for name in "ab"]
    rows = market_rows(rows_of(merged(sources)))
    assert [bool(row["marks"] & Mark.DUPLICATE) for row in rows] == [False, True, False, True, True, True]


def test_equal_rows_of_one_source_are_two_events_but_another_source_brings_duplicates():
    row = {"bid_nano": 1, "ask_nano": 2, "vendor_seq": 5, "instrument_id": 1, "ts_recv_ns": START_NS}
    instrument = {"ts_recv_ns": START_NS, "instrument_id": 1, **Instrument("A", "V", WHOLE_STEP_NANO).row()}
    batch = ranked(
        [
            Block.from_rows(Kind.INSTRUMENT, [{"seq": 1, **instrument}]),
            Block.from_rows(Kind.QUOTE, [{"seq": 2, **row}, {"seq": 3, **row}]),
        ]
    )
    alone = market_rows(rows_of(merged([RowSource("a", [batch])])))
    assert [row["marks"] for row in alone] == [0, 0]
    both = market_rows(rows_of(merged([RowSource("a", [batch]), RowSource("b", [batch])])))
    assert [row["marks"] for row in both] == [0, 0, Mark.DUPLICATE, Mark.DUPLICATE]


def test_a_print_much_older_than_session_time_is_late():
    batches = quotes_and_prints([START_NS, START_NS], trade_ids={0: 1, 1: 2})
    prints = batches[0][1]
    old = prints.with_columns(ts_event_ns=prints.number("ts_event_ns") - [10 * SECOND_NS, 10 * SECOND_NS + 1])
    rows = market_rows(rows_of(merged([RowSource("a", [[batches[0][0], old]])])))
    assert [row["marks"] for row in rows] == [0, Mark.LATE]
    rows = market_rows(rows_of(merged([RowSource("a", [[batches[0][0], old]])], lateness_ns=MINUTE_NS)))
    assert [row["marks"] for row in rows] == [0, 0]


def test_rows_without_a_time_take_that_of_the_row_in_front():
    def rejection(seq):
        row = {"seq": seq, "ts_recv_ns": ABSENT, "ts_event_ns": ABSENT, "action": FeedAction.REJECTED}
        return ranked([Block.from_rows(Kind.FEED, [row])])

    batches = [rejection(1), *quotes_and_prints([START_NS + 5, START_NS + 2]), rejection(1)]
    rows = rows_of(merged([RowSource("a", batches)], timer_interval_ns=None))
    assert [(row["kind"], row["ts_recv_ns"] - START_NS) for row in rows] == [
        (Kind.FEED, 5),
        (Kind.FEED, 5),
        (Kind.INSTRUMENT, 5),
        (Kind.QUOTE, 5),
        (Kind.QUOTE, 2),
        (Kind.FEED, 5),
        (Kind.FEED, 5),
    ]


def test_a_broken_source_does_not_stop_the_others_and_is_raised_at_the_end():
    broken = RowSource("broken", quotes_and_prints([START_NS]), FeedError("broken", "record 2", "cut"))
    whole = RowSource("whole", quotes_and_prints([START_NS, START_NS + 5], symbol="XYZ"))
    batches, error = readable(merged([broken, whole], timer_interval_ns=None))
    rows = rows_of(batches)
    assert len(market_rows(rows)) == 3
    assert isinstance(error, FeedError)
    assert error.position == "record 2"
    rejected = [row for row in rows if row["kind"] is Kind.FEED and row["action"] == FeedAction.REJECTED]
    assert [(row["source"], row["text"]) for row in rejected] == [(1, "record 2: cut")]


def test_batches_keep_their_bounds():
    batches = list(merged(sources_of([[START_NS + n for n in range(1_000)]]), batch_rows=64))
    sizes = [sum(map(len, batch)) for batch in batches]
    assert all(64 <= size < 128 for size in sizes[:-1])
    assert sizes[-1] < 128
