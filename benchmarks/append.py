"""Append: commits without and with a sync, beside raw writes of the same bytes."""

import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure, slowness
from benchmarks.rows import quotes
from pipeline.log.disk import RealDisk
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.syncing import SyncThread

COMMIT_ROWS = 256
COMMITS = 4_000
SYNCED = 300
SINGLES = 20_000


def figures():
    block = quotes(COMMITS * COMMIT_ROWS)
    commits = [[block.slice(i, i + COMMIT_ROWS)] for i in range(0, SYNCED * COMMIT_ROWS, COMMIT_ROWS)]
    rates = [COMMIT_ROWS / statistics.median(_taken(block, COMMIT_ROWS)) for _ in range(3)]
    single_us = statistics.median(_taken(block.slice(0, SINGLES), 1)) * 1e6
    runs = [(_synced(commits), _synced_meanwhile(commits), _raw_synced(commits)) for _ in range(7)]
    in_turn, meanwhile = (statistics.median(run[2] / run[which] for run in runs) for which in (0, 1))
    slow = slowness()
    beside = f"stated for a machine {slow:.1f} times as fast as this one now: {{}}"
    return [
        Figure(
            "append, commits of 256 rows, no sync",
            statistics.median(rates) / 1e6,
            "M rows/s",
            5 / slow,
            beside=beside.format("5 M rows/s"),
        ),
        Figure(
            "append, commits of 1 row, no sync, median",
            single_us,
            "us",
            15 * slow,
            at_least=False,
            beside=beside.format("15 us"),
        ),
        Figure(
            "append, 256 rows and a sync each by the sync thread, to a raw write and fdatasync of the same bytes",
            meanwhile,
            "",
            0.5,
            beside=f"{statistics.median(run[1] for run in runs) / SYNCED * 1e6:.0f} us a commit, the next one made meanwhile; "
            f"append and sync in turn {in_turn:.2f}",
        ),
    ]


def _taken(block, rows):
    """Seconds of each append of so many rows; the rows are cut out just before, as a feed would hand them over."""
    with tempfile.TemporaryDirectory() as home, Journal.create(Path(home) / "journal", log_id=bytes(16)) as journal:
        clock, append, inputs = time.perf_counter, journal.append, FrameKind.INPUTS
        taken = []
        for first in range(0, len(block), rows):
            commit = [block.slice(first, first + rows)]
            start = clock()
            append(inputs, commit)
            taken.append(clock() - start)
        return taken


def _synced(commits):
    with tempfile.TemporaryDirectory() as home, Journal.create(Path(home) / "journal", log_id=bytes(16)) as journal:
        start = time.perf_counter()
        for commit in commits:
            journal.append(FrameKind.INPUTS, commit)
            journal.sync()
        return time.perf_counter() - start


class _CountingDisk(RealDisk):
    def __init__(self):
        self.syncs = 0

    def sync(self, fd):
        self.syncs += 1
        super().sync(fd)


def _synced_meanwhile(commits):
    """As a recorder does: while the sync thread makes one commit durable the next is appended, and no more than that."""
    disk = _CountingDisk()
    with (
        tempfile.TemporaryDirectory() as home,
        Journal.create(Path(home) / "journal", log_id=bytes(16), disk=disk) as journal,
        SyncThread(journal) as sync,
    ):
        before, disk.syncs = journal.written, 0
        start = time.perf_counter()
        for commit in commits:
            journal.append(FrameKind.INPUTS, commit)
            sync.wait_durable(before)
            before = journal.written
        sync.wait_durable(before)
        taken = time.perf_counter() - start
        assert disk.syncs > 0.9 * len(commits), f"{disk.syncs} syncs for {len(commits)} commits"
        return taken


def _raw_synced(commits):
    """The same bytes, written and synced by nothing but two system calls each."""
    with tempfile.TemporaryDirectory() as home:
        with Journal.create(Path(home) / "journal", log_id=bytes(16)) as journal:
            ends = [journal.written.end]
            for commit in commits:
                journal.append(FrameKind.INPUTS, commit)
                ends.append(journal.written.end)
        content = next((Path(home) / "journal").glob("*.seg")).read_bytes()
        pieces = [content[a:b] for a, b in itertools.pairwise(ends)]
        fd = os.open(Path(home) / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        start = time.perf_counter()
        for piece in pieces:
            os.write(fd, piece)
            os.fdatasync(fd)
        taken = time.perf_counter() - start
        os.close(fd)
        return taken
