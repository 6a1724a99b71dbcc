"""Scanning a segment: each frame checked in full, in order, up to the first that is not wholly there.

Readers, recovery, sealing and the check all stand on this one loop; what the end of a scan means is theirs to say.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

import msgspec

from pipeline.log.disk import Buffer
from pipeline.log.frames import (
    ALIGNMENT,
    FRAME_MAGIC,
    HEADER_BYTES,
    NO_HASH,
    PAYLOAD_BYTES_MAX,
    FrameHeader,
    FrameKind,
    SegmentHeader,
    crc_of,
    digest,
    find_frame,
    parse_frame_header,
    parse_segment_header,
)


class FrameView(NamedTuple):
    """A frame that was checked from end to end."""

    header: FrameHeader
    payload: memoryview
    """A view of the buffer that was scanned."""
    chain: bytes
    """blake3 of this frame's header: what the next one must name."""


class Verdict(Enum):
    """How a scan ended."""

    CLEAN = "clean"
    """The buffer ends where a frame ends."""
    INCOMPLETE = "incomplete"
    """The buffer ends within a frame that is sound so far: not yet written, or torn."""
    DAMAGED = "damaged"
    """The bytes at the end of the scan are not a frame that belongs there."""


class Place(msgspec.Struct, frozen=True):
    """A boundary between two frames of a segment, with all that is needed to check what follows."""

    offset: int
    last_seq: int
    """`seq` of the last row before it."""
    schema_id: int
    """SCHEMA frames before it in this segment."""
    chain: bytes
    is_sealed: bool = False
    """A SEAL frame stands before it: nothing may follow."""

    def after(self, header: FrameHeader, chain: bytes) -> "Place":
        """The place behind the frame that stands here."""
        # Derived rows may end before the last input: the seq that was reached stays.
        last_seq = max(self.last_seq, header.last_seq)
        return Place(header.end, last_seq, header.schema_id, chain, header.kind is FrameKind.SEAL)


class Ending(NamedTuple):
    """Why a scan goes no further."""

    verdict: Verdict
    reason: str


class Scan:
    """Iterates the frames of a segment, each checked before it is given, until the first that is not wholly there.

    Afterwards `verdict` and `reason` say how it ended, `place` where what is good ends. Each payload is a view of the
    buffer. `start` is where an earlier scan of the same segment ended, `header` is None when the segment has none.
    A thorough scan also compares each payload with its hash, at a third of the speed: a checksum finds damage, only
    the hash finds a forgery. Raises SchemaError at an intact header of a version this code does not know.
    """

    def __init__(self, buffer: Buffer, start: Place | None = None, *, is_thorough: bool = False) -> None:
        self._is_thorough = is_thorough
        self._view = memoryview(buffer)
        self.header: SegmentHeader | None = None
        self.place = Place(0, 0, 0, NO_HASH)
        self.verdict, self.reason = Verdict.CLEAN, ""
        header = parse_segment_header(self._view)
        if isinstance(header, str):
            self.verdict = Verdict.INCOMPLETE if len(self._view) < HEADER_BYTES else Verdict.DAMAGED
            self.reason = header
        else:
            self.header = header
            self.place = start or start_of(header)
            self._segment_crc = header.crc

    def __iter__(self) -> Iterator[FrameView]:
        if self.header is None:
            return
        while isinstance(found := self._look(), FrameView):
            self.place = self.place.after(found.header, found.chain)
            yield found
        self.verdict, self.reason = found

    def _look(self) -> FrameView | Ending:
        """The frame at `place`, or why there is none."""
        start, view = self.place.offset, self._view
        body = start + HEADER_BYTES
        head = bytes(view[start:body])
        if len(head) < HEADER_BYTES:
            return _ending_within_header(head)
        header = parse_frame_header(head)
        if header is None:
            return Ending(Verdict.DAMAGED, "the frame's header is none, or fails its checksum")
        if problem := self._misplaced(header):
            return Ending(Verdict.DAMAGED, problem)
        end = body + header.payload_bytes
        if len(view) < end:
            return Ending(Verdict.INCOMPLETE, f"the frame is cut short: {len(view) - start} of {end - start} bytes")
        payload = view[body:end]
        if problem := self._spoilt(header, payload):
            return Ending(Verdict.DAMAGED, problem)
        return FrameView(header, payload, digest(head))

    def _misplaced(self, header: FrameHeader) -> str:
        """Why this intact header can't stand here; empty when it can."""
        assert self.header is not None
        place, kind = self.place, header.kind
        if header.segment_crc != self._segment_crc or header.offset != place.offset:
            return "the frame belongs to another place"
        if place.is_sealed:
            return "the frame stands after the seal"
        if header.payload_bytes > PAYLOAD_BYTES_MAX or header.payload_bytes % ALIGNMENT:
            return f"the frame claims a payload of {header.payload_bytes} bytes"
        if header.previous != place.chain:
            return "the frame does not follow the one before it: the chain is broken"
        if header.schema_id != place.schema_id + (kind is FrameKind.SCHEMA):
            return f"the frame names schema {header.schema_id}, {place.schema_id} are there"
        return misnumbered(
            kind, header.first_seq, header.last_seq, place.last_seq, is_derived_only=self.header.is_derived_only
        )

    def _spoilt(self, header: FrameHeader, payload: memoryview) -> str:
        """How the payload differs from what the header says of it; empty when it does not."""
        if crc_of(payload) != header.payload_crc:
            return "the frame's payload fails its checksum"
        if self._is_thorough and digest(payload) != header.payload_hash:
            return "the frame's payload is not what its hash says"
        return ""


