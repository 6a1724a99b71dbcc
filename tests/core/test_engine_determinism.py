import os
import subprocess
import sys
from pathlib import Path

import core_streams
import pytest
from core_day import Day

from pipeline.block import concat
from pipeline.codes import Kind, Origin
from pipeline.core.engine import Engine
from pipeline.core.hashing import DecisionsHash, packed_rows
from pipeline.errors import LogError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole():
    return core_streams.outcome(core_streams.stream(), None)


def test_the_stream_exercises_what_it_should(whole):
    _, derived = whole
    made = {kind for kind, rows in derived.by_kind.items() if rows}
    assert made == {
        Kind.BAR, Kind.INDICATOR, Kind.TRANSITION, Kind.INTENT, Kind.RISK, Kind.ORDER, Kind.FILL, Kind.POSITION, Kind.MESSAGE,
        Kind.CHECKPOINT,
    }  # fmt: skip
    assert len(derived[Kind.FILL]) > 30
    assert len(set(derived.column(Kind.INTENT, "outcome"))) >= 4
    assert len(set(derived.column(Kind.RISK, "rule"))) >= 3


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_batch_size_changes_nothing(whole, size):
    engine, derived = core_streams.outcome(core_streams.stream(), size)
    assert packed_of(derived) == packed_of(whole[1])
    assert engine.decisions_hash() == whole[0].decisions_hash()
    assert engine.state_hash() == whole[0].state_hash()


@pytest.mark.parametrize("seed", range(2, 6))
def test_the_batch_size_changes_nothing_on_other_days(seed):
    day = core_streams.stream(seed, 200)
    assert len({core_streams.outcome(day, size)[0].state_hash() for size in (None, 1, 7)}) == 1


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_order_of_hashes_changes_nothing(whole, hash_seed):
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("core_streams.py"))],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"{whole[0].decisions_hash().hex()} {whole[0].state_hash().hex()}"


def test_derived_rows_are_dense_in_their_step_and_follow_their_causes(whole):
    _, derived = whole
    story = derived.story()
    expected = {}
    for seq, ord_, _ in story:
        expected[seq] = expected.get(seq, 0) + 1
        assert ord_ == expected[seq]
    places = {(seq, ord_) for seq, ord_, _ in story}
    for rows in derived.by_kind.values():
        for row in rows:
            cause = (row["cause_seq"], row["cause_ord"])
            assert cause < (row["seq"], row["ord"])
            assert cause[1] == 0 or cause in places
            assert (row["origin"], row["source"]) == (Origin.DERIVED, 0)


def test_every_fill_leads_back_to_an_input(whole):
    _, derived = whole
    rows = {(row["seq"], row["ord"]): (kind, row) for kind in derived.by_kind for row in derived[kind]}
    for fill in derived[Kind.FILL]:
        trail, row = [], fill
        while row["cause_ord"]:
            kind, row = rows[row["cause_seq"], row["cause_ord"]]
            trail.append(kind)
        assert Kind.INTENT in trail
        assert Kind.RISK in trail


def test_the_decisions_hash_can_be_recomputed_from_the_rows(whole):
    engine, _ = core_streams.outcome(core_streams.stream(), None)
    again = DecisionsHash()
    fresh = Engine(core_streams.plans(), core_streams.SETTINGS)
    blocks = [block for batch in core_streams.stream().batches(50) for block in fresh.reduce(batch)]
    again.update(concat(blocks))
    assert again.digest() == engine.decisions_hash() == whole[0].decisions_hash()


def test_one_changed_number_changes_the_hashes(whole):
    day = core_streams.stream()
    quotes = [row for kind, row in day.rows if kind == Kind.QUOTE]
    quotes[-1]["ask_nano"] += 10_000_000
    assert core_streams.outcome(day, None)[0].state_hash() != whole[0].state_hash()
    day = core_streams.stream()
    prints = [
        row
        for kind, row in day.rows
        if kind == Kind.PRINT and not row["marks"] and (row["instrument_id"], row["origin"]) == (1, Origin.INPUT)
    ]
    prints[0]["size_steps"] += 1
    assert core_streams.outcome(day, None)[0].decisions_hash() != whole[0].decisions_hash()


def test_checkpoints_stand_every_n_inputs_and_hold_the_state_hash():
    day = core_streams.stream(3, 150)
    engine, derived = Engine(core_streams.plans(), core_streams.SETTINGS), []
    for batch in day.batches(1):
        rows = [row for block in engine.reduce(batch) if block.kind == Kind.CHECKPOINT for row in block.rows()]
        for row in rows:
            parts = b"".join(row[f"hash_{i}"].to_bytes(8, "little", signed=True) for i in range(4))
            assert parts == engine.state_hash()
        derived += rows
    assert [row["seq"] for row in derived] == [50, 100, 150]


def test_session_time_never_goes_back():
    day = Day().quote(5, 10, 10.1).quote(3, 10, 10.1).timer(4)
    engine, _ = day.run(core_streams.plans())
    assert engine.world.clock.now_ns == day.rows[1][1]["ts_recv_ns"]


def test_an_instrument_nobody_defined_is_refused():
    with pytest.raises(LogError, match="seq 2: quote of instrument 9, which no instrument event defined"):
        Day().quote(1, 10, 10.1, instrument_id=9).run(core_streams.plans())


def test_a_hole_between_inputs_is_our_own_bug():
    day = Day().quote(1, 10, 10.1).quote(2, 10, 10.1)
    engine = Engine(core_streams.plans())
    batches = list(day.batches(1))
    engine.reduce(batches[0])
    with pytest.raises(AssertionError, match="seq 3 follows 1"):
        engine.reduce(batches[2])


def test_a_recording_may_be_entered_at_any_seq():
    day = Day().quote(1, 10, 10.1)
    for _, row in day.rows:
        row["seq"] += 1_000
    engine, _ = day.run(core_streams.plans())
    assert engine.world.clock.seq == 1_002


def packed_of(derived):
    return {kind: [tuple(map(str, row.values())) for row in rows] for kind, rows in derived.by_kind.items()}


def test_packing_tells_texts_apart():
    first = Day().add(Kind.NOTE, 0, 0, tag="ab", text="c")
    second = Day().add(Kind.NOTE, 0, 0, tag="a", text="bc")
    blocks = [next(day.batches())[-1] for day in (first, second)]
    assert packed_rows(blocks[0]) != packed_rows(blocks[1])


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 200))
def test_the_batch_size_changes_nothing_on_very_many_days(seed):
    day = core_streams.stream(seed, 1_000)
    assert len({core_streams.outcome(day, size)[0].decisions_hash() for size in (None, 1, 7, 100)}) == 1


def test_no_batch_is_no_rows():
    assert Engine(core_streams.plans()).reduce([]) == []


def test_a_row_without_words_packs_alike_beside_rows_with_and_without():
    wordless, worded = (next(Day().add(Kind.NOTE, 0, 0, text=text).batches())[-1] for text in ("", "x"))
    (joined,) = concat([wordless, worded])
    assert packed_rows(joined) == packed_rows(wordless) + packed_rows(worded)
