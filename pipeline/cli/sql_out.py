"""How the result of a query is shown on a terminal, or written (`warehouse.writing`)."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import click

from warehouse.writing import FILES, TEXTS, write_file, write_text

FORMS: Final = ("table", *TEXTS, *FILES)

_SHOWN_MAX: Final = 100
"""Rows on a terminal, unless all are asked for."""

_TABLE_ROWS_MAX: Final = 10_000
"""DuckDB draws no longer tables."""


def form_of(path: Path) -> str | None:
    """The form that a file's name says; None: it says none."""
    ending = path.suffix.removeprefix(".").lower()
    return ending if ending in FORMS[1:] else None


def write(result: Any, form: str, out: Path | None, *, is_whole: bool) -> None:
    """Write a relation of DuckDB to a file, there as a whole or not at all, or to standard output.

    `is_whole`: a table has every row. Raises duckdb.Error, for this is when the query runs, and OSError.
    """
    if out is not None:
        temporary = out.with_name(f".{out.name}.part")
        try:
            write_file(result, form, temporary)
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)
    elif form in FILES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows"
            write_file(result, form, path)
            with path.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
    elif form == "table":
        _show(result, is_whole=is_whole)
    else:
        write_text(result, form, sys.stdout)


def _show(result: Any, *, is_whole: bool) -> None:
    """A table; where it is not whole, its first rows and how many there are. A whole one begins anew every 10,000 rows."""
    kept = result.materialize()
    count, at_once = kept.shape[0], _TABLE_ROWS_MAX if is_whole else _SHOWN_MAX
    for start in range(0, max(count, 1) if is_whole else 1, at_once):
        kept.limit(at_once, start).show(max_rows=at_once, max_width=_width(), max_col_width=60)
    if told := zone_told(result):
        click.echo(told)
    if not is_whole and count > at_once:
        click.echo(f"{at_once} of {count:,} rows; --all")


def zone_told(result: Any) -> str:
    """By whose clock its moments are, where it has any: a table of DuckDB does not say."""
    return "times are UTC" if any(str(each).startswith("TIMESTAMP") for each in result.types) else ""


def _width() -> int:
    return shutil.get_terminal_size((200, 24)).columns if sys.stdout.isatty() else 1_000
