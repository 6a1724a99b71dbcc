"""Sealing beside a recording: its process may die, or find damage, and nothing is lost; it never outlives the recorder."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.log import compacting
from pipeline.log.check import check
from pipeline.log.journal import Limits
from pipeline.log.manifest import Mode
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.run.code import ROOT
from pipeline.run.recording import opened

LIMITS = Limits(segment_bytes=20_000, segment_ns=10**18)
ROWS = 40
PATIENCE_S = 120


@pytest.fixture
def session(tmp_path):
    store = Store(tmp_path)
    return store, store.create_session("long", mode=Mode.PAPER, created_ns=1)


def timers(number):
    times = [number * ROWS + i for i in range(ROWS)]
    return [Block.of(Kind.TIMER, ROWS, seq=range(1, ROWS + 1), ts_event_ns=times, ts_recv_ns=times, interval_ns=1)]


def fill(recorder, numbers):
    for number in numbers:
        recorder.take(timers(number))
        recorder.flush()


def wait_for(condition):
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.02)


def kill(process_id):
    if process_id:
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)


def times_in(folder):
    return [
        time_ns
        for batch in LogReader(folder).batches(kinds=[Kind.TIMER])
        for block in batch
        for time_ns in block.number("ts_event_ns").tolist()
    ]


def test_the_death_of_its_process_costs_nothing(session):
    store, manifest = session
    folder = store.folder(manifest.id)
    with opened(store, manifest, None, limits=LIMITS, is_live=True) as recorder:
        first = recorder.sealing.worker_id
        assert first, "it is there before there is work"
        kill(first)
        fill(recorder, range(200))
        wait_for(lambda: store.manifest(manifest.id).sealed.segment > 2)
        assert recorder.sealing.worker_id != first
        assert "killed by signal 9; another one took its place" in recorder.sealing.trouble
    assert {part.stretch for part in store.manifest(manifest.id).parts} == {"inputs"}
    seal(folder)
    assert times_in(folder) == list(range(200 * ROWS))
    assert check(store).sound


def test_a_segment_that_takes_every_process_with_it_is_left_for_the_end(session):
    store, manifest = session
    folder = store.folder(manifest.id)
    with opened(store, manifest, None, limits=LIMITS) as recorder:
        fill(recorder, range(100))

        def is_given_up():
            kill(recorder.sealing.worker_id)
            return "died 2 times over one segment" in recorder.sealing.trouble

        wait_for(is_given_up)
        fill(recorder, range(100, 200))
        assert "sealed at the end instead" in recorder.sealing.trouble
    seal(folder)
    assert times_in(folder) == list(range(200 * ROWS))
    assert check(store).sound


def test_damage_stops_sealing_and_not_the_recording(session):
    store, manifest = session
    first = store.folder(manifest.id) / "journal" / "000001.seg"
    with opened(store, manifest, None, limits=LIMITS) as recorder:
        fill(recorder, [0])
        content = bytearray(first.read_bytes())
        content[-10] ^= 1
        first.write_bytes(content)
        fill(recorder, range(1, 100))
        wait_for(lambda: recorder.sealing.trouble)
        assert "000001.seg" in recorder.sealing.trouble
        fill(recorder, range(100, 200))
    assert store.manifest(manifest.id).state == "ended"
    assert not store.manifest(manifest.id).parts
    assert not check(store).sound


def test_a_session_without_full_segments_needs_no_process(session):
    store, manifest = session
    with opened(store, manifest, None) as recorder:
        fill(recorder, range(3))
        assert not recorder.sealing.worker_id


def test_a_process_that_waits_for_its_first_segment_has_loaded_no_library():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pipeline.run.sealing_worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"msgspec", "numpy", "pyarrow"}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it hears of the death some milliseconds later")
def test_it_ends_with_the_recorder_however_that_ends(session):
    store, manifest = session
    script = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from pipeline.log.store import Store
from pipeline.run.recording import opened
store = Store(Path({str(store.home)!r}))
with opened(store, store.manifest({manifest.id!r}), None, is_live=True) as recorder:
    print(recorder.sealing.worker_id, flush=True)
    time.sleep({PATIENCE_S})
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as recorder:
        worker = int(recorder.stdout.readline())
        recorder.kill()
    wait_for(lambda: is_gone(worker))


def is_gone(process_id):
    """Whether it ended; whoever adopted it may not have looked yet."""
    try:
        with open(f"/proc/{process_id}/stat") as file:  # noqa: PTH123 - no folder of ours
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_many_parts_become_fewer_while_it_is_recorded(session, monkeypatch):
    monkeypatch.setattr(compacting, "AT_ONCE", 4)
    store, manifest = session
    folder = store.folder(manifest.id)
    with opened(store, manifest, None, limits=LIMITS) as recorder:
        fill(recorder, range(200))
        wait_for(lambda: is_compact(store.manifest(manifest.id), folder))
        assert not recorder.sealing.trouble
        filled, killed = 200, threading.Thread(target=kill_at_work, args=(recorder, folder), daemon=True)
        killed.start()
        while killed.is_alive():
            assert filled < 20_000, "waited in vain"
            fill(recorder, range(filled, filled + 100))
            filled += 100
            wait_for(lambda: not killed.is_alive() or is_compact(store.manifest(manifest.id), folder))
        wait_for(lambda: "another one took its place" in recorder.sealing.trouble)
        fill(recorder, range(filled, filled + 200))
        filled += 200
        wait_for(lambda: is_compact(store.manifest(manifest.id), folder))
    seal(folder)
    assert times_in(folder) == list(range(filled * ROWS))
    report = check(store)
    assert report.sound
    assert not report.leftovers


def is_compact(manifest, folder):
    """Whether all that is closed is sealed, in three parts of each tier at most, of more segments than that."""
    is_sealed = len(list(folder.glob("journal/*.seg"))) <= 2
    return is_sealed and manifest.sealed.segment > 16 and len(manifest.parts) <= 3 * 4


def kill_at_work(recorder, folder):
    """Kill the process while it writes parts as one."""
    while not any(folder.glob("events/*/*-????????????.parquet.tmp")):
        pass
    kill(recorder.sealing.worker_id)


def test_damage_of_a_part_stops_compacting_and_not_the_sealing(session, monkeypatch):
    store, manifest = session
    with opened(store, manifest, None, limits=LIMITS) as recorder:
        fill(recorder, range(100))
        wait_for(lambda: store.manifest(manifest.id).parts)
        (damaged, *_) = store.manifest(manifest.id).parts
        path = store.folder(manifest.id) / damaged.file
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        monkeypatch.setattr(compacting, "AT_ONCE", 4)
        fill(recorder, range(100, 400))
        wait_for(lambda: "its parts stay as they are" in recorder.sealing.trouble)
        assert damaged.file in recorder.sealing.trouble
        before = store.manifest(manifest.id).sealed.segment
        fill(recorder, range(400, 600))
        wait_for(lambda: store.manifest(manifest.id).sealed.segment > before + 2)
    assert [each.file.endswith(damaged.file) for each in check(store).damage] == [True]
