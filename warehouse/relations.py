"""The rows of logs as relations of DuckDB, in the schema `log`: one for each kind, for manifests, strategies and scanners.

Each row carries `session` and `run` in front. `run` is null in rows of the recording itself; a run's rows carry the
session they were derived from, so `seq` always points into that session.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.log.arrow import SCHEMAS, to_arrow
from pipeline.log.backtests import SCHEMA as RESULT_SCHEMA
from pipeline.log.backtests import rows_by_backtest, table_of
from pipeline.log.manifest import Manifest, Words
from pipeline.log.reader import read_journal
from pipeline.log.store import Store
from pipeline.provenance import BOTH, ROLE, Mode, Role
from warehouse.logs import Logs, session_and_run
from warehouse.scanners import settings_of

_TEXT: Final = pa.utf8()
_PLACE: Final = [("session", _TEXT), ("run", _TEXT)]
_WORDS: Final = pa.struct([(field.name, pa.map_(pa.int16(), _TEXT)) for field in msgspec.structs.fields(Words)])
_SCANNER_WORDS: Final = ("fields", "units", "sources", "filters")
_MANIFEST_COUNTS: Final = ("inputs", "derived", "first_ts_ns", "last_ts_ns")

_INSTRUMENT_NAMES: Final = {
    "instrument_symbol": "varchar",
    "instrument_venue": "varchar",
    "instrument_step_nano": "bigint",
    "instrument_hours": "varchar",
}
_LISTED_MAX: Final = 400
"""Instruments of a session whose names are kept as lists."""


class _Names(NamedTuple):
    """Columns with the names of a session's instruments, and what they are joined from."""

    columns: str
    join: str = ""


_NAMELESS: Final = _Names(", ".join(f"null::{type_} as {column}" for column, type_ in _INSTRUMENT_NAMES.items()))
_Piece = tuple[str | None, str | None, list[Path] | pa.Table]
"""Session, run, and rows: sealed files or a table."""

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


def register(connection: duckdb.DuckDBPyConnection, wanted: Iterable[str], logs: Logs) -> None:
    """Make the relations of these names (`log.fill`) over the logs, and over what the store itself holds."""
    connection.execute("create schema log; set schema = 'log'")  # a relation lands in the schema that is set
    tables = {
        "log.manifests": lambda: _manifests(logs.manifests),
        "log.strategies": lambda: _strategies(logs.manifests),
        "log.scanners": lambda: _scanners(logs.manifests),
        "log.cells": lambda: _cells(logs.store, None if logs.is_whole else logs.manifests),
    }
    names = set(wanted)
    for name in sorted(names & tables.keys()):
        connection.from_arrow(tables[name]()).create_view(name.removeprefix("log."))
    if kinds := sorted(Kind[name.removeprefix("log.").upper()] for name in names - tables.keys()):
        _register_kinds(connection, kinds, logs)
    connection.execute("set schema = 'main'")


def _register_kinds(connection: duckdb.DuckDBPyConnection, kinds: Sequence[Kind], logs: Logs) -> None:
    """The rows of these kinds, each with its instrument's names, and the instruments' definitions, which say them."""
    has_facts = (
        Kind.REFERENCE in kinds
    )  # the facts of the store are asked for, so that their instruments are needed too
    defined = _pieces(Kind.INSTRUMENT, logs)
    defined += [(session, None, _table(block)) for session, block in _kept_instruments(logs.manifests)]
    if has_facts:
        defined += _small_logs(logs.store, Kind.INSTRUMENT)
    _create_view(connection, Kind.INSTRUMENT, defined, logs, {})
    names = _name_instruments(connection)
    for kind in kinds:
        if kind is Kind.INSTRUMENT:
            continue
        pieces = _pieces(kind, logs)
        if kind is Kind.NOTE:
            pieces += _stores_notes(logs)
        elif kind is Kind.REFERENCE:
            pieces += _small_logs(logs.store, kind)
        _create_view(connection, kind, pieces, logs, names)


def _stores_notes(logs: Logs) -> list[_Piece]:
    """Remarks in the store's own log, each of the session or run that it is about; where all is read, also of those that are gone.

    What is about one that is gone never stands with another one of the same name: its session is then called id@log_id.
    """
    blocks = [to_arrow(block) for batch in logs.store.notes() for block in batch]
    if not blocks:
        return []
    table = pa.Table.from_batches(blocks)
    places = {f"{manifest.id}@{manifest.log_id}": session_and_run(manifest) for manifest in logs.manifests}
    if logs.is_whole:
        taken = {manifest.id for manifest in logs.manifests}
        for log in set(table["session"].unique().to_pylist()) - places.keys():
            name = log.partition("@")[0]
            places[log] = (log if name in taken else name, None)
    found = [(place, table.filter(pc.equal(table["session"], log))) for log, place in places.items()]
    return [(*place, rows) for place, rows in found if rows.num_rows]


