"""The few file verbs with which the log is written, as a port: tests put a simulated disk in its place.

Nothing here retries: after a failed sync the kernel has marked the pages clean, a second sync would succeed and
mean nothing. The caller stops for good and lets recovery look at what is really there.
"""

import mmap
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

from pipeline.log.lock import Lock

Buffer = bytes | bytearray | memoryview

SharedMemory = bytearray | mmap.mmap
"""A small file's bytes, written in place: other processes see them at once, the disk when the system likes."""

_APPENDING: Final = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

TEMPORARY: Final = ".tmp"
"""Suffix of a file that is not published yet; a leftover is removed at the next start."""

SYNCS_AT_ONCE: Final = 8
"""More share no more of the disk's work, as measured on ext4."""


class Held(Protocol):
    """A lock that is held."""

    def release(self) -> None:
        """Let another one have it; once is enough, again does nothing."""
        ...


class Disk(Protocol):
    """File verbs. A file and its name are durable apart from each other: `sync` the one, `sync_folder` the other.

    All raise OSError.
    """

    def create(self, path: Path) -> int:
        """A new file, open for appending. Raises FileExistsError."""
        ...

    def reopen(self, path: Path) -> int:
        """A file that is there, open for appending."""
        ...

    def write(self, fd: int, content: Buffer) -> None:
        """Append all of the content, or raise: then any part of it may be there."""
        ...

    def sync(self, fd: int) -> None:
        """Return when the file's content and size are durable."""
        ...

    def close(self, fd: int) -> None:
        """Give the descriptor back; makes nothing durable."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give the file another name, in one step, replacing what had it."""
        ...

    def unlink(self, path: Path) -> None:
        """Take the name away."""
        ...

    def make_folder(self, path: Path) -> None:
        """Make the folder and its parents, when absent."""
        ...

    def sync_folder(self, path: Path) -> None:
        """Return when creations, renames and removals in this folder are durable."""
        ...

    def names(self, folder: Path) -> list[str]:
        """Names in the folder, sorted; empty when there is no such folder."""
        ...

    def size(self, path: Path) -> int:
        """Bytes in the file."""
        ...

    def view(self, path: Path) -> memoryview:
        """The file's bytes as of now, read-only, without reading them yet where the system can map files."""
        ...

    def map_shared(self, path: Path, length: int) -> SharedMemory:
        """The bytes of a small file of that length, for writing in place; a new file holds zeros."""
        ...

    def lock(self, path: Path) -> Held:
        """Take the lock of that name for this process. Raises LockedError when another one holds it."""
        ...


class RealDisk:
    """The system's files."""

    def create(self, path: Path) -> int:
        """A new file, open for appending. Raises FileExistsError."""
        return os.open(path, _APPENDING | os.O_CREAT | os.O_EXCL, 0o644)

    def reopen(self, path: Path) -> int:
        """A file that is there, open for appending."""
        return os.open(path, _APPENDING)

    def write(self, fd: int, content: Buffer) -> None:
        """Append all of the content, or raise: then any part of it may be there."""
        written = os.write(fd, content)
        while written < len(content):
            # A short write is no error: a full disk or a signal shows itself at the next call.
            content = memoryview(content)[written:]
            written = os.write(fd, content)

    def sync(self, fd: int) -> None:
        """Return when the file's content and size are durable."""
        if sys.platform == "darwin":
            import fcntl  # noqa: PLC0415 - absent on Windows

            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # its fsync stops at the drive's cache
        elif hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            os.fsync(fd)

    def close(self, fd: int) -> None:
        """Give the descriptor back; makes nothing durable."""
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Give the file another name, in one step, replacing what had it."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Take the name away."""
        path.unlink()

    def make_folder(self, path: Path) -> None:
        """Make the folder and its parents, when absent."""
        path.mkdir(parents=True, exist_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Return when creations, renames and removals in this folder are durable."""
        if sys.platform == "win32":
            return  # NTFS journals names itself and offers no call for it
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def names(self, folder: Path) -> list[str]:
        """Names in the folder, sorted; empty when there is no such folder."""
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def size(self, path: Path) -> int:
        """Bytes in the file."""
        return path.stat().st_size

    def view(self, path: Path) -> memoryview:
        """The file's bytes as of now, read-only, mapped: pages are read when they are touched."""
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def map_shared(self, path: Path, length: int) -> SharedMemory:
        """The bytes of a small file of that length, for writing in place; a new file holds zeros."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            os.ftruncate(fd, length)
            return mmap.mmap(fd, length)
        finally:
            os.close(fd)

    def lock(self, path: Path) -> Held:
        """Take the lock of that name for this process. Raises LockedError when another one holds it."""
        return Lock(path)


def publish(disk: Disk, path: Path, *contents: Buffer) -> None:
    """The file with exactly this content under this name, durable when this returns; after a crash the old or the new.

    Raises OSError; then the old file is untouched, or the new one is whole.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    if temporary.name in disk.names(path.parent):
        disk.unlink(temporary)
    write_new(disk, temporary, *contents)
    disk.rename(temporary, path)
    disk.sync_folder(path.parent)


def write_new(disk: Disk, path: Path, *contents: Buffer) -> None:
    """A new file with this content, durable but for its name. Raises FileExistsError, OSError."""
    fd = disk.create(path)
    try:
        for content in contents:
            disk.write(fd, content)
        disk.sync(fd)
    finally:
        disk.close(fd)  # before anybody renames it, for Windows renames no open file


def write_many(disk: Disk, folder: Path, files: Mapping[str, Buffer]) -> None:
    """Files in and below a folder that is there, by names with '/' between; durable, names too, when this returns.

    For what counts only when something that is published afterwards names it: until this returns, any part of any file
    may be there, and what an earlier attempt left is replaced. So there is no order in it, and syncs wait for the disk
    together. Raises OSError.
    """
    contents = {folder / name: content for name, content in files.items()}
    folders = {folder}
    for inner in {path.parent for path in contents}:
        folders.update(inner.parents[: len(inner.parts) - len(folder.parts)], [inner])
    for parent in sorted(folders):
        disk.make_folder(parent)
        for name in disk.names(parent):
            if parent / name in contents:
                disk.unlink(parent / name)
    with ThreadPoolExecutor(SYNCS_AT_ONCE, "syncing") as pool:
        for _ in pool.map(lambda path: write_new(disk, path, contents[path]), contents):
            pass
        for _ in pool.map(disk.sync_folder, folders):
            pass
