"""Whole: a run's rows straight into sealed parts, in a folder that is a run as soon as all of it is durable, not before.

A run can be made again, so nothing of it need outlive a crash before its end; what a session needs for that, the journal
and a manifest from its first moment on, a run goes without.

    1  claim a folder and its lock; without a manifest it is no run, see `half_made`
    2  write the sources that reduce, and rows as they come, into the files they will lie in
    3  sync every file, and read the parts back: the file's hash, and the values of every row group
    4  sync every folder
    5  the manifest                                                    <- from here on there is a run

A crash before 5 leaves a folder made by half. Within a step the order does not matter, so syncs wait for the disk together.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pipeline.block import Blocks
from pipeline.log import manifest as manifests
from pipeline.log.disk import SYNCS_AT_ONCE, TEMPORARY, Disk, Held, RealDisk, write_new
from pipeline.log.lock import FILE_NAME as LOCK
from pipeline.log.manifest import COPY, MANIFEST, NOTHING_SEALED, Manifest
from pipeline.log.parts import MERGED, Parts, Tally
from pipeline.log.reader import JOURNAL
from pipeline.log.store import CODE

_FIRST_ROWS: Final = 8_192
"""Of a part's first row group: most rows are packed while the next are made, few when all is waited for."""


class WholeLog:
    """The writer of a log that holds derived rows only. A context manager: what is not published by its end is given up."""

    def __init__(self, folder: Path, code: Mapping[str, str], disk: Disk | None = None) -> None:
        """`folder` was claimed and is empty; `code` are texts by names that were checked."""
        self._folder = folder
        self._code = code
        self._disk = disk or RealDisk()
        self._parts = Parts(folder, self._disk, first_rows=_FIRST_ROWS)
        self._tally = Tally()
        self._folders = {folder.parents[1], folder.parent, folder}
        self._pool = ThreadPoolExecutor(SYNCS_AT_ONCE, "syncing")
        self._begun: list[Future[Any]] = []
        self._lock: Held | None = None

    def write(self, derived: Blocks) -> None:
        """Rows behind those written before, in (seq, ord) order. Raises OSError."""
        for block in derived:
            if len(block):
                self._parts.write(block, MERGED)
                self._tally.add(block)

    def publish(self, of: Manifest) -> Manifest:
        """Make all of it durable, then a run; the manifest with what the rows say. Raises OSError, LogError: then it is none."""
        for file in self._parts.files:
            self._begin(self._parts.complete, file)
        self._wait()
        sealed = manifests.replaced(of, state="sealed", parts=tuple(self._parts.entries("", "")))
        sealed = self._tally.applied(sealed, parts=sealed.parts, sealed=NOTHING_SEALED)
        content = manifests.encode(sealed)
        for name in (MANIFEST, COPY):
            self._begin(write_new, self._disk, self._folder / (name + TEMPORARY), content)
        self._wait()
        for folder in self._folders.union(self._parts.folders):
            self._begin(self._disk.sync_folder, folder)
        self._wait()
        for name in (MANIFEST, COPY):
            self._disk.rename(self._folder / (name + TEMPORARY), self._folder / name)
            self._disk.sync_folder(self._folder)
        return sealed

    def __enter__(self) -> Self:
        """Begin. Raises LockedError when another one writes there, OSError."""
        try:
            self._disk.make_folder(self._folder / JOURNAL)
            self._lock = self._disk.lock(self._folder / JOURNAL / LOCK)
            for name, text in self._code.items():
                self._keep_source(self._folder / CODE / name, text.encode())
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def _let_go(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._parts.abandon()
        if self._lock:
            self._lock.release()

    def _keep_source(self, path: Path, text: bytes) -> None:
        if path.parent not in self._folders:
            self._disk.make_folder(path.parent)
            inside = [path.parent, *path.parent.parents]
            self._folders.update(inside[: inside.index(self._folder)])
        self._begin(write_new, self._disk, path, text)

    def _begin(self, work: Callable[..., object], *about: object) -> None:
        self._begun.append(self._pool.submit(work, *about))

    def _wait(self) -> None:
        """Until all that was begun is done. Raises what it raised: nothing is tried again."""
        begun, self._begun = self._begun, []
        for each in begun:
            each.result()