def _ending_within_header(head: bytes) -> Ending:
    if not head:
        return Ending(Verdict.CLEAN, "")
    if FRAME_MAGIC.startswith(head[: len(FRAME_MAGIC)]):
        return Ending(Verdict.INCOMPLETE, f"the frame's header is cut short: {len(head)} of {HEADER_BYTES} bytes")
    return Ending(Verdict.DAMAGED, "the bytes do not begin as a frame")


def misnumbered(kind: FrameKind, first: int, last: int, last_seq: int, *, is_derived_only: bool) -> str:
    """Why rows first..last can't follow `last_seq`, the last one there; empty when they can.

    A log of derived rows alone may begin at 0: with what was carried over, before the first input.
    """
    if kind is FrameKind.INPUTS:
        if first != last_seq + 1 or last < first or is_derived_only:
            return f"inputs {first}..{last} do not follow seq {last_seq}"
    elif kind is FrameKind.DERIVED:
        least = 0 if is_derived_only else 1
        if not least <= first <= last or (first < last_seq if is_derived_only else last > last_seq):
            return f"derived rows {first}..{last} do not fit seq {last_seq}"
    elif first != last_seq or last != last_seq:
        return f"{kind.name.lower()} frame names seq {first}..{last} after seq {last_seq}"
    return ""


def start_of(header: SegmentHeader) -> Place:
    """The place of a segment's first frame."""
    return Place(HEADER_BYTES, header.base_seq - 1, 0, digest(header.encoded()))


def is_beyond_a_crash(content: bytes, scan: Scan) -> bool:
    """Whether the damage at the end of a scan lies in what was durable already, so that no crash explains it.

    A power cut keeps any part of the writes that were not synced, so an intact frame behind the damage proves nothing
    by itself; one that was made when the damaged bytes were already synced does. `content` is the whole segment.
    """
    if scan.header is None:
        return True
    if scan.place.is_sealed:
        return scan.verdict is not Verdict.CLEAN
    start, crc = scan.place.offset, scan.header.crc
    found = find_frame(content, start + 1, crc)
    while found is not None and found.synced_end <= start:
        found = find_frame(content, found.offset + 1, crc)
    return found is not None
