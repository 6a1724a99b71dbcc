"""Segments: a journal's files as its readers see them.

A segment is scanned when its rows are asked for, not before, and the last few scanned are kept: a reader of 10 M
rows holds a few maps of 64 MiB, and no byte is believed that was not checked in this very pass. Segments that are
sealed already are not looked at, whether or not they have been dropped.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline.errors import CorruptError
from pipeline.log.disk import Disk, RealDisk
from pipeline.log.durable import Cursor, read_durable
from pipeline.log.frames import HEADER_BYTES, NO_HASH, FrameKind, SegmentHeader, parse_segment_header
from pipeline.log.scan import FrameView, Place, Scan, Verdict, is_beyond_a_crash

SUFFIX: Final = ".seg"
_SCANNED_MAX: Final = 2
"""Scanned segments kept: the inputs and the derived rows of one stretch lie in the same or in neighbouring ones."""


class Segments:
    """The unsealed segments of a journal, as of now. What is appended later is not seen.

    Raises FileNotFoundError while another process seals: read the manifest again. Raises CorruptError for damage
    that no crash explains; a tail that a crash may have torn is left out and told by `torn`.
    """

    def __init__(
        self,
        folder: Path,
        sealed: Cursor,
        *,
        is_closed: bool = False,
        until: Cursor | None = None,
        disk: Disk | None = None,
    ) -> None:
        """`until` leaves out what lies behind this place, as a reader does that must see only what is durable."""
        self.folder = folder
        self.torn = ""
        """Why the bytes behind `end` are no frame; empty when there are none."""
        self._disk = disk or RealDisk()
        self._sealed = sealed
        self._is_closed = is_closed
        self._scanned: OrderedDict[int, list[FrameView]] = OrderedDict()
        self._ends: dict[int, Place] = {}
        self._limit = sys.maxsize
        """Bytes of the last segment that were good at the start: the snapshot's end."""
        self._until = until
        last = until.segment if until else sys.maxsize
        self.numbers = [number for number in numbers(self._disk, folder) if sealed.segment < number <= last]
        self._check_numbers()
        if is_closed and not self.numbers:
            raise CorruptError(folder, 0, "the log was closed, and its last segment is missing")
        if self.numbers:
            durable = self._durable()
            self.frames(self.numbers[-1])
            self._check_durable(durable)
            self._limit = self.end.offset
        elif not until:
            self._check_nothing_lost()

    @property
    def end(self) -> Place:
        """Where the last segment's good frames end."""
        return self._ends[self.numbers[-1]]

    @property
    def last_seq(self) -> int:
        """The last `seq` in it, 0 when there is no segment."""
        return self.end.last_seq if self.numbers else 0

    def path(self, number: int) -> Path:
        """The file of a segment."""
        return self.folder / segment_name(number)

    def header_of(self, number: int) -> SegmentHeader:
        """A segment's header. Raises CorruptError."""
        header = parse_segment_header(self._disk.view(self.path(number))[:HEADER_BYTES])
        if isinstance(header, str):
            raise CorruptError(self.path(number), 0, header)
        return header

    def cursor_of(self, number: int) -> Cursor:
        """Where a segment's good frames end, as a place in the log."""
        self.frames(number)
        end = self._ends[number]
        return Cursor(self.header_of(number).epoch, number, end.offset, end.last_seq, end.chain)

    def frames(self, number: int) -> list[FrameView]:
        """All frames of a segment, checked. Raises CorruptError."""
        if number not in self._scanned:
            while len(self._scanned) >= _SCANNED_MAX:
                self._scanned.popitem(last=False)
            self._scanned[number] = self._scan(number)
        self._scanned.move_to_end(number)
        return self._scanned[number]

    def events(self, kind: FrameKind, from_seq: int = 1) -> Iterator[FrameView]:
        """Frames of this kind that hold rows of `from_seq` or later, in their order."""
        for number in self._from(from_seq):
            for frame in self.frames(number):
                if frame.header.kind is kind and frame.header.last_seq >= from_seq:
                    yield frame

    def _from(self, from_seq: int) -> list[int]:
        """Segments that may hold that `seq`: all but those whose successor begins at or before it."""
        first = 0
        for index, number in enumerate(self.numbers[1:], 1):
            header = self.header_of(number)
            if header.is_derived_only or header.base_seq > from_seq:
                break
            first = index
        return self.numbers[first:]

    def _durable(self) -> Cursor | None:
        """What the writer had published before the tail was looked at."""
        try:
            return read_durable(self._disk, self.folder, self.header_of(self.numbers[-1]).log_id)
        except CorruptError:
            return None  # the scan will say more

    def _check_durable(self, durable: Cursor | None) -> None:
        """Nothing that was durable may be missing: no crash takes it. Raises CorruptError."""
        number = self.numbers[-1]
        if self._until or durable is None or durable.position <= (number, self.end.offset):
            return
        # A writer that has just gone on to another segment is no loss.
        if durable.segment == number or durable.segment not in numbers(self._disk, self.folder):
            where = f"segment {durable.segment} byte {durable.end}, seq {durable.seq}"
            raise CorruptError(
                self.path(number), self.end.offset, f"the log was durable up to {where}: {self.torn or 'cut'}"
            )

    def _check_nothing_lost(self) -> None:
        """No segment is there, so none may have been durable behind what is sealed. Raises CorruptError."""
        durable = read_durable(self._disk, self.folder)
        if durable is not None and durable.position > self._sealed.position:
            reason = f"the segment is missing, and it was durable up to byte {durable.end}, seq {durable.seq}"
            raise CorruptError(self.path(durable.segment), 0, reason)

    def _check_numbers(self) -> None:
        expected = self._sealed.segment + 1
        for number in self.numbers:
            if number != expected:
                raise CorruptError(
                    self.path(expected), 0, f"the segment is missing, and {self.path(number).name} is there"
                )
            expected += 1

    def _scan(self, number: int) -> list[FrameView]:
        path, view = self.path(number), self._disk.view(self.path(number))
        if self._until and number == self._until.segment:
            view = view[: self._until.end]
        scan = Scan(view)
        frames = [frame for frame in scan if number < self.numbers[-1] or frame.header.end <= self._limit]
        self._check_start(number, scan)
        if scan.verdict is not Verdict.CLEAN:
            is_tail = number == self.numbers[-1] and not self._is_closed and not scan.place.is_sealed
            if not is_tail or is_beyond_a_crash(bytes(view), scan):
                raise CorruptError(path, scan.place.offset, scan.reason)
            self.torn = scan.reason
        elif self._is_closed and number == self.numbers[-1] and not scan.place.is_sealed:
            raise CorruptError(path, scan.place.offset, "the log was closed, and its seal is missing")
        self._ends.setdefault(number, scan.place)
        return frames

    def _check_start(self, number: int, scan: Scan) -> None:
        """The segment goes on where the one before it ended, as far as that is known."""
        if scan.header is None:
            return
        if number == self._sealed.segment + 1:
            before = self._sealed.chain or NO_HASH
        elif number - 1 in self._ends:
            before = self._ends[number - 1].chain
        else:
            return
        if scan.header.segment != number or scan.header.chain != before:
            raise CorruptError(
                self.path(number), 0, "the segment does not follow the one before it: the chain is broken"
            )


def segment_name(number: int) -> str:
    """The name of a segment's file."""
    return f"{number:06d}{SUFFIX}"


def numbers(disk: Disk, folder: Path) -> list[int]:
    """Numbers of the segments in a folder, ascending."""
    stems = (name.removesuffix(SUFFIX) for name in disk.names(folder) if name.endswith(SUFFIX))
    return sorted(int(stem) for stem in stems if stem.isdecimal())
