"""Owned folder: a temporary folder that goes with its owner, or, when he was killed, with the next one who makes one.

Its owner holds a lock on a file in it, which any death frees. The file has its name only when it is locked, so nobody takes a
folder for a dead one's that is just being made; one without the file is left alone.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline.errors import LockedError
from pipeline.log.lock import Lock

_OWNER: Final = "owner"


@contextlib.contextmanager
def owned_folder(prefix: str, root: Path) -> Iterator[Path]:
    """A new folder, gone behind the block; those of this prefix whose owners are dead go now."""
    drop_of_dead(prefix, root)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
    try:
        lock = Lock(folder / f".{_OWNER}")
        try:
            (folder / f".{_OWNER}").rename(folder / _OWNER)
            yield folder
        finally:
            lock.release()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def drop_of_dead(prefix: str, root: Path) -> None:
    """Delete the folders of this user and prefix whose owners are dead."""
    for folder in root.glob(f"{prefix}*"):
        # Where somebody else may write nothing is opened: what is called a lock there may be a link to any file.
        if not _is_ours(folder) or not (folder / _OWNER).is_file():
            continue
        with contextlib.suppress(LockedError, OSError):  # he lives, or another one cleans up
            lock = Lock(folder / _OWNER)
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return stat.S_ISDIR(found.st_mode)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
