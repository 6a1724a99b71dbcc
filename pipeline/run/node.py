"""Node: what a machine of a cluster does with a job that was sent to it, in one of its processes, and what it keeps.

A job runs over the store itself where that lies at the same path with the same manifests: on the machine that asks, or
on a mount that all share. Else the sealed parts are sent once, compared with their hashes and kept in the `node_folder`.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from typing import Any, Final

import msgspec
from blake3 import blake3

from pipeline.errors import ConfigError, CorruptError, LogError, NotFoundError, TapeError
from pipeline.log import cache, hot, manifest
from pipeline.log.arriving import part_paths
from pipeline.log.backtests import CellRow
from pipeline.log.disk import RealDisk, write_many
from pipeline.log.store import SESSIONS, Store
from pipeline.run.cell import Code, Job, run_job
from pipeline.run.code import ROOT, place_of
from pipeline.run.fold import LocalFold
from pipeline.run.node_folder import HOMES, KEPT, STRATEGIES, alone, lock_path, make, make_room, room, used
from pipeline.run.worker import Failed, Ready, Setup

_KITS_MAX: Final = 4
"""How many backtests a process stays ready for."""


class Kit(msgspec.Struct, frozen=True):
    """What is the same for all jobs: the setup of a worker, and the text of each strategy."""

    setup: Setup
    texts: tuple[str, ...]


class Sealed(msgspec.Struct, frozen=True):
    """A session as it lies with the one who asks."""

    blake3: str
    """Of the manifest's file."""
    inode: int
    changed_ns: int
    """With the inode: whether another path leads to the very same file."""


class Order(msgspec.Struct, frozen=True):
    """A job, and the sessions that it goes over."""

    job: Job
    sessions: dict[str, Sealed]
    is_shared: bool
    """Whether other jobs go over the same sessions: decoding ahead pays."""


class Ran(msgspec.Struct, frozen=True, tag="ran"):
    """The job was run: a row for each of its cells."""

    rows: tuple[CellRow, ...]
    told: str
    """What a person should know; '' for nothing."""


class Missing(msgspec.Struct, frozen=True, tag="missing"):
    """Sessions that this node neither sees nor keeps: send them along."""

    sessions: tuple[str, ...]


class Unfit(msgspec.Struct, frozen=True, tag="unfit"):
    """No job can be run here."""

    reason: str


Answer = Ready | Ran | Failed | Missing | Unfit

Parcel = Mapping[str, Any]
"""A session's files by name: bytes, or what stands for them where they are fetched."""


def prepare(kit: bytes) -> bytes:
    """See that this process can take jobs, compiling what nobody compiled here. The answer is Ready or Unfit."""
    return msgspec.json.encode(_prepared(kit))


def run(kit: bytes, order: bytes, parcels: Mapping[str, Parcel], fetched: Callable[[Any], Any]) -> bytes:
    """Run a job; `parcels` are sent sessions by the hash of their manifest, `fetched` gives a file's bytes."""
    ready = _prepared(kit)
    if isinstance(ready, Unfit):
        return msgspec.json.encode(ready)
    return msgspec.json.encode(_answered(kit, msgspec.json.decode(order, type=Order), parcels, fetched))


def _prepared(kit: bytes) -> Ready | Unfit:
    try:
        return _ready(kit)[1]
    except (TapeError, OSError) as error:
        return Unfit(f"node {gethostname()}: {error}")


def _answered(
    kit: bytes, order: Order, parcels: Mapping[str, Parcel], fetched: Callable[[Any], Any]
) -> Ran | Failed | Missing:
    code = _ready(kit)[0]
    home = Path(msgspec.json.decode(kit, type=Kit).setup.home)
    try:
        with ExitStack() as using:
            if not _is_there(home, order.sessions):
                _check_keeps_nothing(home, order.job)
                lacking = [
                    id_
                    for id_, session in order.sessions.items()
                    if not _is_held(session, parcels.get(session.blake3, {}), fetched, using)
                ]
                if lacking:
                    return Missing(tuple(lacking))
                home = _home(order.sessions)
            elif any(cell.is_kept for cell in order.job.cells):
                _check_is_the_same(home, order.sessions)
            store = Store(home)
            told = [_decoded(store, id_) for id_ in order.sessions] if order.is_shared else []
            return Ran(run_job(store, code, order.job), "\n".join(filter(None, told)))
    except (TapeError, OSError) as error:
        return Failed(str(error))


@lru_cache(_KITS_MAX)
def _ready(text: bytes) -> tuple[Code, Ready]:
    """The code as it lies here, compiled or loaded. Raises ConfigError, StrategyError."""
    kit = msgspec.json.decode(text, type=Kit)
    files = _strategies(kit)
    _check_is_the_same_code(kit.setup.sources, files)
    code = msgspec.structs.replace(kit.setup.code, files=tuple(map(str, files)))
    with alone("compiling"):  # what the first compiles the others load
        fold = LocalFold(kit.setup.plan, files, speed=code.speed, inputs=code.inputs)
    return code, Ready(fold.speed, fold.why)


