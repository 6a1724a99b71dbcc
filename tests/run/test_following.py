"""Strategies that hear what a scanner picks: over a generated day, at both speeds, verified, and by code kept with the log."""

import math
from pathlib import Path

import pytest

from pipeline.codes import Kind
from pipeline.errors import ConfigError, StrategyError
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.fold import Speed
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.verifying import verify
from pipeline.scanner_codes import CandidateVerdict, UniverseAction
from pipeline.simulator.generate import Day
from pipeline.units import MINUTE_NS
from warehouse import connect

DAY = Day(seed=3, quotes=400, lasts_ns=25 * MINUTE_NS)
FILES = [strategy_file("ema_cross")]
PARAMS = ["fast=5", "slow=20", "notional=1000"]

BUSY = Path(__file__).resolve().parents[1] / "busy.toml"


@pytest.fixture(scope="module")
def busy():
    return BUSY


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, busy):
    store = Store(tmp_path_factory.mktemp("picking"))
    plan = plan_of(FILES, PARAMS, [], [busy])
    return store, record_generated(store, DAY, plan, FILES, created_ns=1)


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


@pytest.mark.parametrize("batch_rows", [200, 65_536])
def test_both_speeds_replay_it_to_the_same_bytes(recorded, busy, batch_rows):
    store, manifest = recorded
    plan = plan_of(FILES, PARAMS, [], [busy])
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
    run = replay(store, manifest.id, plan_of(FILES, PARAMS, [], [path]), FILES, created_ns=3)
    symbols = {row["instrument_id"]: row["symbol"] for row in rows(store, manifest.id, Kind.INSTRUMENT)}
    assert {symbols[row["instrument_id"]] for row in rows(store, run.run, Kind.UNIVERSE, "derived")} == {"ABCD", "CRVQ"}
    assert {symbols[row["instrument_id"]] for row in rows(store, run.run, Kind.FILL, "derived")} <= {"ABCD", "CRVQ"}
    assert verify(store, run.run).identical


def test_what_leaves_is_flat_soon_or_stays_until_it_is(recorded, busy):
    store, manifest = recorded
    for policy in (1, 2):
        plan = plan_of(FILES, PARAMS, [f"universe={policy}"], [busy])
        run = replay(store, manifest.id, plan, FILES, created_ns=3 + policy)
        assert verify(store, run.run).identical
        assert run.fills > 0
        closed_by = connect(store.home).sql(
            f"select distinct exit_kind from trades where run = '{run.run}' and is_closed"
        )
        assert ("scanner",) in closed_by.fetchall() if policy == 1 else ("scanner",) not in closed_by.fetchall()


def test_two_scanners_have_each_its_own_strategies_and_verify(recorded, busy, tmp_path):
    store, manifest = recorded
    listed = tmp_path / "mine.toml"
    listed.write_text('name = "mine"\nsymbols = ["ABCD", "CRVQ"]\nwhen_dropped = "keep"\n')
    files = [*FILES, strategy_file("hold")]
    plan = plan_of(files, [f"ema_cross.{each}" for each in PARAMS], [], [busy, listed], [1, 2])
    run = replay(store, manifest.id, plan, files, created_ns=20, speed=Speed.INTERPRETED)
    assert verify(store, run.run).identical
    assert verify(store, run.run, always_apart=True).identical
    picked = {}
    for row in rows(store, run.run, Kind.UNIVERSE, "derived"):
        picked.setdefault(row["scanner_id"], set()).add(row["instrument_id"])
    fills = {}
    for row in rows(store, run.run, Kind.FILL, "derived"):
        fills.setdefault(row["strategy_id"], set()).add(row["instrument_id"])
    assert picked[1] & picked[2]
    assert picked[1] - picked[2]
    assert fills[1] <= picked[1]
    assert fills[2] <= picked[2]
    alone, beside = rows(store, manifest.id, Kind.CANDIDATE), rows(store, run.run, Kind.CANDIDATE, "derived")
    assert [(row["seq"], row["rank"]) for row in beside] == [(row["seq"], row["rank"]) for row in alone]


