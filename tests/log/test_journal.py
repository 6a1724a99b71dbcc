"""The journal: what it takes and refuses, its segments, its errors, its one writer."""

import itertools
import random
import threading
import time
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from journals import FOLDER, LOG_ID, checkpoints, content_of, inputs, quotes, seqs_of, timers, written
from simulated_disk import Crash, SimulatedDisk

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.errors import LockedError, LogError, PoisonedError
from pipeline.log.arrow import SCHEMAS
from pipeline.log.codec import messages
from pipeline.log.disk import RealDisk
from pipeline.log.durable import read_durable
from pipeline.log.frames import PAYLOAD_BYTES_MAX, FrameKind
from pipeline.log.journal import Journal, Limits
from pipeline.log.recovery import segment_path
from pipeline.log.scan import Scan, Verdict
from pipeline.log.segments import numbers


def test_what_is_appended_comes_back_in_order(tmp_path):
    with Journal.create(tmp_path / "log", log_id=LOG_ID) as journal:
        for kind, blocks in inputs(1, 2, 300, 1):
            journal.append(kind, blocks)
        journal.append(FrameKind.DERIVED, [checkpoints(1, 1, 304)])
    assert seqs_of(RealDisk(), tmp_path / "log") == list(range(1, 305))


def test_a_segment_explains_itself_to_arrow_alone():
    disk, _ = written([(FrameKind.INPUTS, [timers(1, 1), quotes(2, 2)])])
    schema_frame, frame = Scan(content_of(disk))
    schemas = {kind: pa.ipc.read_schema(pa.py_buffer(message)) for kind, message in messages(schema_frame.payload)}
    assert schemas == {Kind.TIMER: SCHEMAS[Kind.TIMER], Kind.QUOTE: SCHEMAS[Kind.QUOTE]}
    batches = [
        pa.ipc.read_record_batch(pa.py_buffer(message), schemas[kind]) for kind, message in messages(frame.payload)
    ]
    assert [batch.column("seq").to_pylist() for batch in batches] == [[1], [2, 3]]


