"""What a scanner makes of snapshots: alone they give the fields, beside a stream they never take the place of what is newer."""

import math

import pytest
from scan_tape import Tape, at, known_of, nano, scanned, scanner_of, value_of

from pipeline.codes import Kind
from pipeline.units import ABSENT, DAY_NS, SECOND_NS

T, OPEN = at("08:00:00"), at("09:30:00")
CLOSED = at("16:00:00", "2026-11-03")
ALONE = (
    "last",
    "bid",
    "ask",
    "bid_size",
    "volume",
    "pm_volume",
    "vwap",
    "prev_close",
    "gap_pct",
    "open",
    "hod",
    "rth_high",
    "trades",
)


def snapshot(
    tape, recv_ns, id_=1, *, traded_ns=None, quoted_ns=None, last=None, bid=None, ask=None, volume=ABSENT, **more
):
    prices = {
        "last": last,
        "bid": bid,
        "ask": ask,
        **{name: more.pop(name, None) for name in ("open", "high", "low", "previous_close")},
    }
    columns = {f"{name}_nano": ABSENT if price is None else nano(price) for name, price in prices.items()}
    sizes = {"bid_size_steps": 300, "ask_size_steps": 200} if quoted_ns else {}
    return tape.put(
        Kind.SNAPSHOT, max(traded_ns or 0, quoted_ns or 0) or recv_ns, id_, recv_ns=recv_ns, ts_trade_ns=traded_ns or ABSENT,
        ts_quote_ns=quoted_ns or ABSENT, volume_steps=volume, vwap=more.pop("vwap", math.nan), **columns, **sizes, **more,
    )  # fmt: skip


def values(tape, *names, rows=0):
    _, scanner = scanned(tape, scanner_of(show=names), rows)
    return [value_of(scanner, name) for name in names]


@pytest.mark.parametrize("rows", [0, 1])
def test_alone_they_give_the_fields_before_the_open_and_behind_it(rows):
    tape = Tape().instrument(T, 1, "A")
    snapshot(
        tape,
        T + 5 * SECOND_NS,
        traded_ns=T,
        quoted_ns=T + 1,
        last=5.5,
        bid=5.4,
        ask=5.6,
        volume=1_000,
        previous_close=5.0,
    )
    tape.timer(T + 6 * SECOND_NS)
    expected = [5.5, 5.4, 5.6, 300, 1_000, 1_000, 5.5, 5.0, pytest.approx(10), None, 5.5, None, None]
    assert values(tape, *ALONE, rows=rows) == expected
    later = {"open": 6.0, "high": 6.6, "low": 5.8, "vwap": 6.0, "previous_close": 5.0}
    snapshot(tape, OPEN + 9 * SECOND_NS, traded_ns=OPEN + SECOND_NS, last=6.5, volume=5_000, **later)
    tape.timer(OPEN + 10 * SECOND_NS)
    expected = [6.5, 5.4, 5.6, 300, 5_000, 1_000, 6.0, 5.0, pytest.approx(20), 6.0, 6.6, 6.6, None]
    assert values(tape, *ALONE, rows=rows) == expected


def test_a_value_is_known_from_when_the_answer_came():
    tape = snapshot(Tape().instrument(T, 1, "A"), T + 5 * SECOND_NS, traded_ns=T, last=5.5, volume=10, previous_close=5)
    _, scanner = scanned(tape.timer(T + 6 * SECOND_NS), scanner_of(show=["last", "volume", "prev_close"]))
    assert [known_of(scanner, name) for name in ("last", "volume", "prev_close")] == [T + 5 * SECOND_NS] * 3


