"""Sealing worker: a process beside a recorder, that writes closed segments as Parquet, so that the recorder never waits for it.

A line of JSON in is a folder whose oldest unsealed segment is to be written, a line out is what came of it. It names nothing in
a manifest and removes nothing: that is for him who holds the log's lock. It ends with him, however he ends.
"""

import ctypes
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Final

import msgspec

from pipeline.errors import TapeError
from pipeline.log.disk import RealDisk
from pipeline.log.seal import NewParts, written_segment
from pipeline.run.code import ROOT

BOOT: Final = (
    "import signal, sys; [signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)]; "
    f"sys.path.insert(0, {str(ROOT)!r}); from pipeline.run.sealing_worker import main; main()"
)
"""What its Python is given to run. Signals to a whole group are for the recorder, which tells when it is over."""

_SET_DEATH_SIGNAL: Final = 1
"""Of Linux' prctl: which signal comes when the parent dies."""


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


def main() -> None:
    """Answer lines until there are no more; the only argument is the process id of him who asks."""
    if sys.platform == "linux":  # elsewhere the end of the pipe has to do, which is heard of some milliseconds later
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != int(sys.argv[1]):  # it died before the line above
            return
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    while True:
        asked = msgspec.json.decode(lines.get(), type=Segment)
        try:
            said: Said = Written(written_segment(Path(asked.folder), RealDisk()))
        except (TapeError, OSError) as error:
            said = Failed(str(error))
        out.write(msgspec.json.encode(said) + b"\n")


def _listen(lines: "queue.Queue[bytes]") -> None:
    """Hand on what is asked. The end of the pipe is the end of the recorder: nothing may be written after it."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)
