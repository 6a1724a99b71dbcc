"""What is asked of a vendor's history for a warm-up, and what of the answer is given."""

import numpy as np
import pytest

from pipeline.block import Block
from pipeline.codes import Kind, Mark, Origin
from pipeline.normalize.coarser import can_be_made, coarser
from pipeline.ports import Channel
from pipeline.run.warm_rows import Stretch, Want, asked, gathered, heard, history, is_short, lacking, reach_ns
from pipeline.units import HOUR_NS, MINUTE_NS, SECOND_NS

START_NS = 1_793_779_200 * SECOND_NS
MASSIVE = frozenset((Channel.QUOTES, Channel.PRINTS, Channel.BARS_1S, Channel.BARS_1M))
COINBASE = frozenset((Channel.PRINTS, Channel.BARS_5M))
MINUTES = Want(3, 0, (MINUTE_NS,), frozenset())
TIME = Want(0, 5 * MINUTE_NS, (MINUTE_NS,), frozenset((Channel.QUOTES, Channel.PRINTS)))


def bars(*minutes, length=MINUTE_NS, origin=Origin.BACKFILL, **columns):
    starts = np.array([START_NS + minute * MINUTE_NS for minute in minutes])
    places = np.arange(1, len(minutes) + 1)
    return Block.of(
        Kind.BAR,
        len(minutes),
        **{
            "seq": places,
            "ts_event_ns": starts,
            "ts_close_ns": starts + length,
            "bar_length": length,
            "origin": int(origin),
            "close_nano": places,
            **columns,
        },
    )


def prints(*seconds, first_seq=1, origin=Origin.BACKFILL, marks=0):
    times = np.array([START_NS + second * SECOND_NS for second in seconds])
    seq = np.arange(first_seq, first_seq + len(seconds))
    return Block.of(
        Kind.PRINT, len(seconds), seq=seq, ts_event_ns=times, origin=int(origin), marks=marks, price_nano=seq
    )


