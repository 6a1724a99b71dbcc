"""Pulling: a session or run of a far store into this one, where it is seen when all of it is here, proved and durable.

    cache/far/lock                 held by who pulls
    cache/far/objects/<blake3>     parts that have arrived, see `arriving`
    cache/far/making-<id>/         the log's folder, until it is renamed

What a crash leaves is seen by nobody, and the next pull goes on with the parts that had come.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from blake3 import blake3

from pipeline.errors import ConfigError, CorruptError
from pipeline.log import arriving, manifest
from pipeline.log.arriving import bring, mark_of
from pipeline.log.disk import TEMPORARY, Disk, write_many
from pipeline.log.far import Far, code_name, part_name
from pipeline.log.lock import FILE_NAME as LOCK
from pipeline.log.manifest import Manifest, SealedPart, checked_code_name
from pipeline.log.parquet import prove
from pipeline.log.store import CODE, Store
from pipeline.log.visiting import code_in

FOLDER: Final = "cache/far"


class Pulled(NamedTuple):
    """What a pull did."""

    id: str
    is_new: bool
    """Whether it was not here before."""
    bytes: int
    """Of the parts that came; of a log that was here, those that were missing or damaged."""


def pull(
    store: Store, far_store: Store, id_: str, *, again: bool = False, arrived: Callable[[int], None] = lambda _: None
) -> Pulled:
    """Bring the log of this id out of a far store, as `visiting` shows it, into a store of this machine.

    Of one that is here, parts that are missing or cut come once more; `again` compares all of it with its hashes, so that every
    damaged one does, and sources too. `arrived` is told how many bytes more are here, from several threads. Raises ConfigError when another log has its
    name here, CorruptError naming the object that is damaged, FarError, LockedError when another one pulls.
    """
    of, mark = far_store.manifest(id_), mark_of(far_store.folder(id_))
    if mark is None:
        raise ConfigError(f"{id_} was made here and never was in {far_store.home}: nothing to pull")
    far, target = Far(mark.uri), store.folder(id_)
    root = store.home / FOLDER
    root.mkdir(parents=True, exist_ok=True)
    held = store.disk.lock(root / LOCK)
    try:
        arriving.drop_forgotten(root / "objects", all_of_them=True)
        if target.exists():
            here = manifest.load(target)
            if here.log_id == of.log_id:
                damaged = [part for part in here.parts if _is_damaged(target / part.file, part, proving=again)]
                objects = _arrived(far, here, damaged, root / "objects", arrived)
                _mend(store, target, damaged, objects)
                if again and not _has_code(here, target):
                    _write_code(store, far, here, target)
                return Pulled(id_, is_new=False, bytes=sum(part.size for part in damaged))
            raise ConfigError(
                f"{id_}: another log has this name here, {here.log_id}; the one in {far.place} is {of.log_id}"
            )
        for part in of.parts:
            part_name(of, part)  # raises before anything is touched
        made = root / f"making-{id_}"
        shutil.rmtree(made, ignore_errors=True)
        objects = _arrived(far, of, of.parts, root / "objects", arrived)
        _build(store, far, of, objects, made)
        target.parent.mkdir(parents=True, exist_ok=True)
        store.disk.rename(made, target)
        store.disk.sync_folder(target.parent)
        for path in objects:
            path.unlink(missing_ok=True)
    finally:
        held.release()
    return Pulled(id_, is_new=True, bytes=sum(part.size for part in of.parts))


def _arrived(
    far: Far, of: Manifest, parts: Sequence[SealedPart], objects: Path, arrived: Callable[[int], None]
) -> list[Path]:
    """These parts, of which those that an earlier pull left are proved once more: a power cut may have torn them."""
    for part in parts:
        path = objects / part.blake3
        if path.exists() and _is_damaged(path, part, proving=True):
            path.unlink()
    return bring(far, of, parts, objects, arrived)


def _is_damaged(path: Path, part: SealedPart, *, proving: bool) -> bool:
    """Whether a part is missing or cut; `proving` reads it, and sees every other byte."""
    try:
        if proving:
            prove(path, part)
        return path.stat().st_size != part.size
    except (CorruptError, FileNotFoundError):
        return True


def _build(store: Store, far: Far, of: Manifest, objects: list[Path], made: Path) -> None:
    """The log's folder, durable, its manifest last."""
    disk = store.disk
    folders = {made}
    for part, path in zip(of.parts, objects, strict=True):
        target = made / part.file
        disk.make_folder(target.parent)
        folders.update([target.parent, target.parent.parent])
        _place(disk, path, target)
    for folder in sorted(folders, reverse=True):
        disk.make_folder(folder)
        disk.sync_folder(folder)
    _write_code(store, far, of, made)
    manifest.save(made, of, disk)


def _mend(store: Store, folder: Path, damaged: Sequence[SealedPart], objects: Sequence[Path]) -> None:
    """Put parts in the place of those that are damaged, each whole or not at all."""
    disk = store.disk
    for part, path in zip(damaged, objects, strict=True):
        target = folder / part.file
        for inner in (target.parent.parent, target.parent):
            disk.make_folder(inner)
        temporary = target.with_name(target.name + TEMPORARY)
        temporary.unlink(missing_ok=True)
        _place(disk, path, temporary)
        disk.rename(temporary, target)
        for inner in (target.parent, target.parent.parent, folder):
            disk.sync_folder(inner)
        path.unlink(missing_ok=True)


def _place(disk: Disk, path: Path, target: Path) -> None:
    """The file there, too, its content durable."""
    try:
        os.link(path, target)
    except OSError:  # a file system without links
        shutil.copyfile(path, target)
    fd = disk.reopen(target)
    try:
        disk.sync(fd)
    finally:
        disk.close(fd)


def _has_code(of: Manifest, folder: Path) -> bool:
    paths = {folder / CODE / checked_code_name(name): digest for name, digest in of.code.items()}
    return all(path.is_file() and blake3(path.read_bytes()).hexdigest() == digest for path, digest in paths.items())


def _write_code(store: Store, far: Far, of: Manifest, folder: Path) -> None:
    if of.code:
        name = code_name(of)
        texts = code_in(far.read(name), of, f"{far.place}/{name}")
        write_many(store.disk, folder, {f"{CODE}/{file}": text.encode() for file, text in texts.items()})
