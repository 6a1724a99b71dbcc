"""Hot: the inputs of sealed sessions, decoded once and kept as mapped columns. Deleting them loses nothing.

The first whole reading of a session goes on from Parquet while a thread writes an entry of the `cache` beside it; the
entry counts from the moment its folder is renamed. From then on a batch is a window of the mapped columns: no decoding,
no copy. Kinds with text stay in Parquet and are merged in: they have few rows, or bytes that no loop reads.

A column that is opened the first time since the machine started is compared with its hash, and again whenever its
file's identity (inode, size, times of modification and change) is not the one noted then. A comparison each time would
cost more than the rest of the reading; what stays unseen is a disk that changes its mind about an unchanged file
between two starts. A damaged entry is dropped, and the reading makes it again.
"""

import contextlib
import os
import queue
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipeline.block import Block, Blocks
from pipeline.codes import Kind
from pipeline.errors import CorruptError, LockedError
from pipeline.log import cache, merge, proved
from pipeline.log.cache import Entry
from pipeline.log.lock import FILE_NAME as LOCK
from pipeline.log.lock import Lock
from pipeline.log.manifest import Manifest
from pipeline.log.mapped import MAPPABLE, KindWriter, MappedKind
from pipeline.log.merge import Chunk, Window
from pipeline.log.reader import LogReader
from pipeline.log.store import Store

ROWS: Final = 1 << 20
"""Inputs in a batch unless said otherwise: so many that nothing but the rows costs."""
_MAPPED_ROWS_MIN: Final = 1 << 16
"""Narrower batches are slices of one map."""
_TEXT_ROWS: Final = 1 << 40
"""Width in `seq` in which kinds with text are read: the next row of theirs may be far."""
_WAITING_MAX: Final = 4
"""The bound of the queue "keeping": batches read and not yet written. Full means that the reader waits."""


def batches(
    store: Store,
    id_: str,
    from_seq: int = 1,
    to_seq: int | None = None,
    *,
    kinds: Iterable[Kind] | None = None,
    columns: Sequence[str] | None = None,
    rows: int = ROWS,
    build: bool = True,
) -> Iterator[Blocks]:
    """The inputs of a session in `seq` order, as `LogReader.batches` gives them; see `windows`."""
    chosen = windows(store, id_, from_seq, to_seq, kinds=kinds, columns=columns, rows=rows, build=build)
    return (window.blocks for window in chosen)


def windows(
    store: Store,
    id_: str,
    from_seq: int = 1,
    to_seq: int | None = None,
    *,
    kinds: Iterable[Kind] | None = None,
    columns: Sequence[str] | None = None,
    rows: int = ROWS,
    build: bool = True,
) -> Iterator[Window]:
    """Stretches of a session's inputs at most `rows` wide in `seq`, as read-only views of mapped files where there are some.

    A whole reading of a sealed session that has none yet leaves them behind, unless `build` is off; batches are then
    smaller than `rows`. Raises what `LogReader` raises, and ConfigError for a limit that is no number.
    """
    reader = LogReader(store.folder(id_), store.disk)
    chosen = frozenset(Kind if kinds is None else kinds)
    last = reader.last_seq if to_seq is None else min(to_seq, reader.last_seq)
    is_whole = from_seq <= 1 and last == reader.last_seq
    if (opened := _open(store.home, reader, chosen, columns)) is not None:
        with opened:
            yield from opened.windows(max(from_seq, 1), last, rows)
    elif build and is_whole and (making := _begin(store.home, reader)) is not None:
        with making:
            for window in making.passing(reader.windows(rows=rows)):
                blocks = [_narrowed(block, columns) for block in window.blocks if block.kind in chosen]
                if blocks:
                    yield window._replace(blocks=blocks)
    else:
        yield from reader.windows(from_seq, last, kinds=chosen, rows=rows, columns=columns)


def has(store: Store, id_: str) -> bool:
    """Whether a session has an entry. Raises NotFoundError, CorruptError when there is no such session."""
    manifest = store.manifest(id_)
    return cache.is_cacheable(manifest) and (store.home / cache.FOLDER / cache.key_of(manifest) / cache.INDEX).is_file()


