"""Kept: slow answers, made log by log when they are first read, and kept for those that never change any more.

    cache/marts/<log>/<mart>.parquet    its rows of one sealed log
    cache/marts/<log>/<mart>.json       what they were made of, and the hash of the file beside it
    cache/marts/.schemas/               columns and types of each mart

A mart says so in its header: `-- kept: per log` has rows of sessions and runs, `-- kept: per session` of sessions alone.
What they were made of is a hash of the log's manifest, which has the hashes of all its parts, of its session's, and of
every statement that the mart stands on: an entry of another content, or of other SQL, is made again in its place. All of
it can be deleted: nothing is lost. Logs that still change are made anew for each connection.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from blake3 import blake3

from pipeline.errors import CorruptError
from pipeline.log import proved
from pipeline.log.manifest import Manifest
from pipeline.log.store import RUNS, SESSIONS, Store
from warehouse.logs import Logs, session_and_run
from warehouse.macros import SHARED
from warehouse.preparing import prepared
from warehouse.relations import register
from warehouse.views import View, closure

FOLDER: Final = "cache/marts"
SCHEMAS: Final = ".schemas"
_GROUP_ROWS_MAX: Final = 2_000_000
"""Rows of the logs that are worked out together, unless one alone has more."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a kept answer was made of, and the hash of its file."""

    key: str
    blake3: str


class Lazily:
    """Rows for DuckDB that are made when they are first read, as Arrow's stream interface asks for them."""

    def __init__(self, schema: pa.Schema, makers: Sequence[Callable[[], pa.Table]]) -> None:
        self._schema, self._makers = schema, makers

    def __arrow_c_schema__(self) -> Any:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._made.__arrow_c_stream__(requested_schema)

    @cached_property
    def _made(self) -> pa.Table:
        return pa.concat_tables([make().cast(self._schema) for make in self._makers])


def register_kept(connection: duckdb.DuckDBPyConnection, view: View, logs: Logs) -> None:
    """Make a kept mart over these logs: of what is kept from its files, of all else when it is read."""
    files: list[Path] = []
    missing: list[Logs] = []
    for log in single(logs, view):
        path = _found(view, log) if _is_final(log) else None
        if path:
            files.append(path)
        else:
            missing.append(log)
    selects = []
    connection.execute("set schema = 'kept'")
    if files:
        selects.append(logs.reading.rows_of(connection, f"kept.{view.name}_files", files))
    if missing or not files:
        schema = pq.read_schema(files[0]).remove_metadata() if files else _kept_schema(view, logs.store)
        rows: Any = (
            Lazily(schema, [_maker(view, group) for group in _groups(missing)]) if missing else schema.empty_table()
        )
        connection.from_arrow(rows).create_view(view.name)
        selects.append(f"from kept.{view.name}")
    connection.execute("set schema = 'main'")
    connection.execute(f"create view {view.name} as {' union all '.join(selects)}")


def keep(of: Iterable[View], logs: Logs) -> None:
    """Work out what isn't kept yet of the slow answers that these views stand on, of logs that never change any more."""
    for view in closure(of)[0]:
        if view.kept:
            missing = [log for log in single(logs, view) if _is_final(log) and not _found(view, log)]
            for group in _groups(missing):
                _maker(view, group)()


@cache
def schema_of(view: View) -> pa.Schema:
    """The columns of a view and their types, as Arrow has them."""
    return computed(view, Logs(Store(Path(os.devnull)), ())).schema


def _kept_schema(view: View, store: Store) -> pa.Schema:
    """The same, out of a file in the store: working it out takes as long as a small answer."""
    path = store.home / FOLDER / SCHEMAS / f"{view.name}-{blake3(_statements(view)).hexdigest()[:16]}.arrow"
    with contextlib.suppress(OSError, pa.ArrowInvalid):
        return pa.ipc.read_schema(pa.py_buffer(path.read_bytes()))
    schema = schema_of(view)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}-{os.getpid()}")
        temporary.write_bytes(schema.serialize())
        temporary.replace(path)
    return schema


def computed(view: View, logs: Logs) -> pa.Table:
    """All rows of a view over these logs, each step that several steps share worked out once."""
    needed, relations = closure([view], through_kept=True)
    connection = prepared(logs.reading.settings)
    register(connection, relations, logs)
    for each in needed[:-1]:
        sort = "table" if each.name.startswith("intermediate.") else "view"
        connection.execute(f"create {sort} {each.name} as\n{each.select}")
    return connection.sql(view.select).to_arrow_table()


