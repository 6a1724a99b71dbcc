"""Importing: files into a session, in one order, resumable at any input.

What an import depends on (the files by their hash, the options) is in the session's settings, and the merged order
depends on nothing else. So an import that was killed goes on where its log ends: the same inputs are made again, and
as many as the log holds are left out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.block import Blocks, without_first
from pipeline.errors import ConfigError, FeedError
from pipeline.feeds.merge import merged
from pipeline.log.manifest import Manifest
from pipeline.log.parquet import file_hash
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.seal import seal
from pipeline.log.store import Store
from pipeline.normalize.grid import check_grid
from pipeline.ports import FileFeed
from pipeline.provenance import Mode
from pipeline.run.ahead import ahead
from pipeline.run.environment import machine, packages
from pipeline.run.recording import Recorder, fed, is_begun, opened, start_rows
from pipeline.units import iso_from_ns


class Imported(msgspec.Struct, frozen=True):
    """What came of an import: `kinds` counts rows by kind, `errors` names files that could not be read to their end."""

    session: str
    events: int
    kinds: dict[str, int]
    first_ts: str
    last_ts: str
    refused: int
    errors: list[str]


class MergeOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How sources become one order; see `pipeline.feeds.merge`."""

    timer_interval_ns: int | None = 1_000_000_000
    quiet_ns: int = 900_000_000_000
    lateness_ns: int = 10_000_000_000


AS_RECORDED: Final = MergeOptions()
"""The grid and the bounds that a live session has."""


def import_files(
    store: Store,
    sources: Sequence[FileFeed],
    paths: Sequence[Path],
    *,
    name: str,
    created_ns: int,
    merge: MergeOptions = AS_RECORDED,
    reading: dict[str, Any] | None = None,
    resume: str | None = None,
    is_sealed: bool = True,
    progress: Callable[[int], None] = lambda _: None,
    begun: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Import the sources, which read the paths, as one session, or go on with the import `resume` of the same files.

    `reading` holds the options the sources were opened with; `begun` is told the session's id before anything is read. Raises ConfigError when `resume` names an import of
    other files or options, LockedError, PoisonedError; a FeedError ends in `errors`, what came before it stays.
    """
    if merge.timer_interval_ns is not None:
        check_grid(merge.timer_interval_ns, merge.quiet_ns)
    settings = {
        "files": [{"name": p.name, "size": p.stat().st_size, "blake3": file_hash(p)} for p in paths],
        "merge": msgspec.to_builtins(merge),
        "reading": reading or {},
    }
    manifest, skipped = _session(store, settings, name=name, created_ns=created_ns, resume=resume)
    begun(manifest.id)
    errors: list[str] = []
    batches = merged(
        sources, timer_interval_ns=merge.timer_interval_ns, quiet_ns=merge.quiet_ns, lateness_ns=merge.lateness_ns
    )
    with (
        opened(store, manifest, None, is_resumed=resume is not None) as recorder,
        closing(ahead(batches)) as read_ahead,
    ):
        is_new = (
            recorder.last_seq == 0
        )  # a resumed import that was killed before its first commit starts like any other
        readable = _readable(read_ahead, errors)
        _record(recorder, without_first(readable, skipped), settings, progress, is_new=is_new)
    folder = store.folder(manifest.id)
    manifest = seal(folder, store.disk) if is_sealed else LogReader(folder).manifest
    return Imported(
        session=manifest.id,
        events=recorder.last_seq,
        kinds={kind.name.lower(): count for kind, count in sorted(recorder.kinds.items())},
        first_ts=iso_from_ns(manifest.first_ts_ns) if recorder.last_seq else "",
        last_ts=iso_from_ns(manifest.last_ts_ns) if recorder.last_seq else "",
        refused=recorder.refused,
        errors=errors,
    )


def _session(
    store: Store, settings: dict[str, Any], *, name: str, created_ns: int, resume: str | None
) -> tuple[Manifest, int]:
    """The session to write, and how many inputs of the files it holds already."""
    if resume is None:
        manifest = store.create_session(
            name,
            mode=Mode.IMPORT,
            created_ns=created_ns,
            settings=settings,
            packages=packages(),
            platform=machine(),
        )
        return manifest, 0
    manifest = store.find_one(resume)
    if manifest.state != "open":
        raise ConfigError(f"{manifest.id} is {manifest.state}, not open: there is nothing to resume")
    if msgspec.to_builtins(manifest.settings) != settings:
        raise ConfigError(f"{manifest.id} was begun from other files or options; resume it with the same ones")
    if not is_begun(manifest, store.folder(manifest.id) / JOURNAL):
        return manifest, 0
    return manifest, fed(LogReader(store.folder(manifest.id)))


def _record(
    recorder: Recorder,
    batches: Iterable[Blocks],
    settings: dict[str, Any],
    progress: Callable[[int], None],
    *,
    is_new: bool,
) -> None:
    for batch in batches:
        if is_new:
            # The session starts at its first input's time: the time of the import is no event.
            recorder.session_ns = min(int(block.number("ts_recv_ns").min()) for block in batch)
            recorder.say(start_rows(settings, {}, seed=0))
            is_new = False
        recorder.take(batch)
        progress(recorder.last_seq)
        if recorder.is_to_end:
            return


def _readable(batches: Iterator[Blocks], errors: list[str]) -> Iterator[Blocks]:
    """The batches; a source's error becomes a text at the end."""
    try:
        yield from batches
    except FeedError as error:
        errors.append(str(error))
