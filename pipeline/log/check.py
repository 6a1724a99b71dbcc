"""Check: whether every byte of the store is as it was written.

Damage is what no crash explains. A torn tail and files that sealing had not yet removed are what a crash leaves: they
are told apart, and the next writer tidies them. So is a folder that was claimed and never got its manifest. Only
reads; safe beside a recording.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.errors import CorruptError, FarError, LogError, NotFoundError, SchemaError
from pipeline.log import backtests, manifest, proved, purchases, studies
from pipeline.log.arriving import MARK, part_path, prove_kept
from pipeline.log.backtests import FOLDER as BACKTESTS
from pipeline.log.disk import TEMPORARY, Disk, RealDisk
from pipeline.log.durable import FILE_NAME as DURABLE
from pipeline.log.durable import durable_damage
from pipeline.log.half_made import is_half_made
from pipeline.log.lock import FILE_NAME as LOCK
from pipeline.log.manifest import Manifest, SealedPart
from pipeline.log.parquet import damaged_pieces, file_hash
from pipeline.log.parts import EVENTS
from pipeline.log.reader import JOURNAL
from pipeline.log.scan import Scan, Verdict, is_beyond_a_crash
from pipeline.log.seal import unnamed
from pipeline.log.segments import SUFFIX, Segments, numbers
from pipeline.log.store import CODE, DELETED_PREFIX, RUNS, SESSIONS, SIMULATIONS, Store

_LOOKS_MAX: Final = 5
"""At a log that changes while it is looked at: it is sealed every few seconds at most."""


class Damage(msgspec.Struct, frozen=True):
    """A place whose bytes are not the ones that were written."""

    file: str
    """Path within the store."""
    offset: int
    """Byte at which it begins; what is before it in the file is good."""
    reason: str


class Report(msgspec.Struct, frozen=True):
    """What a check found."""

    sound: bool
    sessions: int
    """Sessions and runs looked at."""
    bytes: int
    damage: list[Damage]
    torn: list[Damage]
    """Tails that a crash cut short, or that are being written: never acknowledged, the next writer cuts them."""
    leftovers: list[str]
    """Files that nothing names any more, which the next sealing or the next start removes; folders made by half."""


def check(store: Store) -> Report:
    """Check all that a store holds: manifests, code, sealed files, journals, rows of backtests, trials of searches, simulations, notes, reference data, lists, accounts."""
    inquiry = _Inquiry(store.home, store.disk)
    folders = [path for part in (SESSIONS, RUNS) for path in _folders(store.home / part)]
    for folder in folders:
        if folder.name.startswith(DELETED_PREFIX):
            inquiry.leftovers.append(inquiry.name(folder))
        else:
            inquiry.look_at_log(folder)
    for folder in _folders(store.home / BACKTESTS):
        inquiry.look_at_backtest(folder)
    inquiry.look_at_studies(store)
    inquiry.look_at_simulations(store.home / SIMULATIONS)
    inquiry.look_at_purchases(store)
    for folder in (store.notes_folder, store.reference_folder, store.scans_folder, *_folders(store.home / "accounts")):
        inquiry.weigh(folder)
        inquiry.look_at_journal(folder, manifest.NOTHING_SEALED.segment, is_closed=False)
    return inquiry.report(len(folders))


def check_log(folder: Path, disk: Disk | None = None) -> Report:
    """Check one session or run."""
    inquiry = _Inquiry(folder.parent, disk or RealDisk())
    inquiry.look_at_log(folder)
    return inquiry.report(1)


class _Inquiry:
    """A walk through folders, gathering what is found."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self.leftovers: list[str] = []
        self._root = root
        self._disk = disk
        self._damage: list[Damage] = []
        self._torn: list[Damage] = []
        self._bytes = 0

    def report(self, count: int) -> Report:
        """What was found."""
        return Report(not self._damage, count, self._bytes, self._damage, self._torn, sorted(set(self.leftovers)))

    def name(self, path: Path) -> str:
        """The path within the store."""
        return path.relative_to(self._root).as_posix()

    def weigh(self, folder: Path) -> None:
        """Count the bytes of a folder."""
        self._bytes += sum(map(_size, _files(folder)))

    def look_at_log(self, folder: Path) -> None:
        """Everything in a session's or run's folder; once more where files went because it is sealed meanwhile, as who records does."""
        for _ in range(_LOOKS_MAX):
            look = _Inquiry(self._root, self._disk)
            of = look._look_at_log(folder)
            if of is None or not look._damage or _is_still(folder, of):
                break
        self.leftovers += look.leftovers
        self._damage += look._damage
        self._torn += look._torn
        self._bytes += look._bytes

    def _look_at_log(self, folder: Path) -> Manifest | None:
        """What it is, where that can be read."""
        self.weigh(folder)
        if is_half_made(folder, self._disk):
            self.leftovers.append(self.name(folder))
            return None
        of = self._manifest(folder)
        if of is None:
            self.look_at_journal(folder / JOURNAL, 0, is_closed=False)
            return None
        for part in of.parts:
            self._part(folder, part)
        for name, digest in of.code.items():
            self._code(folder / CODE / name, digest)
        self.look_at_journal(
            folder / JOURNAL, of.sealed.segment, is_closed=of.is_closed and of.state != "sealed", of=of
        )
        self.leftovers += [self.name(folder / name) for name in unnamed(folder, of, self._disk)]
        self.leftovers += [
            self.name(path) for path in _files(folder) if _is_unknown(path.relative_to(folder).as_posix(), of)
        ]
        return of

    def look_at_purchases(self, store: Store) -> None:
        """Everything that was bought."""
        self.weigh(store.home / purchases.FOLDER)
        for error in purchases.damage(store):
            self._add(error)

    def look_at_backtest(self, folder: Path) -> None:
        """Everything in a backtest's folder."""
        self.weigh(folder)
        for error in backtests.damage(folder):
            self._add(error)
        for path in _files(folder):
            if path.name not in (backtests.ASKED, LOCK) and not path.match(backtests.PART):
                self.leftovers.append(self.name(path))

    def look_at_studies(self, store: Store) -> None:
        """Everything that was searched."""
        folder = store.home / studies.FOLDER
        self.weigh(folder)
        for error in studies.damage(store):
            self._add(error)
        for path in _files(folder):
            if path.name not in (studies.ASKED, LOCK) and not path.match(studies.BATCH):
                self.leftovers.append(self.name(path))

    def look_at_simulations(self, folder: Path) -> None:
        """Each file against the hash in front of it."""
        self.weigh(folder)
        for path in _files(folder):
            if path.suffix != ".json":
                self.leftovers.append(self.name(path))
                continue
            try:
                proved.read(path, dict[str, Any])
            except CorruptError as error:
                self._add(error)

    def look_at_journal(
        self, folder: Path, sealed_segment: int, *, is_closed: bool, of: Manifest | None = None
    ) -> None:
        """Every frame of every unsealed segment, what ties them together, and the durable end."""
        self._durable(folder)
        sealed = of.sealed if of else manifest.NOTHING_SEALED
        found = len(self._damage)
        try:
            segments = Segments(folder, sealed, is_closed=is_closed, disk=self._disk)
            for number in segments.numbers:
                segments.frames(number)
        except CorruptError as error:
            last = max(numbers(self._disk, folder), default=0)
            for number in numbers(self._disk, folder):
                if number > sealed_segment:
                    self._segment(folder / f"{number:06d}{SUFFIX}", is_tail=number == last and not is_closed)
            if len(self._damage) == found:
                self._add(error)
        except LogError as error:
            self._damage.append(Damage(self.name(folder), 0, str(error)))
        else:
            if segments.torn:
                path = segments.path(segments.numbers[-1])
                self._torn.append(Damage(self.name(path), segments.end.offset, segments.torn))

    def _durable(self, folder: Path) -> None:
        try:
            found = durable_damage(self._disk, folder)
            if found:  # or a living writer was just at it: then it is whole by now
                found = durable_damage(self._disk, folder)
        except SchemaError as error:
            found = (0, str(error))
        if found:
            self._damage.append(Damage(self.name(folder / DURABLE), *found))

    def _segment(self, path: Path, *, is_tail: bool) -> None:
        """One segment by itself, when the journal as a whole is damaged."""
        view = self._disk.view(path)
        scan = Scan(view)
        last_seq = max((frame.header.last_seq for frame in scan), default=0)
        if scan.verdict is Verdict.CLEAN:
            return
        where = self._torn if is_tail and not is_beyond_a_crash(bytes(view), scan) else self._damage
        where.append(Damage(self.name(path), scan.place.offset, f"{scan.reason}; good up to seq {last_seq}"))

    def _manifest(self, folder: Path) -> Manifest | None:
        """The manifest, or its copy when that is damaged."""
        readable: Manifest | None = None
        for name in (manifest.COPY, manifest.MANIFEST):
            try:
                readable = manifest.load(folder, name)
            except (CorruptError, SchemaError, NotFoundError) as error:
                self._damage.append(Damage(self.name(folder / name), 0, _reason(error)))
        return readable

    def _part(self, folder: Path, part: SealedPart) -> None:
        name = self.name(folder / part.file)
        path: Path | None = None
        try:
            path = part_path(folder, part)
            prove_kept(folder, path, part)
            if not path.is_relative_to(folder):
                self._bytes += part.size  # of a far store: it is not in the folder that was weighed
        except FileNotFoundError:
            self._damage.append(Damage(name, 0, f"the file is missing, {part.rows} rows"))
        except FarError as error:
            self._damage.append(Damage(name, 0, str(error)))
        except CorruptError as error:
            pieces = (
                damaged_pieces(path, part) if path and path.exists() else []
            )  # what came damaged from far away was not kept
            self._damage += [Damage(name, start, reason) for start, reason in pieces]
            if not pieces:
                self._damage.append(Damage(name, error.valid_end, error.reason))

    def _code(self, path: Path, digest: str) -> None:
        if not path.is_file():
            self._damage.append(Damage(self.name(path), 0, "the file is missing"))
        elif file_hash(path) != digest:
            self._damage.append(Damage(self.name(path), 0, "the source is not the one that was kept"))

    def _add(self, error: CorruptError) -> None:
        self._damage.append(Damage(self.name(Path(error.path)), error.valid_end, error.reason))


def _is_still(folder: Path, of: Manifest) -> bool:
    """Whether this is still the manifest; also where it can't be read any more, as was told."""
    try:
        return manifest.load(folder) == of
    except (CorruptError, SchemaError, NotFoundError):
        return True


def _size(path: Path) -> int:
    """In bytes; 0 of what went in this moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_unknown(name: str, of: Manifest) -> bool:
    """Whether nothing names this file of a log's folder; sealed parts are judged by `unnamed`."""
    top, _, rest = name.partition("/")
    if top == CODE:
        return rest not in of.code
    if top == JOURNAL:
        return rest not in (DURABLE, LOCK) and not rest.endswith(SUFFIX)
    return top != EVENTS and (name not in (manifest.MANIFEST, manifest.COPY, MARK) or name.endswith(TEMPORARY))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_dir())


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, CorruptError) else str(error)
