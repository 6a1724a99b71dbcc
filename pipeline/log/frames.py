"""Frames: how bytes of a journal segment prove that they are whole, unchanged, in place and in order.

A segment is a header and then frames; a frame is one commit: a header and a payload (`codec.py`). Every frame's header
holds the hash of its payload and that of the header before it, back to the segment's, which names the hash at which
the segment before ended: one chain through the whole log, so that its last hash vouches for every byte. Checksums
find damage, at the speed of memory; the chain finds what checksums can't, a frame that is intact and does not belong
there. Everything is little endian and a multiple of 64 bytes, so that Arrow bodies stay aligned in a memory map.

Pure bytes: nothing here opens a file or knows an event.
"""

import struct
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from blake3 import blake3
from google_crc32c import value as crc32c

from pipeline.errors import LogError, SchemaError
from pipeline.log.disk import Buffer

VERSION: Final = 1
HEADER_BYTES: Final = 128
"""Length of a segment's header, and of a frame's."""

ALIGNMENT: Final = 64
PAYLOAD_BYTES_MAX: Final = 64 * 2**20
"""Refused above this, by the writer and, before anything is allocated, by the reader."""

BLANK_HEADER: Final = bytes(HEADER_BYTES)
"""Stands in front of a payload until the header is known."""

NO_HASH: Final = bytes(32)
"""Stands before the first segment of a log."""

SEGMENT_MAGIC: Final = b"TAPESEG\n"
FRAME_MAGIC: Final = b"TAPE"

# magic, version, header bytes, segment, log id, epoch, flags, base seq, created, chain, reserved, crc32c of the rest
_SEGMENT: Final = struct.Struct("<8sHHI16sIIqq32s36sI")
# magic, version, kind, payload bytes, rows, schema id, payload crc32c, offset, synced end, first seq, last seq,
# committed, payload hash, previous hash, crc32c of the segment's header, crc32c of the rest
_FRAME: Final = struct.Struct("<4sHHIIIIIIqqq32s32sII")
_CRC: Final = struct.Struct("<I")
_SEGMENT_RESERVED: Final = bytes(36)
_DERIVED_ONLY: Final = 1
assert _SEGMENT.size == _FRAME.size == HEADER_BYTES


class FrameKind(IntEnum):
    """What a frame's payload is."""

    SCHEMA = 1
    """Arrow schemas of kinds that later frames of this segment use."""
    INPUTS = 2
    """Events whose `seq` goes on from the last inputs without a hole."""
    DERIVED = 3
    """Events that carry the `seq` of inputs already in the log."""
    SEAL = 4
    """Nothing: the log was closed in good order, everything before was durable."""


_FRAME_KINDS: Final = {kind.value: kind for kind in FrameKind}


class SegmentHeader(NamedTuple):
    """The first bytes of a segment."""

    log_id: bytes
    """16 bytes that no other log has."""
    segment: int
    """Number of the segment in its log, from 1."""
    epoch: int
    """Number of the writer, from 1; each recovery adds one."""
    base_seq: int
    """`seq` of the first input that may follow."""
    created_ns: int
    """UTC nanoseconds by the writer's clock; for people."""
    chain: bytes
    """Hash of the last frame of the segment before (of its header when it holds none); NO_HASH for the first."""
    is_derived_only: bool
    """A run's log: derived rows alone, whose `seq` are its parents'."""

    def encoded(self) -> bytes:
        """The 128 bytes."""
        head = _SEGMENT.pack(
            SEGMENT_MAGIC,
            VERSION,
            HEADER_BYTES,
            self.segment,
            self.log_id,
            self.epoch,
            _DERIVED_ONLY if self.is_derived_only else 0,
            self.base_seq,
            self.created_ns,
            self.chain,
            _SEGMENT_RESERVED,
            0,
        )[:-4]
        return head + _CRC.pack(crc32c(head))

    @property
    def crc(self) -> int:
        """crc32c of the header: what its frames must name."""
        return crc32c(self.encoded()[:-4])  # type: ignore[no-any-return]  # google_crc32c is untyped


