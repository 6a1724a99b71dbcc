"""The generated day: one seed, one day, with everything odd in it that it promises."""

import numpy as np

from pipeline.block import concat
from pipeline.codes import FeedAction, Kind, Mark, TradingStatus
from pipeline.simulator.generate import Day, GeneratedDay


def all_of(day):
    return {block.kind: block for block in concat(block for batch in GeneratedDay(day).events() for block in batch)}


def test_one_seed_is_one_day_in_any_batch_size():
    one, other = (all_of(Day(quotes=500, batch_rows=rows)) for rows in (64, 100_000))
    for kind in one:
        for name in set(one[kind].columns) - {"seq"}:
            assert list(one[kind].columns[name]) == list(other[kind].columns[name]), (kind, name)
    assert list(all_of(Day(quotes=500, seed=8))[Kind.QUOTE].number("bid_nano")[:9]) != list(
        one[Kind.QUOTE].number("bid_nano")[:9]
    )


def test_each_batch_counts_from_one_in_receive_order():
    last = 0
    for batch in GeneratedDay(Day(quotes=2_000, batch_rows=512)).events():
        ranks = np.concatenate([block.number("seq") for block in batch])
        times = np.concatenate([block.number("ts_recv_ns") for block in batch])[np.argsort(ranks)]
        assert sorted(ranks.tolist()) == list(range(1, len(ranks) + 1))
        assert np.all(np.diff(times) >= 0)
        assert times[0] >= last
        last = times[-1]


def test_the_day_has_a_halt_a_drop_late_prints_and_crossed_quotes():
    day = all_of(Day())
    assert day[Kind.STATUS].number("status").tolist() == [TradingStatus.PAUSED, TradingStatus.TRADING]
    assert day[Kind.FEED].number("action").tolist()[:2] == [FeedAction.LOST, FeedAction.GAP_OPENED]
    assert (day[Kind.PRINT].number("marks") & Mark.LATE).any()
    quotes = day[Kind.QUOTE]
    crossed = (quotes.number("marks") & Mark.CROSSED) != 0
    assert crossed.any()
    assert np.array_equal(crossed, quotes.number("bid_nano") > quotes.number("ask_nano"))


def test_nothing_is_heard_while_the_feed_is_down_or_the_name_is_halted():
    day = all_of(Day())
    lost, _, back, _ = day[Kind.FEED].number("ts_event_ns").tolist()
    halted, resumed = day[Kind.STATUS].number("ts_event_ns").tolist()
    quotes = day[Kind.QUOTE]
    ts_event = quotes.number("ts_event_ns")
    assert not ((ts_event >= lost) & (ts_event < back)).any()
    first = quotes.number("instrument_id") == 1
    assert not (first & (ts_event >= halted) & (ts_event < resumed)).any()
