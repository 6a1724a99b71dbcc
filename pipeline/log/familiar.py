"""Familiar: manifests that were read and proved before, given again as long as their files are the same.

A store of a thousand sessions is listed at every question, and to read and prove every manifest each time takes half a
second. A file is the same while its place, number, size and times are; one that was written a moment ago is read again, for
within one tick of the file system's clock it can change and keep them all. Who proves a log (`tape check`, a verdict) reads
the file itself.
"""

import os
import time
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.log import manifest
from pipeline.log.manifest import MANIFEST, Manifest

_SETTLED_NS: Final = 2_000_000_000
"""So long a file must have been left alone: coarser than the clock of any file system in use."""


class _Stamp(NamedTuple):
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


_known: Final[dict[str, tuple[_Stamp, Manifest]]] = {}


def known(folder: str) -> Manifest | None:
    """The manifest of a session's or run's folder, if it was read before and its file is the same."""
    found = _known.get(folder)
    return found[1] if found is not None and found[0] == _stamp(folder) else None


def load(folder: Path) -> Manifest:
    """The same, read if it was not. Raises as `manifest.load` does."""
    name, stamp = str(folder), _stamp(folder)
    found = manifest.load(folder)
    if stamp is None or stamp != _stamp(folder):
        return found
    if time.time_ns() - max(stamp.modified_ns, stamp.changed_ns) > _SETTLED_NS:
        _known[name] = stamp, found
    return found


def _stamp(folder: str | Path) -> _Stamp | None:
    try:
        told = os.stat(f"{folder}/{MANIFEST}")  # noqa: PTH116 - asked a thousand times for one list
    except OSError:
        return None
    return _Stamp(told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
