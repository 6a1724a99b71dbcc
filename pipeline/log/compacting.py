"""Compacting: parts that were sealed while recording become fewer and larger ones, however long that takes.

Each segment leaves a part of every kind it holds, so after eight hours of a full market there would be thousands, in a manifest
that is written anew with each of them. Sixteen neighbours of one kind that cover about as many segments each become one. The
protocol is that of sealing: written beside, proved, renamed, and only then named in the manifest, in the place of the sixteen.
Those go when the next segment is sealed, not at once: who reads them has opened them by the manifest of a moment ago.

Whoever compacts holds the log's lock, or is a process of him who holds it, that writes and ends with him.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from pipeline.errors import LogError
from pipeline.log import manifest
from pipeline.log.disk import TEMPORARY, Disk, RealDisk
from pipeline.log.manifest import Manifest, SealedPart
from pipeline.log.parquet import PartFile, prove
from pipeline.log.parts import Parts
from pipeline.log.seal import drop_unfinished

AT_ONCE: Final = 16
"""Parts that become one. A power of two: see `_tier`."""

BYTES_MAX: Final = 256 << 20
"""No larger part is made: segments wait while one is written."""

_DIGITS: Final = 6
"""Of a segment's number in a part's name."""

Written = Callable[[Path, Disk, Sequence[SealedPart]], SealedPart]


def compacted(folder: Path, disk: Disk, parts: Sequence[SealedPart]) -> SealedPart:
    """Write neighbours of one kind and stretch as one part; the manifest, which would name it, is left alone.

    Raises CorruptError when one of them is damaged, LogError when what was written is not what they hold, OSError.
    """
    first, last = parts[0], parts[-1]
    stem = f"{first.stretch}-{_segments(first)[0]:0{_DIGITS}d}{_segments(last)[1]:0{_DIGITS}d}"
    writing = Parts(folder, disk, suffix=TEMPORARY)
    for part in parts:
        path = folder / part.file
        prove(path, part)
        for block in PartFile(path).blocks():
            writing.write(block, stem)
    (made,) = writing.publish(first.chain_in, last.chain_out)
    found = made.kind, made.stretch, made.rows, made.first_seq, made.last_seq
    held = first.kind, first.stretch, sum(part.rows for part in parts), first.first_seq, last.last_seq
    if found != held:
        raise LogError(f"{folder / made.file}: holds {found} where {held} went in; nothing was dropped")
    return made


def compact(folder: Path, disk: Disk | None = None, *, written: Written = compacted) -> bool:
    """Put neighbours into one part where there are enough of them; whether some were. Raises what `written` raises."""
    disk = disk or RealDisk()
    before = manifest.load(folder)
    parts = neighbours(before)
    if not parts:
        return False
    drop_unfinished(folder, disk)
    made = written(folder, disk, parts)
    gone = {part.file for part in parts[1:]}
    kept = (made if part.file == parts[0].file else part for part in before.parts if part.file not in gone)
    manifest.update(folder, disk, parts=tuple(kept))
    return True


def neighbours(of: Manifest) -> Sequence[SealedPart]:
    """Parts of one kind and stretch, in order, that are to become one; none while there are too few."""
    lines: dict[tuple[str, str], list[SealedPart]] = {}
    for part in of.parts:
        lines.setdefault((part.kind, part.stretch), []).append(part)
    for line in lines.values():
        for _, same in groupby(line, key=_tier):
            parts = list(same)[:AT_ONCE]
            if len(parts) == AT_ONCE and _may_be_one(parts):
                return parts
    return ()


def _may_be_one(parts: Sequence[SealedPart]) -> bool:
    has_numbers = _segments(parts[-1])[1] < 10**_DIGITS
    is_of_one_layout = len({part.layout_version for part in parts}) == 1
    return has_numbers and is_of_one_layout and sum(part.size for part in parts) <= BYTES_MAX


def _tier(part: SealedPart) -> int:
    """0 for a segment's own, 1 from sixteen segments on, 2 from 256 on; a kind that is not in every segment covers more with as many parts."""
    first, last = _segments(part)
    return ((last - first + 1).bit_length() - 1) // (AT_ONCE.bit_length() - 1)


def _segments(part: SealedPart) -> tuple[int, int]:
    """The first and the last segment that a part covers, as its name says: `inputs-000017`, `inputs-000001000016`."""
    digits = Path(part.file).stem.rpartition("-")[2]
    if len(digits) == 2 * _DIGITS:
        return int(digits[:_DIGITS]), int(digits[_DIGITS:])
    return int(digits), int(digits)
