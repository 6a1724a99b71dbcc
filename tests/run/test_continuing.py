"""A session that can't go on as it was: it ends, another begins with its state, both verify alone."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from pipeline.block import cut, row_count
from pipeline.cli import main
from pipeline.codes import Kind, SessionAction
from pipeline.core.settings import EngineSettings
from pipeline.errors import ConfigError
from pipeline.feeds.files import feed_of
from pipeline.feeds.merge import merged
from pipeline.feeds.tables import mapping_from
from pipeline.log.check import check
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.reports.resampling import Bootstrap
from pipeline.run.code import code_of
from pipeline.run.continuing import opening_from
from pipeline.run.fold import LocalFold
from pipeline.run.generating import record_generated
from pipeline.run.importing import import_files
from pipeline.run.recording import opened, start_rows
from pipeline.run.statistics import Question, statistics
from pipeline.run.strategies import plan_of, strategy_entries, strategy_file
from pipeline.run.verifying import verify
from pipeline.simulator.generate import Day, GeneratedDay
from pipeline.units import MINUTE_NS
from warehouse import connect, named_in

DAY = Day(quotes=1_500, instruments=3, lasts_ns=40 * MINUTE_NS)
FILES = [strategy_file("opening_range"), strategy_file("ema_cross")]
PARAMS = ["opening_range.open_minute=480", "ema_cross.fast=5", "ema_cross.slow=20", "ema_cross.notional=2000"]

RECORDER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_continuing import DAY, FILES, PARAMS, Store, pieces, plan_of, record_generated
from pipeline.run.recording import Recorder
take = Recorder.take
def slowly(recorder, batch):
    for piece in pieces([batch]):
        take(recorder, piece)
        if recorder.last_seq > int(sys.argv[3]):
            print("now", flush=True)
            time.sleep(0.05)
Recorder.take = slowly
record_generated(Store(Path(sys.argv[1])), DAY, plan_of(FILES, PARAMS, []), FILES, created_ns=1)
"""