def single(logs: Logs, view: View) -> Iterator[Logs]:
    """Each log that the mart has rows of, alone, a run with its session."""
    by_id = {manifest.id: manifest for manifest in logs.manifests}
    for manifest in logs.manifests:
        if manifest.what == "session":
            if manifest.id not in logs.brought or view.kept == "session":
                yield Logs(logs.store, (manifest,), reading=logs.reading)
        elif view.kept == "log":
            parents = tuple(by_id[parent] for parent in manifest.parents if parent in by_id)
            yield Logs(
                logs.store, (*parents, manifest), frozenset(parent.id for parent in parents), reading=logs.reading
            )


def _is_final(log: Logs) -> bool:
    return all(manifest.state == "sealed" for manifest in log.manifests)


def _groups(logs: Sequence[Logs]) -> Iterator[list[Logs]]:
    """Those that are worked out together: a statement costs as much over one small log as over many."""
    group: list[Logs] = []
    rows = 0
    for log in logs:
        size = sum(manifest.inputs + manifest.derived for manifest in log.manifests)
        if group and rows + size > _GROUP_ROWS_MAX:
            yield group
            group, rows = [], 0
        group.append(log)
        rows += size
    if group:
        yield group


def _maker(view: View, group: Sequence[Logs]) -> Callable[[], pa.Table]:
    """Work out a group when it is asked for, over the rows that are there now; what is final is kept."""
    together = Logs(
        group[0].store,
        tuple({manifest.id: manifest for log in group for manifest in log.manifests}.values()),
        frozenset[str]().union(*(log.brought for log in group)) - {_id_of(log) for log in group},
        reading=group[0].reading,
    )
    _ = together.readers  # opened now: rows are those of this moment

    def make() -> pa.Table:
        rows = computed(view, together)
        for log in filter(_is_final, group):
            with contextlib.suppress(OSError):  # a store that can't be written to keeps nothing
                _keep(_rows_of(rows, log), _place(view, log), _key(view, log.manifests))
        with contextlib.suppress(OSError):
            _drop_strangers(together.store)
        return rows

    return make


def _rows_of(rows: pa.Table, log: Logs) -> pa.Table:
    """Of the rows of several logs those of one."""
    session, run = session_and_run(log.manifests[-1])
    is_there = pc.equal(rows["session"], session)
    if "run" in rows.column_names:
        is_run = pc.is_null(rows["run"]) if run is None else pc.fill_null(pc.equal(rows["run"], run), False)
        is_there = pc.and_(is_there, is_run)
    return rows.filter(is_there)


def _id_of(log: Logs) -> str:
    return log.manifests[-1].id


def _place(view: View, log: Logs) -> Path:
    return log.store.home / FOLDER / _id_of(log) / f"{view.name}.parquet"


def _key(view: View, manifests: Sequence[Manifest]) -> str:
    made_of = [_statements(view), *(msgspec.json.encode(manifest, order="deterministic") for manifest in manifests)]
    return blake3(b"\0".join(made_of)).hexdigest()


@cache
def _statements(view: View) -> bytes:
    needed, _ = closure([view], through_kept=True)
    return "\0".join([duckdb.__version__, *SHARED, *(each.select for each in needed)]).encode()


def _found(view: View, log: Logs) -> Path | None:
    """The file of what is kept, when it is of this content and as it was written."""
    path = _place(view, log)
    with contextlib.suppress(OSError, CorruptError):
        entry = proved.read(path.with_suffix(".json"), Entry)
        if entry.key == _key(view, log.manifests) and blake3(path.read_bytes()).hexdigest() == entry.blake3:
            return path
    return None


def _keep(rows: pa.Table, path: Path, key: str) -> None:
    """The rows first, then what says that they are there: a reader of both at another moment finds neither sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    pq.write_table(rows, temporary, compression="zstd")
    entry = proved.encoded(Entry(key, blake3(temporary.read_bytes()).hexdigest()))
    temporary.replace(path)
    temporary.write_bytes(entry)
    temporary.replace(path.with_suffix(".json"))


def _drop_strangers(store: Store) -> None:
    """Delete what is kept of logs that are gone."""
    for folder in (store.home / FOLDER).iterdir():
        is_there = any((store.home / part / folder.name).is_dir() for part in (SESSIONS, RUNS))
        if not is_there and folder.name != SCHEMAS:
            shutil.rmtree(folder, ignore_errors=True)
