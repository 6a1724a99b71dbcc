"""Overnight: a day cut into sessions and carried through them is the day in one, whatever ids the sessions use."""

import msgspec
import numpy as np
import pytest

from pipeline.block import Block, between, concat, cut
from pipeline.codes import Kind
from pipeline.core.frozen import parts_of
from pipeline.errors import ConfigError
from pipeline.log import manifest as manifests
from pipeline.log.check import check
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.run.backtesting import Overnight, backtest
from pipeline.run.fold import LocalFold, Speed
from pipeline.run.generating import record_generated
from pipeline.run.looking import look
from pipeline.run.overnight import split_of
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.sweeping import grid_of
from pipeline.run.traveling import Traveler, journey_of_log
from pipeline.run.verifying import verify
from pipeline.simulator.generate import Day
from pipeline.units import MINUTE_NS
from warehouse import connect

FILE = strategy_file("ema_cross")
PARAMS = ("slow=40", "notional=3000")
INSTRUMENTS = 3


def inputs_of(store, name):
    """All inputs of a session as one batch."""
    return concat(block for batch in LogReader(store.folder(name)).batches() for block in batch)


def record(store, name, batch):
    """A sealed session of these inputs."""
    made = store.create_session(name, mode=Mode.IMPORT, created_ns=1)
    folder = store.folder(made.id)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(made.log_id)) as journal:
        journal.append(FrameKind.INPUTS, batch)
    manifests.update(folder, store.disk, state="ended")
    return seal(folder, store.disk).id


def evening_part(batch, count):
    return cut(batch, 0, count)


