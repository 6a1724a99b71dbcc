"""Tables of reference data: CSV, Parquet and Arrow files of a person's own, as facts."""

from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.errors import FeedError, UnitError
from pipeline.feeds.columns import texts
from pipeline.feeds.table_files import Chunk, opened_table
from pipeline.normalize.reference import SHARES_VENUE, Fact
from pipeline.normalize.reference_tables import SYMBOL, columns_of, facts_of_row

_ROWS_AT_ONCE: Final = 32_768


class TableFacts(NamedTuple):
    """What a table says."""

    facts: list[Fact]
    columns: dict[str, str]
    """The column each field was read from."""
    ignored: list[str]
    """Columns that say nothing known here."""
    refused: list[tuple[int, str]]
    """Number, from 1, and reason of the rows that could not be read."""


def read_reference_table(
    path: Path, *, provider: str, as_of_ns: int, known_at_ns: int, mapping: str = "", venue: str = SHARES_VENUE
) -> TableFacts:
    """The facts of a table; see `facts_of_row` for the times.

    Raises ConfigError for a mapping that fits no column; FeedError for a file that is no table, or most of whose rows can't be read.
    """
    with opened_table(path) as table:
        try:
            columns = columns_of(table.names, mapping)
        except UnitError as error:
            raise FeedError(path, "header", str(error)) from None
        facts: list[Fact] = []
        refused: list[tuple[int, str]] = []
        row_count = 0
        for chunk in table.chunks(_ROWS_AT_ONCE):
            refused += chunk.bad_rows
            for number, cells in _rows(chunk, columns):
                row_count += 1
                try:
                    facts += facts_of_row(
                        cells, provider=provider, as_of_ns=as_of_ns, known_at_ns=known_at_ns, venue=venue
                    )
                except UnitError as error:
                    refused.append((number, str(error)))
        refused += table.bad_rows
        if table.problem:
            raise FeedError(path, f"row {table.next_row}", table.problem)
    if 2 * len(refused) > row_count:
        reason, _ = Counter(reason for _, reason in refused).most_common(1)[0]
        raise FeedError(path, f"row {refused[0][0]}", f"{reason} ({len(refused)} of {row_count} rows can't be read)")
    ignored = [name for name in table.names if name not in columns.values()]
    return TableFacts(facts, columns, ignored, sorted(refused))


def _rows(chunk: Chunk, columns: dict[str, str]) -> list[tuple[int, dict[str, str]]]:
    """Number and cells of each row; a row without a symbol is left to be refused."""
    assert SYMBOL in columns
    spelt = [texts(chunk.rows.column(chunk.rows.schema.get_field_index(name))) for name in columns.values()]
    return [
        (number, dict(zip(columns, cells, strict=True)))
        for number, cells in zip(chunk.numbers.tolist(), zip(*spelt, strict=True), strict=True)
    ]