def killed_session(home, after_seq):
    """A session whose recorder was killed with SIGKILL somewhere behind that input, the rest of the day still to come."""
    command = [sys.executable, "-c", RECORDER, str(home), str(Path(__file__).parent), str(after_seq)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "now\n"
        time.sleep(0.03)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    (manifest,) = Store(home).sessions()
    assert manifest.state == "open"
    return manifest.id


def pieces(batches):
    for batch in batches:
        for start in range(0, row_count(batch), 256):
            yield cut(batch, start, start + 256)


def interrupted_session(store):
    """A session that was left by an error at a moment at which ema_cross holds a position and has traded before."""
    plan = plan_of(FILES, PARAMS, [])
    code = code_of(FILES)
    settings = {"plan": msgspec.to_builtins(plan), "generated": msgspec.to_builtins(DAY)}
    facts = {"strategies": strategy_entries(plan, FILES, code), "settings": settings}
    made = store.create_session("cut", mode=Mode.PAPER, created_ns=1, **facts)
    manifest = store.keep_code(made.id, code.texts)
    with (
        pytest.raises(RuntimeError, match="power"),
        LocalFold(plan, FILES) as fold,
        opened(store, manifest, fold) as recorder,
    ):
        recorder.session_ns = DAY.starts_ns
        recorder.say(start_rows(manifest.settings, code.hashes, seed=DAY.seed))
        for piece in pieces(merged([GeneratedDay(DAY)])):
            recorder.take(piece)
            recorder.flush()
            told = [json.loads(text) for key, text in fold.carried() if key.startswith("position/ema_cross/")]
            if any(row["quantity_steps"] for row in told) and any(row["realized"] for row in told):
                raise RuntimeError("power is gone")
    return manifest.id


def fills(store, *names):
    """Fills by everything but their place."""
    found = []
    for name in names:
        for batch in LogReader(store.folder(name)).batches(kinds=[Kind.FILL], what="derived"):
            for block in batch:
                found += [
                    {key: row[key] for key in ("ts_recv_ns", "instrument_id", "strategy_id", "fill_id", "price_nano")}
                    for row in block.rows()
                ]
    return sorted(found, key=lambda row: row["fill_id"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("whole"))
    return fills(store, record_generated(store, DAY, plan_of(FILES, PARAMS, []), FILES, created_ns=1).id)


@pytest.mark.parametrize("after_seq", [300, 4_000])
def test_a_killed_session_goes_on_in_another_as_if_nothing_had_been(tmp_path, whole, after_seq):
    old = killed_session(tmp_path, after_seq)
    store = Store(tmp_path)
    new = record_generated(
        store, DAY, plan_of(FILES, PARAMS, ["checkpoint_every=500"]), FILES, created_ns=2, continues=old
    )
    assert fills(store, old, new.id) == whole
    assert len(whole) > 10
    for name in (old, new.id):
        assert verify(store, name, rows=97).identical
    assert verify(store, new.id, always_apart=True).identical
    assert check(store).sound
    assert new.settings["continues"]["session"] == old
    assert store.manifest(old).state == "sealed"


def test_trades_of_both_sessions_are_those_of_one(tmp_path):
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    plan = plan_of(FILES, PARAMS, [])
    record_generated(one, DAY, plan, FILES, created_ns=1)
    old = interrupted_session(two)
    new = record_generated(two, DAY, plan, FILES, created_ns=2, continues=old).id
    closed = """select strategy, symbol, side, closed_at, round(profit, 6), round(entry_price, 6), quantity
    from trades where is_closed order by all"""
    expected = connect(one.home).sql(closed).fetchall()
    assert connect(two.home).sql(closed).fetchall() == expected
    assert len(expected) > 10
    ((carried, short),) = (
        connect(two.home).sql("select sum(is_carried::int), sum((side = 'sell')::int) from trades").fetchall()
    )
    assert carried >= 1
    assert short == sum(row[2] == "sell" for row in expected)
    account_is_as_of_one(one, two, old, new)


def account_is_as_of_one(one, two, old, new):
    """What the second session says of the account stands on what the first one closed, and on nothing else of it."""
    query = """select session, last(realized - fees order by ends_at), last(profit order by ends_at),
        last(count_held order by ends_at), first(count_held order by ends_at) from equity group by all"""
    whole, parts = (connect(each.home, asked=named_in(query)).sql(query).fetchall() for each in (one, two))
    ((_, closed, profit, held, _),) = whole
    by_session = {session: numbers for session, *numbers in parts}
    (closed_first, *_), (closed_then, profit_then, held_then, held_at_first) = by_session[old], by_session[new]
    assert closed_first != 0.0
    assert (closed_first + closed_then, closed_first + profit_then) == pytest.approx((closed, profit), abs=1e-6)
    assert held_then == held
    assert held_at_first > 0
    told = statistics(two, [new], Question(bootstrap=Bootstrap(resamples=100)))
    assert told.summary.capital == pytest.approx(EngineSettings().cash + closed_first, abs=1e-6)


def test_it_can_go_on_more_than_once(tmp_path, whole):
    old = killed_session(tmp_path, 5_000)
    store = Store(tmp_path)
    plan = plan_of(FILES, PARAMS, [])
    second = record_generated(store, DAY, plan, FILES, created_ns=2, continues=old)
    third = record_generated(store, DAY, plan, FILES, created_ns=3, continues=second.id)
    assert fills(store, old, second.id) == whole
    assert third.settings["continues"]["fed"] > second.settings["continues"]["fed"]
    assert verify(store, third.id).identical
    assert fills(store, third.id) == []


def test_a_changed_strategy_begins_with_the_old_positions(tmp_path):
    store = Store(tmp_path)
    old = interrupted_session(store)
    changed = tmp_path / "ema_cross.py"
    changed.write_text(strategy_file("ema_cross").read_text() + "\n# another version\n")
    files = [FILES[0], changed]
    new = record_generated(store, DAY, plan_of(files, PARAMS, []), files, created_ns=2, continues=old)
    told = [
        (row["key"], json.loads(row["text"]))
        for batch in LogReader(store.folder(new.id)).batches(kinds=[Kind.SESSION])
        for block in batch
        for row in block.rows()
        if row["action"] == SessionAction.STATE
    ]
    assert any(key.startswith("position/ema_cross/") and row["quantity_steps"] != 0 for key, row in told)
    assert verify(store, new.id).identical


def test_a_plan_without_a_strategy_that_holds_something_is_refused_and_the_session_stays_open(tmp_path):
    store = Store(tmp_path)
    old = interrupted_session(store)
    files = [strategy_file("hold")]
    with pytest.raises(ConfigError, match="keep it in the plan"):
        record_generated(store, DAY, plan_of(files, [], []), files, created_ns=2, continues=old)
    assert store.manifest(old).state == "open"
    assert [manifest.id for manifest in store.sessions()] == [old]


def test_another_day_is_refused_before_anything_ends(tmp_path):
    store = Store(tmp_path)
    old = interrupted_session(store)
    with pytest.raises(ConfigError, match="no recording of this generated day"):
        record_generated(store, replace(DAY, seed=8), plan_of(FILES, PARAMS, []), FILES, created_ns=2, continues=old)
    assert store.manifest(old).state == "open"


def test_one_that_never_began_names_the_session_to_go_on_from(tmp_path):
    store = Store(tmp_path)
    old = interrupted_session(store)
    plan = plan_of(FILES, PARAMS, [])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="power"):
        patch.setattr("pipeline.run.generating.begin", _loses_power)
        record_generated(store, DAY, plan, FILES, created_ns=2, continues=old)
    (second,) = [manifest.id for manifest in store.sessions() if manifest.id != old]
    with pytest.raises(ConfigError, match=f"go on from {old}"):
        record_generated(store, DAY, plan, FILES, created_ns=3, continues=second)
    assert verify(store, record_generated(store, DAY, plan, FILES, created_ns=3, continues=old).id).identical


def sealed(store, name):
    return CliRunner().invoke(main, ["--home", str(store.home), "sessions", "seal", name])


def test_a_killed_session_is_ended_and_sealed_where_it_stopped(tmp_path):
    old = killed_session(tmp_path, 300)
    store = Store(tmp_path)
    last_seq = LogReader(store.folder(old)).last_seq
    ran = sealed(store, old)
    assert ran.exit_code == 0, ran.output
    assert f"{old}: nobody records it any more, so it ends where it stopped\n" in ran.output
    manifest = store.manifest(old)
    assert (manifest.state, manifest.inputs) == ("sealed", last_seq + 2)  # that it went on, and that it ended
    assert verify(store, old).identical
    assert verify(store, old, always_apart=True).identical
    assert check(store).sound


def test_one_that_is_being_recorded_is_left_alone(tmp_path):
    store = Store(tmp_path)
    manifest = store.create_session("busy", mode=Mode.PAPER, created_ns=1)
    with opened(store, manifest, None):
        ran = sealed(store, manifest.id)
        assert ran.exit_code == 2
        assert store.manifest(manifest.id).state == "open"


def test_an_import_that_was_cut_and_a_session_that_never_began_are_ended_too(tmp_path):
    store = Store(tmp_path)
    never = store.create_session("never", mode=Mode.PAPER, created_ns=DAY.starts_ns)
    assert sealed(store, never.id).exit_code == 0
    assert store.manifest(never.id).first_ts_ns == DAY.starts_ns
    made = store.create_session("cut", mode=Mode.IMPORT, created_ns=1)
    with pytest.raises(RuntimeError, match="power"), opened(store, made, None) as recorder:
        recorder.session_ns = DAY.starts_ns
        recorder.say(start_rows({}, {}, seed=0))
        for piece in pieces(merged([GeneratedDay(DAY)])):
            recorder.take(piece)
            recorder.flush()
            _loses_power()
    ran = sealed(store, made.id)
    assert ran.exit_code == 0, ran.output
    assert "so it ends where it stopped, without the rest of its files" in ran.output
    for name in (never.id, made.id):
        assert store.manifest(name).state == "sealed"
        assert verify(store, name).identical


def _loses_power(*_):
    raise RuntimeError("power is gone")


def test_an_import_has_no_state_to_go_on_with(tmp_path):
    store = Store(tmp_path)
    path = tmp_path / "a.csv"
    path.write_text("timestamp,bid,ask,bid_size,ask_size\n1700000000000,10,10.05,1,1\n")
    mapping = "kind=quote symbol=TEST ts=timestamp unit=ms bid=bid ask=ask bid_size=bid_size ask_size=ask_size"
    done = import_files(store, [feed_of(path, mapping=mapping_from(mapping))], [path], name="x", created_ns=1)
    with pytest.raises(ConfigError, match="decided nothing"):
        opening_from(store, done.session, plan_of(FILES, PARAMS, []), FILES)
