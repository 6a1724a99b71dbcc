"""Sealing worker: a process beside a recorder, that writes closed segments as Parquet, so that the recorder never waits for it.

A line in is a folder whose oldest unsealed segment is to be written, a line out is what came of it (`run.sealing_words`). It
names nothing in a manifest and removes nothing: that is for him who holds the log's lock. It ends with him, however he ends.

What writes Parquet is loaded with the first line: the process waits from a session's first moment on, most sessions end before
a segment is full, and libraries take a third of a second and fifty megabytes.
"""

import ctypes
import os
import queue
import signal
import sys
import threading
from typing import Final

_SET_DEATH_SIGNAL: Final = 1
"""Of Linux' prctl: which signal comes when the parent dies."""


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
        asked = lines.get()
        from pipeline.run.sealing_words import answered  # noqa: PLC0415  # see above

        out.write(answered(asked))


def _listen(lines: "queue.Queue[bytes]") -> None:
    """Hand on what is asked. The end of the pipe is the end of the recorder: nothing may be written after it."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)
