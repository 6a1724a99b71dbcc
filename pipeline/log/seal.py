"""Sealing: from journal segments to Parquet, so that at every moment one whole copy counts.

    1  write the parts beside everything else, as .tmp, and sync them
    2  read them back: the file's hash, and the values of every row group against what the journal gave
    3  rename them, sync their folders
    4  name them in the manifest, with the segment up to which they reach          <- from here on they count
    5  drop what the manifest does not name: segments they replace, parts they replace, leftovers of a crash

A crash before 4 leaves files that nobody names, a crash after it leaves files that nobody needs; both are removed by
5 of the next run. While recording, each segment that is closed becomes one part per kind, inputs apart from derived
rows (`inputs-000007`, `derived-000007`), because rows derived from its last inputs may lie in the next segment; many of
them become fewer by `log.compacting`. At
the end all is merged into one part per kind in (seq, ord) order (`part-00001`); but a log that holds no derived rows
is in order already, so its last segments only become the last parts.

Whoever seals holds the log's lock, or is a process of him who holds it, that does 1 to 3 and ends with him; 4 and 5 are the
holder's alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from pipeline.errors import LogError
from pipeline.log import codec, manifest
from pipeline.log.disk import TEMPORARY, Disk, RealDisk
from pipeline.log.durable import FILE_NAME as DURABLE
from pipeline.log.durable import Cursor
from pipeline.log.frames import FrameKind
from pipeline.log.manifest import Manifest, SealedPart, Stretch
from pipeline.log.parquet import PartFile
from pipeline.log.parts import EVENTS, MERGED, Parts, Tally
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.segments import Segments, numbers

_WINDOW_ROWS: Final = 65_536


class NewParts(msgspec.Struct, frozen=True):
    """A segment as sealed parts that are proved, durable, and named by nobody yet."""

    parts: tuple[SealedPart, ...]
    reached: Cursor
    """Where in the journal they end."""


def written_segment(folder: Path, disk: Disk) -> NewParts:
    """Write the oldest unsealed segment as parts; the manifest, which would name them, is left alone.

    Raises CorruptError when the segment is damaged, LogError when what was written reads back differently, OSError.
    """
    return _next_segment(folder, manifest.load(folder), disk)


def seal_segment(
    folder: Path, disk: Disk | None = None, *, written: Callable[[Path, Disk], NewParts] = written_segment
) -> bool:
    """Seal the oldest unsealed segment, if a later one shows that it is closed; whether one was sealed.

    `written` writes its parts. Raises CorruptError when the segment is damaged (it stays), LogError when what was written
    reads back differently, and what `written` raises.
    """
    disk = disk or RealDisk()
    before = manifest.load(folder)
    if sum(number > before.sealed.segment for number in numbers(disk, folder / JOURNAL)) < 2:
        return False
    _drop(unnamed(folder, before, disk), folder, disk)
    new = written(folder, disk)
    after = manifest.update(folder, disk, parts=(*before.parts, *new.parts), sealed=new.reached)
    _drop(unnamed(folder, after, disk), folder, disk)
    return True


def seal(folder: Path, disk: Disk | None = None) -> Manifest:
    """Seal a closed log whole and return its manifest; a sealed one is only tidied.

    Raises LogError when the log is still open or reads back differently, CorruptError when it is damaged: then
    nothing is dropped.
    """
    disk = disk or RealDisk()
    tidy(folder, disk)
    reader = LogReader(folder, disk)
    if reader.manifest.state == "sealed":
        return reader.manifest
    if not reader.manifest.is_closed:
        raise LogError(f"{folder.name}: the log is open; end it, then it can be sealed")
    if reader.manifest.parts and not _holds_derived(reader):
        result = _sealed_on(folder, disk)
    else:
        result = write_sealed(reader, folder, disk)
    manifest.save(folder, result, disk)
    tidy(folder, disk)
    return result


def _holds_derived(reader: LogReader) -> bool:
    return any(True for _ in reader.batches(what="derived", columns=[]))


def _sealed_on(folder: Path, disk: Disk) -> Manifest:
    """Go on by segments where sealing in the background has begun: inputs alone are in order so, and written but once."""
    while seal_segment(folder, disk):
        pass
    before, tally = manifest.load(folder), Tally()
    new = _next_segment(folder, before, disk)
    parts = (*before.parts, *new.parts)
    for part in parts:
        tally.add_part(part, PartFile(folder / part.file).times())
    return tally.applied(before, parts=parts, sealed=new.reached)


def _next_segment(folder: Path, before: Manifest, disk: Disk) -> NewParts:
    segments = Segments(folder / JOURNAL, before.sealed, is_closed=before.is_closed, disk=disk)
    number = segments.numbers[0]
    parts = Parts(folder, disk, suffix=TEMPORARY)
    for frame in segments.frames(number):
        stretch = _STRETCHES.get(frame.header.kind)
        if stretch:
            for block in codec.decode(frame.payload):
                parts.write(block, f"{stretch}-{number:06d}")
    reached = segments.cursor_of(number)
    return NewParts(tuple(parts.publish(before.sealed.chain.hex(), reached.chain.hex())), reached)


def write_sealed(reader: LogReader, folder: Path, disk: Disk) -> Manifest:
    """Write all of a log's rows as sealed parts into a folder; the manifest that would name them is returned, not written."""
    parts, tally = Parts(folder, disk, suffix=TEMPORARY), Tally()
    for window in reader.windows(0, what="all", rows=_WINDOW_ROWS):
        for block in window.blocks:
            parts.write(block, MERGED)
            tally.add(block)
    reached = reader.end
    sealed = parts.publish("", reached.chain.hex())
    return tally.applied(reader.manifest, parts=tuple(sealed), sealed=reached)


def tidy(folder: Path, disk: Disk) -> list[str]:
    """Remove what the manifest does not name any more, or not yet; the names removed."""
    leftovers = unnamed(folder, manifest.load(folder), disk)
    _drop(leftovers, folder, disk)
    return leftovers


def drop_unfinished(folder: Path, disk: Disk) -> None:
    """Remove what a process that died while it wrote parts has left: nobody reads it, and its name is in the way."""
    _drop([name for name in unnamed(folder, manifest.load(folder), disk) if name.endswith(TEMPORARY)], folder, disk)


def _drop(names: list[str], folder: Path, disk: Disk) -> None:
    for name in names:
        disk.unlink(folder / name)
    for parent in sorted({(folder / name).parent for name in names}):
        disk.sync_folder(parent)


def unnamed(folder: Path, of: Manifest, disk: Disk) -> list[str]:
    """Files within the folder that a crash while sealing may have left: sealed parts nobody names, segments sealed already."""
    named = {part.file for part in of.parts}
    found = [
        f"{EVENTS}/{kind}/{name}" for kind in disk.names(folder / EVENTS) for name in disk.names(folder / EVENTS / kind)
    ]
    segments = [f"{JOURNAL}/{n:06d}.seg" for n in numbers(disk, folder / JOURNAL) if n <= of.sealed.segment]
    if of.state == "sealed" and DURABLE in disk.names(folder / JOURNAL):
        segments.append(f"{JOURNAL}/{DURABLE}")
    return [name for name in found if name not in named] + segments


_STRETCHES: Final[dict[FrameKind, Stretch]] = {FrameKind.INPUTS: "inputs", FrameKind.DERIVED: "derived"}
