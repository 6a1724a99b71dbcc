"""One writer a log: an advisory lock of the operating system on a file, held for life, freed by any death.

The holder's process id stands in the file for the one who comes second. The file itself means nothing and stays.
Local disks only: what flock does on a network file system is between its server and its mood.
"""

import os
import sys
from pathlib import Path
from typing import Final

from pipeline.errors import LockedError

FILE_NAME: Final = "lock"


class Lock:
    """A lock that is held, until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        """Take the lock at once. Raises LockedError, naming the holder, when another one holds it."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            _take(self._fd)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() if hasattr(os, "pread") else ""
            os.close(self._fd)
            raise LockedError(f"{path}: process {holder or 'unknown'} writes this log") from None
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{os.getpid()}\n".encode("ascii"))

    def release(self) -> None:
        """Let another one write; once is enough, again does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _take(fd: int) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - Windows only

        try:
            # One byte far behind the pid, so that the pid can still be read.
            os.lseek(fd, 1 << 20, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            os.lseek(fd, 0, os.SEEK_SET)
        except OSError:
            raise BlockingIOError from None
    else:
        import fcntl  # noqa: PLC0415 - absent on Windows

        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
