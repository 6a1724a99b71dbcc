"""Sealing words: what a recorder asks of the process that seals, and what it is told; lines of JSON."""

from pathlib import Path

import msgspec

from pipeline.errors import TapeError
from pipeline.log.disk import RealDisk
from pipeline.log.seal import NewParts, written_segment


class Segment(msgspec.Struct, frozen=True):
    """What is asked: write the oldest unsealed segment of the log in this folder."""

    folder: str


class Written(msgspec.Struct, frozen=True, tag="written"):
    """The segment as parts."""

    new: NewParts


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It can't be written, by anybody."""

    reason: str


Said = Written | Failed


def answered(asked: bytes) -> bytes:
    """The line that answers a line, once the segment is written or can't be."""
    segment = msgspec.json.decode(asked, type=Segment)
    try:
        said: Said = Written(written_segment(Path(segment.folder), RealDisk()))
    except (TapeError, OSError) as error:
        said = Failed(str(error))
    return msgspec.json.encode(said) + b"\n"