def forget(store: Store, id_: str) -> bool:
    """Drop a session's entry; whether there was one."""
    is_there = has(store, id_)
    if is_there:
        cache.drop(store.home / cache.FOLDER / cache.key_of(store.manifest(id_)))
    return is_there


def entries(store: Store) -> list[Entry]:
    """What is kept, least recently used first."""
    return cache.entries_of(store.home / cache.FOLDER)


def clear(store: Store) -> int:
    """Drop every entry; how many bytes that gave back."""
    dropped = entries(store)
    for entry in dropped:
        cache.drop(store.home / cache.FOLDER / entry.key)
    return sum(entry.size for entry in dropped)


class _Opened:
    """An entry whose columns are proved and open; closed by `with`."""

    def __init__(self, folder: Path, reader: LogReader, kinds: frozenset[Kind], columns: Sequence[str] | None) -> None:
        """Raises OSError when something is not there, CorruptError when it is not what was written."""
        self._reader = reader
        self._texts = kinds - MAPPABLE
        self._columns = columns
        self._mapped: list[MappedKind] = []
        index = proved.read(folder / cache.INDEX, cache.Index)
        names = None if columns is None else {"seq", "ord", *columns}
        try:
            for kind in sorted(kinds & MAPPABLE):
                if files := index.kinds.get(kind.name.lower()):
                    self._mapped.append(MappedKind(folder / kind.name.lower(), kind, files, names))
            self._prove(folder / cache.PROVED)
        except BaseException:
            self.close()
            raise
        with contextlib.suppress(OSError):  # as with the proofs: reading needs no right to write
            os.utime(folder / cache.INDEX)

    def windows(self, from_seq: int, to_seq: int, rows: int) -> Iterator[Window]:
        """The inputs, mapped ones and those with text in one order."""
        sources = [self._chunks(from_seq, to_seq, rows)]
        if self._texts:
            texts = self._reader.windows(from_seq, to_seq, kinds=self._texts, rows=_TEXT_ROWS, columns=self._columns)
            sources.append(Chunk(window.blocks, window.last_seq) for window in texts)
        return merge.windows(sources, from_seq, to_seq, rows)

    def close(self) -> None:
        """Let go of the files; blocks given out stay readable."""
        for kind in self._mapped:
            kind.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _chunks(self, from_seq: int, to_seq: int, rows: int) -> Iterator[Chunk]:
        width = rows * max(_MAPPED_ROWS_MIN // rows, 1)
        reached = [kind.row_of(from_seq) for kind in self._mapped]
        for start in range(from_seq, to_seq + 1, width):
            end = min(start + width - 1, to_seq)
            ends = [kind.row_of(end + 1) for kind in self._mapped]
            stretches = zip(self._mapped, reached, ends, strict=True)
            yield Chunk([kind.block(first, stop) for kind, first, stop in stretches if first < stop], end)
            reached = ends

    def _prove(self, path: Path) -> None:
        """Compare the files that were not compared since the machine started, and note that they were."""
        boot = cache.boot_id()
        noted = cache.proved_files(path, boot)
        fresh: dict[str, list[int]] = {}
        for kind in self._mapped:
            unproved = kind.unproved(noted)
            kind.prove(list(unproved))
            fresh |= unproved
        if fresh and boot:
            with contextlib.suppress(OSError):  # a store that may not be written is proved at each opening
                cache.write(path, cache.Proved(boot, {**noted, **fresh}))


class _Making:
    """An entry that is being written by a thread, while what it holds is read from Parquet; closed by `with`."""

    def __init__(self, folder: Path, manifest: Manifest, limit: int, lock: Lock) -> None:
        self._folder = folder
        self._manifest = manifest
        self._limit = limit
        self._lock = lock
        self._writers: dict[Kind, KindWriter] = {}
        self._rows = 0
        self._is_given_up = False
        self._bug: BaseException | None = None
        self._waiting: queue.Queue[Blocks | None] = queue.Queue(_WAITING_MAX)
        self._thread = threading.Thread(target=self._write, name="keeping", daemon=True)
        self._thread.start()

    def passing(self, read: Iterator[Window]) -> Iterator[Window]:
        """The same windows; behind the last one the entry is there, unless the disk or the limit was against it."""
        for window in read:
            self._waiting.put(window.blocks)
            yield window
        self._waiting.put(None)
        self._thread.join()
        if self._bug is not None:
            raise self._bug
        if not self._is_given_up:
            with contextlib.suppress(OSError):
                self._publish()

    def close(self) -> None:
        """Leave nothing half made behind."""
        if self._thread.is_alive():
            self._is_given_up = True
            self._waiting.put(None)
            self._thread.join()
        for writer in self._writers.values():
            writer.abandon()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self) -> None:
        """Write batches until None comes; after a failure only take them."""
        for blocks in iter(self._waiting.get, None):
            if self._is_given_up:
                continue
            try:
                self._add(blocks)
            except OSError:
                self._is_given_up = True
            except BaseException as error:  # noqa: BLE001 - raised where the batches are read: a thread has nobody above it
                self._is_given_up, self._bug = True, error

    def _add(self, blocks: Blocks) -> None:
        for block in blocks:
            if block.kind in MAPPABLE:
                if block.kind not in self._writers:
                    self._writers[block.kind] = KindWriter(self._folder / block.kind.name.lower(), block.kind)
                self._writers[block.kind].write(block)
        self._rows += sum(map(len, blocks))
        self._is_given_up |= self._expected_bytes() > self._limit

    def _expected_bytes(self) -> float:
        """What all of the session will take, if it goes on as it began: what can't fit is not written to its end."""
        written = sum(writer.written_bytes for writer in self._writers.values())
        return written * max(self._manifest.inputs / self._rows, 1.0)

    def _publish(self) -> None:
        kinds = {kind.name.lower(): writer.close() for kind, writer in self._writers.items()}
        index = cache.Index(tuple(part.blake3 for part in self._manifest.parts), kinds)
        cache.write(self._folder / cache.INDEX, index)
        entry = self._folder.with_name(cache.key_of(self._manifest))
        cache.make_room(entry.parent, self._limit - index.size)
        cache.drop(entry)  # half of one, or it would have been read
        self._folder.rename(entry)


