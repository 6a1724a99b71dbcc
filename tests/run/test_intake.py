"""The intake with a tiny vendor."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from words_vendor import START_NS as START
from words_vendor import Words

from pipeline.block import Block, row_count
from pipeline.codes import FeedAction, Kind, Origin
from pipeline.feeds.facts import Fact
from pipeline.normalize.alpaca import AlpacaMessages
from pipeline.normalize.coinbase_advanced import CoinbaseMessages
from pipeline.normalize.massive import MassiveMessages
from pipeline.ports import Answer, Channel, Message, Topic
from pipeline.run.intake import Intake, gulps
from pipeline.units import NANO, SECOND_NS


def intake(count=1, **options):
    return Intake(
        [f"words{n}" for n in range(1, count + 1)], [Words() for _ in range(count)], start_ns=START, **options
    )


def message(at_ms, text, feed=1):
    return feed, Message(START + at_ms * 1_000_000, text.encode())


def rows_of(batches):
    rows = []
    for batch in batches:
        assert sorted(seq for block in batch for seq in block.number("seq").tolist()) == list(
            range(1, row_count(batch) + 1)
        )
        placed = [(row["seq"], block.kind, row) for block in batch for row in block.rows()]
        rows += [(kind, row) for _, kind, row in sorted(placed, key=lambda each: each[0])]
    return rows


def kinds(rows):
    return [kind.name for kind, _ in rows]


def test_feeds_are_declared_first_and_instruments_get_one_number_over_all_of_them():
    rows = rows_of(intake(2).taken([message(1, "A 5"), message(2, "B 6", feed=2), message(3, "A 7")]))
    assert kinds(rows) == ["FEED", "FEED", "INSTRUMENT", "QUOTE", "INSTRUMENT", "QUOTE", "QUOTE"]
    assert [row["text"] for kind, row in rows if kind is Kind.FEED] == ["words1", "words2"]
    assert [(row["instrument_id"], row["source"]) for kind, row in rows if kind is Kind.QUOTE] == [
        (1, 1),
        (2, 2),
        (1, 1),
    ]


def are_defined_first(rows):
    """Whether every instrument is defined in front of its first row, once."""
    defined = [row["instrument_id"] for kind, row in rows if kind is Kind.INSTRUMENT]
    first = {}
    for place, (kind, row) in enumerate(rows):
        first.setdefault((kind is Kind.INSTRUMENT, row["instrument_id"]), place)
    is_in_front = all(first[True, id_] < first.get((False, id_), len(rows)) for id_ in defined)
    return len(set(defined)) == len(defined) and is_in_front


def without_definitions(rows):
    """The rest, which stands where it came, with symbols in place of ids.

    Feeds take turns within what waited: which of two instruments is numbered first depends on it.
    """
    symbols = {row["instrument_id"]: row["symbol"] for kind, row in rows if kind is Kind.INSTRUMENT}
    return [
        (kind, {**row, "seq": 0, "instrument_id": symbols.get(row["instrument_id"])})
        for kind, row in rows
        if kind is not Kind.INSTRUMENT
    ]


times = st.sets(st.integers(0, 5_000), min_size=1, max_size=30).map(sorted)
"""No two alike: two feeds in one moment may stand either way."""


@given(times, st.data())
def test_how_much_waited_at_a_time_changes_nothing(at_ms, data):
    items = [message(at, f"S{place % 3} {place}", feed=1 + place % 2) for place, at in enumerate(at_ms)]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(items)), max_size=6)) | {0, len(items)})
    one, many = intake(2), intake(2)
    whole = rows_of(one.taken(items))
    parts = [row for start, stop in pairwise(cuts) for row in rows_of(many.taken(items[start:stop]))]
    assert are_defined_first(whole)
    assert are_defined_first(parts)
    whole, parts = without_definitions(whole), without_definitions(parts)
    assert parts == whole


def test_more_than_is_read_at_once_is_read_in_its_order_and_defined_once():
    symbols = [f"S{number}" for number in range(300)]
    frames = [
        b"[" + b",".join(b'{"ev":"Q","sym":"%s","bp":%d}' % (symbols[at + i].encode(), at + i + 1) for i in range(3)) + b"]"
        for at in range(0, 297, 3)
    ]  # fmt: skip
    messages = [Message(START + at, frames[at % len(frames)]) for at in range(60 * len(frames))]
    pieces = list(gulps(messages))
    assert len(pieces) > 1
    assert [message for piece in pieces for message in piece] == messages
    taken = Intake(["massive"], [MassiveMessages()], start_ns=START)
    rows = rows_of(taken.taken([(1, message) for message in messages]))
    assert are_defined_first(rows)
    bids = [row["bid_nano"] for kind, row in rows if kind is Kind.QUOTE]
    assert bids == [price * NANO for price in range(1, 298)] * 60
    assert taken.progress[0].message_count == len(messages)


def test_timers_stand_on_the_grid_while_rows_come_and_while_none_do():
    session = intake()
    rows = rows_of(session.taken([message(900, "A 1"), message(2_100, "A 2")]))
    assert kinds(rows) == ["FEED", "INSTRUMENT", "QUOTE", "TIMER", "TIMER", "QUOTE"]
    ticks = session.ticked(START + 4 * SECOND_NS + 5)
    assert [row["ts_recv_ns"] - START for _, row in rows_of([ticks])] == [3 * SECOND_NS, 4 * SECOND_NS]
    assert session.ticked(START + 4 * SECOND_NS + 6) == []
    late = rows_of(session.taken([message(3_999, "A 3")]))
    assert kinds(late) == ["QUOTE"], "stamped before the timer, handed over behind it"
    assert session.session_ns == START + 4 * SECOND_NS


@pytest.mark.parametrize("asleep_s", [901, 86_400, 3e9])
def test_a_machine_that_slept_has_no_timers_of_that_time_but_the_one_that_is_due(asleep_s):
    session = intake()
    list(session.taken([message(900, "A 1")]))
    awake_ns = session.session_ns + int(asleep_s * SECOND_NS)
    (due,) = rows_of([session.ticked(awake_ns)])
    assert due[1]["ts_recv_ns"] == awake_ns // SECOND_NS * SECOND_NS
    assert len(rows_of([session.ticked(awake_ns + 3 * SECOND_NS)])) == 3


def test_a_silence_of_hours_has_all_its_timers():
    session = intake()
    list(session.taken([message(0, "A 1")]))
    times = [
        row["ts_recv_ns"]
        for at in range(900, 4 * 3_600 + 1, 900)
        for _, row in rows_of([session.ticked(START + at * SECOND_NS)])
    ]
    assert times == [START + at * SECOND_NS for at in range(1, 4 * 3_600 + 1)]


def test_there_is_no_grid_before_the_first_row():
    assert intake().ticked(START + 100 * SECOND_NS) == []


def test_facts_stand_where_they_happened_and_a_new_connection_clears_trouble():
    session = intake()
    lost = Fact(START + 2_000_000, FeedAction.LOST, text="closed", code=1006)
    connected = Fact(START + 3_000_000, FeedAction.CONNECTED, count=2)
    rows = rows_of(session.taken([message(1, "A 1"), (1, lost), (1, connected), message(4, "A 2")]))
    assert [row["action"] for kind, row in rows if kind is Kind.FEED] == [
        FeedAction.DECLARED,
        FeedAction.LOST,
        FeedAction.CONNECTED,
    ]
    assert kinds(rows)[-4:] == ["QUOTE", "FEED", "FEED", "QUOTE"]
    list(session.taken([message(5, "!")]))
    assert list(session.troubles()) == [(1, 2, "a number is missing")]
    list(session.taken([(1, connected._replace(ts_recv_ns=START + 6_000_000))]))
    assert list(session.troubles()) == []


def test_fetched_rows_that_were_heard_are_left_out_and_the_rest_is_marked_as_fetched():
    session = intake()
    list(session.taken([message(1, "A 1"), message(2, "A 2")]))
    answer = Answer(Topic(Channel.QUOTES, "A"), START + 9_000_000, b"A 1\nA 2\nA 3\nA 4")
    rows = rows_of(session.taken([(1, answer)]))
    assert [(row["bid_nano"], row["origin"]) for _, row in rows] == [(3, Origin.BACKFILL), (4, Origin.BACKFILL)]
    assert rows_of(session.taken([(1, answer)])) == []


def test_raw_messages_stand_behind_the_events_they_made():
    rows = rows_of(intake(keeps_raw=True).taken([message(1, "A 1"), message(2, "what"), message(3, "A 2")]))
    assert kinds(rows) == ["FEED", "INSTRUMENT", "QUOTE", "FEED", "QUOTE", "RAW", "RAW", "RAW"]
    assert [row["payload"] for kind, row in rows if kind is Kind.RAW] == [b"A 1", b"what", b"A 2"]


def test_what_was_made_of_the_messages_is_counted_by_feed():
    session = intake(2)
    list(session.taken([message(1, "A 1"), message(2, "bad"), message(3, "B 2", feed=2), message(3, "B 3", feed=2)]))
    assert [(each.message_count, each.good_count, each.bad_count) for each in session.progress] == [
        (2, 1, 1),
        (2, 2, 0),
    ]


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_a_session_that_is_resumed_goes_on_as_if_it_had_not_stopped(cut):
    items = [message(at * 400, f"S{at % 3} {at}") for at in range(8)]
    one, before, after = intake(), intake(), intake()
    whole = rows_of(one.taken(items))
    first = list(before.taken(items[:cut]))
    for batch in first:
        after.recall(batch)
    rest = rows_of(after.taken(items[cut:]))

    both = [*rows_of(first), *rest]
    assert are_defined_first(both)
    stopped_ns, went_on_ns = items[cut - 1][1].ts_recv_ns, items[cut][1].ts_recv_ns
    ticked = [
        (kind, row)
        for kind, row in without_definitions(whole)
        if kind is not Kind.TIMER or not stopped_ns < row["ts_recv_ns"] <= went_on_ns  # nobody ticked then
    ]
    assert without_definitions(both) == ticked
    topic = Topic(Channel.QUOTES, "S0")
    assert after.recalled[0].last_event_ns(topic) == before.progress[0].last_event_ns(topic)


def test_a_clock_that_is_set_back_does_not_set_the_session_back():
    session = intake()
    list(session.taken([message(5_000, "A 1")]))
    rows = rows_of(session.taken([message(1_000, "A 2")]))
    assert [row["ts_recv_ns"] - START for _, row in rows] == [SECOND_NS]
    assert session.session_ns == START + 5 * SECOND_NS
    assert isinstance(session.session_ns, int)
    assert np.int64(session.session_ns) == START + 5 * SECOND_NS


def test_blocks_are_whole():
    (declared, batch) = intake().taken([message(1, "A 1")])
    assert all(isinstance(block, Block) for block in [*declared, *batch])


@pytest.mark.parametrize("normalizer", [MassiveMessages, AlpacaMessages, CoinbaseMessages])
def test_symbols_are_introduced_ahead_of_what_is_heard_of_them_and_once(normalizer):
    session = Intake(["feed"], [normalizer()], start_ns=START)
    rows = rows_of(session.introduced(1, ["BTC-USD", "ETH-USD", " ", "BTC-USD"], START))
    assert [(kind.name, row.get("symbol")) for kind, row in rows] == [
        ("FEED", None),
        ("INSTRUMENT", "BTC-USD"),
        ("INSTRUMENT", "ETH-USD"),
    ]
    assert [row["instrument_id"] for _, row in rows[1:]] == [1, 2]
    assert rows_of(session.introduced(1, ["ETH-USD", "BTC-USD"], START + SECOND_NS)) == []
    again = rows_of(session.introduced(1, ["SOL-USD"], START + 2 * SECOND_NS))
    assert [(kind.name, row.get("instrument_id")) for kind, row in again if kind is not Kind.TIMER] == [
        ("INSTRUMENT", 3)
    ]


def test_a_normaliser_that_can_not_define_ahead_is_left_alone():
    assert rows_of(intake().introduced(1, ["A"], START)) == []


def test_what_is_known_of_instruments_stands_behind_their_definitions():
    def known_of(instruments):
        assert [each.symbol for each in instruments] == ["A", "B"]
        return Block.of(Kind.REFERENCE, 2, seq=[9, 11], ts_recv_ns=START, instrument_id=[2, 1], field=["float", "gap"])

    session = Intake(["feed"], [MassiveMessages()], start_ns=START)
    rows = rows_of(session.introduced(1, ["A", "B"], START, known_of))
    assert [(kind.name, row["instrument_id"]) for kind, row in rows[1:]] == [
        ("INSTRUMENT", 1),
        ("INSTRUMENT", 2),
        ("REFERENCE", 2),
        ("REFERENCE", 1),
    ]


def test_when_a_topic_was_heard_last_is_known_however_its_symbol_was_defined():
    session = Intake(["massive"], [MassiveMessages()], start_ns=START)
    ms = START // 1_000_000
    quote = '[{{"ev":"Q","sym":"{0}","bp":1.5,"bs":3,"ap":1.6,"as":5,"t":{1},"q":5}}]'
    page = b'{"status":"OK","results":[{"bp":1.5,"bs":3,"ap":1.6,"as":5,"t":1793802637256000000,"q":4}]}'
    rows_of(session.introduced(1, ["A"], START))
    rows_of(session.taken([(1, Answer(Topic(Channel.QUOTES, "B"), START, page))]))
    rows_of(session.taken([message(place, quote.format(symbol, ms + place)) for place, symbol in enumerate("ABC", 1)]))
    times = [session.progress[0].last_event_ns(Topic(Channel.QUOTES, symbol)) for symbol in "ABC"]
    assert times == [START + place * 1_000_000 for place in (1, 2, 3)]


def test_nobody_ticked_while_a_session_was_interrupted():
    first, second = intake(), intake()
    for batch in first.taken([message(0, "A 5"), message(3_000, "A 6")]):
        second.recall(batch)
    at_ns = START + 600 * NANO
    told = rows_of(second.taken([(1, Fact(at_ns, FeedAction.GAP_OPENED)), message(600_000, "A 7")]))
    assert Kind.TIMER not in [kind for kind, _ in told]
    assert [row["ts_recv_ns"] for block in second.ticked(at_ns + 2 * NANO) for row in block.rows()] == [
        at_ns + NANO,
        at_ns + 2 * NANO,
    ]
    again = intake()
    for batch in first.taken([message(4_000, "A 8")]):
        again.recall(batch)
    assert len(again.ticked(at_ns)[0]) == 1  # nothing came: the grid goes on with the step that is due
