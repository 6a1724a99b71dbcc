"""The rows of logs as relations of DuckDB, in the schema `log`: one for each kind, for manifests, strategies and scanners.

Each row carries `session` and `run` in front. `run` is null in rows of the recording itself; a run's rows carry the
session they were derived from, so `seq` always points into that session.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.log.arrow import SCHEMAS, to_arrow
from pipeline.log.backtests import SCHEMA as RESULT_SCHEMA
from pipeline.log.backtests import Results, backtests, table_of
from pipeline.log.manifest import Manifest, Words
from pipeline.log.reader import LogReader, read_journal
from pipeline.log.store import Store
from pipeline.provenance import BOTH, ROLE, Mode, Role
from warehouse.scanners import settings_of

_TEXT: Final = pa.utf8()
_PLACE: Final = [("session", _TEXT), ("run", _TEXT)]
_WORDS: Final = pa.struct([(field.name, pa.map_(pa.int16(), _TEXT)) for field in msgspec.structs.fields(Words)])
_SCANNER_WORDS: Final = ("fields", "units", "sources", "filters")
_MANIFEST_COUNTS: Final = ("inputs", "derived", "first_ts_ns", "last_ts_ns")

MANIFESTS: Final = pa.schema(
    [
        *_PLACE,
        *((name, _TEXT) for name in ("what", "state", "mode")),
        *((name, pa.int64()) for name in _MANIFEST_COUNTS),
        *((name, _TEXT) for name in ("decisions_hash", "code_hash")),
    ]
)
CELLS: Final = pa.schema([("backtest", _TEXT), ("overnight", _TEXT), *RESULT_SCHEMA])
STRATEGIES: Final = pa.schema([*_PLACE, ("strategy_id", pa.int16()), ("strategy", _TEXT), ("words", _WORDS)])
REFERENCE_LOG: Final = "(reference)"
"""Stands where a session's id does in rows of the store's own log of facts, so that instruments join."""

SCANS_LOG: Final = "(scans)"
"""The same of people's own lists."""

SCANNERS: Final = pa.schema(
    [
        *_PLACE,
        ("scanner_id", pa.int16()),
        ("scanner", _TEXT),
        *((name, pa.list_(_TEXT)) for name in _SCANNER_WORDS),
    ]
)


def register(
    connection: duckdb.DuckDBPyConnection,
    wanted: Iterable[str],
    store: Store,
    readers: Sequence[LogReader],
    *,
    is_whole: bool,
    brought: Collection[str] = (),
) -> None:
    """Make the relations of these names (`log.fill`) over the logs read, and over what the store itself holds.

    `is_whole` tells that all logs are read, so that what is left of deleted sessions belongs to the answer as well. Of
    sessions that were `brought` along there are the inputs alone.
    """
    connection.execute("create schema log; set schema = 'log'")  # a relation lands in the schema that is set
    names = sorted(wanted)
    has_facts = "log.reference" in names
    for name in names:
        if name == "log.manifests":
            connection.from_arrow(_manifests(readers)).create_view("manifests")
        elif name == "log.strategies":
            connection.from_arrow(_strategies(readers)).create_view("strategies")
        elif name == "log.scanners":
            connection.from_arrow(_scanners(readers)).create_view("scanners")
        elif name == "log.cells":
            connection.from_arrow(_cells(store, None if is_whole else readers)).create_view("cells")
        else:
            kind = Kind[name.removeprefix("log.").upper()]
            deciding = [reader for reader in readers if reader.manifest.id not in brought or not _is_decided(kind)]
            _register_kind(connection, kind, store, deciding, has_facts=has_facts, brought=brought)
    connection.execute("set schema = 'main'")


def _register_kind(
    connection: duckdb.DuckDBPyConnection,
    kind: Kind,
    store: Store,
    readers: Sequence[LogReader],
    *,
    has_facts: bool,
    brought: Collection[str],
) -> None:
    """`has_facts`: the facts of the store are asked for, so that their instruments are needed too."""
    pieces: list[tuple[str | None, str | None, Any]] = [
        (*session_and_run(reader.manifest), relation) for reader in readers for relation in reader.relations(kind)
    ]
    if kind is Kind.NOTE:
        pieces += [(None, None, _table(block)) for batch in store.notes() for block in batch]
    elif kind is Kind.INSTRUMENT:
        pieces += [(session, None, _table(block)) for session, block in _kept_instruments(readers)]
    if kind is Kind.REFERENCE or (kind is Kind.INSTRUMENT and has_facts):
        pieces += _small_logs(store, kind)
    selects = []
    for number, (session, run, rows) in enumerate(pieces or [(None, None, SCHEMAS[kind].empty_table())]):
        piece = f"{kind.name.lower()}_{number}"
        connection.from_arrow(rows).create_view(piece)
        inputs = " where ord = 0" if run is None and session in brought and kind in BOTH else ""
        selects.append(_select(kind, piece, _literal(session), _literal(run)) + inputs)
    connection.execute(f"create view log.{kind.name.lower()} as {' union all '.join(selects)}")