@pytest.mark.parametrize(
    ("kind", "blocks", "reason"),
    [
        (FrameKind.INPUTS, [timers(5, 2)], "inputs 5..6 do not follow seq 3"),
        (FrameKind.INPUTS, [timers(3, 2)], "inputs 3..4 do not follow seq 3"),
        (FrameKind.INPUTS, [timers(4, 2), quotes(7, 1)], "missing"),
        (FrameKind.INPUTS, [timers(4, 2), quotes(5, 1)], "missing, or there twice"),
        (FrameKind.INPUTS, [timers(4, 2), quotes(4, 2)], "missing, or there twice"),
        (FrameKind.INPUTS, [timers(4, 1), timers(5, 1)], "one block of a kind"),
        (FrameKind.INPUTS, [Block.of(Kind.TIMER, 2, seq=[5, 4])], "not in seq order"),
        (FrameKind.INPUTS, [Block.of(Kind.TIMER, 3, seq=[4, 4, 6])], "not in seq order"),
        (FrameKind.INPUTS, [timers(4, 0)], "an empty timer block"),
        (FrameKind.INPUTS, [], "at least one"),
        (FrameKind.DERIVED, [checkpoints(3, 4)], "derived rows 3..4 do not fit seq 3"),
        (FrameKind.DERIVED, [checkpoints(0, 1)], "derived rows 0..1 do not fit"),
        (FrameKind.DERIVED, [checkpoints(2, 1)], "not in seq order"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_changes(kind, blocks, reason):
    disk, journal = written(inputs(3))
    before = content_of(disk)
    with pytest.raises(LogError, match=reason):
        journal.append(kind, blocks)
    assert content_of(disk) == before
    journal.append(FrameKind.INPUTS, [timers(4, 1)])
    assert seqs_of(disk) == [1, 2, 3, 4]


def test_a_commit_that_is_too_large_is_refused_and_nothing_changes():
    disk, journal = written(inputs(1))
    rows = PAYLOAD_BYTES_MAX // 50
    with pytest.raises(LogError, match="split it"):
        journal.append(FrameKind.INPUTS, [timers(2, rows)])
    journal.append(FrameKind.INPUTS, [timers(2, 1)])
    assert seqs_of(disk) == [1, 2]


def test_a_runs_log_takes_its_parents_seq_and_no_inputs():
    disk = SimulatedDisk(random.Random(0))
    journal = Journal.create(FOLDER, log_id=LOG_ID, disk=disk, is_derived_only=True)
    for seqs in ((5, 900), (900, 901)):
        journal.append(FrameKind.DERIVED, [checkpoints(*seqs)])
    with pytest.raises(LogError, match=r"derived rows 7\.\.7 do not fit seq 901"):
        journal.append(FrameKind.DERIVED, [checkpoints(7)])
    with pytest.raises(LogError, match="inputs 902"):
        journal.append(FrameKind.INPUTS, [timers(902, 1)])
    journal.close()
    resumed, recovered = Journal.resume(FOLDER, disk=disk)
    assert recovered.was_closed
    resumed.append(FrameKind.DERIVED, [checkpoints(901, 1000)])


def test_a_full_segment_is_followed_by_the_next_and_the_chain_goes_on():
    disk = SimulatedDisk(random.Random(0))
    journal = Journal.create(FOLDER, log_id=LOG_ID, disk=disk, limits=Limits(segment_bytes=4_000))
    for kind, blocks in inputs(*[10] * 20):
        journal.append(kind, blocks)
    journal.close()
    segments = numbers(disk, FOLDER)
    assert segments == list(range(1, len(segments) + 1))
    assert len(segments) > 3
    chain = bytes(32)
    for segment in segments:
        scan = Scan(disk.view(segment_path(FOLDER, segment)))
        assert scan.header.chain == chain
        assert scan.header.epoch == 1
        list(scan)
        assert scan.verdict is Verdict.CLEAN
        chain = scan.place.chain
    assert seqs_of(disk) == list(range(1, 201))


def test_an_old_segment_is_followed_by_the_next():
    clock = itertools.count(0, 20)
    disk = SimulatedDisk(random.Random(0))
    limits = Limits(segment_ns=55)
    journal = Journal.create(FOLDER, log_id=LOG_ID, disk=disk, limits=limits, now_ns=lambda: next(clock))
    for kind, blocks in inputs(*[1] * 10):
        journal.append(kind, blocks)
    assert len(numbers(disk, FOLDER)) > 2
    assert seqs_of(disk) == list(range(1, 11))


def test_every_writer_has_an_epoch_of_its_own_and_a_segment_of_its_own():
    disk, journal = written(inputs(2), closes=True)
    cursors = [journal.durable]
    for epoch in range(2, 5):
        journal, recovered = Journal.resume(FOLDER, disk=disk, cursors=cursors)
        assert recovered.was_closed
        assert journal.written.epoch == epoch
        assert journal.written.segment == epoch
        journal.append(FrameKind.INPUTS, [timers(journal.written.seq + 1, 1)])
        journal.close()
        cursors.append(journal.durable)
    assert seqs_of(disk) == [1, 2, 3, 4, 5]


def test_durable_follows_written_at_a_sync_and_is_published():
    disk, journal = written(inputs(1, 1))
    assert journal.durable.seq == 0
    assert journal.written.seq == 2
    assert journal.unsynced.is_set()
    assert journal.sync() == journal.written == journal.durable == read_durable(disk, FOLDER, LOG_ID)
    assert not journal.unsynced.is_set()
    assert read_durable(disk, FOLDER, b"some other log..") is None


def test_any_error_poisons_for_good():
    disk, journal = written(inputs(1))
    disk.plan(fail_at=1)
    with pytest.raises(PoisonedError, match="restart to recover"):
        journal.sync()
    disk.plan()
    for forbidden in (journal.sync, lambda: journal.append(*inputs(1, 1)[1]), journal.close):
        with pytest.raises(PoisonedError):
            forbidden()
    assert journal.is_poisoned
    resumed, _ = Journal.resume(FOLDER, disk=disk)
    assert resumed.written.seq == 1


def a_life(disk, acknowledged):
    """Create, write over two segments, close; each acknowledged seq is noted."""
    with Journal.create(FOLDER, log_id=LOG_ID, disk=disk, limits=Limits(segment_bytes=2_000)) as journal:
        for kind, blocks in inputs(1, 30, 2, 1, 1):
            journal.append(kind, blocks)
            acknowledged.append(journal.sync().seq)


def test_each_call_in_turn_may_fail_once_or_for_ever():
    disk = SimulatedDisk(random.Random(0))
    a_life(disk, [])
    for nth, forever, power in itertools.product(range(1, disk.calls + 1), (False, True), (False, True)):
        disk = SimulatedDisk(random.Random(nth))
        acknowledged = [0]
        disk.plan(fail_at=nth, fails_forever=forever)
        with pytest.raises((OSError, PoisonedError)):
            a_life(disk, acknowledged)
        (disk.lost_power if power else disk.killed)()
        if not numbers(disk, FOLDER):
            assert acknowledged == [0]
            continue
        journal, _ = Journal.resume(FOLDER, disk=disk)
        seqs = seqs_of(disk)
        assert seqs == list(range(1, len(seqs) + 1))
        assert acknowledged[-1] <= len(seqs) <= 35
        assert journal.written.seq == len(seqs)


def test_each_call_of_a_recovery_may_crash_and_doing_it_twice_changes_nothing():
    whole, _ = written(inputs(1, 30, 2), synced_after={1})
    content = content_of(whole)[:-100]
    for nth in itertools.count(1):
        disk, _ = written(inputs(1, 30, 2), synced_after={1})
        disk.killed()
        disk.names_cache[segment_path(FOLDER, 1)].cache[:] = content
        disk.plan(crash_at=nth)
        try:
            Journal.resume(FOLDER, disk=disk)
        except Crash:
            (disk.lost_power if nth % 2 else disk.killed)()
            Journal.resume(FOLDER, disk=disk)
            assert seqs_of(disk) == list(range(1, 32))
        else:
            break
    assert nth > 10


def test_each_failed_call_then_a_power_cut_at_each_call_of_the_recovery():
    disk = SimulatedDisk(random.Random(0))
    a_life(disk, [])
    for failing, crashing, seed in itertools.product(range(1, disk.calls + 1), range(1, 16), range(4)):
        disk = SimulatedDisk(random.Random(seed))
        acknowledged = [0]
        disk.plan(fail_at=failing)
        with pytest.raises((OSError, PoisonedError)):
            a_life(disk, acknowledged)
        disk.killed()
        if not numbers(disk, FOLDER):
            continue
        disk.plan(crash_at=crashing)
        with suppress(Crash):
            Journal.resume(FOLDER, disk=disk)
        disk.lost_power()
        if numbers(disk, FOLDER) or acknowledged[-1]:
            Journal.resume(FOLDER, disk=disk)
        assert len(seqs_of(disk)) >= acknowledged[-1]


def test_a_second_writer_is_refused_and_told_who_the_first_is(tmp_path):
    journal = Journal.create(tmp_path, log_id=LOG_ID)
    with pytest.raises(LockedError, match=r"lock: process \d+ writes this log"):
        Journal.resume(tmp_path)
    journal.abandon()
    Journal.resume(tmp_path)[0].close()


def test_the_name_of_a_new_folder_is_durable_before_anything_in_it_is():
    """Disks of tests have no folders to lose, so it is looked at which are synced, and when."""
    disk, calls = SimulatedDisk(random.Random(0)), []
    for name in ("sync_folder", "create"):
        real = getattr(disk, name)
        setattr(disk, name, lambda path, real=real, name=name: calls.append((name, path)) or real(path))
    Journal.create(FOLDER, log_id=LOG_ID, disk=disk)
    assert calls[0] == ("sync_folder", FOLDER.parent)
    assert ("sync_folder", FOLDER) in calls


def test_a_log_is_not_made_where_one_is(tmp_path):
    Journal.create(tmp_path, log_id=LOG_ID).close()
    with pytest.raises(LogError, match="resume it"):
        Journal.create(tmp_path, log_id=LOG_ID)


def test_append_and_sync_run_in_two_threads(tmp_path):
    commits = inputs(*np.random.default_rng(1).integers(1, 40, 1500))
    journal = Journal.create(tmp_path, log_id=LOG_ID, limits=Limits(segment_bytes=200_000))
    is_done = threading.Event()
    ends = []

    def sync_on():
        while not is_done.is_set():
            if journal.unsynced.take(0.001):
                ends.append(journal.sync().position)

    thread = threading.Thread(target=sync_on)
    thread.start()
    for kind, blocks in commits:
        journal.append(kind, blocks)
    is_done.set()
    thread.join()
    journal.close()
    assert ends == sorted(ends)
    assert len(numbers(RealDisk(), tmp_path)) > 3
    assert seqs_of(RealDisk(), tmp_path) == list(range(1, journal.written.seq + 1))


def test_a_rotation_does_not_repeat_the_sync_that_failed_meanwhile():
    disk = SimulatedDisk(random.Random(0))
    journal = Journal.create(FOLDER, log_id=LOG_ID, disk=disk, limits=Limits(segment_bytes=1_000))
    journal.append(*inputs(1)[0])
    refused = []

    def append():
        try:
            journal.append(FrameKind.INPUTS, [timers(2, 1)])
        except PoisonedError as error:
            refused.append(error)

    with journal._syncing:  # as a sync would that is under way
        thread = threading.Thread(target=append)
        thread.start()
        time.sleep(0.05)
        calls = disk.calls
        journal._fuse.cause = OSError("the sync failed")
    thread.join()
    assert len(refused) == 1
    assert disk.calls == calls
    assert journal.durable.seq == 0
