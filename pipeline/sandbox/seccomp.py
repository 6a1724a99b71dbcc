"""Seccomp: which calls Linux no longer answers for a process: here those that make a socket, of whatever sort.

Landlock closes TCP and nothing else of the network. A filter is a program of the kernel's classic BPF over the call's
number and the machine it was made for (`include/uapi/linux/seccomp.h`, `filter.h`); it holds for what is started later, too.
"""

import ctypes
import os
import platform
import sys
from typing import Final, NamedTuple

_LOAD_WORD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_ERROR: Final = 0x00050000
_NUMBER, _MACHINE = 0, 4
"""Where in what the kernel tells of a call these two stand; bytes."""

_OTHER_NUMBERS: Final = 0x40000000
"""Calls of x86-64's second table begin here; on other machines there are none."""
_EPERM: Final = 1
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2


class _Machine(NamedTuple):
    audit: int
    """How the kernel names it."""
    refused: tuple[int, ...]
    """The numbers of `socket` and of `io_uring_setup`, behind which one can be had without a call."""


_MACHINES: Final = {"x86_64": _Machine(0xC000003E, (41, 425)), "aarch64": _Machine(0xC00000B7, (198, 425))}


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def refuse_sockets() -> bool:
    """Make no socket any more, in this thread and all that it will start; False where that can't be had here."""
    machine = _MACHINES.get(platform.machine()) if sys.platform == "linux" else None
    if machine is None:
        return False
    program = [
        (_LOAD_WORD, 0, 0, _MACHINE),
        (_JUMP_IF_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _ERROR | _EPERM),  # a call in the words of another machine
        (_LOAD_WORD, 0, 0, _NUMBER),
        *((_JUMP_IF_EQUAL, 2 + left, 0, number) for left, number in zip((1, 0), machine.refused, strict=True)),
        (_JUMP_IF_AT_LEAST, 1, 0, _OTHER_NUMBERS),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERROR | _EPERM),
    ]
    instructions = (_Instruction * len(program))(*(_Instruction(*each) for each in program))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    filtered = _Program(len(program), instructions)
    if prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return bool(prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(filtered), 0, 0) == 0)
