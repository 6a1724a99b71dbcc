"""Export: a copy of a session or run that stands alone, and back into a store.

The copy holds sealed Parquet, the manifest and the code, and nothing else: a folder, or one `.tar` file of it. Every
byte is proved against the manifest on its way out and on its way in; what the manifest does not name stays outside.
"""

import secrets
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, Protocol, Self

from pipeline.errors import ConfigError, CorruptError, LogError, NotFoundError
from pipeline.log import manifest
from pipeline.log.arriving import part_paths, prove_kept
from pipeline.log.disk import RealDisk, publish
from pipeline.log.manifest import COPY, MANIFEST, Manifest, checked_code_name
from pipeline.log.parquet import file_hash, prove
from pipeline.log.reader import LogReader
from pipeline.log.seal import write_sealed
from pipeline.log.store import CODE, Store

TAR: Final = ".tar"
_MANIFEST_BYTES_MAX: Final = 64 * 2**20


def export(store: Store, id_: str, target: Path) -> Path:
    """Write a copy of a closed session or run as this folder, or this `.tar` file; an unsealed one is sealed in the copy.

    Raises ConfigError when the target exists, LogError when the log is open, CorruptError when it is damaged.
    """
    if target.exists():
        raise ConfigError(f"{target}: is there already; name a folder or a {TAR} file that is not")
    if not store.manifest(id_).is_closed:
        raise LogError(f"{id_}: the log is open; end it, then it can be exported")
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        _write(store.folder(id_), staged)
        if target.suffix == TAR:
            _pack(staged, staged.with_suffix(TAR))
            staged.with_suffix(TAR).replace(target)
        else:
            staged.replace(target)
        RealDisk().sync_folder(target.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        staged.with_suffix(TAR).unlink(missing_ok=True)
    return target


def bring_in(store: Store, source: Path) -> Manifest:
    """Take an exported copy into the store, under its own id or the first free one like it.

    Raises NotFoundError when it is no export, ConfigError when the store has this very log, CorruptError when a byte
    of it is not as it was exported.
    """
    origin: _Origin = _Tar(source) if source.is_file() else _Folder(source)
    with origin:
        with origin.open(MANIFEST) as file:
            of = manifest.decode(file.read(_MANIFEST_BYTES_MAX), source / MANIFEST)
        same = [entry.id for entry in (*store.sessions(), *store.runs()) if entry.log_id == of.log_id]
        if same:
            raise ConfigError(f"{source}: the store has it already, as {same[0]}")
        folder = store.claim(of.id)
        try:
            _copy_named(origin, of, folder)
            taken = manifest.replaced(of, id=folder.name)
            manifest.save(folder, taken, store.disk)
            store.disk.sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(folder)
            raise
    return taken


def _write(folder: Path, target: Path) -> None:
    """The copy as a folder, without the manifest until all else is durable."""
    disk, reader = RealDisk(), LogReader(folder)
    of = reader.manifest
    target.mkdir()
    if of.state == "sealed":
        paths = part_paths(folder, of.parts)
        for part, path in zip(of.parts, paths, strict=True):
            if not path.is_relative_to(folder):  # what lies here is proved where it arrives
                prove_kept(folder, path, part)
        with _Folder(folder, {part.file: path for part, path in zip(of.parts, paths, strict=True)}) as origin:
            _copy_named(origin, of, target)
    else:
        of = write_sealed(reader, target, disk)
        with _Folder(folder) as origin:
            _copy_named(origin, manifest.replaced(of, parts=()), target)
    manifest.save(target, of, disk)
    (target / COPY).unlink()  # a copy of a copy proves no more


def _copy_named(origin: "_Origin", of: Manifest, target: Path) -> None:
    """Copy every file that a manifest names, and prove each where it arrives. Raises CorruptError."""
    for part in of.parts:
        path = target / _checked(part.file, f"events/kind={part.kind}/")
        _copy(origin, part.file, path)
        prove(path, part)
    for name, digest in of.code.items():
        path = target / CODE / checked_code_name(name)
        _copy(origin, f"{CODE}/{name}", path)
        if file_hash(path) != digest:
            raise CorruptError(f"{origin.path}/{CODE}/{name}", 0, "the source is not the one that was kept")


def _copy(origin: "_Origin", name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    disk = RealDisk()
    with origin.open(name) as file:
        publish(disk, path, *iter(lambda: file.read(1 << 20), b""))


def _checked(file: str, folder: str) -> str:
    """The same path of a sealed part, if it lies where sealing puts it. Raises CorruptError."""
    name = file.removeprefix(folder)
    if not file.startswith(folder) or not name.endswith(".parquet") or "/" in name or "\\" in name:
        raise CorruptError(file, 0, f"a part of this kind lies under {folder}")
    return file


class _Origin(Protocol):
    """Where a copy is read from: files by their names within it."""

    path: Path

    def open(self, name: str) -> IO[bytes]:
        """That file. Raises NotFoundError."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class _Folder:
    def __init__(self, path: Path, elsewhere: Mapping[str, Path] | None = None) -> None:
        """`elsewhere`: where files lie that are not in the folder, by their names in it."""
        self.path = path
        self._elsewhere = elsewhere or {}

    def open(self, name: str) -> IO[bytes]:
        """That file. Raises NotFoundError."""
        path = self._elsewhere.get(name, self.path / name)
        if path.is_symlink() or not path.is_file():
            raise NotFoundError(f"{self.path}: there is no {name} in it, so it is no whole export")
        return path.open("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class _Tar:
    """Members are read by name and never extracted, so no path within the file means anything to this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115 - closed by __exit__
        except tarfile.TarError:
            raise NotFoundError(f"{path}: is no {TAR} file, so it is no export") from None

    def open(self, name: str) -> IO[bytes]:
        """That file. Raises NotFoundError."""
        try:
            file = self._tar.extractfile(name)
        except KeyError:
            file = None
        if file is None:
            raise NotFoundError(f"{self.path}: there is no {name} in it, so it is no whole export")
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._tar.close()


def _pack(folder: Path, target: Path) -> None:
    """The folder as one file; the same content gives the same bytes."""
    with target.open("xb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                member.size = path.stat().st_size
                with path.open("rb") as content:
                    tar.addfile(member, content)
        file.flush()
        RealDisk().sync(file.fileno())
