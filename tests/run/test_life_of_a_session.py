"""The life of a session: recorded, replayed, verified, asked; interrupted and resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3
from commands import tape

from pipeline.block import Block, concat, row_count
from pipeline.codes import Kind, SessionAction
from pipeline.errors import ConfigError, CorruptError, LockedError, NotFoundError
from pipeline.feeds.files import feed_of
from pipeline.feeds.tables import mapping_from
from pipeline.log import manifest as manifests
from pipeline.log.check import check
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal, Limits
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.run.control import Request, ask
from pipeline.run.fold import FoldPlan, LocalFold, Speed
from pipeline.run.generating import record_generated
from pipeline.run.importing import import_files
from pipeline.run.recording import opened
from pipeline.run.replaying import replay, seq_at
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.verifying import verify
from pipeline.simulator.generate import Day
from pipeline.units import MINUTE_NS

DAY = Day(quotes=800, instruments=3, lasts_ns=40 * MINUTE_NS)
FILES = [strategy_file("opening_range"), strategy_file("ema_cross")]
PARAMS = ["opening_range.open_minute=480", "ema_cross.fast=5", "ema_cross.slow=20"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    return store, record_generated(store, DAY, plan_of(FILES, PARAMS, []), FILES, created_ns=1)


def csv_of(path, rows):
    lines = ["timestamp,bid,ask,bid_size,ask_size"]
    lines += [
        f"{1_700_000_000_000 + i * 50},{10 + i % 7 / 100:.2f},{10.05 + i % 5 / 100:.2f},100,200" for i in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


MAPPING = "kind=quote symbol=TEST ts=timestamp unit=ms bid=bid ask=ask bid_size=bid_size ask_size=ask_size"


def process(home, *arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "--home", str(home), *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        **more,
    )


def test_a_recorded_day_verifies_in_any_batch_size(recorded):
    store, manifest = recorded
    verdicts = [verify(store, manifest.id, rows=rows) for rows in (1, 7, 1_000_000)]
    assert all(verdict.identical for verdict in verdicts)
    assert (
        len({verdict.decisions_hash for verdict in verdicts}) == len({verdict.state_hash for verdict in verdicts}) == 1
    )
    assert verdicts[0].decisions_hash == manifest.decisions_hash
    assert verdicts[0].derived > 100


def test_it_verifies_with_the_recorded_code_in_a_process_of_its_own(recorded):
    store, manifest = recorded
    verdict = verify(store, manifest.id, always_apart=True)
    assert verdict.identical
    assert verdict.decisions_hash == manifest.decisions_hash


def test_compiling_is_refused_where_the_recorded_code_runs(recorded):
    store, manifest = recorded
    with pytest.raises(
        ConfigError, match=f"{manifest.id}: its code runs in a process of its own, which compiles nothing"
    ):
        verify(store, manifest.id, always_apart=True, speed=Speed.COMPILED)


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_it_verifies_whatever_the_hash_seed(recorded, seed):
    store, manifest = recorded
    done = process(store.home, "verify", manifest.id, "--json", env={**os.environ, "PYTHONHASHSEED": seed})
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert verdict["identical"]
    assert verdict["decisions_hash"] == manifest.decisions_hash


def test_a_replay_of_the_same_code_decides_the_same(recorded):
    store, manifest = recorded
    run = replay(store, manifest.id, plan_of(FILES, PARAMS, []), FILES, created_ns=2)
    assert run.decisions_hash == manifest.decisions_hash
    assert verify(store, run.run).identical


def test_a_replay_of_other_parameters_decides_otherwise_and_verifies_alone(recorded):
    store, manifest = recorded
    run = replay(store, manifest.id, plan_of(FILES[1:], ["fast=8", "slow=40"], []), FILES[1:], created_ns=2)
    assert run.fills > 0
    assert run.decisions_hash != manifest.decisions_hash
    assert verify(store, run.run, rows=7).identical


def test_a_replay_until_a_moment_sees_nothing_later(recorded):
    store, manifest = recorded
    until_ns = DAY.starts_ns + DAY.lasts_ns // 2
    run = replay(store, manifest.id, plan_of(FILES, PARAMS, []), FILES, created_ns=2, until_ns=until_ns)
    reader = LogReader(store.folder(manifest.id))
    assert run.events == seq_at(reader, until_ns) < reader.last_seq
    late = [block for batch in reader.batches(run.events + 1, run.events + 1) for block in batch]
    assert late[0].number("ts_recv_ns")[0] > until_ns
    assert verify(store, run.run).identical


def test_a_replay_until_before_the_first_input_is_refused(recorded):
    store, manifest = recorded
    with pytest.raises(ConfigError, match="before the first input of generated-7, 2026-11-04T08:00:00"):
        replay(store, manifest.id, plan_of(FILES, PARAMS, []), FILES, created_ns=2, until_ns=DAY.starts_ns - 1)


def test_a_replay_names_the_rules_that_refused(recorded):
    store, manifest = recorded
    tight = plan_of(FILES, [*PARAMS, "ema_cross.notional=2000"], ["order_notional_max=1000"])
    run = replay(store, manifest.id, tight, FILES, created_ns=2)
    assert run.refused_by["order_notional"] > 0
    assert sum(run.refused_by.values()) == run.refused
    assert (
        "refused by"
        in tape(store.home, "replay", manifest.id, "--strategy", "ema_cross", "--set", "order_notional_max=1").stdout
    )


def test_the_beginning_of_an_id_deletes_nothing(recorded):
    store, manifest = recorded
    done = tape(store.home, "sessions", "delete", manifest.id[:-2], "--yes")
    assert done.returncode == 2
    assert "write the whole id; nothing was deleted" in done.stderr
    assert store.manifest(manifest.id)


def test_a_changed_decision_is_found_and_what_led_to_it_is_shown(recorded, tmp_path):
    """Rewrite the log with one fill a cent dearer: verify names that row, the column, the order and the input."""
    store, manifest = recorded
    other = Store(tmp_path)
    forged = _copy_with_one_fill_changed(store, manifest, other)
    verdict = verify(other, forged)
    assert not verdict.identical
    difference = verdict.first_difference
    assert (difference.kind, difference.differs) == ("fill", ("price_nano",))
    assert difference.led_to[0]["kind"] in ("quote", "timer", "status", "print")
    assert difference.led_to[-1]["kind"] == "order"
    done = tape(tmp_path, "verify", forged)
    assert done.returncode == 1
    assert f"seq {difference.seq} ord {difference.ord}" in done.stdout


def _copy_with_one_fill_changed(store, manifest, other):
    facts = {name: getattr(manifest, name) for name in ("settings", "strategies", "packages", "decisions_hash")}
    copy = other.create_session("forged", mode=manifest.mode, created_ns=1, **facts)
    folder, source = other.folder(copy.id), store.folder(manifest.id)
    other.keep_code(copy.id, {name: (source / "code" / name).read_text() for name in manifest.code})
    reader = LogReader(source)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(copy.log_id)) as journal:
        is_changed = False
        for window in reader.windows(what="all"):
            journal.append(
                FrameKind.INPUTS, [b.take(b.number("ord") == 0) for b in window.blocks if (b.number("ord") == 0).any()]
            )
            derived = [b.take(b.number("ord") > 0) for b in window.blocks if (b.number("ord") > 0).any()]
            for block in derived:
                if block.kind is Kind.FILL and not is_changed:
                    block.columns["price_nano"][len(block) // 2] += 10_000_000
                    is_changed = True
            if derived:
                journal.append(FrameKind.DERIVED, derived)
    manifests.update(folder, state="ended")
    seal(folder)
    return copy.id


def test_recorded_code_that_was_touched_is_not_run(recorded, tmp_path):
    store, manifest = recorded
    shutil.copytree(store.home, tmp_path / "copy")
    other = Store(tmp_path / "copy")
    path = other.folder(manifest.id) / "code" / "strategies" / "ema_cross.py"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(CorruptError, match="ema_cross"):
        verify(other, manifest.id)


def test_verify_runs_the_code_of_then_when_todays_differs(recorded, tmp_path):
    """A strategy from a file outside, changed after the run: the run still verifies, and says that the code is another."""
    store, manifest = recorded
    mine = tmp_path / "mine.py"
    text = strategy_file("ema_cross").read_text().replace('"ema_cross",', '"mine",')
    mine.write_text(text)
    run = replay(store, manifest.id, plan_of([mine], ["fast=5", "slow=20"], []), [mine], created_ns=3)
    folder = store.folder(run.run)
    assert (folder / "code" / "strategies" / "mine.py").read_text() == text
    kept = folder / "code" / "pipeline" / "core" / "risk.py"
    older = kept.read_text() + "\n# as it was then\n"
    store.keep_code(
        run.run,
        {
            **{name: (folder / "code" / name).read_text() for name in store.manifest(run.run).code},
            "pipeline/core/risk.py": older,
        },
    )
    verdict = verify(store, run.run)
    assert verdict.identical
    assert not verdict.same_code


BYTES_A_QUOTE = 100
"""In the journal, with its share of the timers."""

MOMENTS = (0.2, 0.5, 0.8, 0.1, 0.35, 0.65)
"""Shares of what an import writes at which it is killed; three of them have to hit it."""


def test_an_import_that_was_killed_loses_nothing_acknowledged_and_resumes(tmp_path):
    """SIGKILL at several moments of an import; resumed, the session equals one that was never interrupted."""
    path = csv_of(tmp_path / "quotes.csv", 60_000)
    whole = tape(tmp_path / "whole", "import", path, "--map", MAPPING, "--name", "x", "--json")
    assert whole.returncode == 0, whole.stderr
    expected = _market_rows(LogReader(tmp_path / "whole" / "sessions" / "x"))
    killed, moments = 0, iter(MOMENTS)
    while killed < 3:
        moment = next(moments)
        home = tmp_path / f"home-{moment}"
        command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "import", str(path)]
        importing = subprocess.Popen(
            [*command, "--map", MAPPING, "--name", "x"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        journal = home / "sessions" / "x" / "journal"
        while importing.poll() is None and _size_of(journal) < moment * 60_000 * BYTES_A_QUOTE:
            time.sleep(0.001)
        importing.send_signal(signal.SIGKILL)
        if importing.wait() != -signal.SIGKILL or not (home / "sessions" / "x").exists():
            continue
        if Store(home).sessions()[0].state != "open" or not any(journal.glob("*.seg")):
            continue
        killed += 1
        resumed = tape(home, "import", path, "--map", MAPPING, "--resume", "x", "--json")
        assert resumed.returncode == 0, resumed.stderr
        assert _market_rows(LogReader(home / "sessions" / "x")) == expected
        assert check(Store(home)).sound


def _size_of(journal):
    """Bytes in the segments that are there; one that is sealed may go meanwhile."""
    sizes = []
    for path in journal.glob("*.seg"):
        with suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return sum(sizes)


def _market_rows(reader):
    """Hash of all market rows but for their seq, which the session's own rows shift; however they lie in batches."""
    kinds = [Kind.QUOTE, Kind.TIMER, Kind.INSTRUMENT, Kind.FEED]
    hasher = blake3()
    for block in concat(block for batch in reader.batches(kinds=kinds) for block in batch):
        for name, column in block.columns.items():
            if name != "seq":
                hasher.update(repr(column).encode() if isinstance(column, list) else column.tobytes())
    return hasher.hexdigest()


