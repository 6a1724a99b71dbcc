import numpy as np
import pytest
from tiny_vendor import TinyNormalizer, bytes_of

from pipeline.block import Block
from pipeline.codes import BarUnit, Kind, Origin
from pipeline.feeds.progress import LEAD_NS_MAX, Progress
from pipeline.ports import Channel, Message, Topic
from pipeline.units import DAY_NS, MINUTE_NS, SECOND_NS


def added(*events, ts_recv_ns=2**62):
    progress, normalizer = Progress(), TinyNormalizer()
    for event in events:
        progress.add(1, normalizer.read([Message(ts_recv_ns, event if isinstance(event, bytes) else bytes_of(event))]))
    return progress


def event(topic, ns):
    return {"t": topic, "ns": ns, "n": ns}


def test_messages_good_and_refused_events_are_counted():
    progress = added(event("quotes:A", 5), b"garbage", event("prints:A", 6), {"ok": []})
    assert (progress.message_count, progress.good_count, progress.bad_count) == (4, 2, 1)
    assert {channel for channel, count in progress.count_by_channel.items() if count} == {
        Channel.QUOTES,
        Channel.PRINTS,
    }


def test_the_last_event_of_each_topic_is_known():
    progress = added(event("quotes:A", 5), event("quotes:B", 6), event("quotes:A", 7), event("prints:B", 8))
    assert progress.last_event_ns(Topic(Channel.QUOTES, "A")) == 7
    assert progress.last_event_ns(Topic(Channel.QUOTES, "B")) == 6
    assert progress.last_event_ns(Topic(Channel.PRINTS, "B")) == 8
    for unknown in [Topic(Channel.PRINTS, "A"), Topic(Channel.QUOTES, "C"), Topic(Channel.STATUSES, "A")]:
        assert progress.last_event_ns(unknown) is None


def test_a_late_report_sets_the_last_event_back_and_never_beyond_what_came():
    assert added(event("prints:A", 9), event("prints:A", 4)).last_event_ns(Topic(Channel.PRINTS, "A")) == 4


def test_an_event_of_a_time_to_come_counts_as_of_when_it_came():
    progress = added(event("quotes:A", 5), event("quotes:A", 10**18), ts_recv_ns=9)
    assert progress.last_event_ns(Topic(Channel.QUOTES, "A")) == 9


def test_how_far_a_clock_is_ahead_is_told_by_the_event_that_was_furthest():
    progress = added(event("quotes:A", 5), event("prints:A", 12), event("quotes:B", 7), ts_recv_ns=9)
    assert progress.lead_ns == 3
    assert added(event("quotes:A", 5), event("quotes:A", 7), ts_recv_ns=9).lead_ns == -2
    assert added().lead_ns is None


def test_snapshots_and_replays_are_good_and_nothing_new():
    progress = added({**event("quotes:A", 5), "snap": True})
    assert (progress.good_count, progress.live_count, sum(progress.count_by_channel.values())) == (1, 0, 0)
    assert progress.last_event_ns(Topic(Channel.QUOTES, "A")) == 5
    assert progress.lead_ns is None
    (block,) = [
        each for each in TinyNormalizer().read([Message(9, bytes_of(event("quotes:A", 5)))]) if each.kind is Kind.QUOTE
    ]
    progress.add(1, [block.with_columns(origin=np.array([int(Origin.BACKFILL)], np.int8))])
    assert (progress.live_count, progress.count_by_channel[Channel.QUOTES]) == (0, 1)
    progress.add(1, [block])
    assert (progress.live_count, progress.count_by_channel[Channel.QUOTES]) == (1, 2)


def test_what_was_old_when_it_came_is_counted_apart():
    progress, normalizer = Progress(late_ns=10), TinyNormalizer()
    for topic, ns in [("quotes:A", 1), ("prints:A", 89), ("prints:A", 90), ("quotes:A", 100)]:
        progress.add(1, normalizer.read([Message(100, bytes_of(event(topic, ns)))]))
    progress.add(1, normalizer.read([Message(100, bytes_of({**event("quotes:A", 1), "snap": True}))]))
    assert (progress.punctual_count, progress.late_count, progress.lag_ns) == (2, 2, 0)


def test_an_event_of_another_day_tells_nothing_of_clocks():
    assert added(event("quotes:A", LEAD_NS_MAX + 10), ts_recv_ns=9).lead_ns is None
    assert added(event("quotes:A", LEAD_NS_MAX + 10), event("quotes:A", 11), ts_recv_ns=9).lead_ns == 2


def test_a_bar_is_dated_by_its_beginning_and_tells_nothing_of_clocks():
    progress = Progress()
    progress.add(1, [Block.of(Kind.BAR, 1, seq=1, instrument_id=1, ts_event_ns=1, ts_recv_ns=MINUTE_NS)])
    assert progress.lead_ns is None


def test_of_many_rows_of_an_instrument_the_last_one_stays():
    progress = Progress()
    progress.add(1, TinyNormalizer().read([Message(1, bytes_of(event("quotes:A", 1)))]))
    times = np.arange(1_000, dtype=np.int64)
    rows = Block.of(Kind.QUOTE, 1_000, seq=times + 1, instrument_id=1, ts_event_ns=times, ts_recv_ns=1_000)
    progress.add(1, [rows])
    assert progress.last_event_ns(Topic(Channel.QUOTES, "A")) == 999


@pytest.mark.parametrize("id_", [1, 63, 64, 500, 100_000])
def test_any_number_of_instruments_fits(id_):
    progress = Progress()
    progress.add(0, [Block.of(Kind.INSTRUMENT, 1, seq=1, instrument_id=id_, symbol=["X"], venue=["V"])])
    progress.add(1, [Block.of(Kind.STATUS, 1, seq=1, instrument_id=id_, ts_event_ns=77, ts_recv_ns=78)])
    assert progress.last_event_ns(Topic(Channel.STATUSES, "X")) == 77


def test_bars_are_told_apart_by_their_length():
    progress = Progress()
    progress.add(0, [Block.of(Kind.INSTRUMENT, 1, seq=1, instrument_id=1, symbol=["X"], venue=["V"])])
    lengths = [SECOND_NS, MINUTE_NS, 5 * MINUTE_NS, DAY_NS, 7 * SECOND_NS]
    bars = Block.of(
        Kind.BAR,
        6,
        seq=np.arange(1, 7),
        instrument_id=1,
        bar_unit=[BarUnit.TIME] * 5 + [BarUnit.TICKS],
        bar_length=[*lengths, SECOND_NS],
        ts_event_ns=[1, 2, 3, 4, 5, 6],
        ts_recv_ns=9,
    )
    progress.add(1, [bars])
    found = [
        progress.last_event_ns(Topic(channel, "X"))
        for channel in (Channel.BARS_1S, Channel.BARS_1M, Channel.BARS_5M, Channel.BARS_1D)
    ]
    assert found == [1, 2, 3, 4]