def _strategies(kit: Kit) -> list[Path]:
    """The strategies' files: where they lie for the one who asks, if they are the same here, else written down."""
    named = [Path(name) for name in kit.setup.code.files]
    texts = [text.encode() for text in kit.texts]
    if all(path.is_file() and path.read_bytes() == text for path, text in zip(named, texts, strict=True)):
        return named
    digest = blake3(msgspec.json.encode([*zip([path.name for path in named], kit.texts, strict=True)])).hexdigest()
    folder = room(STRATEGIES) / digest[:32]
    content = {path.name: text for path, text in zip(named, texts, strict=True)}
    with alone(folder.name):
        make(folder, lambda making: write_many(RealDisk(), making, content))
    return [folder / path.name for path in named]


def _check_is_the_same_code(sources: Mapping[str, str], files: Sequence[Path]) -> None:
    own = {place_of(path): path for path in files}
    for name, digest in sources.items():
        path = own.get(name, ROOT / name)
        if not path.is_file() or blake3(path.read_bytes()).hexdigest() != digest:
            raise ConfigError(
                f"{name} is not the one that the backtest began with; accepted is the same version of Tapeworks on every "
                "node, left alone meanwhile"
            )


def _is_there(home: Path, sessions: Mapping[str, Sealed]) -> bool:
    """Whether the store that was named lies here, too."""
    return all(_hash_of(_manifest_of(home, id_)) == session.blake3 for id_, session in sessions.items())


def _manifest_of(home: Path, session: str) -> Path:
    return home / SESSIONS / session / manifest.MANIFEST


def _hash_of(path: Path) -> str:
    try:
        return blake3(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _check_keeps_nothing(home: Path, job: Job) -> None:
    if any(cell.is_kept for cell in job.cells):
        raise ConfigError(
            f"--keep-runs: node {gethostname()} does not see the store {home}: mount it there at the same path"
        )


def _check_is_the_same(home: Path, sessions: Mapping[str, Sealed]) -> None:
    """What is written here must be seen there: a copy of the store would keep it for itself."""
    for id_, session in sessions.items():
        found = _manifest_of(home, id_).stat()
        if (found.st_ino, found.st_mtime_ns) != (session.inode, session.changed_ns):
            raise ConfigError(
                f"--keep-runs: {home} on node {gethostname()} is a copy of the store: mount the store itself"
            )


def sealed_of(store: Store, session: str) -> Sealed:
    """A session of ours, as others are told of it; of one that is gone nothing, and its cells will say so."""
    path = _manifest_of(store.home, session)
    try:
        found = path.stat()
        return Sealed(blake3(path.read_bytes()).hexdigest(), found.st_ino, found.st_mtime_ns)
    except OSError:
        return Sealed("", 0, 0)


def files_of(store: Store, session: str) -> dict[str, Path]:
    """The files of a session that a job over it reads, by their names within its folder; those of a far store come first.

    Raises CorruptError, NotFoundError, FarError.
    """
    folder = store.folder(session)
    parts = [part for part in store.manifest(session).parts if part.stretch != "derived"]
    paths = part_paths(folder, parts)
    return {manifest.MANIFEST: folder / manifest.MANIFEST} | {
        part.file: path for part, path in zip(parts, paths, strict=True)
    }


def _is_held(session: Sealed, parcel: Parcel, fetched: Callable[[Any], Any], using: ExitStack) -> bool:
    """Whether a session is kept here, and stays until that stack is closed; what was sent of it is written down before.

    Raises CorruptError for bytes that are not its own.
    """
    folder = room(KEPT) / session.blake3
    with alone(session.blake3):
        if not folder.is_dir():
            if not parcel:
                return False
            make(folder, lambda making: _write(making, folder, session, parcel, fetched))
        using.enter_context(used(folder))
    return True


def _write(making: Path, folder: Path, session: Sealed, parcel: Parcel, fetched: Callable[[Any], Any]) -> None:
    expected = {manifest.MANIFEST: session.blake3}
    for name in parcel:  # the manifest first: it says what the others hash to
        content = memoryview(fetched(parcel[name]))
        if blake3(content).hexdigest() != expected.get(name):
            raise CorruptError(folder / name, 0, "what was sent of it does not have the hash that it was sealed with")
        path = making / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if name == manifest.MANIFEST:
            parts = manifest.load(making).parts
            expected |= {part.file: part.blake3 for part in parts}
            make_room(sum(part.size for part in parts if part.file in parcel))


def _home(sessions: Mapping[str, Sealed]) -> Path:
    """A store in which these are, made of links to what is kept."""
    asked = [[id_, session.blake3] for id_, session in sorted(sessions.items())]
    home = room(HOMES) / blake3(msgspec.json.encode(asked)).hexdigest()[:32]

    def link(making: Path) -> None:
        (making / SESSIONS).mkdir()
        for id_, session in sessions.items():
            (making / SESSIONS / id_).symlink_to(room(KEPT) / session.blake3, target_is_directory=True)
        (making / "cache").symlink_to(room("cache"), target_is_directory=True)

    with alone(home.name):
        make(home, link)
    return home


def _decoded(store: Store, session: str) -> str:
    """See that the session is in the hot cache, by one process while the others wait; what to tell when there is no room."""
    with contextlib.suppress(LogError, NotFoundError, OSError):  # its cells will say so
        key = cache.key_of(store.manifest(session))
        if hot.has(store, session) or not cache.limit_bytes(store.home):
            return ""
        tried = lock_path(f"{key}.no-room")
        with alone(key):
            if hot.has(store, session) or tried.exists():
                return ""
            for _ in hot.batches(store, session):
                pass
            if not hot.has(store, session):
                tried.touch()
                return f"{session}: no room in the hot cache of {gethostname()}, so every cell decodes it anew"
    return ""
