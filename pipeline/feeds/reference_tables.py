"""Tables of a person's own, reference data and lists of picks: CSV, Parquet and Arrow files, as facts."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.errors import FeedError, UnitError
from pipeline.feeds.columns import texts
from pipeline.feeds.table_files import Chunk, Table, opened_table
from pipeline.normalize.picks import pick_columns_of, pick_of_row
from pipeline.normalize.reference import SHARES_VENUE, Fact
from pipeline.normalize.reference_tables import columns_of, facts_of_row

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
    read = partial(facts_of_row, provider=provider, as_of_ns=as_of_ns, known_at_ns=known_at_ns, venue=venue)
    return _read(path, partial(columns_of, mapping=mapping), read)


def read_picks(path: Path, *, provider: str, mapping: str = "", venue: str = SHARES_VENUE) -> TableFacts:
    """The picks of a person's lists. Raises as `read_reference_table` does."""

    def read(cells: Mapping[str, str]) -> list[Fact]:
        return [pick_of_row(cells, provider=provider, venue=venue)]

    return _read(path, partial(pick_columns_of, mapping=mapping), read)


def _read(
    path: Path, columns_of: Callable[[Sequence[str]], dict[str, str]], read: Callable[[Mapping[str, str]], list[Fact]]
) -> TableFacts:
    facts: list[Fact] = []
    refused: list[tuple[int, str]] = []
    row_count = 0
    with opened_table(path) as table:
        try:
            columns = columns_of(table.names)
        except UnitError as error:
            raise FeedError(path, "header", str(error)) from None
        for number, cells in _rows(table, columns, refused):
            row_count += 1
            try:
                facts += read(cells)
            except UnitError as error:
                refused.append((number, str(error)))
        if table.problem:
            raise FeedError(path, f"row {table.next_row}", table.problem)
    if 2 * len(refused) > row_count:
        reason, _ = Counter(reason for _, reason in refused).most_common(1)[0]
        raise FeedError(path, f"row {refused[0][0]}", f"{reason} ({len(refused)} of {row_count} rows can't be read)")
    ignored = [name for name in table.names if name not in columns.values()]
    return TableFacts(facts, columns, ignored, sorted(refused))


def _rows(
    table: Table, columns: dict[str, str], refused: list[tuple[int, str]]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells of each row; lines that never came to be a row are added to those refused."""
    for chunk in table.chunks(_ROWS_AT_ONCE):
        refused += chunk.bad_rows
        yield from _numbered(chunk, columns)
    refused += table.bad_rows


def _numbered(chunk: Chunk, columns: dict[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    spelt = [texts(chunk.rows.column(chunk.rows.schema.get_field_index(name))) for name in columns.values()]
    for number, cells in zip(chunk.numbers.tolist(), zip(*spelt, strict=True), strict=True):
        yield number, dict(zip(columns, cells, strict=True))
