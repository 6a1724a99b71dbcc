"""The list over time: hysteresis, retention, cool-down, the end of a window and of a day, as tables of moments."""

import pytest
from scan_tape import EQUITY, Tape, at, rows_of, scanned, scanner_of, universe_of, value_of, wants

from pipeline.codes import Kind
from pipeline.scanner_codes import CandidateVerdict, UniverseAction, UniverseReason
from pipeline.units import SECOND_NS

T = at("08:00:00")
FILTER = int(UniverseReason.FILTER)


def prices_at_seconds(*prices, symbols=("A",)):
    """Second after second a price of each symbol, a timer behind them."""
    tape = Tape()
    for id_, symbol in enumerate(symbols, 1):
        tape.instrument(T, id_, symbol, EQUITY)
    for second, row in enumerate(prices, 1):
        for id_, price in enumerate(row if isinstance(row, tuple) else (row,), 1):
            if price is not None:
                tape.print(T + second * SECOND_NS - 1, id_, price)
        tape.timer(T + second * SECOND_NS)
    return tape


def told(tape, **said):
    """(second, symbol's id, what happened, why)."""
    made, _ = scanned(tape, scanner_of(**said))
    seconds = {seq: (row["ts_recv_ns"] - T) // SECOND_NS for seq, (_, row) in enumerate(tape.rows, 1)}
    return [(seconds[seq], id_, UniverseAction(action).name, reason) for seq, id_, action, reason in universe_of(made)]


@pytest.mark.parametrize(
    ("prices", "more", "changes"),
    [
        pytest.param((10, 9.5, 9.1, 8.9, 9.5, 10), {"keep": 9}, [(1, "ADDED"), (4, "DROPPED"), (6, "ADDED")], id="keep is easier"),
        pytest.param((10, 9.5, 10), {}, [(1, "ADDED"), (2, "DROPPED"), (3, "ADDED")], id="no keep, no hysteresis"),
        pytest.param((10, 9, 8, 7), {"keep": 0}, [(1, "ADDED")], id="kept whatever comes"),
    ],
)  # fmt: skip
def test_hysteresis(prices, more, changes):
    found = told(prices_at_seconds(*prices), filters=[wants("last", ">=", 10, **more)])
    assert [(second, action) for second, _, action, _ in found] == changes
    assert all(reason == (FILTER + 1 if action == "DROPPED" else UniverseReason.RANKED) for *_, action, reason in found)


@pytest.mark.parametrize(
    ("retention_s", "cool_down_s", "changes"),
    [
        (0, 0, [(1, "ADDED"), (2, "DROPPED"), (3, "ADDED"), (4, "DROPPED"), (7, "ADDED")]),
        (3, 0, [(1, "ADDED"), (4, "DROPPED"), (7, "ADDED")]),
        (4, 0, [(1, "ADDED"), (5, "DROPPED"), (7, "ADDED")]),
        (0, 3, [(1, "ADDED"), (2, "DROPPED"), (7, "ADDED")]),
        (0, 6, [(1, "ADDED"), (2, "DROPPED"), (8, "ADDED")]),
        (0, 60, [(1, "ADDED"), (2, "DROPPED")]),
    ],
)
def test_retention_and_cool_down(retention_s, cool_down_s, changes):
    tape = prices_at_seconds(10, 1, 10, 1, 1, 1, 10, 10)
    found = told(tape, filters=[wants("last", ">=", 5)], retention_s=retention_s, cool_down_s=cool_down_s)
    assert [(second, action) for second, _, action, _ in found] == changes


def test_who_is_outranked_goes_and_says_so():
    tape = prices_at_seconds((1, 2), (3, 2), symbols=("A", "B"))
    assert told(tape, limit=1) == [
        (1, 2, "ADDED", UniverseReason.RANKED),
        (2, 2, "DROPPED", UniverseReason.OUTRANKED),
        (2, 1, "ADDED", UniverseReason.RANKED),
    ]


def test_no_more_are_in_the_list_than_may_be_subscribed_even_while_some_only_stay():
    tape = prices_at_seconds((1, 2, None), (None, None, 9), (None, None, 9), (None, None, 9), symbols=("A", "B", "C"))
    made, scanner = scanned(tape, scanner_of(limit=2, retention_s=3, subscriptions_max=2))
    assert [(id_, action) for _, id_, action, _ in universe_of(made)] == [(2, 1 - 1), (1, 0), (1, 1), (3, 0)]
    assert scanner.get_active_stock_list() == ["C", "B"]


def test_one_that_only_stays_is_picked_without_a_rank_and_listed_last():
    tape = prices_at_seconds((5, 9), (7, 1), symbols=("A", "B"))
    made, scanner = scanned(tape, scanner_of(filters=[wants("last", ">", 4)], retention_s=60))
    assert scanner.get_active_stock_list() == ["A", "B"]
    last = [row for row in rows_of(made, Kind.CANDIDATE) if row["instrument_id"] == 2][-1]
    assert (last["verdict"], last["rank"], last["is_passed"]) == (CandidateVerdict.PICKED, 0, 0)


@pytest.mark.parametrize(("at_end", "reasons"), [("keep", []), ("drop", [UniverseReason.WINDOW_ENDED])])
def test_what_becomes_of_the_list_when_the_window_ends(at_end, reasons):
    tape = Tape().instrument(at("09:29:50"), 1, "A").print(at("09:29:51"), 1, 10)
    tape.timers(at("09:29:52"), at("09:30:10"))
    schedule = {"every_s": 1, "from": "04:00", "until": "09:30", "at_end": at_end}
    made, scanner = scanned(tape, scanner_of(schedule=schedule))
    assert [reason for *_, reason in universe_of(made)] == [UniverseReason.RANKED, *reasons]
    assert scanner.get_active_stock_list() == ([] if reasons else ["A"])


def test_a_new_day_begins_with_an_empty_list():
    tape = Tape().instrument(at("09:00:00"), 1, "A").print(at("09:00:01"), 1, 10).timer(at("09:00:02"))
    tape.timer(at("04:00:00", "2026-11-05")).timer(at("04:00:01", "2026-11-05"))
    made, _ = scanned(tape, scanner_of(filters=[wants("volume", ">", 0)]))
    assert [(seq, reason) for seq, _, _, reason in universe_of(made)] == [(3, 1), (4, UniverseReason.DAY_ENDED)]


@pytest.mark.parametrize(
    ("day", "clock", "is_looked"),
    [
        ("2026-11-04", "03:59:59", False),
        ("2026-11-04", "04:00:00", True),
        ("2026-11-04", "15:59:59", True),
        ("2026-11-04", "16:00:00", False),
        ("2026-11-07", "10:00:00", False),
        ("2026-07-01", "04:00:00", True),
    ],
)
def test_it_looks_within_its_window_by_new_yorks_clocks(day, clock, is_looked):
    ts_ns = at(clock, day)
    _, scanner = scanned(Tape().instrument(ts_ns, 1, "A").timer(ts_ns), scanner_of())
    assert (scanner.table is not None) is is_looked


def test_the_first_timer_of_each_stretch_is_due():
    tape = Tape().instrument(T, 1, "A").timers(T, T + 31 * SECOND_NS, SECOND_NS // 2)
    made, _ = scanned(tape, scanner_of(schedule={"every_s": 10}))
    assert [row["ts_recv_ns"] - T for row in rows_of(made, Kind.CANDIDATE) if row["field_id"] == 0] == [
        0, 10 * SECOND_NS, 20 * SECOND_NS, 30 * SECOND_NS,
    ]  # fmt: skip


def test_near_misses_are_few_close_and_nearest_first():
    tape = prices_at_seconds((9.9, 9, 7, 10, 9.5), symbols=("A", "B", "C", "D", "E"))
    near = {"filters_max": 1, "within_pct": 10, "limit": 2}
    made, scanner = scanned(tape, scanner_of(filters=[wants("last", ">=", 10)], near_miss=near))
    assert scanner.table.verdict[1:].tolist() == [2, 0, 0, 1, 2]
    written = {
        row["instrument_id"]: row for row in rows_of(made, Kind.CANDIDATE) if row["filter_id"] and row["instrument_id"]
    }
    assert sorted(written) == [1, 2, 3, 4, 5]  # the first evaluation is a full table
    assert written[1]["threshold"] == 10
    assert written[1]["is_passed"] == 0


def test_what_is_written_is_bounded():
    """Picks and near misses each time, others when their verdict changes, all of them at the cadence."""
    tape = prices_at_seconds(*[(10, 1, 9.9, 1 + second % 2 * 9) for second in range(6)], symbols=("A", "B", "C", "D"))
    made, _ = scanned(tape, scanner_of(filters=[wants("last", ">=", 10)], full_table_every_s=4))
    written = {}
    for row in rows_of(made, Kind.CANDIDATE):
        written.setdefault(row["evaluation"], set()).add(row["instrument_id"])
    assert written == {
        1: {0, 1, 2, 3, 4},
        2: {0, 1, 3, 4},
        3: {0, 1, 3, 4},
        4: {0, 1, 2, 3, 4},
        5: {0, 1, 3, 4},
        6: {0, 1, 3, 4},
    }


def test_the_funnel_counts_what_each_filter_left():
    tape = prices_at_seconds((10, 1, 9.9, 20), symbols=("A", "B", "C", "D"))
    made, _ = scanned(tape, scanner_of(filters=[wants("last", ">=", 5), wants("last", "<", 15)]))
    counted = [row for row in rows_of(made, Kind.CANDIDATE) if row["verdict"] == CandidateVerdict.COUNTED]
    assert [(row["filter_id"], row["value"]) for row in counted] == [(0, 4), (1, 3), (2, 2)]


def test_rows_are_numbered_behind_each_other_and_caused_by_the_timer():
    tape = prices_at_seconds((10, 12), symbols=("A", "B"))
    made, _ = scanned(tape, scanner_of())
    ords = [row["ord"] for block in made for row in block.rows()]
    assert ords == list(range(1, len(ords) + 1))
    for row in (row for block in made for row in block.rows()):
        assert (row["seq"], row["cause_seq"], row["cause_ord"], row["origin"]) == (5, 5, 0, 3)
        assert row["ts_recv_ns"] == T + SECOND_NS


@pytest.mark.parametrize(("absent", "listed"), [("fail", []), ("pass", ["A"])])
def test_a_field_without_a_value_fails_unless_it_may_pass(absent, listed):
    tape = prices_at_seconds(10)
    _, scanner = scanned(tape, scanner_of(filters=[wants("float", "<", 1e7, absent=absent)]))
    assert value_of(scanner, "float") is None
    assert scanner.get_active_stock_list() == listed
