"""Half made: folders in which a crash struck between claiming the name and writing the first manifest.

Nothing was recorded in them, so they hide no session and are no damage: they are leftovers, and can be deleted. A run's
manifest is written last, so a run without one is half made whatever else there is: it can be made again.
"""

from pathlib import Path
from typing import Final

from pipeline.log import manifest
from pipeline.log.disk import TEMPORARY, Disk
from pipeline.log.frames import HEADER_BYTES
from pipeline.log.segments import numbers, segment_name

RUN_PREFIX: Final = "r-"
"""Begins the name of a run's folder."""

_JOURNAL: Final = "journal"
_EVENTS: Final = "events"


def is_half_made(folder: Path, disk: Disk) -> bool:
    """Whether a folder has neither manifest nor copy and, unless it is a run's, no segment with a frame and no sealed part.

    Ask before the manifest is loaded: one that is being made in this moment is then either half made or readable.
    """
    if {manifest.MANIFEST, manifest.COPY} & set(disk.names(folder)):
        return False
    if folder.name.startswith(RUN_PREFIX):
        return True
    journal, events = folder / _JOURNAL, folder / _EVENTS
    if any(disk.size(journal / segment_name(number)) > HEADER_BYTES for number in numbers(disk, journal)):
        return False
    parts = [name for kind in disk.names(events) for name in disk.names(events / kind)]
    return all(name.endswith(TEMPORARY) for name in parts)