def test_a_scanner_that_is_none_is_refused_by_name_and_key(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(BUSY.read_text().replace("limit = 2", "limits = 2"))
    with pytest.raises(ConfigError, match=r"limits.*limit"):
        plan_of(FILES, PARAMS, [], [path])
    assert isinstance(path, Path)


OWN = """
import numpy as np
from pipeline.codes import Kind
from pipeline.scanner.columns import COUNT
from pipeline.scanner.field import Valued, field_of

def _count(state, segment):
    if Kind.PRINT in segment:
        np.add.at(state.columns["prints"], segment[Kind.PRINT].number("instrument_id"), 1)

@field_of("prints_today", "count", "prints of today", "prints", columns={"prints": COUNT}, daily=("prints",), fold=_count)
def prints_today(view):
    return Valued(view["prints"] * 1.0, view["ts_volume_ns"])

FIELDS = (prints_today,)
"""


def own_scanner(folder, code=OWN):
    (folder / "mine.py").write_text(code)
    (folder / "own.toml").write_text(
        'own_fields = "mine.py"\n'
        + BUSY.read_text()
        .replace("every_s = 60", "every_s = 5")
        .replace("trades_per_s", "prints_today")
        .replace("0.02", "3")
    )
    return folder / "own.toml"


@pytest.fixture(scope="module")
def recorded_own(tmp_path_factory):
    """A session whose scanner had a field of its own, and the scanner's file."""
    store, path = Store(tmp_path_factory.mktemp("own")), own_scanner(tmp_path_factory.mktemp("scanner"))
    return store, record_generated(store, DAY, plan_of(FILES, PARAMS, [], [path]), FILES, created_ns=1), path


def test_a_session_keeps_the_code_of_its_scanners_own_fields_and_is_verified_with_it(recorded_own):
    store, manifest, path = recorded_own
    assert manifest.settings["plan"]["scanners"][0]["fields_text"] == OWN
    assert manifest.kinds["universe"] > 2
    path.with_name("mine.py").write_text(OWN.replace("* 1.0", "* 0.0"))
    assert verify(store, manifest.id).identical
    assert verify(store, manifest.id, always_apart=True).identical
    changed = replay(store, manifest.id, plan_of(FILES, PARAMS, [], [path]), FILES, created_ns=2)
    assert changed.decisions_hash != manifest.decisions_hash, "a replay runs the fields as they are now"
    path.with_name("mine.py").unlink()
    assert verify(store, manifest.id).identical


@pytest.mark.parametrize("speed", [Speed.INTERPRETED, Speed.COMPILED])
def test_own_fields_replay_to_the_same_bytes_at_both_speeds(recorded_own, tmp_path, speed):
    store, manifest, _ = recorded_own
    done = replay(
        store, manifest.id, plan_of(FILES, PARAMS, [], [own_scanner(tmp_path)]), FILES, created_ns=3, speed=speed
    )
    assert (done.decisions_hash, done.state_hash) == (manifest.decisions_hash, manifest.state_hash)
    assert verify(store, done.run).identical


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("import time", r"mine\.py: line 1: import of time \(clock\)"),
        ("import random", r"mine\.py: line 1: import of random \(chance\)"),
        ("from os import getpid", r"mine\.py: line 1: import of os.getpid \(outside\)"),
        ("from pipeline.run import clock", r"mine\.py: line 1: .*'pipeline\.run' would not be kept.*accepted are"),
        ("import beside", r"mine\.py: line 1: .*beside"),
    ],
)
def test_fields_that_could_not_be_replayed_are_refused_with_their_line(tmp_path, monkeypatch, line, told):
    (tmp_path / "beside.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises((ConfigError, StrategyError), match=told):
        plan_of(FILES, PARAMS, [], [own_scanner(tmp_path, f"{line}{OWN}")])


BROKEN = """
@field_of("fails", "count", "fails once there are prints", "prints")
def fails(view):
    view["prints"][:] = 0  # which only its `fold` may do
    return Valued(view["prints"] * 1.0, view["ts_volume_ns"])

FIELDS = (prints_today, fails)
"""


def test_a_field_of_ones_own_that_fails_is_absent_from_then_on_and_the_tape_says_so(tmp_path):
    path = own_scanner(tmp_path, OWN.partition("FIELDS")[0] + BROKEN)
    path.write_text(path.read_text().replace('"spread", "prints_today"', '"fails"'))
    store = Store(tmp_path)
    manifest = record_generated(store, DAY, plan_of(FILES, PARAMS, [], [path]), FILES, created_ns=1)
    told = rows(store, manifest.id, Kind.CANDIDATE)
    (failed,) = [row for row in told if row["verdict"] == CandidateVerdict.FAILED]
    assert (failed["instrument_id"], failed["field_id"], failed["evaluation"]) == (0, 2, 1)
    assert {math.isnan(row["value"]) for row in told if row["field_id"] == 2 and row["instrument_id"]} == {True}
    assert manifest.kinds["universe"] > 2, "the others go on"
    query = "select field, unit, source, verdict from candidates where verdict = 'failed' or field = 'prints_today' group by all"
    assert sorted(connect(store.home).sql(query).fetchall()) == [
        ("fails", "count", "prints", "failed"),
        *(("prints_today", "count", "prints", verdict) for verdict in ("dropped", "not_ranked", "picked")),
    ]
    assert verify(store, manifest.id, always_apart=True).identical