def _pieces(kind: Kind, logs: Logs) -> list[_Piece]:
    """What the logs hold of a kind; of sessions that were brought along what is not decided."""
    found: list[_Piece] = []
    for reader in logs.readers:
        if reader.manifest.id in logs.brought and _is_decided(kind):
            continue
        files, unsealed = reader.relations(kind)
        place = session_and_run(reader.manifest)
        found += [(*place, files)] if files else []
        found += [(*place, unsealed)] if unsealed.num_rows else []
    return found


def _create_view(
    connection: duckdb.DuckDBPyConnection, kind: Kind, pieces: list[_Piece], logs: Logs, named: Mapping[str, _Names]
) -> None:
    """`named`: of a session the columns with its instruments' names."""
    selects = []
    for number, (session, run, rows) in enumerate(pieces or [(None, None, SCHEMAS[kind].empty_table())]):
        if isinstance(rows, list):
            piece = f"({logs.reading.rows_of(connection, f'log.{kind.name.lower()}_{number}', rows)})"
        else:
            piece = f"log.{kind.name.lower()}_{number}"
            connection.from_arrow(rows).create_view(piece.removeprefix("log."))
        names = _Names("") if kind is Kind.INSTRUMENT else named.get(session or "", _NAMELESS)
        inputs = " where ord = 0" if run is None and session in logs.brought and kind in BOTH else ""
        selects.append(_select(kind, piece, _literal(session), _literal(run), names) + inputs)
    connection.execute(f"create view log.{kind.name.lower()} as {' union all '.join(selects)}")


def _name_instruments(connection: duckdb.DuckDBPyConnection) -> dict[str, _Names]:
    """Of each session the columns with its instruments' names, by their last definitions, as SQL over `instrument_id`.

    What they are called is kept in variables, as lists by instrument_id, or once where all have the same: a row finds it
    where it is asked for, and pays nothing where it is not. Long lists are copied too often: these are joined, each
    instrument once, so that the join falls away where no name is asked for.
    """
    rows = connection.execute(
        "select session, instrument_id, symbol, venue, size_step_nano, hours_of(calendar, asset_class_name(asset_class))"
        " from log.instrument order by seq"
    ).fetchall()
    named: dict[str, dict[int, tuple[str, str, int, str]]] = {}
    for session, instrument_id, *names in rows:
        named.setdefault(session, {})[instrument_id] = tuple(names)
    return {session: _names_of(connection, place, by_id) for place, (session, by_id) in enumerate(named.items())}


def _names_of(
    connection: duckdb.DuckDBPyConnection, place: int, by_id: Mapping[int, tuple[str, str, int, str]]
) -> _Names:
    """Of one session. `place` tells its variables from those of others."""
    absent = (None,) * len(_INSTRUMENT_NAMES)
    every = [by_id.get(instrument_id, absent) for instrument_id in range(1, max(by_id) + 1)]
    columns, joined = [], {}
    for (column, type_), values in zip(_INSTRUMENT_NAMES.items(), zip(*every, strict=True), strict=True):
        is_one = len(set(values)) == 1
        if not is_one and len(values) > _LISTED_MAX:
            joined[column] = list(values)
            columns.append(f"named.{column}")
            continue
        variable, kept = f"{column}_{place}", values[0] if is_one else list(values)
        connection.execute(f"set variable {variable} = $1::{type_}{'' if is_one else '[]'}", [kept])
        value = f"getvariable('{variable}')"
        if is_one:
            value = f"case when instrument_id between 1 and {len(values)} then {value} end"
        else:
            value = f"{value}[instrument_id]"
        columns.append(f"{value} as {column}")
    if not joined:
        return _Names(", ".join(columns))
    connection.from_arrow(pa.table({"instrument_id": range(1, len(every) + 1), **joined})).create_view(f"names_{place}")
    found = ", ".join(f"any_value({column}) as {column}" for column in joined)
    one_each = f"select instrument_id::integer as instrument_id, {found} from log.names_{place} group by all"  # noqa: S608 - names made here
    return _Names(", ".join(columns), f" left join ({one_each}) as named using (instrument_id)")


