"""The sync thread: makes the journal durable as fast as the disk can, and tells who waits.

It syncs again as soon as the last sync returned and something is unsynced: so one commit waits for one sync, and a
thousand commits that come meanwhile share the next.
"""

import threading
from types import TracebackType
from typing import Final, Self

from pipeline.errors import PoisonedError
from pipeline.log.durable import Cursor
from pipeline.log.journal import Journal

_IDLE_S: Final = 0.05
"""How soon an idle thread sees that it is to stop, or that the journal was poisoned by another."""


class SyncThread:
    """Runs inside its `with` block; leaving it syncs what is left. An error poisons the journal, and every waiter."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._changed = threading.Condition()
        self._is_stopping = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_stopping = True
        self._thread.join()

    def wait_durable(self, until: Cursor | None = None, *, timeout_s: float | None = None) -> Cursor:
        """Return the durable end when it has reached `until`; by default, all that is written as of this call.

        Raises PoisonedError when it never will, TimeoutError.
        """
        position = (until or self._journal.written).position
        with self._changed:
            is_over = self._changed.wait_for(
                lambda: self._error is not None or self._journal.durable.position >= position, timeout_s
            )
        if not is_over:
            raise TimeoutError(f"not durable after {timeout_s} s: segment {position[0]} byte {position[1]}")
        if self._journal.durable.position < position:
            raise PoisonedError(f"what was written last will not be durable: {self._error}") from self._error
        return self._journal.durable

    def _run(self) -> None:
        end: BaseException = PoisonedError(f"{self._journal.folder}: the sync thread has stopped")
        try:
            while not self._journal.is_poisoned and (not self._is_stopping or self._journal.unsynced.is_set()):
                if self._journal.unsynced.take(_IDLE_S):
                    self._journal.sync()
                    self._tell(None)
        except BaseException as error:  # noqa: BLE001 - the waiters raise it: a thread has nobody above it
            end = error
        self._tell(end)

    def _tell(self, error: BaseException | None) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()
