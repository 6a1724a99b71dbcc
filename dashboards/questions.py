"""Questions: statements that people type, answered in the sandbox; saved ones; answers as files and as charts."""

import tempfile
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import streamlit as st

from dashboards.data import Door
from dashboards.words import visible
from pipeline.sandbox.asking import Answer, NoAnswer, Sandbox
from pipeline.sandbox.examples import EXAMPLES
from pipeline.sandbox.saved import SavedQueries
from warehouse.writing import FILES, TEXTS, apart, write_file

FORMS: Final = (*TEXTS, *FILES)
"""Of an answer that is taken away."""

EXAMPLE_TITLES: Final = tuple(example.title for example in EXAMPLES)
CHART_ROWS_MAX: Final = 5_000
"""More points than a chart of this width can show apart; of more rows so many are drawn, evenly chosen."""

_FILE_BYTES_MAX: Final = 64 * 2**20


@st.cache_resource(show_spinner=False)
def _sandbox(home: str) -> Sandbox:
    return Sandbox(home)


def ask(door: Door, sql: str, over: tuple[str, ...]) -> Answer | NoAnswer:
    """Answer a statement; nothing in it is raised. Raises OSError when the system lets no worker begin."""
    return _sandbox(str(door.store.home)).ask(sql, over)


def weaker(door: Door) -> tuple[str, ...]:
    """What does not hold around a statement on this system that does on others. Raises OSError as `ask` does."""
    return _sandbox(str(door.store.home)).protection().weaker


def example(title: str) -> str:
    """The statement of an example."""
    return next(each.sql for each in EXAMPLES if each.title == title)


def saved(door: Door) -> SavedQueries:
    """The statements that were saved in this store."""
    return SavedQueries(door.store.home)


def as_file(table: pa.Table, form: str) -> bytes:
    """An answer as the bytes of a file, written as `tape sql --out` writes it. Raises ValueError for one too large to take away."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "answer"
        write_file(connection.from_arrow(table), form, path)
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise ValueError(
                f"{path.stat().st_size / 2**20:,.0f} MiB; at most {_FILE_BYTES_MAX >> 20} are taken away, `tape sql --out` writes more"
            )
        return path.read_bytes()


def numbers_of(table: pa.Table) -> list[str]:
    """Names of the columns that a chart can draw upward, each of which stands once: those that differ most often first."""
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    found = [
        each.name
        for each in table.schema
        if table.column_names.count(each.name) == 1 and any(kind(each.type) for kind in kinds)
    ]
    return sorted(found, key=lambda name: -len(table[name].unique()))


def shown(table: pa.Table) -> pa.Table:
    """An answer as a table shows it: what has parts as text, and each column under a name of its own."""
    columns = [_as_text(column) if pa.types.is_nested(column.type) else column for column in table.columns]
    return pa.table(columns, names=apart([visible(each) for each in table.column_names]))


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    return pa.array([None if each is None else _told(each) for each in column.combine_chunks()], pa.string())


def _told(value: pa.Scalar) -> str | None:
    """A value as text; of one with a moment beyond the calendar that it is."""
    try:
        told = value.as_py()
    except (OverflowError, ValueError):
        return "(beyond the calendar)"
    return None if told is None else str(told)


def drawn(table: pa.Table, across: str, upward: str) -> pa.Table:
    """Columns `across` and `upward` of an answer, of rows that a chart can show apart, evenly chosen; decimals as floats."""
    rows = (
        table
        if len(table) <= CHART_ROWS_MAX
        else table.take(pa.array(range(0, len(table), -(-len(table) // CHART_ROWS_MAX))))
    )
    columns = {"across": rows[rows.column_names.index(across)], "upward": rows[upward].cast(pa.float64(), safe=False)}
    if pa.types.is_nested(columns["across"].type) or pa.types.is_decimal(columns["across"].type):
        columns["across"] = _as_text(columns["across"])
    return pa.table(columns)
