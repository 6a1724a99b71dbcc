"""The journal: the one writer of a log, from the first frame to the seal.

Written, then durable: `append` puts a commit behind the last one, `sync` makes everything appended so far durable and
only then says so. Nothing may be acknowledged before. The two may run in different threads; each has one caller.

Any error of a write or a sync poisons the journal for good. What is on the disk then is for recovery to find out, in
a new `resume`: a sync that fails once and is tried again says yes to bytes that the kernel has forgotten.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.errors import LogError, PoisonedError
from pipeline.log.codec import encode, encode_schemas
from pipeline.log.disk import Disk, Held, RealDisk, publish
from pipeline.log.durable import Cursor, DurableFile
from pipeline.log.frames import (
    BLANK_HEADER,
    HEADER_BYTES,
    NO_HASH,
    FrameKind,
    SegmentHeader,
    check_size,
    crc_of,
    digest,
    frame_head,
)
from pipeline.log.lock import FILE_NAME as LOCK_NAME
from pipeline.log.order import Span, span_of
from pipeline.log.recovery import Recovered, recover, segment_path
from pipeline.log.scan import Place, misnumbered, start_of
from pipeline.log.segments import numbers
from pipeline.units import HOUR_NS

LOG_ID_BYTES: Final = 16


class Limits(NamedTuple):
    """When a segment is full: the next commit opens another."""

    segment_bytes: int = 64 * 2**20
    segment_ns: int = HOUR_NS


LIMITS: Final = Limits()


class _Tip(msgspec.Struct, frozen=True):
    """Where the next frame goes. Replaced as a whole, so that another thread sees one moment of it.

    A struct, as places and cursors are: a named tuple takes five times as long to make.
    """

    fd: int
    header: SegmentHeader
    segment_crc: int
    place: Place

    @property
    def cursor(self) -> Cursor:
        header, place = self.header, self.place
        return Cursor(header.epoch, header.segment, place.offset, place.last_seq, place.chain)


class _Fuse:
    """Burns at the first error inside its block, and lets nobody in again."""

    def __init__(self, name: str) -> None:
        self.cause: BaseException | None = None
        self._name = name

    def __enter__(self) -> None:
        if self.cause is not None:
            raise PoisonedError(f"{self._name}: no longer written, because of: {self.cause}") from self.cause

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:  # an interrupt, too, may have cut a write short
            self.cause = self.cause or error
            if isinstance(error, OSError):
                raise PoisonedError(f"{self._name}: {error}; restart to recover") from error


class Flag:
    """A flag that one thread sets and another one waits for, at a fifth of the price of `threading.Event`."""

    def __init__(self) -> None:
        self._unset = threading.Lock()
        self._unset.acquire()

    def is_set(self) -> bool:
        """Whether it is set."""
        return not self._unset.locked()

    def set(self) -> None:
        """Set it; one thread alone may do so."""
        if self._unset.locked():
            self._unset.release()

    def take(self, timeout_s: float = 0.0) -> bool:
        """Unset it, or wait so long for it to be set; whether it was."""
        return self._unset.acquire(timeout=timeout_s)


class Journal:
    """The writer of one log, under its lock. A context manager: leaving it in peace closes, by an error abandons.

    `unsynced` is set while something is written and not yet durable.
    """

    def __init__(
        self, folder: Path, held: Held, header: SegmentHeader, *, disk: Disk, limits: Limits, now_ns: Callable[[], int]
    ) -> None:
        """Open the segment of this header, durable before this returns. Use `create` or `resume`."""
        self.folder = folder
        self.log_id = header.log_id
        self.unsynced = Flag()
        self._held = held
        self._disk = disk
        self._limits = limits
        self._now_ns = now_ns
        self._fuse = _Fuse(str(folder))
        self._syncing = threading.Lock()
        """Held while a descriptor is synced, so that rotation does not close it meanwhile."""
        self._described: set[Kind] = set()
        """Kinds whose schema stands in the current segment."""
        self._durable_file = DurableFile(disk, folder, header.log_id)
        self._tip = self._opened(header)
        self._durable = self._tip.cursor
        self._durable_file.publish(self._durable)

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        log_id: bytes,
        is_derived_only: bool = False,
        disk: Disk | None = None,
        limits: Limits = LIMITS,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> "Journal":
        """A new log in this folder, which is made. `is_derived_only`: a run's, whose rows carry its parents' `seq`.

        Raises LockedError when somebody writes there, LogError when a log is there already, OSError.
        """
        assert len(log_id) == LOG_ID_BYTES, f"a log id has {LOG_ID_BYTES} bytes, not {len(log_id)}"
        disk = disk or RealDisk()
        disk.make_folder(folder)
        disk.sync_folder(folder.parent)
        with _lock_of(disk, folder) as held:
            if numbers(disk, folder):
                raise LogError(f"{folder}: a journal is there already; resume it")
            header = SegmentHeader(log_id, 1, 1, 1, now_ns(), NO_HASH, is_derived_only)
            return cls(folder, held, header, disk=disk, limits=limits, now_ns=now_ns)

    @classmethod
    def resume(
        cls,
        folder: Path,
        *,
        cursors: Sequence[Cursor] = (),
        first_segment: int = 1,
        disk: Disk | None = None,
        limits: Limits = LIMITS,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> "tuple[Journal, Recovered]":
        """The log in this folder, recovered (see `recover`), with a new writer in a new segment behind what is good.

        Raises LockedError when somebody writes there, LogError when no log is there, CorruptError, SchemaError, OSError.
        """
        disk = disk or RealDisk()
        with _lock_of(disk, folder) as held:
            recovered = recover(disk, folder, cursors=cursors, first_segment=first_segment)
            last, place = recovered.header, recovered.place
            header = last._replace(
                segment=last.segment + 1,
                epoch=last.epoch + 1,
                base_seq=place.last_seq + 1,
                created_ns=now_ns(),
                chain=place.chain,
            )
            return cls(folder, held, header, disk=disk, limits=limits, now_ns=now_ns), recovered

    @property
    def written(self) -> Cursor:
        """The end of what was appended."""
        return self._tip.cursor

    @property
    def durable(self) -> Cursor:
        """The end of what is known durable; only this may be acknowledged."""
        return self._durable

    @property
    def is_poisoned(self) -> bool:
        """Whether an earlier error forbids any further write."""
        return self._fuse.cause is not None

    def append(self, kind: FrameKind, blocks: Sequence[Block]) -> None:
        """One commit: INPUTS whose `seq` go on without a hole, or DERIVED rows of inputs already there.

        Raises LogError, and changes nothing, for rows that do not fit or are too many; PoisonedError.
        """
        assert kind in (FrameKind.INPUTS, FrameKind.DERIVED), f"{kind.name} frames are the journal's own"
        span = span_of(kind, blocks)
        tip = self._tip
        last_seq = tip.place.last_seq
        if problem := misnumbered(
            kind, span.first_seq, span.last_seq, last_seq, is_derived_only=tip.header.is_derived_only
        ):
            raise LogError(f"{self.folder}: {problem}")
        frame = encode(blocks, BLANK_HEADER)
        check_size(frame)
        with self._fuse:
            now_ns = self._now_ns()
            self._make_room(now_ns)
            if missing := [block.kind for block in blocks if block.kind not in self._described]:
                schemas = encode_schemas(missing, BLANK_HEADER)
                self._write(FrameKind.SCHEMA, schemas, Span(0, last_seq, last_seq), now_ns)
                self._described.update(missing)
            self._write(kind, frame, span, now_ns)
        self.unsynced.set()

    def sync(self) -> Cursor:
        """Make all that was appended before this call durable, publish and return its end. Raises PoisonedError."""
        with self._syncing, self._fuse:
            self.unsynced.take()  # before the tip is read: a commit that comes between is synced twice, never missed
            tip = self._tip
            self._disk.sync(tip.fd)
            self._durable = tip.cursor
            self._durable_file.publish(self._durable)
            return self._durable

    def close(self) -> None:
        """Sync, seal, sync the seal, and let go. Raises PoisonedError; the log is let go all the same."""
        try:
            self.sync()
            with self._fuse:
                last_seq = self._tip.place.last_seq
                self._write(FrameKind.SEAL, bytearray(BLANK_HEADER), Span(0, last_seq, last_seq), self._now_ns())
            self.sync()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go without another write, as a crash would. Does nothing when it was done before."""
        if self._tip.fd < 0:
            return
        if self._fuse.cause is None:
            self._fuse.cause = LogError("it was closed")
        with self._syncing:
            fd = self._tip.fd
            self._tip = msgspec.structs.replace(self._tip, fd=-1)
            self._held.release()
            self._disk.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._tip.fd >= 0:
            self.close()
        else:
            self.abandon()

    def _make_room(self, now_ns: int) -> None:
        """Go on in a new segment when this one is full or old, unless it is empty."""
        tip, limits = self._tip, self._limits
        end = tip.place.offset
        is_over = end >= limits.segment_bytes or now_ns - tip.header.created_ns >= limits.segment_ns
        if is_over and end > HEADER_BYTES:
            self._rotate(now_ns)

    def _rotate(self, now_ns: int) -> None:
        """The next segment exists only when this one is durable: so only the last one of a log can be torn."""
        with (
            self._syncing,
            self._fuse,
        ):  # the sync that was waited for may have failed: this one would be its repetition
            tip = self._tip
            self._disk.sync(tip.fd)
            self._durable = tip.cursor
            self._durable_file.publish(self._durable)
            self._tip = self._opened(
                tip.header._replace(
                    segment=tip.header.segment + 1,
                    base_seq=tip.place.last_seq + 1,
                    created_ns=now_ns,
                    chain=tip.place.chain,
                )
            )
            self._described.clear()
            self._durable = self._tip.cursor
            self._disk.close(tip.fd)

    def _opened(self, header: SegmentHeader) -> _Tip:
        path = segment_path(self.folder, header.segment)
        publish(self._disk, path, header.encoded())
        fd = self._disk.reopen(path)
        return _Tip(fd, header, header.crc, start_of(header))

    def _write(self, kind: FrameKind, frame: bytearray, span: Span, now_ns: int) -> None:
        """Put the header over the frame's first bytes, and the frame behind the last one."""
        tip, durable = self._tip, self._durable
        segment, place = tip.header, tip.place
        payload = memoryview(frame)[HEADER_BYTES:]
        schema_id = place.schema_id + (kind is FrameKind.SCHEMA)
        frame[:HEADER_BYTES] = head = frame_head(
            kind,
            len(payload),
            span.rows,
            schema_id,
            crc_of(payload),
            place.offset,
            durable.end if durable.segment == segment.segment else HEADER_BYTES,
            span.first_seq,
            span.last_seq,
            now_ns,
            digest(payload),
            place.chain,
            tip.segment_crc,
        )
        self._disk.write(tip.fd, frame)
        end, last_seq = place.offset + len(frame), max(place.last_seq, span.last_seq)
        place = Place(end, last_seq, schema_id, digest(head), kind is FrameKind.SEAL)
        self._tip = _Tip(tip.fd, segment, tip.segment_crc, place)


@contextmanager
def _lock_of(disk: Disk, folder: Path) -> Iterator[Held]:
    """The log's lock; given back only when the block fails, else it belongs to the journal made there."""
    held = disk.lock(folder / LOCK_NAME)
    try:
        yield held
    except BaseException:
        held.release()
        raise


def small_journal(folder: Path, disk: Disk) -> Journal:
    """The journal of a small log of the store's own (notes, reference data, an account): it goes on, or begins.

    Raises LockedError when somebody else is writing there, CorruptError.
    """
    if folder.is_dir() and any(folder.glob("*.seg")):
        return Journal.resume(folder, disk=disk)[0]
    return Journal.create(folder, log_id=secrets.token_bytes(LOG_ID_BYTES), disk=disk)