def _open(home: Path, reader: LogReader, kinds: frozenset[Kind], columns: Sequence[str] | None) -> _Opened | None:
    """The entry, ready to be read; None when there is none, or it was damaged and is dropped now."""
    folder = home / cache.FOLDER / cache.key_of(reader.manifest)
    if not cache.is_cacheable(reader.manifest) or not (folder / cache.INDEX).is_file():
        return None
    try:
        return _Opened(folder, reader, kinds, columns)
    except (FileNotFoundError, CorruptError):
        cache.drop(folder)
    except OSError:
        pass  # not ours to read, or no descriptor left: there is always Parquet
    return None


def _begin(home: Path, reader: LogReader) -> _Making | None:
    """An entry to write; None when there can't be one: not sealed, no room, no right to write, another one writes it."""
    limit = cache.limit_bytes(home) if cache.is_cacheable(reader.manifest) else 0
    if not limit:
        return None
    key = cache.key_of(reader.manifest)
    folder = home / cache.FOLDER / (cache.MAKING + key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(folder / LOCK)
    except (LockedError, OSError):
        return None
    if (folder.parent / key / cache.INDEX).exists():  # made in this moment by the one who had the lock
        lock.release()
        return None
    for leftover in folder.glob("*/"):
        shutil.rmtree(leftover, ignore_errors=True)
    return _Making(folder, reader.manifest, limit, lock)


def _narrowed(block: Block, columns: Sequence[str] | None) -> Block:
    if columns is None:
        return block
    return Block(block.kind, {name: block.columns[name] for name in block.columns if name in {"seq", "ord", *columns}})
