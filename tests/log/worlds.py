"""Seeded lives of a journal on a simulated disk: written, synced, failed, killed, cut off, recovered, and judged."""

import random
from pathlib import Path

import numpy as np
from simulated_disk import Crash, SimulatedDisk

from pipeline.block import Block
from pipeline.codes import Kind, Origin
from pipeline.errors import LogError, PoisonedError
from pipeline.log.codec import decode, decode_schemas
from pipeline.log.durable import read_durable
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal, Limits
from pipeline.log.recovery import segment_path
from pipeline.log.scan import Scan, Verdict
from pipeline.log.segments import numbers

FOLDER = Path("/logs/journal")
LOG_ID = b"a simulated log!"


class BrokenPromiseError(AssertionError):
    """The log did what it must never do."""


class World:
    """One seed: what was submitted and acknowledged stands beside the disk, and is compared after every start."""

    def __init__(self, seed: int, *, journal=Journal, acks_written=False, reader_goes_on=False, disk=SimulatedDisk):
        self.rng = random.Random(seed)
        self.disk = disk(self.rng)
        self.journal_class = journal
        self.acks_written = acks_written
        self.reader_goes_on = reader_goes_on
        self.submitted: list[int] = []
        """The value of each input by seq, as far as anybody tried to write it."""
        self.acknowledged = 0
        self.cursor = None
        self.value = 0

    def run(self):
        for _ in range(self.rng.randint(1, 4)):
            journal = self.start(may_crash=self.rng.random() < 0.3)
            if journal is not None:
                self.live(journal)
            self.end()
        self.start(may_crash=False)

    def start(self, *, may_crash):
        """Create or resume, and judge. None when it crashed or failed on the way."""
        self.disk.plan(
            crash_at=self.rng.randint(1, 25) if may_crash else None,
            fail_at=self.rng.randint(1, 25) if may_crash and self.rng.random() < 0.3 else None,
        )
        try:
            journal = self._opened()
            found = values(self.disk)
        except (Crash, OSError):
            return None
        except LogError as error:
            raise BrokenPromiseError(f"start refused after a plain crash: {error}") from error
        if len(found) < self.acknowledged:
            raise BrokenPromiseError(f"{self.acknowledged} inputs were acknowledged, {len(found)} are there")
        if found != self.submitted[: len(found)]:
            raise BrokenPromiseError("what is there is not what was submitted")
        self.submitted = found
        return journal

    def _opened(self):
        limits = Limits(segment_bytes=self.rng.choice((3_000, 20_000)))
        options = {"disk": self.disk, "limits": limits, "now_ns": lambda: 1}
        if not numbers(self.disk, FOLDER) and not self.acknowledged:
            return self.journal_class.create(FOLDER, log_id=LOG_ID, **options)
        cursors = [self.cursor] if self.cursor else []
        return self.journal_class.resume(FOLDER, cursors=cursors, **options)[0]

    def live(self, journal):
        """Append and sync at random, until a fault, a crash or the end."""
        rng = self.rng
        self.disk.plan(
            crash_at=rng.randint(1, 60) if rng.random() < 0.6 else None,
            fail_at=rng.randint(1, 40) if rng.random() < 0.4 else None,
            fails_forever=rng.random() < 0.3,
        )
        try:
            for _ in range(rng.randint(1, 16)):
                self.act(journal)
            if rng.random() < 0.2:
                journal.close()
                self.acknowledged = len(self.submitted)
        except (Crash, PoisonedError, OSError):  # OSError: the reader's, the journal's are poison
            pass

    def act(self, journal):
        rng = self.rng
        if rng.random() < 0.65:
            self.append(journal, rng.choice((1, 1, 2, 3, 40)))
            if self.acks_written:
                self.acknowledged = journal.written.seq
        else:
            self.acknowledged = max(self.acknowledged, journal.sync().seq)
        if rng.random() < 0.3:
            self.cursor = journal.written if self.reader_goes_on else read_durable(self.disk, FOLDER, LOG_ID)

    def append(self, journal, count):
        seq = np.arange(count) + journal.written.seq + 1
        self.value += count
        fresh = np.arange(self.value - count, self.value)
        del self.submitted[int(seq[0]) - 1 :]
        self.submitted += fresh.tolist()
        journal.append(FrameKind.INPUTS, [Block.of(Kind.TIMER, count, seq=seq, interval_ns=fresh)])
        if self.rng.random() < 0.2:
            row = {"seq": seq[-1:], "ord": 1, "origin": Origin.DERIVED, "hash_0": fresh[-1:]}
            journal.append(FrameKind.DERIVED, [Block.of(Kind.CHECKPOINT, 1, **row)])

    def end(self):
        """The process dies; half of the time the machine with it."""
        if self.rng.random() < 0.5:
            self.disk.lost_power()
        else:
            self.disk.killed()


def values(disk) -> list[int]:
    """Every input of the log, by a reader that trusts nothing."""
    found = []
    for number in numbers(disk, FOLDER):
        scan = Scan(disk.view(segment_path(FOLDER, number)))
        for frame in scan:
            if frame.header.kind is FrameKind.SCHEMA:
                decode_schemas(frame.payload)
            elif frame.header.kind is FrameKind.INPUTS:
                (block,) = decode(frame.payload)
                assert block.number("seq")[0] == len(found) + 1
                found += block.number("interval_ns").tolist()
            elif frame.header.kind is FrameKind.DERIVED:
                (block,) = decode(frame.payload)
                assert found[block.number("seq")[0] - 1] == block.number("hash_0")[0]
        if scan.verdict is not Verdict.CLEAN:
            raise BrokenPromiseError(f"segment {number} after recovery: {scan.reason}")
    return found
