"""Data: the only door to the store. Statements over the warehouse's answers, as Arrow tables.

A page asks again at every click, so connections are kept: each is over the logs and views of one sort of question, and
good until a manifest of these logs, or a note, is another file. Rows of a log that is still being written are at most
`FRESH_S` old. A reader never holds up who records: it opens files that are only appended to, in a process of its own,
with two threads and little memory.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa

from pipeline.errors import LogError
from pipeline.log.manifest import MANIFEST, Manifest, replaced
from pipeline.log.store import RUNS, SESSIONS, Store
from warehouse import connect, named_in

HOME: Final = "TAPE_HOME"
"""The variable that says where the store is; `tape dashboard` sets it."""

FRESH_S: Final = 2.0
"""How old the rows of an open log may be."""

_CONNECTIONS_MAX: Final = 12
"""Kept at once; of more the one that was not asked for longest is closed."""

_ANSWERS_MAX: Final = 32
_ANSWER_BYTES_MAX: Final = 2**20
"""Kept with a connection: so many answers, none larger."""

_GROWN: Final = """
select min(ts_recv_ns) as first_ts_ns, max(ts_recv_ns) as last_ts_ns, max(seq) as last_seq
from (
    select session, seq, ts_recv_ns from quotes
    union all
    select session, seq, ts_recv_ns from prints
    union all
    select session, seq, ts_recv_ns from bars where origin <> 'derived'
)
where session = $session
"""

_Files = dict[str, tuple[int, int]]
"""When a file was written, and its bytes."""

_LIMITS: Final = "set threads = 2; set memory_limit = '512MB'"


class _Key(NamedTuple):
    over: tuple[str, ...]
    views: tuple[str, ...]


class _Kept(NamedTuple):
    connection: duckdb.DuckDBPyConnection
    stamp: object
    lock: threading.Lock
    answers: OrderedDict[str, pa.Table]
    """What was answered through it: rows of logs that nobody writes stay what they are."""


class Door:
    """A store as pages see it. Safe to be asked from several threads."""

    def __init__(self, home: Path) -> None:
        self.store = Store(home)
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._seen: _Files = {}
        self._listed: object = None
        self._logs: list[Manifest] = []

    def logs(self) -> list[Manifest]:
        """Sessions, the one that was made last first, each followed by its runs; a run whose session is gone stands last."""
        files = self._files()
        if files != self._seen:
            self._logs = _ordered(self.store)
            self._seen = files
        return self._logs

    def unreadable(self) -> list[str]:
        """A sentence for each folder that can't be read."""
        return [f"{name} can't be read: {error}" for name, error in self.store.unreadable().items()]

    def log(self, id_: str) -> Manifest:
        """Raises NotFoundError when it is not there."""
        return self.store.find_one(id_)

    def rows(self, query: str, over: Sequence[str] = ("all",), given: Mapping[str, Any] | None = None) -> pa.Table:
        """What a statement answers over these logs; `given` are its `$name` values, never read as SQL.

        Raises NotFoundError for a log that is not there, LogError for a damaged one.
        """
        kept = self._connection(query, over)
        asked = f"{query}\0{sorted((given or {}).items())}"
        # one at a time: views stand on variables of the connection, which a second one to the same rows would not have
        with kept.lock:
            if (answer := kept.answers.get(asked)) is None:
                try:
                    answer = kept.connection.sql(query, params=dict(given) if given else None).to_arrow_table()
                except duckdb.Error as error:
                    # Damage that is met while rows are worked out comes as text, behind whom it stopped.
                    raise LogError(str(error).rpartition("CorruptError: ")[2]) from error
                if answer.nbytes <= _ANSWER_BYTES_MAX:
                    kept.answers[asked] = answer
                    while len(kept.answers) > _ANSWERS_MAX:
                        kept.answers.popitem(last=False)
        return answer

    def grown(self, log: Manifest) -> Manifest:
        """The same; of a log that is still open with the first and last moment, and the last input, that its rows have by now."""
        if log.is_closed:
            return log
        (row,) = self.rows(_GROWN, [log.id], {"session": log.id}).to_pylist()
        return replaced(log, **{name: value or 0 for name, value in row.items()})

    def _connection(self, query: str, over: Sequence[str]) -> _Kept:
        views = named_in(query)
        key, stamp = _Key(tuple(over), tuple(view.name for view in views)), self._stamp(over)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.stamp != stamp:
                connection = connect(self.store.home, over, asked=views)
                connection.execute(_LIMITS)
                kept = _Kept(connection, stamp, threading.Lock(), OrderedDict())
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > _CONNECTIONS_MAX:
                self._kept.popitem(last=False)  # closed once nobody reads through it any more
        return kept

    def _stamp(self, over: Sequence[str]) -> object:
        """What changes when rows over these logs may have: their manifests, remarks, and with an open one the time."""
        if (folders := self._folders()) != self._listed:
            self.logs()
            self._listed = folders
        logs = self._logs
        named = [log for log in logs if log.id in over]
        if len(named) == len(over):
            ids = {log.id for log in named} | {parent for log in named for parent in log.parents}
            logs = [log for log in logs if log.id in ids or not ids.isdisjoint(log.parents)]
        else:
            logs = self.logs()
        files = {path: _state(path) for path in (_manifest_of(self.store.folder(log.id)) for log in logs)}
        if any(state != self._seen.get(path) for path, state in files.items()):
            self.logs()
        is_open = any(log.state == "open" for log in logs)
        notes = [(each.path, _state(each.path)) for each in _entries(self.store.notes_folder)]
        return files, notes, time.monotonic() // FRESH_S if is_open else None

    def _folders(self) -> list[tuple[int, int] | None]:
        """When a session or run last came or went."""
        return [_state(self.store.home / part) for part in (SESSIONS, RUNS)]

    def _files(self) -> _Files:
        """Manifests and remarks, by their paths."""
        folders = [each.path for part in (SESSIONS, RUNS) for each in _entries(self.store.home / part)]
        paths = [_manifest_of(each) for each in folders] + [each.path for each in _entries(self.store.notes_folder)]
        return {path: state for path in paths if (state := _state(path))}


def _manifest_of(folder: str | Path) -> str:
    return f"{folder}/{MANIFEST}"


def _ordered(store: Store) -> list[Manifest]:
    runs = store.runs()
    sessions = sorted(store.sessions(), key=lambda each: (each.created_ns, each.id), reverse=True)
    of = {session.id: [run for run in runs if session.id in run.parents] for session in sessions}
    there = {run.id for found in of.values() for run in found}
    found = [log for session in sessions for log in (session, *of[session.id])]
    return found + [run for run in runs if run.id not in there]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda each: each.name)
    except FileNotFoundError:
        return []


def _state(path: str | Path) -> tuple[int, int] | None:
    try:
        told = os.stat(path)  # noqa: PTH116 - of every manifest, at every question
    except OSError:
        return None  # deleted while one looked
    return told.st_mtime_ns, told.st_size


@cache
def _door(home: str) -> Door:
    return Door(Path(home))


def door() -> Door:
    """The store of this process."""
    return _door(os.environ.get(HOME, "data"))
