"""A disk in memory that keeps no more than a real one must: the faults come from a seed.

What is modelled, after what file systems were seen to do:

    writes      live in a page cache until synced; a power cut keeps any subset of their 512-byte sectors, tears some,
                and leaves zeros, noise or an old frame where the rest would be
    names       creations, renames and removals are durable after `sync_folder`; a power cut keeps any subset
    a failed    sync keeps some sectors, marks all of them clean, and the page cache goes on showing what is lost
    sync
    kill        keeps the page cache, and cuts the write it interrupts at any byte
    errors      ENOSPC and EIO at any call; what a failing write had written stays
    mapped      memory reaches the disk whenever it likes: a power cut keeps any state it ever had since the last one
"""

import errno
import random
from pathlib import Path

from pipeline.errors import LockedError

SECTOR = 512


class Crash(BaseException):
    """The process or the machine is gone; nothing of it runs any further."""


class Inode:
    def __init__(self):
        self.cache = bytearray()
        self.disk = bytearray()
        self.dirty = set()


class SharedBytes(bytearray):
    """Mapped memory that remembers its states."""

    def __init__(self, content):
        super().__init__(content)
        self.states = [bytes(content)]

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.states.append(bytes(self))


class HeldName:
    def __init__(self, disk, path):
        self.disk, self.path = disk, path

    def release(self):
        self.disk.locked.discard(self.path)


class SimulatedDisk:
    """The verbs of `Disk`; `crash_at` and `fail_at` count calls from now on, None for never."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.names_cache: dict[Path, Inode] = {}
        self.names_disk: dict[Path, Inode] = {}
        self.pending: list[tuple[Path | None, Path | None, Inode | None]] = []
        self.shared: dict[Path, SharedBytes] = {}
        self.descriptors: dict[int, Inode] = {}
        self.locked: set[Path] = set()
        self.calls = 0
        self.crash_at: int | None = None
        self.fail_at: int | None = None
        self.fails_forever = False
        self.is_down = False

    # The verbs.

    def create(self, path):
        self._step()
        if path in self.names_cache:
            raise FileExistsError(path)
        inode = Inode()
        self._name(None, path, inode)
        return self._opened(inode)

    def reopen(self, path):
        self._step()
        return self._opened(self.names_cache[path])

    def write(self, fd, content):
        inode = self.descriptors[fd]
        try:
            self._step()
        except (OSError, Crash):
            self._put(inode, content[: self.rng.randrange(len(content) + 1)])
            raise
        self._put(inode, content)

    def sync(self, fd):
        inode = self.descriptors[fd]
        try:
            self._step()
        except OSError:
            self._store(inode, {sector for sector in inode.dirty if self.rng.random() < 0.5})
            inode.dirty.clear()
            raise
        self._store(inode, inode.dirty)
        inode.dirty.clear()

    def close(self, fd):
        pass

    def rename(self, source, target):
        self._step()
        self._name(source, target, self.names_cache[source])

    def unlink(self, path):
        self._step()
        self._name(path, None, None)

    def make_folder(self, path):
        self._step()

    def sync_folder(self, path):
        self._step()
        for change in [change for change in self.pending if self._folder_of(change) == path]:
            self._apply(self.names_disk, change)
            self.pending.remove(change)

    def names(self, folder):
        self._step()
        return sorted(path.name for path in (*self.names_cache, *self.shared) if path.parent == folder)

    def size(self, path):
        self._step()
        return len(self.names_cache[path].cache)

    def view(self, path):
        self._step()
        if path in self.shared:
            return memoryview(bytes(self.shared[path]))
        if path not in self.names_cache:
            raise FileNotFoundError(path)
        return memoryview(bytes(self.names_cache[path].cache))

    def map_shared(self, path, length):
        self._step()
        if path not in self.shared:
            self.shared[path] = SharedBytes(bytes(length))
        return self.shared[path]

    def lock(self, path):
        self._step()
        if path in self.locked:
            raise LockedError(f"{path}: process 1 writes this log")
        self.locked.add(path)
        return HeldName(self, path)

    # The faults.

    def plan(self, *, crash_at=None, fail_at=None, fails_forever=False):
        """Crash at, or fail, that many calls from now."""
        self.crash_at = None if crash_at is None else self.calls + crash_at
        self.fail_at = None if fail_at is None else self.calls + fail_at
        self.fails_forever = fails_forever

    def killed(self):
        """The process is gone, the page cache stays."""
        self.descriptors.clear()
        self.locked.clear()
        self.is_down = False
        self.plan()

    def lost_power(self):
        """The machine is gone: what was not synced is there or not."""
        for change in self.pending:
            if self.rng.random() < 0.5:
                self._apply(self.names_disk, change)
        self.pending.clear()
        for inode in {*self.names_disk.values()}:
            self._settle(inode)
        self.names_cache = dict(self.names_disk)
        for path, memory in self.shared.items():
            self.shared[path] = SharedBytes(self.rng.choice(memory.states[-20:]))
        self.killed()

    def _step(self):
        if self.is_down:
            raise Crash
        self.calls += 1
        if self.crash_at is not None and self.calls >= self.crash_at:
            self.is_down = True
            raise Crash
        if self.fail_at is not None and (
            self.calls == self.fail_at or (self.fails_forever and self.calls > self.fail_at)
        ):
            raise OSError(self.rng.choice((errno.ENOSPC, errno.EIO)), "simulated")

    def _opened(self, inode):
        fd = len(self.descriptors) + 3
        self.descriptors[fd] = inode
        return fd

    def _put(self, inode, content):
        start = len(inode.cache)
        inode.cache += content
        inode.dirty.update(range(start // SECTOR, -(-len(inode.cache) // SECTOR)))

    def _store(self, inode, sectors):
        for sector in sectors:
            start, stop = sector * SECTOR, min((sector + 1) * SECTOR, len(inode.cache))
            inode.disk.extend(bytes(max(0, stop - len(inode.disk))))
            inode.disk[start:stop] = inode.cache[start:stop]

    def _settle(self, inode):
        """Let the power cut decide over what is dirty."""
        rng, old = self.rng, len(inode.disk)
        size = rng.choice((old, len(inode.cache), rng.randint(min(old, len(inode.cache)), max(old, len(inode.cache)))))
        inode.disk += self._filler(inode, max(0, size - old))
        share = rng.choice((0.0, 0.5, 0.9, 1.0))
        for sector in sorted(inode.dirty):
            start, stop = sector * SECTOR, min((sector + 1) * SECTOR, len(inode.cache), max(size, old))
            if start < stop and rng.random() < share:
                torn = rng.randint(start, stop) if rng.random() < 0.1 else stop
                inode.disk[start:torn] = inode.cache[start:torn]
        inode.cache = bytearray(inode.disk)
        inode.dirty.clear()

    def _filler(self, inode, length):
        """What stands in sectors that were given to the file and never written."""
        sort = self.rng.random()
        if sort < 0.6 or not inode.cache:
            return bytes(length)
        if sort < 0.8:
            return self.rng.randbytes(length)
        stale = bytes(inode.cache[len(inode.cache) // 2 :]) or b"\0"
        return (stale * (length // len(stale) + 1))[:length]

    def _name(self, source, target, inode):
        change = (source, target, inode)
        self._apply(self.names_cache, change)
        self.pending.append(change)

    @staticmethod
    def _apply(names, change):
        source, target, inode = change
        if source is not None:
            names.pop(source, None)
        if target is not None:
            names[target] = inode

    @staticmethod
    def _folder_of(change):
        return (change[1] or change[0]).parent
