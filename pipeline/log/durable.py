"""How far a log is durable, published for other processes in a tiny file beside its segments.

The file holds two slots that are written in turn, each with a counter and a checksum: whoever reads while one is
being written takes the other. It is written after the sync whose end it tells, so that at any moment, and after any
crash, it names an end that is really on disk, if perhaps an old one.
"""

import struct
from pathlib import Path
from typing import Final

import msgspec

from pipeline.errors import SchemaError
from pipeline.log.disk import Disk, SharedMemory
from pipeline.log.frames import crc_of

FILE_NAME: Final = "durable"

_MAGIC: Final = b"TAPD"
_VERSION: Final = 1
# magic, version, counter, log id, epoch, segment, end, seq, chain; behind it the crc32c of all
_SLOT: Final = struct.Struct("<4sIQ16sIIQq32s")
_SLOT_BYTES: Final = 128
_FILE_BYTES: Final = 2 * _SLOT_BYTES  # within one sector: a power cut keeps all of one state of it, or of the other
_CRC: Final = struct.Struct("<I")


class Cursor(msgspec.Struct, frozen=True):
    """A place in a log: up to where it is written, durable, or read. Cursors of one log compare by `position`."""

    epoch: int
    """Epoch of the writer that made the segment."""
    segment: int
    end: int
    """Byte of the segment, exclusive."""
    seq: int
    """`seq` of the last row up to here."""
    chain: bytes
    """blake3 of the last header up to here."""

    @property
    def position(self) -> tuple[int, int]:
        """(segment, end), which only grows while a log is written."""
        return self.segment, self.end


class DurableFile:
    """The writer's side."""

    def __init__(self, disk: Disk, folder: Path, log_id: bytes) -> None:
        self._memory: SharedMemory = disk.map_shared(folder / FILE_NAME, _FILE_BYTES)
        self._log_id = log_id
        newest = _newest(bytes(self._memory))
        self._counter = newest[0] if newest else 0

    def publish(self, cursor: Cursor) -> None:
        """Tell everybody that the log is durable up to there. Call it after the sync, never before."""
        self._counter += 1
        slot = _SLOT.pack(
            _MAGIC,
            _VERSION,
            self._counter,
            self._log_id,
            cursor.epoch,
            cursor.segment,
            cursor.end,
            cursor.seq,
            cursor.chain,
        )
        start = self._counter % 2 * _SLOT_BYTES
        slot += _CRC.pack(crc_of(slot))
        self._memory[start : start + len(slot)] = slot


def read_durable(disk: Disk, folder: Path, log_id: bytes | None = None) -> Cursor | None:
    """The end that the writer of this log published last; None when it published none, or another log's is there.

    Without a `log_id` that of whatever log is there. Raises SchemaError when a version that this code does not know
    wrote it.
    """
    try:
        content = bytes(disk.view(folder / FILE_NAME))
    except FileNotFoundError:
        return None
    newest = _newest(content)
    return newest[2] if newest and log_id in (None, newest[1]) else None


def durable_damage(disk: Disk, folder: Path) -> tuple[int, str] | None:
    """(byte, reason) where the file is not as its writer left it; None when it is sound, or not there.

    A slot nobody has written yet is all zeros: both before anything was published, the even one after the first time.
    Beside a living writer a slot may be caught half written: look again before you believe it. Raises SchemaError.
    """
    try:
        content = bytes(disk.view(folder / FILE_NAME))
    except FileNotFoundError:
        return None
    if not any(content):
        return None
    if len(content) != _FILE_BYTES:
        return min(len(content), _FILE_BYTES), f"{len(content)} bytes, where two slots have {_FILE_BYTES}"
    for index, other in ((0, 1), (1, 0)):
        slot = content[index * _SLOT_BYTES : (index + 1) * _SLOT_BYTES]
        if _parsed(slot) and not any(slot[_SLOT.size + _CRC.size :]):
            continue
        beside = _parsed(content[other * _SLOT_BYTES : (other + 1) * _SLOT_BYTES])
        is_unwritten = index == 0 and beside is not None and beside[0] == 1
        if any(slot) or not is_unwritten:
            return index * _SLOT_BYTES, f"slot {index + 1} does not have the checksum that was written with it"
    return None


def _newest(content: bytes) -> tuple[int, bytes, Cursor] | None:
    """(counter, log id, cursor) of the newer of the two slots that are whole."""
    slots = [_parsed(content[start : start + _SLOT_BYTES]) for start in (0, _SLOT_BYTES)]
    return max((slot for slot in slots if slot), default=None, key=lambda slot: slot[0])


def _parsed(slot: bytes) -> tuple[int, bytes, Cursor] | None:
    if len(slot) < _SLOT_BYTES or _CRC.unpack_from(slot, _SLOT.size)[0] != crc_of(slot[: _SLOT.size]):
        return None
    magic, version, counter, log_id, *place = _SLOT.unpack_from(slot)
    if magic != _MAGIC or version != _VERSION:
        raise SchemaError(f"{FILE_NAME}: version {version} is unknown; this version knows {_VERSION}")
    return counter, log_id, Cursor(*place)
