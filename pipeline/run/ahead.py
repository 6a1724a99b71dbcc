"""Ahead: reading the next inputs while the last ones are written or reduced, in a second thread."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

AHEAD_MAX: Final = 2
"""The bound of the queue "ahead": batches read and not yet used. Full means that the reader waits."""

_POLL_S: Final = 0.1


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The same items, each made while the one before it is used; an error of theirs is raised in its place.

    When the caller stops early and closes this, the thread ends at its next item, and a generator is closed. Left to the
    interpreter's own end, the thread may stand still in the middle of an item.
    """
    waiting: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(AHEAD_MAX)
    is_over = threading.Event()

    def put(entry: tuple[bool, T | BaseException | None]) -> None:
        while not is_over.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(entry, timeout=_POLL_S)
                return

    def read() -> None:
        try:
            for item in items:
                put((True, item))
                if is_over.is_set():
                    return
            put((False, None))
        except BaseException as error:  # noqa: BLE001 - raised where the items are used: a thread has nobody above it
            put((False, error))

    thread = threading.Thread(target=read, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            is_item, content = waiting.get()
            if is_item:
                yield content  # type: ignore[misc]  # an item, by its flag
            elif content is None:
                return
            else:
                raise content  # type: ignore[misc]  # an error, by its flag
    finally:
        is_over.set()
        thread.join()
        if isinstance(items, Generator):
            items.close()
