"""What a writer does before its first write: look at all that is there, and make sure that it stays there.

Torn is not corrupt. *Torn* is a tail that a crash explains: bytes that were never synced, any part of which may have
survived. It is cut and told. *Corrupt* is everything else: damage in front of a frame that was made when the damaged
bytes were durable already, below a durable cursor, behind a seal, or in a segment that is not the last. It refuses to
start and names what is still good; `salvage` is another command.

The tail is never cut in place. Its good part is copied into a new file, synced, renamed over the old one. For after a
failed sync the page cache shows bytes that are not on the disk and never will be: a writer that appended
behind them would lose them with the next power cut, and have a hole in front of what it acknowledged since. The copy
brings onto the disk whatever was believed. Doing all of it twice changes nothing more.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import CorruptError, LogError
from pipeline.log.disk import TEMPORARY, Disk, publish
from pipeline.log.durable import Cursor, read_durable
from pipeline.log.frames import NO_HASH, SegmentHeader
from pipeline.log.scan import Place, Scan, Verdict, is_beyond_a_crash
from pipeline.log.segments import SUFFIX, numbers


class Recovered(NamedTuple):
    """What recovery found, and left."""

    header: SegmentHeader
    """Of the last segment."""
    place: Place
    """The end of the last segment, and of the log."""
    cut_bytes: int
    """Bytes taken off the tail: torn, never acknowledged."""
    cut_reason: str
    """Why they were no frame; empty when nothing was cut."""

    @property
    def was_closed(self) -> bool:
        """Whether the writer before closed the log in good order."""
        return self.place.is_sealed


def segment_path(folder: Path, segment: int) -> Path:
    """The file of a segment."""
    return folder / f"{segment:06d}{SUFFIX}"


def recover(disk: Disk, folder: Path, *, cursors: Sequence[Cursor] = (), first_segment: int = 1) -> Recovered:
    """Check all segments from `first_segment`, cut a torn tail, make what is left durable.

    `cursors` are ends that somebody knows to be durable; the one in the log's own durable file is added. Call it
    under the log's lock. Raises LogError when there is no log, CorruptError for damage that no crash explains,
    SchemaError for a version this code does not know.
    """
    _remove_leftovers(disk, folder)
    present = [number for number in numbers(disk, folder) if number >= first_segment]
    if not present:
        raise LogError(f"{folder}: there is no journal to resume")
    if present != list(range(first_segment, first_segment + len(present))):
        missing = min(set(range(first_segment, present[-1])) - set(present))
        raise CorruptError(segment_path(folder, missing), 0, "the segment is missing and later ones are there")
    inspection = _Inspection(disk, folder, cursors)
    for segment in present:
        inspection.look_at(segment, is_last=segment == present[-1])
    return inspection.settle()


class _Inspection:
    """One walk over the segments, in order."""

    def __init__(self, disk: Disk, folder: Path, cursors: Sequence[Cursor]) -> None:
        self._disk = disk
        self._folder = folder
        self._cursors = list(cursors)
        self._end: tuple[SegmentHeader, Place] | None = None
        """Header of the segment looked at last, and the end of its good part. No view of it is kept, for Windows."""
        self._content_bytes = 0
        self._reason = ""

    def look_at(self, segment: int, *, is_last: bool) -> None:
        """Check one segment and what connects it to the one before. Raises CorruptError."""
        path = segment_path(self._folder, segment)
        content = self._disk.view(path)
        scan = Scan(content)
        if scan.header is None:
            raise CorruptError(path, 0, scan.reason)
        if self._end is None:
            durable = read_durable(self._disk, self._folder, scan.header.log_id)
            self._cursors += [durable] if durable else []
        self._check_connection(path, scan.header, segment)
        self._check_cursors(path, scan)
        if scan.verdict is not Verdict.CLEAN and (not is_last or is_beyond_a_crash(bytes(content), scan)):
            raise CorruptError(path, scan.place.offset, scan.reason)
        self._end, self._content_bytes, self._reason = (scan.header, scan.place), len(content), scan.reason

    def settle(self) -> Recovered:
        """Cut the last segment to its good part, and make that durable. Raises CorruptError."""
        assert self._end is not None, "there is at least one segment"
        header, place = self._end
        path, end = segment_path(self._folder, header.segment), place.offset
        for cursor in self._cursors:
            if cursor.segment > header.segment:
                raise CorruptError(path, end, f"segment {cursor.segment} was durable and is missing")
        # Even an empty segment: its name may be one whose sync failed, and the next one's would outlive it.
        publish(self._disk, path, bytes(self._disk.view(path)[:end]))
        return Recovered(header, place, self._content_bytes - end, self._reason)

    def _check_connection(self, path: Path, header: SegmentHeader, segment: int) -> None:
        """Raises CorruptError when this is not the segment that follows the one before."""
        if header.segment != segment or (segment == 1 and header.chain != NO_HASH):
            raise CorruptError(path, 0, f"the segment's header says that it is number {header.segment}")
        if self._end is None:
            return
        before, place = self._end
        if (header.log_id, header.chain, header.base_seq) != (before.log_id, place.chain, place.last_seq + 1):
            raise CorruptError(path, 0, "the segment does not follow the one before it: the chain is broken")
        if header.epoch < before.epoch:
            raise CorruptError(path, 0, f"writer {header.epoch} after writer {before.epoch}: an older file came back")

    def _check_cursors(self, path: Path, scan: Scan) -> None:
        """Run the scan, and see that what was durable is there, unchanged. Raises CorruptError."""
        assert scan.header is not None
        awaited = [cursor for cursor in self._cursors if cursor.segment == scan.header.segment]
        ends = {cursor.end for cursor in awaited}
        chains = {scan.place.offset: scan.place.chain}
        for frame in scan:
            if frame.header.end in ends:
                chains[frame.header.end] = frame.chain
        good = scan.place.offset
        for cursor in awaited:
            if chains.get(cursor.end) != cursor.chain or cursor.epoch != scan.header.epoch:
                reason = f"it was durable up to byte {cursor.end}, seq {cursor.seq}, and is not what it was"
                raise CorruptError(path, min(good, cursor.end), f"{reason}; {scan.reason}" if scan.reason else reason)


def _remove_leftovers(disk: Disk, folder: Path) -> None:
    for name in disk.names(folder):
        if name.endswith(SUFFIX + TEMPORARY):
            disk.unlink(folder / name)
