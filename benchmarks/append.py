"""Append: commits without and with a sync, beside raw writes of the same bytes."""

import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure, slowness
from benchmarks.rows import quotes
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal

COMMIT_ROWS = 256
COMMITS = 4_000
SYNCED = 300
SINGLES = 20_000


def figures():
    block = quotes(COMMITS * COMMIT_ROWS)
    commits = [[block.slice(i, i + COMMIT_ROWS)] for i in range(0, SYNCED * COMMIT_ROWS, COMMIT_ROWS)]
    rates = [COMMIT_ROWS / statistics.median(_taken(block, COMMIT_ROWS)) for _ in range(3)]
    single_us = statistics.median(_taken(block.slice(0, SINGLES), 1)) * 1e6
    pairs = [(_synced(commits), _raw_synced(commits)) for _ in range(5)]
    ratio = statistics.median(raw / ours for ours, raw in pairs)
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
            "append, 256 rows and a sync each, to a raw write and fdatasync of the same bytes",
            ratio,
            "",
            0.5,
            beside=f"{statistics.median(ours for ours, _ in pairs) / SYNCED * 1e6:.0f} us a commit",
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
