"""How the result of a query is written: a table to look at, text for other programs, files for other engines.

Text in CSV that a spreadsheet would take for a formula (it begins with = + - @, a tab or a return) has an apostrophe in
front, which a spreadsheet shows as text. Numbers are left as they are, a decimal with all its digits; what has parts is
JSON in its cell. Columns of one name are all there: JSON calls them a, a_1 ..., as Parquet does.
"""

import csv
import shutil
import sys
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TextIO

import click
import msgspec

FORMS: Final = ("table", "csv", "json", "parquet", "arrow")
FILES: Final = ("parquet", "arrow")
"""What is no text."""

_SHOWN_MAX: Final = 100
"""Rows on a terminal, unless all are asked for."""

_TABLE_ROWS_MAX: Final = 10_000
"""DuckDB draws no longer tables."""

_BATCH_ROWS: Final = 100_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - the wide ones are read as the others
_JSON: Final = msgspec.json.Encoder(enc_hook=str, decimal_format="number")
_TIMES: Final = {
    "TIMESTAMP_NS": "#{place}::varchar",
    "TIMESTAMP WITH TIME ZONE": "make_timestamp(epoch_us(#{place}))::varchar",
}
"""How times of these types are told, which are UTC: Python's own end at microseconds, or want a package of time zones."""


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
            _write_file(result, form, temporary)
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)
    elif form in FILES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows"
            _write_file(result, form, path)
            with path.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
    elif form == "table":
        _show(result, is_whole=is_whole)
    else:
        _write_text(result, form, sys.stdout)


def _write_file(result: Any, form: str, path: Path) -> None:
    if form == "parquet":
        result.write_parquet(str(path), compression="zstd")
    elif form == "arrow":
        _write_arrow(result, path)
    else:
        with path.open("w", newline="" if form == "csv" else None, encoding="utf-8") as file:
            _write_text(result, form, file)


def _write_arrow(result: Any, path: Path) -> None:
    import pyarrow as pa

    reader = result.to_arrow_reader(_BATCH_ROWS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _write_text(result: Any, form: str, file: TextIO) -> None:
    if form == "json":
        file.write(f"{_as_json(result)}\n")
        return
    writer = csv.writer(file)
    writer.writerow([inert(name) for name in result.columns])
    for row in _rows(result):
        writer.writerow([inert(value) for value in row])


def inert(value: Any) -> Any:
    """What a cell of CSV holds: text that looks like a formula behind an apostrophe, what has parts as JSON, all else as it is."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, Decimal):
        return format(value, "f")
    return _JSON.encode(value).decode() if isinstance(value, dict | list | tuple) else value


def _show(result: Any, *, is_whole: bool) -> None:
    """A table; where it is not whole, its first rows and how many there are. A whole one begins anew every 10,000 rows."""
    kept = result.materialize()
    count, at_once = kept.shape[0], _TABLE_ROWS_MAX if is_whole else _SHOWN_MAX
    for start in range(0, max(count, 1) if is_whole else 1, at_once):
        kept.limit(at_once, start).show(max_rows=at_once, max_width=_width(), max_col_width=60)
    if not is_whole and count > at_once:
        click.echo(f"{at_once} of {count:,} rows; --all")


def _width() -> int:
    return shutil.get_terminal_size((200, 24)).columns if sys.stdout.isatty() else 1_000


def _rows(result: Any) -> list[tuple[Any, ...]]:
    """The rows as Python values, times that are UTC as texts."""
    types = [str(type_) for type_ in result.types]
    if set(types) & set(_TIMES):
        told = [
            f"replace({_TIMES[type_].format(place=place)}, ' ', 'T') || 'Z'" if type_ in _TIMES else f"#{place}"
            for place, type_ in enumerate(types, 1)
        ]
        result = result.project(", ".join(told))
    return result.fetchall()  # type: ignore[no-any-return]  # of a relation that is Any


def _as_json(result: Any) -> str:
    """One list of objects; what JSON has no word for (NaN, infinities) is null, times are texts."""
    names = _apart(result.columns)
    return _JSON.encode([dict(zip(names, row, strict=True)) for row in _rows(result)]).decode()


def _apart(names: Sequence[str]) -> list[str]:
    """Each name once: one that was there has _1 behind it."""
    told: list[str] = []
    for name in names:
        while name in told:
            name += "_1"  # noqa: PLW2901 - until nobody has it
        told.append(name)
    return told