class FrameHeader(NamedTuple):
    """The first bytes of a frame."""

    kind: FrameKind
    payload_bytes: int
    """Bytes that follow the header; a multiple of 64."""
    rows: int
    schema_id: int
    """How many SCHEMA frames of this segment describe the payload; for one of them, its own number, from 1."""
    payload_crc: int
    offset: int
    """Where in its segment the frame begins."""
    synced_end: int
    """Up to where the segment was known durable when this frame was made: damage before it is no crash's work."""
    first_seq: int
    last_seq: int
    """`seq` of the last row; SCHEMA and SEAL frames repeat that of the rows before them."""
    committed_ns: int
    """UTC nanoseconds by the writer's clock; for people."""
    payload_hash: bytes
    """blake3 of the payload."""
    previous: bytes
    """blake3 of the header before, a frame's or the segment's: it holds the hash of its payload in turn."""
    segment_crc: int
    """crc32c of the segment's header: a frame of another segment is none of this one's."""

    @property
    def end(self) -> int:
        """Where in its segment the frame ends."""
        return self.offset + HEADER_BYTES + self.payload_bytes

    def encoded(self) -> bytes:
        """The 128 bytes."""
        return frame_head(*self)


def frame_head(*fields: Any) -> bytes:
    """The 128 bytes of a header with the fields of `FrameHeader`, in their order; to make one first takes as long again."""
    head = _FRAME.pack(FRAME_MAGIC, VERSION, *fields, 0)[:-4]
    return head + _CRC.pack(crc32c(head))


def padded(length: int) -> int:
    """The length rounded up to a multiple of 64."""
    return -(-length // ALIGNMENT) * ALIGNMENT


def digest(content: Buffer) -> bytes:
    """blake3, 32 bytes."""
    return blake3(content).digest()


def crc_of(content: Buffer) -> int:
    """crc32c, without copying the content."""
    # google_crc32c takes no memoryview; a numpy array over the same memory it does.
    if not content:
        return 0
    return crc32c(np.frombuffer(content, np.uint8))  # type: ignore[no-any-return]  # google_crc32c is untyped


def parse_segment_header(content: Buffer) -> SegmentHeader | str:
    """The header, or why these bytes are none. Raises SchemaError for an intact header of another version."""
    head = bytes(content[:HEADER_BYTES])
    if len(head) < HEADER_BYTES:
        return f"the segment's header is cut short at {len(head)} bytes"
    magic, version, length, segment, log_id, epoch, flags, base_seq, created_ns, chain, rest, crc = _SEGMENT.unpack(
        head
    )
    if magic != SEGMENT_MAGIC:
        return "the segment's header does not begin as one"
    if crc != crc32c(head[:-4]):
        return "the segment's header fails its checksum"
    if version != VERSION or length != HEADER_BYTES or flags > _DERIVED_ONLY or rest != _SEGMENT_RESERVED:
        raise SchemaError(f"journal version {version} (flags {flags}) is unknown; this version knows {VERSION}")
    return SegmentHeader(log_id, segment, epoch, base_seq, created_ns, chain, bool(flags))


def parse_frame_header(head: bytes) -> FrameHeader | None:
    """The frame header in these 128 bytes, or None. Raises SchemaError for an intact header of another version."""
    fields = _FRAME.unpack(head)
    if fields[0] != FRAME_MAGIC or fields[-1] != crc32c(head[:-4]):
        return None
    _, version, code = fields[:3]
    kind = _FRAME_KINDS.get(code)
    if kind is None or version != VERSION:
        raise SchemaError(f"frame version {version} kind {code} is unknown; this version knows version {VERSION}")
    return FrameHeader._make((kind, *fields[3:-1]))


def check_size(frame: bytearray) -> None:
    """Raises LogError when the payload of this frame is larger than one may be."""
    payload_bytes = len(frame) - HEADER_BYTES
    assert payload_bytes % ALIGNMENT == 0, f"a payload of {payload_bytes} bytes is not padded"
    if payload_bytes > PAYLOAD_BYTES_MAX:
        raise LogError(f"a commit of {payload_bytes} bytes is too large, {PAYLOAD_BYTES_MAX} is the most: split it")


def find_frame(content: bytes, start: int, segment_crc: int) -> FrameHeader | None:
    """The first intact header of this very segment that stands at its own offset, `start` or later.

    `content` is the segment from its beginning. A stale frame of another segment, or of another offset, is none.
    """
    offset = content.find(FRAME_MAGIC, start)
    while 0 <= offset <= len(content) - HEADER_BYTES:
        header = parse_frame_header(content[offset : offset + HEADER_BYTES])
        if header is not None and header.segment_crc == segment_crc and header.offset == offset:
            return header
        offset = content.find(FRAME_MAGIC, offset + 1)
    return None
