"""A DuckDB connection over the logs of a store: their rows as relations, names for codes, then the views."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from pipeline.log.store import Store
from warehouse.kept import register_kept
from warehouse.logs import chosen
from warehouse.preparing import prepared
from warehouse.reading import PLAIN, Reading
from warehouse.relations import register
from warehouse.views import View, closure, views


def connect(
    home: str | Path,
    names: Sequence[str] = ("all",),
    *,
    asked: Iterable[View] | None = None,
    reading: Reading = PLAIN,
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with the views asked for, or all of them, over the logs named (ids, prefixes, `last`, `all`).

    Rows are those that were there when it was called: connect again to see what a recording session has added.
    Of a session that is not named itself, but brought along by a run that is, there are the inputs alone.
    `named_in` of a query tells what to ask for; what is not made costs nothing. `reading` says who opens
    the files. Raises NotFoundError for a name that
    names nothing, CorruptError for a damaged log; a slow answer, worked out when it is first read, duckdb.Error then.
    """
    logs = replace(chosen(Store(Path(home)), names), reading=reading)
    needed, relations = closure(views() if asked is None else asked)
    connection = prepared(logs.reading.settings)
    register(connection, relations, logs)
    for view in needed:
        if view.kept:
            register_kept(connection, view, logs)
        else:
            connection.execute(f"create view {view.name} as\n{view.select}")
    connection.execute("commit")
    return connection
