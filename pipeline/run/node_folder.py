"""Node's folder: where a node keeps what it was sent, how much of it, and which goes first.

    <folder>/kept/<blake3 of the manifest>/        a session's manifest and the parts of its inputs
    <folder>/homes/<...>/sessions/<id>             links, so that they are a store; `cache` is one for all of them
    <folder>/code/<...>/<strategy>.py              strategies that do not lie where they do for the one who asks
    <folder>/used/<blake3 of the manifest>-<...>   locked by a job that goes over the session
    <folder>/locks/                                what one process does while the others wait for it

The name of everything is a hash of its content, so nothing there can be out of date. The least recently used session goes
first when all together pass the limit, and never one that a job goes over: both are decided by locks, which any death frees.
"""

import contextlib
import getpass
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigError, LockedError
from pipeline.log import cache
from pipeline.log.lock import Lock
from pipeline.log.store import SESSIONS

VARIABLE: Final = "TAPE_NODE_FOLDER"
LIMIT_VARIABLE: Final = "TAPE_NODE_GIB"
LIMIT_BYTES: Final = 20 << 30
"""What all sessions that were sent may take, unless that is more than a tenth of what is free, or the variable says otherwise."""

KEPT: Final = "kept"
HOMES: Final = "homes"
STRATEGIES: Final = "code"

_USED: Final = "used"
_LOCKS: Final = "locks"
_MAKING: Final = ".making-"
_POLL_S: Final = 0.05


def room(name: str) -> Path:
    """A folder for what is kept here. Raises ConfigError where somebody else made it."""
    said = os.environ.get(VARIABLE)
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    root = Path(said) if said else Path(tempfile.gettempdir(), f"tapeworks-{user}")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Where others write, too, a link of theirs may lead to any folder of ours.
    if (hasattr(os, "getuid") and root.stat().st_uid != user) or (not said and root.is_symlink()):
        raise ConfigError(
            f"{root} is another user's, or a link: say in {VARIABLE} where this node may keep what it is sent"
        )
    (root / name).mkdir(exist_ok=True)
    return (root / name).resolve()


def lock_path(name: str) -> Path:
    """What is locked while one process does this."""
    return room(_LOCKS) / name


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """While no other process of this machine is here; they wait."""
    while True:
        try:
            lock = Lock(lock_path(name))
            break
        except LockedError:
            time.sleep(_POLL_S)
    try:
        yield
    finally:
        lock.release()


def make(folder: Path, write: Callable[[Path], None]) -> None:
    """Have this folder as `write` fills it, whole or not at all; only while `alone` with its name. Raises what `write` raises."""
    if folder.is_dir():
        return
    making = folder.with_name(f"{_MAKING}{folder.name}")
    shutil.rmtree(making, ignore_errors=True)  # of one who was killed
    making.mkdir()
    try:
        write(making)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    making.rename(folder)


@contextlib.contextmanager
def used(folder: Path) -> Iterator[None]:
    """Within it a session that is kept stays; begun while `alone` with its name."""
    path = room(_USED) / f"{folder.name}-{os.getpid()}-{secrets.token_hex(4)}"
    lock = Lock(path)
    try:
        os.utime(folder)  # the last that were used are the last to go
        yield
    finally:
        lock.release()
        path.unlink(missing_ok=True)


def make_room(coming: int) -> None:
    """Drop the least recently used sessions until the others and so many bytes fit, and what killed processes left.

    Those that a job goes over stay, whatever the limit says. Raises ConfigError for a limit that is no number.
    """
    kept = room(KEPT)
    limit = cache.limit_bytes(kept.parent, KEPT, LIMIT_VARIABLE, LIMIT_BYTES)
    found = []
    for folder in kept.glob("[!.]*"):
        with contextlib.suppress(OSError):  # another process makes room, too
            found.append((folder.stat().st_mtime_ns, _size_of(folder), folder))
    total = coming + sum(size for _, size, _ in found)
    for _, size, folder in sorted(found):
        if total > limit and _is_dropped(folder):
            total -= size
    _drop_leftovers()


def _is_dropped(folder: Path) -> bool:
    """Take a session away unless somebody uses it, or is about to."""
    with _if_free(folder.name) as is_free:
        if not is_free or any(_is_held(path) for path in room(_USED).glob(f"{folder.name}-*")):
            return False
        going = folder.with_name(f"{_MAKING}{folder.name}")
        with contextlib.suppress(FileNotFoundError):  # another process was first
            folder.rename(going)
        shutil.rmtree(going, ignore_errors=True)
        return True


def _drop_leftovers() -> None:
    """What was half made, and stores with a session that is gone."""
    for name in (KEPT, HOMES, STRATEGIES):
        for making in room(name).glob(f"{_MAKING}*"):
            with _if_free(making.name.removeprefix(_MAKING)) as is_free:
                if is_free:
                    shutil.rmtree(making, ignore_errors=True)
    for home in room(HOMES).glob("[!.]*"):
        if not all(link.exists() for link in home.glob(f"{SESSIONS}/*")):  # of one that is used all are held
            with _if_free(home.name) as is_free:
                if is_free:
                    shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _if_free(name: str) -> Iterator[bool]:
    """Alone with a name, or told that somebody else is."""
    try:
        lock = Lock(lock_path(name))
    except LockedError:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _is_held(path: Path) -> bool:
    """Whether who made this file lives; that of a dead one goes."""
    try:
        lock = Lock(path)
    except LockedError:
        return True
    lock.release()
    path.unlink(missing_ok=True)
    return False


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
