"""Keeping: slow answers over finished sessions worked out before anybody asks, by a process beside the pages.

The newest session first, a few at a time, at the lowest priority, and not at all while something is being recorded. It ends
with the pages: its standard input is a pipe that closes when their process is gone, however that ended.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from pipeline.errors import TapeError
from pipeline.log.reader import JOURNAL
from pipeline.log.store import Store
from warehouse.kept import keep
from warehouse.logs import chosen
from warehouse.views import views

AT_ONCE: Final = 5
"""Sessions: a statement over several costs less than over each, and memory has to suffice."""

_PAUSE_S: Final = 5.0
_QUIET_S: Final = 60.0
_LOWEST: Final = 19


@contextmanager
def kept_beside(home: Path) -> Iterator[None]:
    """While this lasts a process works out what isn't kept yet."""
    command = [sys.executable, "-m", "dashboards.keeping", str(home)]
    told: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "start_new_session": True}
    with subprocess.Popen(command, **told) as keeper:  # noqa: S603 - ourselves; a Ctrl-C is not for it to die of, and to tell of
        try:
            yield
        finally:
            keeper.terminate()


def keep_some(store: Store, done: dict[str, str]) -> bool:
    """Keep the answers over the newest sessions that are not in `done`, and put them there, by id with the hash of their rows.

    False when nothing was to do, or somebody records.
    """
    logs = [*store.sessions(), *store.runs()]
    if any(log.state == "open" and _is_written(store.folder(log.id)) for log in logs):
        return False
    heads = {log.id: log.chain_head for log in logs if log.state == "sealed"}
    missing = [id_ for id_ in reversed(heads) if done.get(id_) != heads[id_]][:AT_ONCE]
    for id_ in missing:
        done[id_] = heads[id_]
    if missing and not _is_kept(store, missing):
        for id_ in missing:  # one that is damaged keeps nothing from the others
            _is_kept(store, [id_])
    return bool(missing)


def _is_kept(store: Store, ids: list[str]) -> bool:
    try:
        keep(views(), chosen(store, ids))
    except (TapeError, duckdb.Error, pa.ArrowException, OSError, MemoryError):
        return False  # the page that asks for it says what is wrong
    return True


def _is_written(folder: Path) -> bool:
    """Whether a log grew a short while ago: one that a crash left open holds nothing up."""
    with contextlib.suppress(OSError):
        newest = max((path.stat().st_mtime for path in (folder / JOURNAL).iterdir()), default=0.0)
        return time.time() - newest < _QUIET_S
    return False


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main(home: str) -> None:
    """Keep answers until the process that began this one is gone."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_LOWEST)
    with contextlib.suppress(OSError, AttributeError):  # Linux: only where a core has nothing else to do
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    store, done = Store(Path(home)), dict[str, str]()
    while True:
        is_done = True
        with contextlib.suppress(OSError):  # a folder that went while it was listed
            is_done = not keep_some(store, done)
        if is_done:
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1])
