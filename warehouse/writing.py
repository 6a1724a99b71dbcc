"""Writing: the result of a query as text for other programs, and as files for other engines.

Text in CSV that a spreadsheet would take for a formula (it begins with = + - @, a tab or a return) has an apostrophe in
front, which a spreadsheet shows as text. Numbers are left as they are, a decimal with all its digits; what has parts is
JSON in its cell. Columns of one name are all there: JSON calls them a, a_1 ..., as Parquet does.
"""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec
import pyarrow as pa

TEXTS: Final = ("csv", "json")
FILES: Final = ("parquet", "arrow")
"""What is no text."""

_BATCH_ROWS: Final = 100_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - the wide ones are read as the others
_JSON: Final = msgspec.json.Encoder(enc_hook=str, decimal_format="number")
_TIMES: Final = {
    "TIMESTAMP_NS": "#{place}::varchar",
    "TIMESTAMP WITH TIME ZONE": "make_timestamp(epoch_us(#{place}))::varchar",
}
"""How times of these types are told, which are UTC: Python's own end at microseconds, or want a package of time zones."""


def write_file(result: Any, form: str, path: Path) -> None:
    """Write a relation of DuckDB to a file in one of these forms. Raises duckdb.Error, for this is when the query runs, and OSError."""
    if form == "parquet":
        result.write_parquet(str(path), compression="zstd")
    elif form == "arrow":
        _write_arrow(result, path)
    else:
        with path.open("w", newline="" if form == "csv" else None, encoding="utf-8") as file:
            write_text(result, form, file)


def _write_arrow(result: Any, path: Path) -> None:
    reader = result.to_arrow_reader(_BATCH_ROWS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def write_text(result: Any, form: str, file: TextIO) -> None:
    """Write a relation as CSV or JSON. Raises as `write_file` does."""
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
    names = apart(result.columns)
    return _JSON.encode([dict(zip(names, row, strict=True)) for row in _rows(result)]).decode()


def apart(names: Sequence[str]) -> list[str]:
    """Each name once: one that was there has _1 behind it."""
    told: list[str] = []
    for name in names:
        while name in told:
            name += "_1"  # noqa: PLW2901 - until nobody has it
        told.append(name)
    return told
