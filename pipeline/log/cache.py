"""Cache: the folders of the hot cache: what they are called, what they may take, and which one goes first.

    cache/hot/<content hash>/index.json            what is there, and what the values of each column hash to
    cache/hot/<content hash>/proved.json           which files were compared with their hash since the machine started
    cache/hot/<content hash>/quote/bid_nano.arrow  a column, see `mapped`
    cache/hot/.making-<content hash>/              one that is being written, locked by who writes it

The name is a hash of the sealed parts' hashes: an entry can't be out of date, and two copies of a session share one.
The least recently used goes first when all together pass the limit. One that is being read may go too: what is mapped
stays readable for who has it. Nothing is synced, for nothing is lost with it.
"""

import contextlib
import os
import shutil
import threading
from pathlib import Path
from typing import Final

import msgspec
from blake3 import blake3

from pipeline.errors import ConfigError, CorruptError, LockedError
from pipeline.log import proved
from pipeline.log.lock import FILE_NAME as LOCK
from pipeline.log.lock import Lock
from pipeline.log.manifest import Manifest
from pipeline.log.mapped import KindFiles

FOLDER: Final = "cache/hot"
INDEX: Final = "index.json"
PROVED: Final = "proved.json"
MAKING: Final = ".making-"
LIMIT_VARIABLE: Final = "TAPE_HOT_GIB"
LIMIT_BYTES: Final = 20 << 30
"""What all entries may take, unless that is more than a tenth of what is free, or the variable says otherwise."""

_LAYOUT: Final = 1
"""Part of every entry's name: another layout of the cache never meets this one."""


class Entry(msgspec.Struct, frozen=True):
    """One session's decoded inputs."""

    key: str
    size: int
    """Bytes."""
    used_ns: int
    """When it was last read or made."""


class Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an entry holds."""

    sources: tuple[str, ...]
    """blake3 of the sealed parts it was decoded from."""
    kinds: dict[str, KindFiles]

    @property
    def size(self) -> int:
        """Bytes of all columns."""
        return sum(files.size for files in self.kinds.values())


class Proved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which files of an entry hold what was written, as far as this start of the machine knows."""

    boot: str
    files: dict[str, list[int]]
    """The identity each had then, see `MappedKind.unproved`."""


def limit_bytes(home: Path, folder: str = FOLDER, variable: str = LIMIT_VARIABLE, most: int = LIMIT_BYTES) -> int:
    """What a cache of this store may take; 0 turns it off. Raises ConfigError."""
    text = os.environ.get(variable)
    if text is None:
        held = sum(entry.size for entry in entries_of(home / folder))
        return min(most, (shutil.disk_usage(home).free + held) // 10)
    try:
        gib = float(text)
    except ValueError:
        gib = -1.0
    if not 0 <= gib < 2**20:
        raise ConfigError(f"{variable}={text!r}: write how many GiB {folder} may take, 0 for none")
    return int(gib * 2**30)


def key_of(manifest: Manifest) -> str:
    """The name of the entry of these sealed parts."""
    parts = sorted(f"{part.kind} {part.stretch} {part.layout_version} {part.blake3}" for part in manifest.parts)
    return blake3("\n".join([str(_LAYOUT), *parts]).encode()).hexdigest()[:32]


def is_cacheable(manifest: Manifest) -> bool:
    """Whether a log has inputs that never change any more."""
    return manifest.state == "sealed" and manifest.inputs > 0


def make_room(root: Path, bytes_left: int) -> None:
    """Drop the least recently used entries until the others fit, and what crashes left half made."""
    kept = entries_of(root)
    while kept and sum(entry.size for entry in kept) > bytes_left:
        drop(root / kept.pop(0).key)
    for folder in root.glob(f"{MAKING}*"):
        with contextlib.suppress(LockedError, OSError):
            lock = Lock(folder / LOCK)
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()


def entries_of(root: Path) -> list[Entry]:
    """What is kept under this folder, least recently used first."""
    found = []
    for path in root.glob(f"[!.]*/{INDEX}"):
        with contextlib.suppress(OSError):
            size = sum(file.stat().st_size for file in path.parent.rglob("*") if file.is_file())
            found.append(Entry(path.parent.name, size, path.stat().st_mtime_ns))
    return sorted(found, key=lambda entry: (entry.used_ns, entry.key))


def drop(folder: Path) -> None:
    """Delete an entry, its index first: without it there is none."""
    with contextlib.suppress(OSError):
        (folder / INDEX).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def boot_id() -> str:
    """What names this start of the machine; empty where nothing does, and nothing is noted then."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def proved_files(path: Path, boot: str) -> dict[str, list[int]]:
    """The files proved since the machine started."""
    try:
        known = proved.read(path, Proved)
    except (OSError, CorruptError):
        return {}
    return known.files if known.boot == boot else {}


def write(path: Path, content: msgspec.Struct) -> None:
    """A file that proves itself, there as a whole or not at all."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
    temporary.write_bytes(proved.encoded(content))
    temporary.replace(path)
