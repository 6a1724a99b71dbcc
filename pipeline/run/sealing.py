"""Sealing while recording: segments that are closed become Parquet in a thread of their own, one after the other."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipeline.errors import TapeError
from pipeline.log.disk import Disk
from pipeline.log.seal import seal_segment

_LOOK_EVERY_S: Final = 1.0


class SealingThread:
    """Runs inside its `with` block, under the lock that the recorder holds.

    A segment that can't be sealed stays as it is: the recording goes on, `error` keeps the reason, and sealing at the
    end of the session, or `tape check`, tells it again.
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.error: TapeError | OSError | None = None
        self._folder = folder
        self._disk = disk
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sealing", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the segment in hand; those left are sealed at the end."""
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._is_over.is_set():
                if not seal_segment(self._folder, self._disk):
                    self._is_over.wait(_LOOK_EVERY_S)
        except (TapeError, OSError) as error:
            self.error = error
