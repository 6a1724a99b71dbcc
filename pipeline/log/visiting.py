"""Visiting: a far store as a home of this machine: its manifests are here, and its parts come when somebody reads them.

    <cache>/tapeworks/far/objects/...                 what has arrived, of all far stores, see `arriving`
    <cache>/tapeworks/far/<store>/far.json            a picture of one, read anew by each command that names its URI
    <cache>/tapeworks/far/<store>/code/<hash>/...     sources, of all logs that were reduced by the same ones
    <cache>/tapeworks/far/<store>/sessions/<id>/      manifest, mark, and a link to its sources
    <cache>/tapeworks/far/<store>/runs/<id>/          the same; a run without a mark was made here, and stays here

So whoever reads a store reads a far one: nobody above knows which it is.
"""

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
from blake3 import blake3

from pipeline.errors import ConfigError, CorruptError, FarError, LogError, NotFoundError
from pipeline.log import cache, manifest
from pipeline.log.arriving import MARK, Mark, drop_forgotten, mark_of
from pipeline.log.far import Far, code_name, log_id_in, manifest_name
from pipeline.log.manifest import COPY, MANIFEST, Manifest, checked_code_name
from pipeline.log.store import CODE, RUNS

LIMIT_VARIABLE: Final = "TAPE_FAR_GIB"
LIMIT_BYTES: Final = 20 << 30
"""What all that has arrived may take, unless that is more than a tenth of what is free, or the variable says otherwise."""

_OBJECTS: Final = "objects"
_MANIFESTS_AT_ONCE: Final = 16
_READ_LATELY_S: Final = 3_600
"""What was used since then stays, whatever the limit says: another command may be reading it."""


def visit(uri: str, told: Callable[[str], None] = lambda _: None) -> Path:
    """The home that shows a far store as it is now.

    `told` hears of each run made here whose name another log has there. Raises ConfigError for what is no URI of one,
    FarError.
    """
    far, root = Far(uri), cache_root()
    home = root / f"{_slug(far.place)}-{blake3(far.identity.encode()).hexdigest()[:12]}"
    objects = root / _OBJECTS
    for folder in (home, objects):
        folder.mkdir(parents=True, exist_ok=True)
    _make_room(objects)
    cache.write(home / MARK, Mark(far.uri, str(objects)))
    found = far.manifests()
    known = {place: mark.manifest for place, mark in _marks(home).items()}
    for place in known.keys() - found.keys():
        shutil.rmtree(home.joinpath(*place), ignore_errors=True)
    fresh = {}
    for place, name in found.items():
        if _is_made_here(home.joinpath(*place)):
            _tell_conflict(far, home.joinpath(*place), name, told)
        elif known.get(place) != name:
            fresh[place] = name
    with ThreadPoolExecutor(_MANIFESTS_AT_ONCE, "visiting") as pool:
        contents = dict(zip(fresh, pool.map(lambda name: _manifest_of(far, name), fresh.values()), strict=True))
        for place, content in contents.items():
            _show(far, home, objects, place, fresh[place], content)
        wanted = {mark.code_hash: place for place, mark in _marks(home).items() if mark.code_hash}
        missing = [place for digest, place in wanted.items() if not (home / CODE / digest).is_dir()]
        for _ in pool.map(lambda place: _fetch_code(far, home, place), missing):
            pass
    return home


