"""The sequencer and the sync thread: places, commits that wait for the interval, durability that somebody waits for."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import FOLDER, LOG_ID, checkpoints, quotes, timers
from simulated_disk import SimulatedDisk

from pipeline.block import Block
from pipeline.codes import Kind, Origin
from pipeline.errors import LogError, PoisonedError
from pipeline.log.codec import decode
from pipeline.log.durable import Cursor, read_durable
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.recovery import segment_path
from pipeline.log.scan import Scan
from pipeline.log.sequencer import GATHERED_ROWS_MAX, Sequencer
from pipeline.log.syncing import SyncThread
from pipeline.provenance import Mode


class Clock:
    now = 1_000

    def __call__(self):
        return self.now


def sequenced(interval_ns=100):
    disk, clock = SimulatedDisk(random.Random(0)), Clock()
    journal = Journal.create(FOLDER, log_id=LOG_ID, disk=disk)
    return disk, clock, Sequencer(journal, Mode.IMPORT, commit_interval_ns=interval_ns, now_ns=clock)


def seqs(blocks):
    return sorted(seq for block in blocks for seq in block.number("seq").tolist())


def frames_of(disk):
    scan = Scan(disk.view(segment_path(FOLDER, 1)))
    return [(frame.header.kind, seqs(decode(frame.payload))) for frame in scan if frame.header.rows]


def test_a_quiet_market_is_committed_at_once_and_a_busy_one_gathers():
    disk, clock, sequencer = sequenced()
    assert seqs(sequencer.offer([timers(1, 2)])) == [1, 2]
    clock.now += 99
    assert sequencer.offer([timers(1, 1), quotes(2, 1)]) is None
    assert sequencer.offer([quotes(1, 1)]) is None
    clock.now += 1
    assert seqs(sequencer.offer([timers(1, 1)])) == [3, 4, 5, 6]
    assert frames_of(disk) == [(FrameKind.INPUTS, [1, 2]), (FrameKind.INPUTS, [3, 4, 5, 6])]


def test_what_waits_is_flushed():
    _, _, sequencer = sequenced()
    sequencer.offer([timers(1, 2)])
    sequencer.offer([timers(1, 2)])
    assert seqs(sequencer.flush()) == [3, 4]
    assert sequencer.flush() is None


def test_gathering_has_a_bound():
    _, _, sequencer = sequenced()
    sequencer.offer([timers(1, 1)])
    assert sequencer.offer([timers(1, GATHERED_ROWS_MAX - 1)]) is None
    assert len(seqs(sequencer.offer([timers(1, 1)]))) == GATHERED_ROWS_MAX


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 60)), min_size=1, max_size=30))
def test_seq_is_dense_whatever_waits(steps):
    disk, clock, sequencer = sequenced()
    committed = []
    for count, pause_ns in steps:
        clock.now += pause_ns
        committed += seqs(sequencer.offer([timers(1, count)]) or [])
    committed += seqs(sequencer.flush() or [])
    assert committed == list(range(1, sum(count for count, _ in steps) + 1))
    assert [seq for _, found in frames_of(disk) for seq in found] == committed


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ([timers(2, 1)], "from 1, this one from 2"),
        ([timers(1, 1), quotes(3, 1)], "missing"),
        ([checkpoints(1)], "checkpoint rows are no input in mode import"),
        ([Block.of(Kind.BAR, 1, seq=1, origin=Origin.DERIVED)], "another origin"),
    ],
)
def test_a_batch_that_is_no_input_takes_nothing(batch, reason):
    _, _, sequencer = sequenced()
    with pytest.raises(LogError, match=reason):
        sequencer.offer(batch)
    assert seqs(sequencer.offer([timers(1, 1)])) == [1]


def test_derived_rows_follow_their_inputs():
    disk, _, sequencer = sequenced()
    sequencer.offer([timers(1, 2)])
    sequencer.derived([])
    sequencer.derived([checkpoints(1, 2)])
    with pytest.raises(LogError, match="do not fit seq 2"):
        sequencer.derived([checkpoints(3)])
    with pytest.raises(LogError, match="no derived in mode import"):
        sequencer.derived([timers(1, 1)])
    assert frames_of(disk) == [(FrameKind.INPUTS, [1, 2]), (FrameKind.DERIVED, [1, 2])]


def test_the_sequence_goes_on_after_a_restart():
    disk, _, sequencer = sequenced()
    sequencer.offer([timers(1, 2)])
    disk.killed()
    journal, _ = Journal.resume(FOLDER, disk=disk)
    assert seqs(Sequencer(journal, Mode.IMPORT).offer([timers(1, 1)])) == [3]


def test_the_sync_thread_makes_durable_what_is_waited_for(tmp_path):
    with Journal.create(tmp_path, log_id=LOG_ID) as journal, SyncThread(journal) as syncing:
        sequencer = Sequencer(journal, Mode.IMPORT, commit_interval_ns=0)
        for count in range(1, 60):
            sequencer.offer([timers(1, count)])
            if count % 10 == 0:
                end = journal.written
                assert syncing.wait_durable().position >= end.position
                assert read_durable(journal._disk, tmp_path, LOG_ID).seq >= end.seq


def test_leaving_the_sync_thread_syncs_the_rest(tmp_path):
    journal = Journal.create(tmp_path, log_id=LOG_ID)
    with SyncThread(journal):
        journal.append(FrameKind.INPUTS, [timers(1, 5)])
    assert journal.durable == journal.written
    journal.abandon()


def test_a_failed_sync_poisons_the_journal_and_every_waiter():
    disk, _, sequencer = sequenced()
    journal = sequencer._journal
    sequencer.offer([timers(1, 1)])
    disk.plan(fail_at=1)
    with SyncThread(journal) as syncing, pytest.raises(PoisonedError, match="will not be durable"):
        syncing.wait_durable(timeout_s=20)
    with pytest.raises(PoisonedError):
        journal.append(FrameKind.INPUTS, [timers(2, 1)])


def test_a_failed_write_ends_the_wait_too():
    disk, _, sequencer = sequenced()
    journal = sequencer._journal
    with SyncThread(journal) as syncing:
        disk.plan(fail_at=1)
        with pytest.raises(PoisonedError):
            journal.append(FrameKind.INPUTS, [timers(1, 1)])
        with pytest.raises(PoisonedError):
            syncing.wait_durable(Cursor(1, 1, 10**6, 9, b""), timeout_s=20)


def test_waiting_has_an_end(tmp_path):
    journal = Journal.create(tmp_path, log_id=LOG_ID)
    with journal, SyncThread(journal) as syncing, pytest.raises(TimeoutError, match="segment 9"):
        syncing.wait_durable(Cursor(1, 9, 0, 9, b""), timeout_s=0.01)
