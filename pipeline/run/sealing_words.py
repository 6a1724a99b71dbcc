"""Sealing words: what a recorder asks of the process that seals, and what it is told; lines of JSON."""

from pathlib import Path

import msgspec

from pipeline.errors import TapeError
from pipeline.log.compacting import compacted
from pipeline.log.disk import RealDisk
from pipeline.log.manifest import SealedPart
from pipeline.log.seal import NewParts, written_segment


class Segment(msgspec.Struct, frozen=True, tag="segment"):
    """What is asked: write the oldest unsealed segment of the log in this folder."""

    folder: str


class Neighbours(msgspec.Struct, frozen=True, tag="neighbours"):
    """What is asked: write these parts of the log in this folder as one."""

    folder: str
    parts: tuple[SealedPart, ...]


Asked = Segment | Neighbours


class Written(msgspec.Struct, frozen=True, tag="written"):
    """The segment as parts."""

    new: NewParts


class Compacted(msgspec.Struct, frozen=True, tag="compacted"):
    """The parts as one."""

    part: SealedPart


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It can't be written, by anybody."""

    reason: str


Said = Written | Compacted | Failed


def answered(asked: bytes) -> bytes:
    """The line that answers a line, once what is asked is written or can't be."""
    words: Asked = msgspec.json.decode(asked, type=Asked)
    folder, disk = Path(words.folder), RealDisk()
    try:
        match words:
            case Segment():
                said: Said = Written(written_segment(folder, disk))
            case Neighbours():
                said = Compacted(compacted(folder, disk, words.parts))
    except (TapeError, OSError) as error:
        said = Failed(str(error))
    return msgspec.json.encode(said) + b"\n"