def morning_part(batch, count, *, price_factor=1.0):
    """The rest of a day as a session of its own, whose ids are the other way round."""
    (definitions,) = [block for block in batch if block.kind is Kind.INSTRUMENT]
    last_ns = max(int(block.number("ts_recv_ns").max()) for block in cut(batch, 0, count))
    ids = np.arange(INSTRUMENTS, 0, -1)
    first = definitions.with_columns(
        seq=np.arange(1, INSTRUMENTS + 1),
        instrument_id=ids[definitions.number("instrument_id") - 1].astype("i4"),
        ts_recv_ns=np.full(INSTRUMENTS, last_ns),
    )
    rest = []
    for block in cut(batch, count, 10**9):
        known = block.number("instrument_id")
        named = np.where(known > 0, ids[np.maximum(known, 1) - 1], known).astype("i4")
        prices = {
            name: (column * price_factor).astype("i8") // 10**6 * 10**6
            for name, column in block.columns.items()
            if name in ("bid_nano", "ask_nano", "price_nano") and price_factor != 1.0
        }
        rest.append(block.with_columns(seq=block.number("seq") + INSTRUMENTS, instrument_id=named, **prices))
    return [first, *rest]


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The inputs of a generated day."""
    store = Store(tmp_path_factory.mktemp("day"))
    recorded = record_generated(
        store,
        Day(quotes=800, instruments=INSTRUMENTS, lasts_ns=40 * MINUTE_NS),
        plan_of([FILE], [], []),
        [FILE],
        created_ns=1,
    )
    return inputs_of(store, recorded.id)


def run(store, names, *, sweeps=("fast=4",), overnight=Overnight.CARRY, workers=1, splits=(), **options):
    grid = grid_of([FILE], PARAMS, (), sweeps)
    sessions = [store.manifest(name) for name in names]
    return backtest(
        store, sessions, grid, [FILE], created_ns=1, workers=workers, speed=Speed.INTERPRETED,
        overnight=overnight, splits=[split_of(text) for text in splits], **options,
    )  # fmt: skip


def total(rows, name):
    return sum(getattr(row, name) for row in rows)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture(scope="module")
def count(day):
    """After how many inputs something is held and no order works: where a night between two sessions is worth looking at."""
    with LocalFold(plan_of([FILE], [*PARAMS, "fast=4"], []), [FILE]) as fold:
        for start in range(0, 4_000, 25):
            fold.reduce(between(day, start + 1, start + 26))
            tables = fold.snapshot().tables
            if start > 1_000 and tables["positions"]["quantity_steps"].any() and not len(tables["open_orders"]):
                return start + 25
    raise AssertionError("nothing was ever held")


def test_a_day_in_two_sessions_is_the_day_in_one(store, day, count):
    whole = record(store, "whole", day)
    parts = [record(store, "first", evening_part(day, count)), record(store, "second", morning_part(day, count))]
    (one,) = run(store, [whole], overnight=Overnight.FLAT).rows
    two = run(store, parts).rows
    assert [row.session for row in two] == parts
    for name in ("intents", "refused", "fills", "trades", "net_profit_nano", "fees_nano"):
        assert total(two, name) == getattr(one, name), name
    assert two[1].open_positions == one.open_positions
    apart = run(store, parts, overnight=Overnight.FLAT).rows
    assert apart[0].decisions_hash == two[0].decisions_hash
    assert apart[1].decisions_hash != two[1].decisions_hash
    assert {row.key for row in apart}.isdisjoint(row.key for row in two[1:])


def test_workers_and_speed_change_nothing(store, day, count):
    parts = [record(store, "first", evening_part(day, count)), record(store, "second", morning_part(day, count))]
    rows = []
    for workers, speed in ((1, Speed.INTERPRETED), (2, Speed.COMPILED)):
        grid = grid_of([FILE], PARAMS, (), ["fast=3,4"])
        sessions = [store.manifest(name) for name in parts]
        outcome = backtest(
            store, sessions, grid, [FILE], created_ns=1, workers=workers, speed=speed, overnight=Overnight.CARRY
        )  # fmt: skip
        rows.append([msgspec.structs.replace(row, seconds=0.0) for row in outcome.rows])
        for path in store.home.glob("backtests/*/cells-*"):
            path.unlink()
    assert rows[0] == rows[1]
    assert len(rows[0]) == 4


def test_a_price_that_jumps_as_in_a_split_must_be_declared(store, day, count):
    parts = [record(store, "first", evening_part(day, count))]
    parts.append(record(store, "second", morning_part(day, count, price_factor=0.5)))
    refused = run(store, parts)
    assert not refused.rows  # the session before is in the same job
    (reason,) = refused.failed.values()
    assert "as after a split: declare it, --split" in reason
    symbol, _, rest = reason.partition("--split ")[2].partition("@")
    on = rest[:10]
    split = run(store, parts, splits=[f"{name}@{on}=2" for name in ("ABCD", "BRNX", "CRVQ")])
    none = run(store, parts, splits=[f"{name}@{on}=1" for name in ("ABCD", "BRNX", "CRVQ")])
    assert symbol in ("ABCD", "BRNX", "CRVQ")
    assert split.rows[0].decisions_hash == none.rows[0].decisions_hash
    assert split.rows[0].open_positions > 0
    # What was held lost half of its worth where it was no split; where it was one, nothing happened.
    assert split.rows[1].net_profit_nano - none.rows[1].net_profit_nano > 10**12


def test_a_held_instrument_that_is_gone_keeps_its_position(store, day, count):
    parts = [record(store, "first", evening_part(day, count))]
    rest = [block for block in morning_part(day, count) if block.kind is Kind.TIMER]
    timers = Block.of(
        Kind.TIMER, len(rest[0]), **{name: rest[0].number(name) for name in ("ts_event_ns", "ts_recv_ns", "interval_ns")},
        seq=np.arange(1, len(rest[0]) + 1),
    )  # fmt: skip
    parts.append(record(store, "second", [timers]))
    rows = run(store, parts).rows
    assert rows[1].open_positions == rows[0].open_positions > 0
    assert rows[1].net_profit_nano == rows[1].fills == 0


def test_kept_runs_of_carried_sessions_begin_with_what_was_left(store, day, count):
    parts = [record(store, "first", evening_part(day, count)), record(store, "second", morning_part(day, count))]
    without = run(store, parts)
    outcome = run(store, parts, keep_runs=True)
    assert not outcome.failed
    assert outcome.done_before == 0
    assert [row.state_hash for row in outcome.rows] == [row.state_hash for row in without.rows]
    for row, apart in zip(outcome.rows, (False, True), strict=True):
        verdict = verify(store, row.run, always_apart=apart)
        assert verdict.identical
        assert verdict.state_hash == row.state_hash
        batches = LogReader(store.folder(row.run)).batches(what="derived")
        assert verdict.derived == sum(len(block) for blocks in batches for block in blocks)
    assert run(store, parts, keep_runs=True).done_before == 2
    second = outcome.rows[1].run
    journey = journey_of_log(store, second)
    with Traveler(store, journey) as traveler:
        (first, *_), last = look(traveler, traveler.at(INSTRUMENTS), None), traveler.at(journey.to_seq)
        assert first.sections["account"]["cash"] != 100_000.0
        assert parts_of(last.state).tables
    con = connect(store.home)
    carried = con.sql("select run, symbol from trades where is_carried").fetchall()
    assert {run_id for run_id, _ in carried} == {second}
    assert len(carried) == outcome.rows[0].open_positions
    assert check(store).sound
    assert store.delete(second)
    again = run(store, parts, keep_runs=True)
    assert again.done_before == 1
    assert sorted(made.id for made in store.runs()) == sorted(row.run for row in again.rows)
    assert [row.decisions_hash for row in again.rows] == [row.decisions_hash for row in outcome.rows]


def test_no_run_is_left_of_a_cell_that_failed_further_on(store, day, count):
    parts = [record(store, "first", evening_part(day, count))]
    parts.append(record(store, "second", morning_part(day, count, price_factor=0.5)))
    assert not run(store, parts, keep_runs=True).rows
    assert not store.runs()


def test_sessions_that_overlap_are_refused(store, day):
    parts = [record(store, "first", day), record(store, "second", evening_part(day, 1_000))]
    (reason,) = run(store, parts).failed.values()
    assert "second begins before first ends" in reason


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"splits": ["ABCD"]}, "write SYMBOL@DAY=FACTOR"),
        ({"splits": ["ABCD@2026-11-31=2"]}, "write SYMBOL@DAY=FACTOR"),
        ({"splits": ["ABCD@2026-11-05=0"]}, "write SYMBOL@DAY=FACTOR"),
        ({"splits": ["ABCD@2026-11-05=2"], "overnight": Overnight.FLAT}, "nothing is carried over a split"),
    ],
)
def test_what_makes_no_sense_is_refused(store, day, options, said):
    name = record(store, "first", evening_part(day, 500))
    with pytest.raises(ConfigError, match=said):
        run(store, [name], **options)
