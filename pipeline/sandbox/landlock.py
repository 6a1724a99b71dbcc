"""Landlock: what Linux lets a process give up for good, files first, then connections; without a library, by system calls.

The numbers are those of the kernel's `include/uapi/linux/landlock.h`; the three calls have the same number on all machines
that were added to Linux in this century. What a version knows is asked of the kernel: its ABI counts up from 1.
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

READ_FILE: Final = 1 << 2
READ_FOLDER: Final = 1 << 3
_FILE_RIGHTS: Final = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""Rights over files by the ABI that brought them: to execute, write, read, list, remove and make; to move between folders;
to cut; to speak to devices."""

_TCP: Final = (1 << 0) | (1 << 1)
_OUTSIDE: Final = (1 << 0) | (1 << 1)
TCP_ABI: Final = 4
"""Bind and connect can be given up."""
OUTSIDE_ABI: Final = 6
"""Abstract sockets of, and signals to, processes that aren't closed in as well can be given up."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_SET_NO_NEW_PRIVILEGES: Final = 38


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64), ("outside", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("fd", ctypes.c_int32))


def abi() -> int:
    """What this kernel knows; 0 where there is no Landlock."""
    if sys.platform != "linux":
        return 0
    return max(_call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)), 0)


def restrict(readable: Iterable[Path], listable: Iterable[Path], version: int) -> None:
    """Give up, for this thread and all that it will start, every right over files but to read the ones named, and TCP.

    A folder means all beneath it; of the `listable` names can be seen and nothing can be read. What isn't there is left out.
    `version` is the ABI, 1 or more. Raises OSError when the kernel refuses: then nothing is closed.
    """
    rights = sum(bits for since, bits in _FILE_RIGHTS.items() if since <= version)
    asked = _Ruleset(rights, _TCP if version >= TCP_ABI else 0, _OUTSIDE if version >= OUTSIDE_ABI else 0)
    size = 24 if version >= OUTSIDE_ABI else 16 if version >= TCP_ABI else 8  # as long as it was in that version
    ruleset = _checked(_call(_CREATE_RULESET, ctypes.byref(asked), ctypes.c_size_t(size), ctypes.c_uint32(0)))
    try:
        for paths, allowed in ((readable, READ_FILE | READ_FOLDER), (listable, READ_FOLDER)):
            for path in paths:
                _allow(ruleset, path, allowed)
        _checked(ctypes.CDLL(None, use_errno=True).prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(_call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= READ_FILE
        rule = _PathBeneath(rights, fd)
        _checked(
            _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
        )
    finally:
        os.close(fd)


def _call(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *arguments))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
