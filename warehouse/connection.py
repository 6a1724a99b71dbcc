"""A DuckDB connection over the logs of a store: their rows as relations, names for codes, then the views."""

from collections.abc import Iterable, Sequence
from enum import IntEnum, IntFlag
from inspect import getmembers, isclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline import codes, scanner_codes
from pipeline.log.manifest import Manifest
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from warehouse.relations import register
from warehouse.views import MACROS, View, closure, views


def connect(
    home: str | Path, names: Sequence[str] = ("all",), *, asked: Iterable[View] | None = None
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with the views asked for, or all of them, over the logs named (ids, prefixes, `last`, `all`).

    Rows are those that were there when it was called: connect again to see what a recording session has added.
    Of a session that is not named itself, but brought along by a run that is, there are the inputs alone.
    `named_in` of a query tells what to ask for; what is not made costs nothing. Raises NotFoundError for a name that
    names nothing, CorruptError for a damaged log.
    """
    store = Store(Path(home))
    chosen_logs, brought = _chosen(store, names)
    readers = [LogReader(store.folder(manifest.id)) for manifest in chosen_logs]
    chosen, relations = closure(views() if asked is None else asked)
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'; begin")  # one transaction: each statement alone takes longer
    for statement in (MACROS, *_code_macros(), "create schema staging; create schema intermediate"):
        connection.execute(statement)
    register(connection, relations, store, readers, is_whole=tuple(names) == ("all",), brought=brought)
    for view in chosen:
        connection.execute(f"create view {view.name} as\n{view.select}")
    connection.execute("commit")
    return connection


def _chosen(store: Store, names: Sequence[str]) -> tuple[list[Manifest], frozenset[str]]:
    """The logs named, and with a session its runs, with a run its session: neither says much alone.

    Sessions that only their runs brought along are named beside: asked is what the runs decided, not what they did.
    """
    everything = {manifest.id: manifest for manifest in [*store.sessions(), *store.runs()]}
    if tuple(names) == ("all",):
        for error in store.unreadable().values():
            raise error  # an answer that silently leaves a damaged log out would be wrong; name the others to go on
        return [manifest for manifest in everything.values() if not _is_unfinished(manifest)], frozenset()
    named = {manifest.id for name in names for manifest in store.find(name)}
    parents = {parent for id_ in named for parent in everything[id_].parents}
    runs = {
        id_ for id_, manifest in everything.items() if set(manifest.parents) & named and not _is_unfinished(manifest)
    }
    chosen = [manifest for id_, manifest in everything.items() if id_ in named | parents | runs]
    return chosen, frozenset(parents - named)


def _is_unfinished(manifest: Manifest) -> bool:
    """A run that is being made, or was killed: half of its fills are no answer."""
    return manifest.what == "run" and manifest.state == "open"


def _code_macros() -> list[str]:
    """One macro a closed set, `side_name(code)`: the code's name in lower case; for flags a list of names."""
    sets: list[tuple[str, Any]] = [
        (name, members)
        for module in (codes, scanner_codes)
        for name, members in getmembers(module, isclass)
        if issubclass(members, (IntEnum, IntFlag)) and members.__module__ == module.__name__
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
