"""Power cuts, kills and errors on a simulated disk: what was acknowledged stays; and without any one rule it would not.

`TAPE_SEEDS=1000000 just test tests/log/test_crashes.py` runs more lives.
"""

import os
from contextlib import nullcontext

import pytest
from simulated_disk import SimulatedDisk
from worlds import BrokenPromiseError, World

from pipeline.errors import PoisonedError
from pipeline.log import recovery, scan
from pipeline.log.disk import publish
from pipeline.log.frames import _FRAME, FRAME_MAGIC, FrameHeader, FrameKind
from pipeline.log.journal import Journal

SEEDS = int(os.environ.get("TAPE_SEEDS", "3000"))
SEEDS_TO_CATCH = 3000
SHARES = 4


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.timeout(0)
def test_whatever_was_acknowledged_survives(share):
    for seed in range(share, SEEDS, SHARES):
        try:
            World(seed).run()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


def is_caught(**mutation):
    """Whether the lives that the protocol survives are not survived without one of its rules."""
    for seed in range(SEEDS_TO_CATCH):
        try:
            World(seed, **mutation).run()
        except BrokenPromiseError:
            return True
    return False


def test_an_acknowledgement_before_the_sync_is_caught():
    assert is_caught(acks_written=True)


def test_a_reader_that_keeps_a_cursor_past_the_durable_end_is_caught():
    assert is_caught(reader_goes_on=True)


class ForgetsNames(SimulatedDisk):
    def sync_folder(self, path):
        pass


def test_a_folder_that_is_not_synced_is_caught():
    assert is_caught(disk=ForgetsNames)


class GoesOn(Journal):
    """Goes on after an error, as if the call that failed had done nothing."""

    @property
    def _fuse(self):
        fuse = nullcontext()
        fuse.cause = None
        return fuse

    @_fuse.setter
    def _fuse(self, value):
        pass

    def append(self, kind, blocks):
        for _ in range(2):
            try:
                return super().append(kind, blocks)
            except OSError:
                continue
        raise PoisonedError("failed twice")


class RetriesSync(Journal):
    """Tries a failed sync again, and believes the answer."""

    def sync(self):
        disk = self._disk
        self._disk = RetryingDisk(disk)
        try:
            return super().sync()
        finally:
            self._disk = disk


class RetryingDisk:
    def __init__(self, disk):
        self.disk = disk

    def sync(self, fd):
        try:
            self.disk.sync(fd)
        except OSError:
            self.disk.sync(fd)


def test_going_on_after_an_error_is_caught():
    assert is_caught(journal=GoesOn)


def test_trying_a_failed_sync_again_is_caught():
    assert is_caught(journal=RetriesSync)


def test_checksums_that_nobody_checks_are_caught(monkeypatch):
    def believed(head):
        fields = _FRAME.unpack(head)
        is_one = fields[0] == FRAME_MAGIC and fields[2] in list(FrameKind)
        return FrameHeader._make((FrameKind(fields[2]), *fields[3:15])) if is_one else None

    monkeypatch.setattr(scan, "parse_frame_header", believed)
    monkeypatch.setattr(scan.Scan, "_spoilt", lambda *_: "")
    assert is_caught()


def test_a_tail_that_is_not_cut_is_caught(monkeypatch):
    monkeypatch.setattr(recovery, "publish", lambda disk, path, _: publish(disk, path, bytes(disk.view(path))))
    assert is_caught()


def synced_in_place(disk, path, length):
    """What a naive recovery does: open the file, cut it, sync it."""
    inode = disk.names_cache[path]
    del inode.cache[length:]
    disk._store(inode, inode.dirty)
    inode.dirty.clear()
    del inode.disk[length:]


def test_a_tail_that_is_cut_in_place_is_caught(monkeypatch):
    monkeypatch.setattr(recovery, "publish", lambda disk, path, content: synced_in_place(disk, path, len(content)))
    assert is_caught()


def test_a_recovered_tail_that_is_not_synced_is_caught(monkeypatch):
    def publish_unsynced(disk, path, content):
        temporary = path.with_name(path.name + ".tmp")
        disk.write(disk.create(temporary), content)
        disk.rename(temporary, path)
        disk.sync_folder(path.parent)

    monkeypatch.setattr(recovery, "publish", publish_unsynced)
    assert is_caught()


def test_a_page_cache_that_is_believed_after_a_failed_sync_is_caught(monkeypatch):
    def publish_when_cut(disk, path, content):
        if len(disk.names_cache[path].cache) > len(content):
            publish(disk, path, content)
        else:
            synced_in_place(disk, path, len(content))

    monkeypatch.setattr(recovery, "publish", publish_when_cut)
    assert is_caught()
