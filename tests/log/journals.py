"""Small journals for tests: rows whose values nobody else has, written by the real journal on a quiet simulated disk."""

import random
from pathlib import Path

import numpy as np
from simulated_disk import SimulatedDisk

from pipeline.block import Block
from pipeline.codes import Kind, Origin
from pipeline.log.codec import decode
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.recovery import segment_path
from pipeline.log.scan import Scan
from pipeline.log.segments import numbers

FOLDER = Path("/logs/journal")
LOG_ID = b"a log for a test"


def timers(first_seq, count):
    """Inputs first_seq.. whose interval tells their seq."""
    seq = np.arange(first_seq, first_seq + count)
    return Block.of(Kind.TIMER, count, seq=seq, interval_ns=seq * 1_000_003)


def quotes(first_seq, count):
    seq = np.arange(first_seq, first_seq + count)
    return Block.of(Kind.QUOTE, count, seq=seq, bid_nano=seq * 10**9, ask_nano=seq * 10**9 + 1)


def checkpoints(*seqs):
    """One derived row for each of these inputs."""
    return Block.of(Kind.CHECKPOINT, len(seqs), seq=list(seqs), ord=1, origin=Origin.DERIVED, hash_0=list(seqs))


def written(commits, *, synced_after=(), closes=False, log_id=LOG_ID):
    """A disk with a journal of these commits, (kind, blocks) each, and the journal."""
    disk = SimulatedDisk(random.Random(0))
    journal = Journal.create(FOLDER, log_id=log_id, disk=disk, now_ns=lambda: 7)
    for index, (kind, blocks) in enumerate(commits):
        journal.append(kind, blocks)
        if index in synced_after:
            journal.sync()
    if closes:
        journal.close()
    return disk, journal


def inputs(*counts):
    """Commits of that many timers each."""
    first, commits = 1, []
    for count in counts:
        commits.append((FrameKind.INPUTS, [timers(first, count)]))
        first += count
    return commits


def seqs_of(disk, folder=FOLDER):
    """`seq` of every input in the log, checked by its value."""
    found = []
    for number in numbers(disk, folder):
        for frame in Scan(disk.view(segment_path(folder, number))):
            if frame.header.kind is FrameKind.INPUTS:
                for block in decode(frame.payload):
                    assert (block.number("interval_ns") == block.number("seq") * 1_000_003).all()
                    found += block.number("seq").tolist()
    return found


def content_of(disk, segment=1):
    return bytearray(disk.names_cache[segment_path(FOLDER, segment)].cache)