def _is_decided(kind: Kind) -> bool:
    """Whether all rows of a kind are of one decision or another: what a run has of it stands in place of its session's."""
    return ROLE[kind][Mode.REPLAY] is Role.DERIVED


def _small_logs(store: Store, kind: Kind) -> list[_Piece]:
    """What the store's own logs hold of this kind, each as a session of a name that no session can have."""
    folders = {REFERENCE_LOG: store.reference_folder, SCANS_LOG: store.scans_folder}
    pieces: list[_Piece] = []
    for name, folder in folders.items():
        blocks = [block for batch in read_journal(folder, store.disk) for block in batch if block.kind is kind]
        if blocks:
            pieces.append((name, None, pa.Table.from_batches([to_arrow(block) for block in blocks])))
    return pieces


def _cells(store: Store, manifests: Iterable[Manifest] | None) -> pa.Table:
    """The rows of all backtests, or those over the sessions read; which backtest stands in front."""
    sessions = None if manifests is None else {session_and_run(manifest)[0] for manifest in manifests}
    tables = []
    for asked, found in rows_by_backtest(store):
        rows = [row for row in found if sessions is None or row.session in sessions]
        place = [pa.repeat(pa.scalar(text), len(rows)) for text in (asked.id, asked.overnight)]
        tables.append(pa.Table.from_arrays([*place, *table_of(rows).columns], schema=CELLS))
    return pa.concat_tables(tables) if tables else CELLS.empty_table()


def _kept_instruments(manifests: Sequence[Manifest]) -> list[tuple[str, Block]]:
    """What runs keep of sessions that are not among the logs, for they were deleted."""
    there = {manifest.id for manifest in manifests}
    kept: dict[str, Sequence[Mapping[str, Any]]] = {}
    for manifest in manifests:
        session, _ = session_and_run(manifest)
        if session not in there:  # of several runs that which went furthest knows all that the others know
            kept[session] = max(kept.get(session, ()), manifest.instruments, key=len)
    return [(session, Block.from_rows(Kind.INSTRUMENT, rows)) for session, rows in kept.items() if rows]


def _table(block: Block) -> pa.Table:
    return pa.Table.from_batches([to_arrow(block)])


def _select(kind: Kind, piece: str, session: str, run: str, names: _Names) -> str:
    """All columns, with where they come from in front and their instrument's names behind."""
    own = "piece.* exclude (session)" if kind is Kind.NOTE else "piece.*"  # which it is about, in the store's own log
    columns = ", ".join(filter(None, (f"{session} as session", f"{run} as run", own, names.columns)))
    return f"select {columns} from {piece} as piece{names.join}"  # noqa: S608 - names made here


def _literal(id_: str | None) -> str:
    """An id in SQL; ids are spelled so that they need no escaping."""
    return "null::varchar" if id_ is None else f"'{id_}'"


def _manifests(manifests: Iterable[Manifest]) -> pa.Table:
    rows = []
    for manifest in manifests:
        session, run = session_and_run(manifest)
        told = {name: getattr(manifest, name) for name in MANIFESTS.names[2:]}
        rows.append({"session": session, "run": run, **told, "mode": manifest.mode.value})
    return pa.Table.from_pylist(rows, MANIFESTS)


def _strategies(manifests: Iterable[Manifest]) -> pa.Table:
    rows = []
    for manifest in manifests:
        session, run = session_and_run(manifest)
        for place, entry in enumerate(manifest.strategies, start=1):
            told = {"strategy_id": place, "strategy": entry.name, "words": _by_code(entry.words)}
            rows.append({"session": session, "run": run, **told})
    return pa.Table.from_pylist(rows, STRATEGIES)


def _scanners(manifests: Iterable[Manifest]) -> pa.Table:
    """The scanners that settings name, in the order of their ids, with the names of their fields and filters."""
    rows = []
    for manifest in manifests:
        session, run = session_and_run(manifest)
        for place, entry in enumerate(settings_of(manifest), start=1):
            told = {name: entry.get(name, []) for name in _SCANNER_WORDS}
            rows.append({"session": session, "run": run, "scanner_id": place, "scanner": entry["name"], **told})
    return pa.Table.from_pylist(rows, SCANNERS)


def _by_code(words: Words) -> dict[str, list[tuple[int, str]]]:
    """As maps of Arrow: lists of pairs, the code first."""
    sets = {name: getattr(words, name) for name in _WORDS.names if name != "templates"}
    maps = {name: [(code, word) for word, code in named.items()] for name, named in sets.items()}
    return {**maps, "templates": [(words.messages[word], text) for word, text in words.templates.items()]}
