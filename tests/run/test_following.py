"""Strategies that hear what a scanner picks: over a generated day, at both speeds, verified, and by code kept with the log."""

from pathlib import Path

import pytest

from pipeline.codes import Kind
from pipeline.errors import ConfigError
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.verifying import verify
from pipeline.scanner_codes import UniverseAction
from pipeline.simulator.generate import Day

FILES = [strategy_file("ema_cross")]
PARAMS = ["fast=5", "slow=20", "notional=1000"]

BUSY = """
name = "busy"
show = ["last"]
limit = 2
retention_s = 60

[schedule]
every_s = 5
from = "00:00"
until = "23:59"

[[filters]]
field = "trades_per_s"
op = ">="
threshold = 0.02

[[rank]]
field = "trades_per_s"
"""


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    path = tmp_path_factory.mktemp("scanner") / "busy.toml"
    path.write_text(BUSY)
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, busy):
    store = Store(tmp_path_factory.mktemp("picking"))
    plan = plan_of(FILES, PARAMS, [], busy)
    return store, record_generated(store, Day(seed=3, quotes=1_500), plan, FILES, created_ns=1)


def rows(store, id_, kind, what="all"):
    batches = LogReader(store.folder(id_)).batches(kinds=[kind], what=what)
    return [row for batch in batches for block in batch for row in block.rows()]


def test_a_recording_with_a_scanner_verifies_here_and_by_the_code_it_keeps(recorded):
    store, manifest = recorded
    assert manifest.kinds["candidate"] > 0
    assert manifest.kinds["universe"] > 2
    assert manifest.kinds["fill"] > 0
    assert verify(store, manifest.id).identical
    assert verify(store, manifest.id, always_apart=True).identical


def test_no_strategy_decides_in_what_the_scanner_did_not_pick(recorded):
    store, manifest = recorded
    changes = {}
    for row in rows(store, manifest.id, Kind.UNIVERSE):
        changes.setdefault(row["instrument_id"], []).append((row["seq"], row["action"]))
    for row in rows(store, manifest.id, Kind.TRANSITION):
        before = [action for seq, action in changes.get(row["instrument_id"], []) if seq <= row["seq"]]
        assert before, "it was picked before"
    for row in rows(store, manifest.id, Kind.INTENT):
        actions = [action for seq, action in changes[row["instrument_id"]] if seq <= row["seq"]]
        assert actions[-1] == UniverseAction.ADDED or row["cause_ord"] > 0 or row["action"] != 0


@pytest.mark.parametrize("batch_rows", [1_000, 65_536])
def test_both_speeds_replay_it_to_the_same_bytes(recorded, busy, batch_rows):
    store, manifest = recorded
    plan = plan_of(FILES, PARAMS, [], busy)
    done = [
        replay(store, manifest.id, plan, FILES, created_ns=2, speed=speed, rows=batch_rows)
        for speed in (Speed.INTERPRETED, Speed.COMPILED)
    ]
    assert [each.decisions_hash for each in done] == [manifest.decisions_hash] * 2
    assert [each.state_hash for each in done] == [manifest.state_hash] * 2
    for each in done:
        assert verify(store, each.run).identical


def test_a_list_is_a_scanner_too(recorded, tmp_path):
    store, manifest = recorded
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nsymbols = ["ABCD", "CRVQ"]\n')
    run = replay(store, manifest.id, plan_of(FILES, PARAMS, [], path), FILES, created_ns=3)
    symbols = {row["instrument_id"]: row["symbol"] for row in rows(store, manifest.id, Kind.INSTRUMENT)}
    assert {symbols[row["instrument_id"]] for row in rows(store, run.run, Kind.UNIVERSE, "derived")} == {"ABCD", "CRVQ"}
    assert {symbols[row["instrument_id"]] for row in rows(store, run.run, Kind.FILL, "derived")} <= {"ABCD", "CRVQ"}
    assert verify(store, run.run).identical


def test_what_leaves_is_flat_soon_or_stays_until_it_is(recorded, busy):
    store, manifest = recorded
    for policy in (1, 2):
        plan = plan_of(FILES, PARAMS, [f"universe={policy}"], busy)
        run = replay(store, manifest.id, plan, FILES, created_ns=3 + policy)
        assert verify(store, run.run).identical
        assert run.fills > 0


def test_a_scanner_that_is_none_is_refused_by_name_and_key(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(BUSY.replace("limit = 2", "limits = 2"))
    with pytest.raises(ConfigError, match=r"limits.*limit"):
        plan_of(FILES, PARAMS, [], path)
    assert isinstance(path, Path)
