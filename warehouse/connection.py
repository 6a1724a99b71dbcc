"""A DuckDB connection over the logs of a store: relations for each kind, names for codes, then the views.

A session whose rows carry `run` null is the recording itself; a run's rows carry the id of the session they were
derived from, so `seq` always points into that session.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum, IntFlag
from inspect import getmembers, isclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from pipeline import codes
from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.log.arrow import SCHEMAS, to_arrow
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store

FOLDER: Final = Path(__file__).resolve().parent
LAYERS: Final = ("staging", "intermediate", "marts")


def connect(home: str | Path, names: Sequence[str] = ("all",)) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with every view over the logs named (ids, prefixes, `last`, `all`).

    Rows are those that were there when it was called: connect again to see what a recording session has added.
    Raises NotFoundError for a name that names nothing, CorruptError for a damaged log.
    """
    store = Store(Path(home))
    readers = [LogReader(store.folder(manifest.id)) for manifest in _chosen(store, names)]
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    connection.execute((FOLDER / "macros.sql").read_text())
    for statement in _code_macros():
        connection.execute(statement)
    connection.register("log_manifests", _manifests(readers))
    connection.register("log_strategies", _strategies(readers))
    remarks = [block for batch in store.notes() for block in batch]
    for kind in Kind:
        _register(connection, kind, readers, remarks if kind is Kind.NOTE else ())
    for view, select in views():
        connection.execute(f"create view {view} as\n{select}")
    return connection


def views() -> list[tuple[str, str]]:
    """Name and select statement of every view, in the order in which they build on each other."""
    return [(path.stem, path.read_text()) for layer in LAYERS for path in sorted((FOLDER / layer).glob("*.sql"))]


def _chosen(store: Store, names: Sequence[str]) -> list[Manifest]:
    """The logs named, and with a session its runs, with a run its session: neither says much alone."""
    everything = {manifest.id: manifest for manifest in [*store.sessions(), *store.runs()]}
    if tuple(names) == ("all",):
        for error in store.unreadable().values():
            raise error  # an answer that silently leaves a damaged log out would be wrong; name the others to go on
        return [manifest for manifest in everything.values() if not _is_unfinished(manifest)]
    named = {manifest.id for name in names for manifest in store.find(name)}
    parents = {parent for id_ in named for parent in everything[id_].parents}
    runs = {
        id_ for id_, manifest in everything.items() if set(manifest.parents) & named and not _is_unfinished(manifest)
    }
    return [manifest for id_, manifest in everything.items() if id_ in named | parents | runs]


def _is_unfinished(manifest: Manifest) -> bool:
    """A run that is being made, or was killed: half of its fills are no answer."""
    return manifest.what == "run" and manifest.state == "open"


def _session_and_run(manifest: Manifest) -> tuple[str, str | None]:
    return (manifest.parents[0], manifest.id) if manifest.what == "run" else (manifest.id, None)


def _manifests(readers: Iterable[LogReader]) -> pa.Table:
    rows = []
    for reader in readers:
        manifest = reader.manifest
        session, run = _session_and_run(manifest)
        rows.append(
            {
                "session": session,
                "run": run,
                "what": manifest.what,
                "state": manifest.state,
                "mode": manifest.mode.value,
                "inputs": manifest.inputs,
                "derived": manifest.derived,
                "first_ts_ns": manifest.first_ts_ns,
                "last_ts_ns": manifest.last_ts_ns,
                "decisions_hash": manifest.decisions_hash,
                "code_hash": manifest.code_hash,
            }
        )
    texts = ("session", "run", "what", "state", "mode", "decisions_hash", "code_hash")
    numbers = ("inputs", "derived", "first_ts_ns", "last_ts_ns")
    names = ("session", "run", "what", "state", "mode", *numbers, "decisions_hash", "code_hash")
    schema = pa.schema([(name, pa.utf8() if name in texts else pa.int64()) for name in names])
    return pa.Table.from_pylist(rows, schema)


def _strategies(readers: Iterable[LogReader]) -> pa.Table:
    schema = pa.schema(
        [("session", pa.utf8()), ("run", pa.utf8()), ("strategy_id", pa.int16()), ("strategy", pa.utf8())]
    )
    rows = [
        dict(zip(schema.names, (*_session_and_run(reader.manifest), place, entry.name), strict=True))
        for reader in readers
        for place, entry in enumerate(reader.manifest.strategies, start=1)
    ]
    return pa.Table.from_pylist(rows, schema)


def _register(
    connection: duckdb.DuckDBPyConnection, kind: Kind, readers: Sequence[LogReader], more: Sequence[Block] = ()
) -> None:
    """`log_<kind>`: the rows of all logs, and some more that belong to the store, with `session` and `run` in front."""
    selects = []
    for piece, block in enumerate(more):
        name = f"raw_{kind.name.lower()}_store_{piece}"
        connection.register(name, pa.Table.from_batches([to_arrow(block)]))
        selects.append(_select(kind, name, "null::varchar", "null::varchar"))
    for number, reader in enumerate(readers):
        for piece, relation in enumerate(reader.relations(kind)):
            name = f"raw_{kind.name.lower()}_{number}_{piece}"
            connection.register(name, relation)
            session, run = _session_and_run(reader.manifest)
            run_text = f"'{run}'" if run else "null::varchar"
            selects.append(_select(kind, name, f"'{session}'", run_text))
    if not selects:
        name = f"raw_{kind.name.lower()}"
        connection.register(name, SCHEMAS[kind].empty_table())
        selects.append(_select(kind, name, "null::varchar", "null::varchar"))
    connection.execute(f"create view log_{kind.name.lower()} as {' union all '.join(selects)}")


def _select(kind: Kind, relation: str, session: str, run: str) -> str:
    """All columns, with where they come from in front; ids are spelled so that they need no quoting."""
    if kind is Kind.NOTE:  # a remark in the store's own log says itself which session it is about
        session = f"coalesce(nullif(session, ''), {session})"
    own = "* exclude (session)" if kind is Kind.NOTE else "*"
    return f"select {session} as session, {run} as run, {own} from {relation}"  # noqa: S608 - names made here


def _code_macros() -> list[str]:
    """One macro a closed set, `side_name(code)`: the code's name in lower case; for flags a list of names."""
    sets: list[tuple[str, Any]] = [
        (name, members)
        for name, members in getmembers(codes, isclass)
        if issubclass(members, (IntEnum, IntFlag)) and members.__module__ == codes.__name__
    ]
    return [
        f"create macro {_snake(name)}_name(code) as {_flags(members) if issubclass(members, IntFlag) else _cases(members)}"
        for name, members in sets
    ]


def _cases(members: type[IntEnum]) -> str:
    cases = " ".join(f"when {int(member)} then '{member.name.lower()}'" for member in members)
    return f"case code {cases} else code::varchar end"


def _flags(members: type[IntFlag]) -> str:
    names = ", ".join(
        f"case when code & {int(member)} <> 0 then '{(member.name or '').lower()}' end" for member in members if member
    )
    return f"array_to_string(list_filter([{names}], lambda name: name is not null), ' ')"


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
