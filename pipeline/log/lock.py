"""One writer a log: an advisory lock of the operating system on a file, held for life, freed by any death.

The holder's process id stands in the file for the one who comes second. The file itself means nothing and stays.
Local disks only: what flock does on a network file system is between its server and its mood.
"""

import os
import sys
import time
from pathlib import Path
from typing import Final

from pipeline.errors import LockedError

FILE_NAME: Final = "lock"
_LOOKS: Final = 20
_LOOK_S: Final = 0.005


class Lock:
    """A lock that is held, until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        """Take the lock at once. Raises LockedError, naming the holder, when another one holds it, and OSError, holding nothing."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            _take(self._fd)
            os.ftruncate(self._fd, 0)
            os.write(self._fd, f"{os.getpid()}\n".encode("ascii"))
        except BlockingIOError:
            holder = _holder(self._fd)
            os.close(self._fd)
            raise LockedError(f"{path}: process {holder or 'unknown'} writes this log") from None
        except OSError:  # the disk is full: nobody would ever let go of what nobody knows that he holds
            os.close(self._fd)
            raise

    def release(self) -> None:
        """Let another one write; once is enough, again does nothing."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)  # or whoever comes behind the next holder may read our number
            os.close(self._fd)
            self._fd = -1


def _holder(fd: int) -> str:
    """The number of the process that holds the lock; '' where nothing tells it. Who has just taken it is about to write it."""
    holder = ""
    for _ in range(_LOOKS if hasattr(os, "pread") else 0):
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        if holder.isdecimal() and _lives(int(holder)):
            break
        time.sleep(_LOOK_S)
    return holder


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's, or no number of a process: nothing to wait for
        pass
    return True


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
