"""Arriving: what is read of a far store lies here under the hash of what it holds, and is believed when it has that hash.

    objects/<blake3>                 a sealed part
    objects/.coming-<blake3>-...     one on its way
    <a store's home>/far.json        of which far store this is a picture, see `visiting`
    <a log's folder>/far.json        the same of one log: a part that is not in its folder is among the objects

A log that never was far away has no such file, and nobody looks for one before a part is missing.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from blake3 import blake3

from pipeline.errors import ConfigError, CorruptError
from pipeline.log import manifest, proved
from pipeline.log.far import Far, part_name, several, shown, unless
from pipeline.log.manifest import Manifest, SealedPart
from pipeline.log.parquet import prove

MARK: Final = "far.json"
COMING: Final = ".coming-"
_FORGOTTEN_S: Final = 86_400
"""Age at which what is on its way is believed to come no more."""


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a picture is of."""

    uri: str
    objects: str
    """The folder of what has arrived."""
    manifest: str = ""
    """Of a log: the name of the object its manifest was read from."""
    code_hash: str = ""


def mark_of(folder: Path) -> Mark | None:
    """Of which far store a home or a log's folder is a picture; None for what is of this machine. Raises CorruptError."""
    try:
        return proved.read(folder / MARK, Mark)
    except FileNotFoundError:
        return None


def told_of(home: Path) -> str:
    """What people call a home: its folder, or the URI that it is a picture of."""
    mark = mark_of(home)
    return shown(mark.uri) if mark else str(home)


def refuse_far(folder: Path, what: str) -> None:
    """Raises ConfigError when this is the picture of a far store: it is read from, not written to."""
    if mark := mark_of(folder):
        raise ConfigError(
            f"{shown(mark.uri)} is a store to read from: {what}; `tape push` puts finished sessions there"
        )


def part_path(folder: Path, part: SealedPart) -> Path:
    """Where a sealed part of the log in this folder lies, brought here when it is far away; not proved yet.

    Raises FarError, CorruptError when it arrives with other bytes.
    """
    return part_paths(folder, [part])[0]


def part_paths(folder: Path, parts: Sequence[SealedPart]) -> list[Path]:
    """The same of several parts, which come at once."""
    paths = [folder / part.file for part in parts]
    missing = [place for place, path in enumerate(paths) if not path.exists()]
    if missing and (mark := mark_of(folder)):
        of, objects = manifest.load(folder), Path(mark.objects)
        found = bring(_far(mark.uri), of, [parts[place] for place in missing], objects)
        for place, path in zip(missing, found, strict=True):
            paths[place] = path
    return paths


def prove_kept(folder: Path, path: Path, part: SealedPart) -> None:
    """Check a part of the log in this folder, byte for byte, where `part_path` says that it lies.

    One that was kept of a far store and is damaged since comes once more. Raises CorruptError, FileNotFoundError, FarError.
    """
    try:
        prove(path, part)
    except CorruptError:
        if path.is_relative_to(folder):
            raise
        path.unlink(missing_ok=True)
        prove(part_path(folder, part), part)


def bring(
    far: Far, of: Manifest, parts: Sequence[SealedPart], objects: Path, arrived: Callable[[int], None] = lambda _: None
) -> list[Path]:
    """The files of sealed parts among the objects; those that are not there yet come, each proved on its way.

    `arrived` is told how many bytes more there are, from several threads. Raises FarError, CorruptError.
    """
    objects.mkdir(parents=True, exist_ok=True)

    def brought(part: SealedPart, is_over: threading.Event) -> None:
        path = objects / part.blake3
        if not _is_kept(path, part):
            _come(far, part_name(of, part), part, path, is_over)
        arrived(part.size)

    several("arriving", brought, sorted(parts, key=lambda part: -part.size))
    return [objects / part.blake3 for part in parts]


def drop_forgotten(objects: Path, *, all_of_them: bool = False) -> None:
    """Delete what was on its way when who waited for it was killed."""
    before_s = time.time() - (0 if all_of_them else _FORGOTTEN_S)
    for path in objects.glob(f"{COMING}*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime <= before_s:
                path.unlink()


def _is_kept(path: Path, part: SealedPart) -> bool:
    """Whether it arrived before; who reads it compares it with its hash."""
    try:
        is_whole = path.stat().st_size == part.size
        if is_whole:
            os.utime(path)  # the last that were used are the last to go
    except FileNotFoundError:  # also of one that another command made room of in this moment
        return False
    return is_whole


def _come(far: Far, name: str, part: SealedPart, path: Path, is_over: threading.Event) -> None:
    coming = path.with_name(f"{COMING}{path.name}-{os.getpid()}-{threading.get_ident()}")
    digest, size = blake3(), 0
    try:
        with coming.open("wb", buffering=0) as file:
            for chunk in unless(is_over, far.chunks(name)):
                if size + len(chunk) > part.size:
                    size += len(chunk)
                    break  # whatever else comes is not of it, and may fill the disk
                digest.update(chunk)
                size += file.write(chunk)
        _check(f"{far.place}/{name}", part, size, digest.hexdigest())
        coming.replace(path)
    except BaseException:
        coming.unlink(missing_ok=True)
        raise


def _check(address: str, part: SealedPart, size: int, digest: str) -> None:
    """Raises CorruptError when what came is not what was sealed."""
    if size != part.size:
        said = f"{size} bytes" if size < part.size else "more bytes"
        raise CorruptError(address, min(size, part.size), f"{said} where the manifest says {part.size}")
    if digest != part.blake3:
        raise CorruptError(address, 0, "other bytes than were sealed; nothing of it was taken")


@cache
def _far(uri: str) -> Far:
    return Far(uri)