def test_resuming_with_other_files_is_refused(tmp_path):
    store = Store(tmp_path / "home")
    path = csv_of(tmp_path / "a.csv", 100)
    feed = feed_of(path, mapping=mapping_from(MAPPING))
    done = import_files(store, [feed], [path], name="x", created_ns=1)
    with pytest.raises(ConfigError, match="not open"):
        import_files(store, [feed], [path], name="x", created_ns=1, resume=done.session)


def test_a_session_resumes_where_its_decisions_ended(tmp_path):
    """A recorder dies between its inputs and their decisions: the next one writes exactly those that are missing."""
    store = Store(tmp_path)
    whole = record_generated(store, DAY, plan_of(FILES, PARAMS, []), FILES, created_ns=1)
    reader = LogReader(store.folder(whole.id))
    facts = {name: getattr(whole, name) for name in ("settings", "strategies", "packages")}
    cut = store.create_session("cut", mode=whole.mode, created_ns=2, **facts)
    store.keep_code(cut.id, {name: (store.folder(whole.id) / "code" / name).read_text() for name in whole.code})
    plan = msgspec.convert(whole.settings["plan"], FoldPlan)
    batches = list(reader.batches(rows=512))
    half = len(batches) // 2
    with (
        pytest.raises(RuntimeError, match="power"),
        LocalFold(plan, FILES) as fold,
        opened(store, cut, fold) as recorder,
    ):
        for number, batch in enumerate(batches):
            if number == half:
                fold.reduce = _fails
            recorder.take(_from_one(batch))
            recorder.flush()
    with LocalFold(plan, FILES) as fold, opened(store, store.manifest(cut.id), fold, is_resumed=True) as recorder:
        for batch in batches[half + 1 :]:
            recorder.take(_from_one(batch))
    assert verify(store, cut.id).identical
    assert verify(store, cut.id).derived == pytest.approx(whole.derived, rel=0.05)
    actions = [
        b.number("action").tolist()
        for batch in LogReader(store.folder(cut.id)).batches(kinds=[Kind.SESSION])
        for b in batch
    ]
    assert any(SessionAction.RESUMED in some for some in actions)


