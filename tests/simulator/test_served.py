"""Served: a recorded session's rows in their order, what was fetched after a hole as history only; pages of history."""

import numpy as np
import pytest
from tiny_venue import START_NS, TinyDay

from pipeline.block import Block, concat
from pipeline.codes import BarBasis, BarUnit, FeedAction, Kind, Origin
from pipeline.errors import ConfigError
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.ports import Channel, Topic
from pipeline.provenance import Mode
from pipeline.run.recording import opened
from pipeline.simulator.history import ServedHistory
from pipeline.simulator.served import GeneratedTape, RecordedTape
from pipeline.units import MINUTE_NS

QUOTES_OF_A = Topic(Channel.QUOTES, "AAA")
EVER = 2**62


def recorded(tmp_path, *batches, is_sealed=True):
    """The log of a session with these inputs."""
    store = Store(tmp_path)
    manifest = store.create_session("day", mode=Mode.LIVE, created_ns=1)
    with opened(store, manifest, None) as recorder:
        recorder.session_ns = START_NS
        for batch in batches:
            recorder.take(batch)
    folder = store.folder(manifest.id)
    if is_sealed:
        seal(folder, store.disk)
    return LogReader(folder)


def backfilled(count):
    """Quotes fetched after a hole: of an earlier time, received last."""
    return [
        Block.of(
            Kind.QUOTE,
            count,
            seq=np.arange(1, count + 1),
            ts_recv_ns=START_NS + 10 * MINUTE_NS,
            ts_event_ns=START_NS + 2_000_000 * np.arange(count),
            instrument_id=1,
            origin=int(Origin.BACKFILL),
        )
    ]


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_recorded_session_is_served_in_its_order_without_the_sessions_own_rows(tmp_path, is_sealed):
    drop = [Block.of(Kind.FEED, 1, seq=1, ts_recv_ns=START_NS, ts_event_ns=START_NS, action=int(FeedAction.LOST))]
    tape = RecordedTape(recorded(tmp_path, *TinyDay(20_000).events(), drop, is_sealed=is_sealed))
    portions = list(tape.portions())
    assert {block.kind for portion in portions for block in portion.blocks} == {
        Kind.INSTRUMENT,
        Kind.QUOTE,
        Kind.PRINT,
    }
    seq = np.concatenate([portion.seq for portion in portions])
    assert len(seq) == 20_003
    assert (np.diff(seq) > 0).all()
    assert (np.diff(np.concatenate([portion.due_ns for portion in portions])) >= 0).all()
    assert (tape.symbols, tape.zone, tape.starts_ns) == ({1: "AAA", 2: "BBB", 3: "CCC"}, "America/New_York", START_NS)


def test_what_was_fetched_after_a_hole_is_history_and_not_served_as_live(tmp_path):
    tape = RecordedTape(recorded(tmp_path, *TinyDay(3_000).events(), backfilled(50)))
    history = ServedHistory(tape)
    portions = list(tape.portions())
    live = [block for portion in portions for block in portion.live()]
    assert sum(map(len, live)) == 3_003
    for portion in portions:
        history.reached(portion)
        history.last_seq = int(portion.seq[-1])
    (found,) = history.rows(QUOTES_OF_A, 0, EVER, 10**6)
    assert (found.number("origin") == Origin.BACKFILL).sum() == 50
    assert (np.diff(found.number("ts_event_ns")) >= 0).all()


def test_a_session_without_a_market_has_nothing_to_serve(tmp_path):
    with pytest.raises(ConfigError, match="nothing to serve"):
        RecordedTape(recorded(tmp_path))


def test_rows_are_due_at_the_running_maximum_of_their_receive_times():
    day = TinyDay(6, step_ns=-1_000_000)
    (first, rest) = GeneratedTape(day).portions()
    assert first.due_ns.tolist() == [START_NS] * 3
    assert rest.due_ns.tolist() == [START_NS] * 6


def test_history_pages_are_the_oldest_rows_between_two_moments_up_to_the_last_one_served():
    tape = GeneratedTape(TinyDay(900, batch_rows=100))
    history = ServedHistory(tape)
    everything = concat(block for portion in tape.portions() for block in portion.blocks)
    quotes = next(block for block in everything if block.kind is Kind.QUOTE)
    mine = quotes.take(quotes.number("instrument_id") == 1)
    for portion in tape.portions():
        history.reached(portion)
        for last in (int(portion.seq[0]), int(portion.seq[-1])):
            history.last_seq = last
            expected = mine.number("seq")[mine.number("seq") <= last].tolist()
            found = history.rows(QUOTES_OF_A, 0, EVER, 10**6)
            assert [seq for block in found for seq in block.number("seq").tolist()] == expected
    ts_ns = mine.number("ts_event_ns")
    (page,) = history.rows(QUOTES_OF_A, int(ts_ns[10]), int(ts_ns[40]), 20)
    assert page.number("ts_event_ns").tolist() == ts_ns[10:30].tolist()
    (page,) = history.rows(QUOTES_OF_A, int(ts_ns[10]), int(ts_ns[15]), 20)
    assert page.number("ts_event_ns").tolist() == ts_ns[10:15].tolist()
    for nothing in (Topic(Channel.QUOTES, "ZZZ"), Topic(Channel.HEARTBEATS, "AAA"), Topic(Channel.BARS_1M, "AAA")):
        assert history.rows(nothing, 0, EVER, 10) == []


def test_a_revised_bar_is_history_in_its_last_form_so_far():
    class Bars:
        name = "bars"

        def events(self):
            yield from TinyDay(3).events()
            yield [
                Block.of(
                    Kind.BAR,
                    4,
                    seq=np.arange(1, 5),
                    ts_event_ns=START_NS + MINUTE_NS * np.array([0, 1, 0, 1]),
                    ts_recv_ns=START_NS + 3 * MINUTE_NS + np.arange(4),
                    instrument_id=1,
                    bar_unit=int(BarUnit.TIME),
                    bar_length=np.array([MINUTE_NS] * 4),
                    basis=int(BarBasis.VENDOR),
                    revision=[0, 0, 1, 1],
                )
            ]

    tape = GeneratedTape(Bars())
    history = ServedHistory(tape)
    for portion in tape.portions():
        history.reached(portion)
    first_bar = 3 + 3 + 1
    for last, revisions in (
        (first_bar, [0]),
        (first_bar + 1, [0, 0]),
        (first_bar + 2, [1, 0]),
        (first_bar + 3, [1, 1]),
    ):
        history.last_seq = last
        (found,) = history.rows(Topic(Channel.BARS_1M, "AAA"), 0, EVER, 10)
        assert found.number("revision").tolist() == revisions
    assert history.rows(Topic(Channel.BARS_5M, "AAA"), 0, EVER, 10) == []