def minutes_of(blocks):
    return [(ns - START_NS) // MINUTE_NS for block in blocks for ns in block.number("ts_event_ns").tolist()]


def at(from_m, since_m, to_m, left_m=None):
    left = {(Kind.BAR, MINUTE_NS): START_NS + left_m * MINUTE_NS} if left_m is not None else {}
    return Stretch(*(START_NS + int(minute * MINUTE_NS) for minute in (from_m, since_m, to_m)), left)


def test_what_is_asked_for_is_what_somebody_wants_and_the_vendor_has():
    assert asked([MINUTES], MASSIVE) == {Channel.BARS_1M}
    assert asked([MINUTES, TIME], MASSIVE) == {Channel.BARS_1M, Channel.QUOTES, Channel.PRINTS}
    assert asked([TIME], COINBASE) == {Channel.PRINTS}
    assert lacking([TIME], COINBASE) == ["bars of 60 s", "quotes"]
    assert asked([Want(3, 0, (15 * MINUTE_NS,), frozenset())], COINBASE) == {Channel.BARS_5M}
    assert reach_ns([MINUTES, TIME], 3) == 12 * MINUTE_NS


def test_bars_are_the_last_so_many_that_are_over_or_those_of_so_long():
    read = [bars(*range(10))]
    assert minutes_of(history([MINUTES], MASSIVE, read, [], at(0, 9, 9.5))) == [6, 7, 8]
    assert minutes_of(history([TIME], MASSIVE, read, [], at(0, 9, 9.5))) == [4, 5, 6, 7, 8]
    assert minutes_of(history([MINUTES, TIME], MASSIVE, read, [], at(0, 9, 9.5, 5))) == [6, 7, 8]
    assert is_short(
        [Want(4, 0, (MINUTE_NS,), frozenset())], MASSIVE, history([MINUTES], MASSIVE, read, [], at(0, 9, 9.5))
    )
    assert not is_short([MINUTES], MASSIVE, history([MINUTES], MASSIVE, read, [], at(0, 9, 9.5)))


def test_of_a_bar_that_was_revised_the_last_one_counts():
    read = [bars(0, 1, 1, 2, revision=[0, 0, 1, 0])]
    (given,) = history([MINUTES], MASSIVE, read, [], at(0, 3, 3.1))
    assert given.number("close_nano").tolist() == [1, 3, 4]
    assert not given.number("revision").any()


def test_bars_are_given_by_history_as_far_as_it_has_all_of_them_and_come_live_from_there_on():
    read = [bars(0, 1, 2)]
    for origin in (Origin.INPUT, Origin.DERIVED):
        live = [bars(2, origin=origin)]
        given = history([MINUTES], MASSIVE, read, live, at(0, 2.9, 3.5))
        assert minutes_of(given) == minutes_of(heard(given, live)) == [0, 1, 2], "history's saw all of it"
        given = history([MINUTES], MASSIVE, read, live, at(0, 2.9, 3.01))
        assert minutes_of(given) == [0, 1], "it may not have the last one yet"
        assert minutes_of(heard(given, live)) == [0, 1, 2]


def test_prints_are_given_up_to_the_first_that_came_live_in_time():
    read = [prints(*range(0, 60, 10))]
    assert len(history([TIME], MASSIVE, read, [], at(0, 1, 0.75))[0]) == 5
    (given,) = history([TIME], MASSIVE, read, [prints(30, 40, origin=Origin.INPUT)], at(0, 1, 0.75))
    assert given.number("price_nano").tolist() == [1, 2, 3]
    late = [prints(5, origin=Origin.INPUT, marks=int(Mark.LATE)), prints(30, first_seq=2, origin=Origin.INPUT)]
    assert len(history([TIME], MASSIVE, read, late, at(0, 1, 0.75))[0]) == 3


def test_what_is_heard_is_history_by_time_and_then_what_came_live_as_it_came():
    live = [prints(70, 65, first_seq=500, origin=Origin.INPUT, marks=int(Mark.LATE))]
    made = heard([prints(10, 50, 130), bars(0, 1)], live)
    rows = sorted(
        (row["seq"], block.kind.name, (row["ts_event_ns"] - START_NS) // SECOND_NS)
        for block in made
        for row in block.rows()
    )
    assert rows == [
        (1, "PRINT", 10), (2, "PRINT", 50), (3, "BAR", 0), (4, "BAR", 60), (5, "PRINT", 130), (6, "PRINT", 70), (7, "PRINT", 65),
    ]  # fmt: skip
    for block in made:
        assert set(block.number("origin").tolist()) == {Origin.WARMUP}
        assert not block.number("ord").any()
        assert not block.number("marks").any()


@pytest.mark.parametrize(
    ("length", "of", "is_made"), [(5, 1, True), (15, 5, True), (7, 1, False), (120, 60, False), (1, 1, False)]
)
def test_longer_bars_are_made_where_every_day_begins_with_one(length, of, is_made):
    assert can_be_made(length * MINUTE_NS, of * MINUTE_NS) == is_made


def test_a_longer_bar_is_the_sum_of_the_shorter_ones():
    prices = {name: [4, 5, 6, 7] for name in ("open_nano", "close_nano")}
    short = bars(
        0, 2, 4, 5, **prices, high_nano=[9, 8, 7, 6], low_nano=[1, 2, 3, 4], volume_steps=[10, 20, 0, 5],
        trade_count=[1, 2, 0, 4], vwap=[2.0, 5.0, 0.0, 3.0],
    )  # fmt: skip
    made = coarser(short, 5 * MINUTE_NS)
    first, second = made.rows()
    assert minutes_of([made]) == [0, 5]
    names = ("open_nano", "high_nano", "low_nano", "close_nano", "volume_steps", "trade_count", "bar_length")
    assert [first[name] for name in names] == [4, 9, 1, 6, 30, 3, 5 * MINUTE_NS]
    assert (first["vwap"], second["vwap"]) == (4.0, 3.0)
    assert first["ts_close_ns"] == first["ts_event_ns"] + 5 * MINUTE_NS
    assert len(coarser(short.slice(0, 0), HOUR_NS)) == 0


def test_what_came_live_in_many_pieces_is_kept_in_few_and_in_its_order():
    pieces = [prints(second, first_seq=second, origin=Origin.INPUT) for second in range(1, 6)]
    pieces += [bars(0, origin=Origin.INPUT), bars(1, origin=Origin.DERIVED), bars(2, origin=Origin.INPUT)]
    made = gathered(pieces)
    assert [(block.kind, len(block)) for block in made] == [(Kind.PRINT, 5), (Kind.BAR, 2), (Kind.BAR, 1)]
    assert made[0].number("seq").tolist() == [1, 2, 3, 4, 5]
    assert minutes_of(made[1:]) == [0, 2, 1]
    assert [len(block) for block in gathered([*made, prints(6, first_seq=6, origin=Origin.INPUT)])] == [6, 2, 1]
