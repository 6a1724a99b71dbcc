"""Closing: what a worker gives up before it has a second thread, and so before DuckDB or Arrow are imported.

Only the standard library is used here. Rights are given up thread by thread: a thread that is there already would keep them.
"""

import contextlib
import ctypes
import os
import sys
import sysconfig
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.sandbox import landlock, seccomp

ROOT: Final = Path(__file__).resolve().parents[2]
"""Where the packages lie of which the worker's code is."""
PACKAGES: Final = ("pipeline", "strategies", "warehouse")
ROOMS: Final = ("sessions", "runs", "notes", "reference", "scans", "backtests", "cache/marts")
"""Folders of a store that views read. The others (accounts, what was fetched, saved queries) are nothing to a worker."""

SYSTEM: Final = (
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/usr/share/zoneinfo",
    "/sys/devices/system/cpu",
    "/proc/self/cgroup",  # without these two DuckDB 2.0 ends the process when it looks for its memory
    "/sys/fs/cgroup",
)
_M_ARENA_MAX: Final = -8
"""Of glibc's mallopt."""
_CPU_S_MAX: Final = 3_600
"""Of a worker's whole life. What a statement may take of it is set before each."""


class Protection(NamedTuple):
    """What holds around a worker."""

    landlock_abi: int
    """0: none."""
    no_sockets: bool
    """The system makes no socket for it, of any sort."""
    weaker: tuple[str, ...]
    """What does not hold on this system that does on others, a line each; for people."""


def close(home: Path, *, memory: int) -> Protection:
    """Close this process in, for good: it reads its code and the tape in `home`, and writes, calls and becomes nothing.

    `memory` is in bytes: what it may have of its own; with the files that it maps it is four times that. Raises OSError when the system has Landlock and refuses it: such a worker must not go on.
    """
    if os.path.isdir("/proc/self/task"):  # noqa: PTH112 - a look that asks for nothing
        assert len(os.listdir("/proc/self/task")) == 1, "a thread that is there already would keep its rights"  # noqa: PTH208 - as above
    calm()
    has_limits = _limit(memory)
    version = landlock.abi()
    if version:
        landlock.restrict(readable(home), listable(), version)
    no_sockets = seccomp.refuse_sockets()
    return Protection(version, no_sockets, weaker(version, no_sockets=no_sockets, has_limits=has_limits))


def weaker(version: int, *, no_sockets: bool = True, has_limits: bool = True) -> tuple[str, ...]:
    """What is weaker with this ABI of Landlock (0: none), where sockets can be had, and without limits; a line each."""
    lines = []
    if not version:
        lines.append(
            "this system has no Landlock (Linux has it since 5.13): files are closed by DuckDB's settings and by what statements "
            "are accepted, not by the system as well; for one person on a machine of their own only"
        )
    elif version < landlock.OUTSIDE_ABI:
        lines.append("this Linux can't keep a process from signalling others of the same user (6.12 or later can)")
    if not no_sockets:
        left = "connections other than TCP" if version >= landlock.TCP_ABI else "connections"
        lines.append(
            f"this system doesn't close {left} to a process: DuckDB's settings and what statements are accepted do"
        )
    if not has_limits:
        lines.append(
            "this system does not set all limits of memory and time to a process: DuckDB's own and the kill are left"
        )
    return tuple(lines)


def calm() -> None:
    """Keep what will be imported from starting threads and taking address space that nobody needs.

    pandas, which Arrow and DuckDB import where it is installed, costs half a second and isn't asked for anything.
    """
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="2", ARROW_DEFAULT_MEMORY_POOL="system")
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    sys.meta_path.insert(0, _WithoutPandas())


class _WithoutPandas:
    """A finder of modules that says of one that it isn't there."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ImportError("a worker has no use for pandas")


def readable(home: Path) -> list[Path]:
    """All that a worker may read: Python and its libraries, our packages, the tape."""
    python = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    libraries = Path(sys.base_prefix) / "lib"
    packages = [ROOT / name for name in PACKAGES]
    return [*map(Path, {*python, *SYSTEM}), libraries, *packages, *(home / room for room in ROOMS)]


def listable() -> list[Path]:
    """Folders in which Python looks for modules: it sees what is there and reads nothing, whatever else lies there."""
    return [ROOT, *(Path(entry) for entry in sys.path if Path(entry).is_dir())]


def limit_cpu(seconds: int) -> None:
    """Let the system end this process when it has used so many seconds more of processor time."""
    with contextlib.suppress(ImportError):
        import resource  # noqa: PLC0415 - not on every system

        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = min(int(used.ru_utime + used.ru_stime) + 1 + seconds, _CPU_S_MAX)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, _CPU_S_MAX))


def _limit(memory: int) -> bool:
    """Whether this system has all of its limits: no file may grow, no core is left, memory ends."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return False
    has_all = True
    for name, limit in (("FSIZE", 0), ("CORE", 0), ("DATA", memory), ("AS", 4 * memory), ("CPU", _CPU_S_MAX)):
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)  # noqa: PLW2901 - what is allowed of it
        try:
            resource.setrlimit(kind, (limit, limit))
        except (ValueError, OSError):  # macOS takes no limit of addresses
            has_all = False
    return has_all