def cache_root() -> Path:
    """The folder under which all that is far away is kept here."""
    given = os.environ.get("TAPE_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return Path(given or Path.home() / ".cache").expanduser() / "tapeworks" / "far"


def code_in(content: bytes, of: Manifest, name: str) -> dict[str, str]:
    """The texts of a log's sources. Raises CorruptError when they are not those that were kept."""
    try:
        texts = msgspec.json.decode(content, type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptError(name, 0, str(error)) from None
    if of.code_hash != manifest.code_hash(of.code):
        raise CorruptError(name, 0, "the manifest's sources have another hash than it says")
    if {checked_code_name(key): blake3(text.encode()).hexdigest() for key, text in texts.items()} != of.code:
        raise CorruptError(name, 0, "the sources are not those that were kept")
    return texts


def _show(far: Far, home: Path, objects: Path, place: tuple[str, str], name: str, content: bytes) -> None:
    """A log's folder, its manifest last.

    One that can't be read is shown, too, for whoever lists the store to say so; its mark names no object, so that the
    next visit reads it anew: it may have been mended under the same name.
    """
    folder = home.joinpath(*place)
    if not _is_claimed(folder):
        return
    mark = Mark(far.uri, str(objects))
    cache.write(folder / MARK, mark)  # first: what has none was made here
    with contextlib.suppress(LogError):
        of = manifest.decode(content, folder / MANIFEST)
        if place == (f"{of.what}s", of.id) and name == manifest_name(of, content):
            mark = Mark(far.uri, str(objects), name, of.code_hash if of.code else "")
        else:
            content = b""  # a manifest under another name than its own proves nothing about this one
    _link_code(folder, mark.code_hash)
    for file in (COPY, MANIFEST):
        temporary = folder / f".{file}-{secrets.token_hex(4)}"
        temporary.write_bytes(content)
        temporary.replace(folder / file)
    cache.write(folder / MARK, mark)


def _manifest_of(far: Far, name: str) -> bytes:
    """What is there, or nothing where that is too large to be one: then this log is damaged, and the others are shown."""
    try:
        return far.read(name)
    except CorruptError:
        return b""


def _link_code(folder: Path, code_hash: str) -> None:
    """Show these sources, or none, whichever were shown when another log had the name."""
    if not code_hash:
        (folder / CODE).unlink(missing_ok=True)
        return
    temporary = folder / f".{CODE}-{secrets.token_hex(4)}"
    temporary.symlink_to(Path("..", "..", CODE, code_hash), target_is_directory=True)
    temporary.replace(folder / CODE)


def _fetch_code(far: Far, home: Path, place: tuple[str, str]) -> None:
    """Sources, where whoever needs them looks; when they are damaged there are none, and who needs them says so."""
    with contextlib.suppress(LogError, ConfigError, NotFoundError, FarError):
        of = manifest.load(home.joinpath(*place))
        name = code_name(of)
        texts = code_in(far.read(name), of, f"{far.place}/{name}")
        made = home / CODE / f".{of.code_hash}-{secrets.token_hex(4)}"
        for file, text in texts.items():
            (made / file).parent.mkdir(parents=True, exist_ok=True)
            (made / file).write_bytes(text.encode())
        try:
            made.rename(home / CODE / of.code_hash)
        except OSError:  # another command was first
            shutil.rmtree(made, ignore_errors=True)


def _marks(home: Path) -> dict[tuple[str, str], Mark]:
    """The logs that are shown, by `sessions` or `runs` and id."""
    found = {}
    for path in home.glob(f"*/*/{MARK}"):
        with contextlib.suppress(CorruptError):
            if (path.parent / MANIFEST).is_file() and (mark := mark_of(path.parent)):
                found[path.parts[-3], path.parts[-2]] = mark
    return found


def _is_made_here(folder: Path) -> bool:
    """Whether it is a run of this machine, whole or begun: what comes to the far store does not take its place.

    Who makes a run claims its name with an empty folder; only one that stayed empty for long is nobody's.
    """
    try:
        is_old = folder.stat().st_mtime < time.time() - _READ_LATELY_S
    except FileNotFoundError:
        return False
    is_empty = not any(folder.iterdir())
    return folder.parent.name == RUNS and not (folder / MARK).exists() and not (is_empty and is_old)


def _is_claimed(folder: Path) -> bool:
    """Make the folder of a log that is shown, or find it made; False when a run of this machine took the name meanwhile."""
    folder.parent.mkdir(exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        return not _is_made_here(folder)
    return True


def _tell_conflict(far: Far, folder: Path, name: str, told: Callable[[str], None]) -> None:
    with contextlib.suppress(LogError, NotFoundError):
        mine, theirs = manifest.load(folder).log_id, log_id_in(name)
        if mine != theirs:
            told(
                f"{folder.name} is a run made here, {mine}, and stays; {far.place} has another log of this name, {theirs}, "
                "which is not shown"
            )


def _make_room(objects: Path) -> None:
    """Drop the least recently used of what arrived, until the rest fits."""
    drop_forgotten(objects)
    kept = []
    for path in objects.glob("[!.]*"):
        with contextlib.suppress(FileNotFoundError):  # another command makes room, too
            found = path.stat()
            kept.append((found.st_mtime, path.name, found.st_size))
    total = sum(size for _, _, size in kept)
    limit = cache.limit_bytes(objects, ".", LIMIT_VARIABLE, LIMIT_BYTES)
    for used_s, name, size in sorted(kept):
        if total <= limit or used_s > time.time() - _READ_LATELY_S:
            return
        total -= size
        (objects / name).unlink(missing_ok=True)


def _slug(place: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")[:40].strip("-")
