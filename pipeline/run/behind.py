"""Behind: using what was made while the next is being made, in a second thread."""

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

T = TypeVar("T")

BEHIND_MAX: Final = 4
"""The bound of the queue "behind": what was made and is not yet used. Full means that the maker waits."""

_SWITCH_S: Final = 0.0005
"""After so long the maker gets the interpreter back from the user: Python's own 5 ms is as long as a compiled batch takes."""


@contextmanager
def behind(use: Callable[[T], object]) -> Iterator[Callable[[T], None]]:
    """A function that has its argument used soon, in order; all of it is used when the block ends.

    What `use` raises is raised by the next call, or at the end of the block; nothing more is used then. When the block
    itself raises, what still waits is not used.
    """
    waiting: queue.Queue[tuple[T] | None] = queue.Queue(BEHIND_MAX)
    errors: list[BaseException] = []
    is_given_up = threading.Event()

    def work() -> None:
        for (item,) in iter(waiting.get, None):
            if not errors and not is_given_up.is_set():
                try:
                    use(item)
                except BaseException as error:  # noqa: BLE001 - raised where things are made: a thread has nobody above it
                    errors.append(error)

    def put(item: T) -> None:
        if errors:
            raise errors[0]
        waiting.put((item,))

    thread = threading.Thread(target=work, name="behind", daemon=True)
    patience_s = sys.getswitchinterval()
    sys.setswitchinterval(min(_SWITCH_S, patience_s))
    thread.start()
    try:
        yield put
    except BaseException:
        is_given_up.set()
        raise
    finally:
        waiting.put(None)
        thread.join()
        sys.setswitchinterval(patience_s)
    if errors:
        raise errors[0]