def test_of_a_stream_and_a_snapshot_the_later_moment_counts_by_the_venues_times():
    tape = Tape().instrument(T, 1, "A").print(T + 3 * SECOND_NS, 1, 7.0, 10).quote(T + 3 * SECOND_NS, 1, 6.9, 7.1)
    snapshot(
        tape, T + 4 * SECOND_NS, traded_ns=T + 2 * SECOND_NS, quoted_ns=T + 2 * SECOND_NS, last=5.0, bid=4.9, ask=5.1
    )
    assert values(tape.timer(T + 5 * SECOND_NS), "last", "bid", "ask") == [7.0, 6.9, 7.1]
    snapshot(
        tape, T + 8 * SECOND_NS, traded_ns=T + 6 * SECOND_NS, quoted_ns=T + 6 * SECOND_NS, last=8.0, bid=7.9, ask=8.1
    )
    assert values(tape.timer(T + 9 * SECOND_NS), "last", "bid", "ask") == [8.0, 7.9, 8.1]


def test_volume_is_the_larger_one_so_what_traded_before_a_stream_is_in_it_and_nothing_counts_twice():
    tape = Tape().instrument(T, 1, "A")
    snapshot(tape, T + SECOND_NS, traded_ns=T, last=5.0, volume=1_000)
    for second in (2, 3):
        tape.print(T + second * SECOND_NS, 1, 5.0, 100)
    assert values(tape.timer(T + 4 * SECOND_NS), "volume") == [1_200]
    snapshot(tape, T + 5 * SECOND_NS, traded_ns=T + 3 * SECOND_NS, last=5.0, volume=1_200)
    assert values(tape.timer(T + 6 * SECOND_NS), "volume") == [1_200]
    snapshot(tape, T + 7 * SECOND_NS, traded_ns=T + 3 * SECOND_NS, last=5.0, volume=1_100)
    assert values(tape.timer(T + 8 * SECOND_NS), "volume", "vwap") == [1_200, 5.0], (
        "one that is behind takes nothing back"
    )


def test_what_a_snapshot_says_of_yesterday_moves_nothing():
    """Before its first trade of the day a share still stands as it stood."""
    tape = snapshot(
        Tape().instrument(T, 1, "A"), T + SECOND_NS, traded_ns=CLOSED - SECOND_NS, last=5.0, volume=10**6, open=4.0
    )
    assert values(tape.timer(T + 2 * SECOND_NS), "last", "volume", "open", "prev_close") == [None, 0, None, None]


def test_a_dated_previous_close_goes_before_that_of_a_snapshot_and_a_split_of_today_is_taken_in():
    tape = snapshot(Tape().instrument(T, 1, "A"), T + SECOND_NS, traded_ns=T, last=50.0, previous_close=5.0)
    assert values(tape.timer(T + 2 * SECOND_NS), "prev_close") == [5.0]
    tape.fact(T + 2 * SECOND_NS, 1, "split_ratio", 0.1, as_of_ns=at("00:00:00"))
    assert values(tape.timer(T + 3 * SECOND_NS), "prev_close") == [50.0]
    tape.fact(T + 3 * SECOND_NS, 1, "previous_close", 4.0, as_of_ns=CLOSED)
    assert values(tape.timer(T + 4 * SECOND_NS), "prev_close") == [40.0]


def test_the_close_that_a_snapshot_told_yesterday_is_not_todays():
    tape = snapshot(Tape().instrument(T, 1, "A"), T + SECOND_NS, traded_ns=T, last=5.0, volume=9, previous_close=4.0)
    tape.timer(T + DAY_NS)
    assert values(tape, "prev_close") == [5.0], "which is the close that the session saw"


@pytest.mark.parametrize("rows", [1, 2, 3, 0])
def test_what_came_behind_a_snapshot_counts_behind_it_however_inputs_are_batched(rows):
    tape = Tape().instrument(T, 1, "A").instrument(T, 2, "B").print(T + 1, 1, 5.0, 50).quote(T + 1, 1, 4.0, 6.0)
    for id_ in (1, 2):
        snapshot(tape, T + SECOND_NS, id_, traded_ns=T, quoted_ns=T + 2, last=5.0, bid=4.9, ask=5.1, volume=1_000)
    tape.print(T + 2 * SECOND_NS, 1, 5.0, 100).quote(T + 2 * SECOND_NS, 1, 4.8, 5.2).timer(T + 3 * SECOND_NS)
    assert values(tape, "volume", "bid", rows=rows) == [1_100, 4.8]