def _fails(_batch):
    raise RuntimeError("power is gone")


def _from_one(batch):
    first = min(int(block.number("seq")[0]) for block in batch)
    return [block.with_columns(seq=block.number("seq") - (first - 1)) for block in batch]


def test_a_note_from_outside_becomes_an_input_of_the_open_session(tmp_path):
    store = Store(tmp_path)
    manifest = store.create_session("live", mode=manifests.Mode.PAPER, created_ns=1)
    answers = []
    with opened(store, manifest, None) as recorder:
        asking = threading.Thread(
            target=lambda: answers.append(ask(store.folder(manifest.id), Request("NOTE", "x", "wide")))
        )
        asking.start()
        for number in range(2_000):
            recorder.take([Block.of(Kind.TIMER, 1, seq=1, ts_event_ns=number, ts_recv_ns=number, interval_ns=1)])
            if answers:
                break
            time.sleep(0.002)
        with pytest.raises(LockedError, match=str(os.getpid())), opened(store, manifest, None, is_resumed=True):
            pass
        asking.join()
    assert answers[0].ok
    (note,) = [
        row
        for batch in LogReader(store.folder(manifest.id)).batches(kinds=[Kind.NOTE])
        for block in batch
        for row in block.rows()
    ]
    assert (note["seq"], note["text"], note["tag"]) == (answers[0].seq, "wide", "x")