def _is_decided(kind: Kind) -> bool:
    """Whether all rows of a kind are of one decision or another: what a run has of it stands in place of its session's."""
    return ROLE[kind][Mode.REPLAY] is Role.DERIVED


def _small_logs(store: Store, kind: Kind) -> list[tuple[str | None, str | None, Any]]:
    """What the store's own logs hold of this kind, each as a session of a name that no session can have."""
    folders = {REFERENCE_LOG: store.reference_folder, SCANS_LOG: store.scans_folder}
    pieces: list[tuple[str | None, str | None, Any]] = []
    for name, folder in folders.items():
        blocks = [block for batch in read_journal(folder, store.disk) for block in batch if block.kind is kind]
        if blocks:
            pieces.append((name, None, pa.Table.from_batches([to_arrow(block) for block in blocks])))
    return pieces


def _cells(store: Store, readers: Iterable[LogReader] | None) -> pa.Table:
    """The rows of all backtests, or those over the sessions read; which backtest stands in front."""
    sessions = None if readers is None else {session_and_run(reader.manifest)[0] for reader in readers}
    tables = []
    for asked in backtests(store):
        rows = [row for row in Results(store, asked.id).rows() if sessions is None or row.session in sessions]
        place = [pa.repeat(pa.scalar(text), len(rows)) for text in (asked.id, asked.overnight)]
        tables.append(pa.Table.from_arrays([*place, *table_of(rows).columns], schema=CELLS))
    return pa.concat_tables(tables) if tables else CELLS.empty_table()


def _kept_instruments(readers: Iterable[LogReader]) -> list[tuple[str, Block]]:
    """What runs keep of sessions that are not among the logs, for they were deleted."""
    manifests = [reader.manifest for reader in readers]
    there = {manifest.id for manifest in manifests}
    kept: dict[str, Sequence[Mapping[str, Any]]] = {}
    for manifest in manifests:
        session, _ = session_and_run(manifest)
        if session not in there:  # of several runs that which went furthest knows all that the others know
            kept[session] = max(kept.get(session, ()), manifest.instruments, key=len)
    return [(session, Block.from_rows(Kind.INSTRUMENT, rows)) for session, rows in kept.items() if rows]


def _table(block: Block) -> pa.Table:
    return pa.Table.from_batches([to_arrow(block)])


def _select(kind: Kind, piece: str, session: str, run: str) -> str:
    """All columns, with where they come from in front."""
    if kind is Kind.NOTE:  # a remark in the store's own log says itself which session it is about
        session = f"coalesce(nullif(session, ''), {session})"
    own = "* exclude (session)" if kind is Kind.NOTE else "*"
    return f"select {session} as session, {run} as run, {own} from log.{piece}"  # noqa: S608 - names made here


def _literal(id_: str | None) -> str:
    """An id in SQL; ids are spelled so that they need no escaping."""
    return "null::varchar" if id_ is None else f"'{id_}'"


def session_and_run(manifest: Manifest) -> tuple[str, str | None]:
    """The session that `seq` points into, and the run when it is one."""
    return (manifest.parents[0], manifest.id) if manifest.what == "run" else (manifest.id, None)


def _manifests(readers: Iterable[LogReader]) -> pa.Table:
    rows = []
    for reader in readers:
        session, run = session_and_run(reader.manifest)
        told = {name: getattr(reader.manifest, name) for name in MANIFESTS.names[2:]}
        rows.append({"session": session, "run": run, **told, "mode": reader.manifest.mode.value})
    return pa.Table.from_pylist(rows, MANIFESTS)


def _strategies(readers: Iterable[LogReader]) -> pa.Table:
    rows = []
    for reader in readers:
        session, run = session_and_run(reader.manifest)
        for place, entry in enumerate(reader.manifest.strategies, start=1):
            told = {"strategy_id": place, "strategy": entry.name, "words": _by_code(entry.words)}
            rows.append({"session": session, "run": run, **told})
    return pa.Table.from_pylist(rows, STRATEGIES)


def _scanners(readers: Iterable[LogReader]) -> pa.Table:
    """The scanners that settings name, in the order of their ids, with the names of their fields and filters."""
    rows = []
    for reader in readers:
        session, run = session_and_run(reader.manifest)
        for place, entry in enumerate(settings_of(reader.manifest), start=1):
            told = {name: entry.get(name, []) for name in _SCANNER_WORDS}
            rows.append({"session": session, "run": run, "scanner_id": place, "scanner": entry["name"], **told})
    return pa.Table.from_pylist(rows, SCANNERS)


def _by_code(words: Words) -> dict[str, list[tuple[int, str]]]:
    """As maps of Arrow: lists of pairs, the code first."""
    sets = {name: getattr(words, name) for name in _WORDS.names if name != "templates"}
    maps = {name: [(code, word) for word, code in named.items()] for name, named in sets.items()}
    return {**maps, "templates": [(words.messages[word], text) for word, text in words.templates.items()]}