def test_a_run_is_no_session_to_replay(recorded):
    store, manifest = recorded
    run = replay(store, manifest.id, plan_of(FILES[1:], [], []), FILES[1:], created_ns=2)
    with pytest.raises(NotFoundError, match="replay its session"):
        replay(store, run.run, plan_of(FILES[1:], [], []), FILES[1:], created_ns=2)


def test_nothing_of_this_machine_is_in_the_log(recorded):
    store, manifest = recorded
    text = (store.folder(manifest.id) / "manifest.json").read_text()
    assert str(Path.home()) not in text
    assert str(store.home) not in text


def test_a_live_session_commits_at_once_what_it_takes(tmp_path):
    store, sizes = Store(tmp_path), []
    manifest = store.create_session("live", mode=manifests.Mode.PAPER, created_ns=1)
    with opened(store, manifest, None, is_live=True) as recorder:
        recorder.seen.append(lambda inputs, _: sizes.append(row_count(inputs)))
        for number in range(1, 201):
            recorder.take([Block.of(Kind.TIMER, 1, seq=[1], ts_event_ns=number, ts_recv_ns=number, interval_ns=1)])
            assert sizes == [1] * number


def test_segments_are_sealed_while_the_session_is_recorded(tmp_path):
    """Small segments: some are Parquet and gone before the end, nothing is lost or doubled, a crash in between resumes."""
    store = Store(tmp_path)
    manifest = store.create_session("long", mode=manifests.Mode.PAPER, created_ns=1)
    folder, limits = store.folder(manifest.id), Limits(segment_bytes=20_000, segment_ns=10**18)
    rows = 40

    def timers(number):
        times = [number * rows + i for i in range(rows)]
        return [Block.of(Kind.TIMER, rows, seq=range(1, rows + 1), ts_event_ns=times, ts_recv_ns=times, interval_ns=1)]

    with pytest.raises(RuntimeError, match="power"), opened(store, manifest, None, limits=limits) as recorder:
        for number in range(200):
            recorder.take(timers(number))
            recorder.flush()
        for _ in range(100):
            if store.manifest(manifest.id).sealed.segment > 3:
                break
            time.sleep(0.05)
        raise RuntimeError("power is gone")
    assert store.manifest(manifest.id).sealed.segment > 3
    assert not (folder / "journal" / "000001.seg").exists()
    with opened(store, store.manifest(manifest.id), None, is_resumed=True, limits=limits) as recorder:
        for number in range(200, 300):
            recorder.take(timers(number))
    seal(folder)
    found = [
        t
        for batch in LogReader(folder).batches(kinds=[Kind.TIMER])
        for b in batch
        for t in b.number("ts_event_ns").tolist()
    ]
    assert found == list(range(300 * rows))
    assert check(store).sound
