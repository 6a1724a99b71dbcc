"""Files that hold tables, opened by content: CSV (plain, gzip, zstd), Parquet, Arrow and Feather."""

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from pipeline.block import Numbers
from pipeline.errors import FeedError
from pipeline.feeds.streams import ByteStream, opened

_BLOCK_BYTES: Final = 1 << 20
_HEADER_BYTES_MAX: Final = 1 << 16
_ROWS_AT_ONCE: Final = 32_768
_PARQUET_MAGIC: Final = b"PAR1"
_ARROW_MAGIC: Final = b"ARROW1"
_STRAY_BYTES: Final = re.compile("[\udc80-\udcff]")


BadRow = tuple[int, str]
"""Number and reason of a line that had another number of values than the header, and so did not come to be a row."""


class Chunk(NamedTuple):
    """Some rows of a table."""

    rows: pa.RecordBatch
    numbers: Numbers
    """(n,) int64: each row's number in the file, from 1, bad ones counted."""
    bad_rows: list[BadRow]
    """Those in front of the last row that no chunk before had."""


class Table:
    """A table being read. `problem` says why its rows ended, when they did not end by themselves."""

    def __init__(self, names: list[str], batches: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        self.names = names
        self.problem = ""
        self.bad_rows: list[BadRow] = []
        """Those met that no chunk has had yet: reading goes ahead of the chunks."""
        self.next_row = 1
        """Number of the row behind the last chunk."""
        self._batches = batches

    def chunks(self, row_count: int) -> Iterator[Chunk]:
        """The rows, up to so many at once; what comes before damage is given."""
        batches = self._batches()
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowInvalid, OSError, pa.ArrowNotImplementedError, pa.ArrowKeyError) as error:
                self.problem = " ".join(str(error).split())
                return
            if batch is None:
                return
            for start in range(0, len(batch), row_count):
                yield self._numbered(batch.slice(start, row_count))

    def _numbered(self, rows: pa.RecordBatch) -> Chunk:
        """The rows with their numbers, which are those that no bad row has."""
        bad = np.array([number for number, _ in self.bad_rows], np.int64)
        numbers = np.arange(self.next_row, self.next_row + len(rows) + len(bad))
        numbers = numbers[~np.isin(numbers, bad)][: len(rows)] if len(bad) else numbers
        self.next_row = int(numbers[-1]) + 1
        count = int(np.searchsorted(bad, self.next_row))
        taken, self.bad_rows = self.bad_rows[:count], self.bad_rows[count:]
        return Chunk(rows, numbers, taken)


@contextmanager
def opened_table(path: Path) -> Iterator[Table]:
    """The table in a file. Raises FeedError when its header can't be read."""
    with opened(path) as stream:
        head = stream.read(_HEADER_BYTES_MAX)
        problem = stream.problem
    try:
        if head.startswith(_PARQUET_MAGIC):
            with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
                yield Table(_names_of(parquet.schema_arrow), lambda: parquet.iter_batches(_ROWS_AT_ONCE))
        elif head.startswith(_ARROW_MAGIC):
            with pa.ipc.open_file(pa.memory_map(str(path))) as arrow:
                yield Table(
                    _names_of(arrow.schema), lambda: (arrow.get_batch(i) for i in range(arrow.num_record_batches))
                )
        else:
            names = _csv_names(head, path, problem)
            with opened(path) as stream:
                yield _csv_table(_WholeLines(stream), names)
    except (pa.ArrowInvalid, OSError, pa.ArrowNotImplementedError, UnicodeDecodeError) as error:
        raise FeedError(path, "header", " ".join(str(error).split())) from None


def _names_of(schema: pa.Schema) -> list[str]:
    """Names of the columns. Raises UnicodeDecodeError where one, or the zone of a column's times, is no text."""
    for type_ in schema.types:
        getattr(type_, "tz", None)
    return list(schema.names)


def _csv_names(head: bytes, path: Path, problem: str) -> list[str]:
    line = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0]
    try:
        names = next(csv.reader([line.decode()]), [])
    except (UnicodeDecodeError, csv.Error):
        names = []
    if not names or len(line) == _HEADER_BYTES_MAX:
        raise FeedError(path, "header", problem or "this is no table: its first line holds no names")
    if len(set(names)) < len(names):
        raise FeedError(path, "header", f"two columns have one name: {', '.join(names)[:200]}")
    return names


class _WholeLines:
    """A stream of lines as a file to read from: when it breaks off, the line it broke in is not given."""

    closed = False

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._held = b""

    def read(self, count: int) -> bytes:
        """Up to `count` bytes of whole lines; part of a line only when it is longer than that, or the last one."""
        while len(self._held) < count and (chunk := self.stream.read(count)):
            self._held += chunk
        end = self._held.rfind(b"\n", 0, count) + 1
        if not end and not self.stream.problem:
            end = count
        given, self._held = self._held[:end], self._held[end:]
        return _readable_text(given)

    def close(self) -> None:
        """The stream is closed by who opened it."""


def _readable_text(lines: bytes) -> bytes:
    """The lines with each byte that is no UTF-8 replaced by one that is in no number and no symbol."""
    try:
        lines.decode()
    except UnicodeDecodeError:
        return _STRAY_BYTES.sub("\x1a", lines.decode("utf-8", "surrogateescape")).encode()
    return lines


def _csv_table(source: _WholeLines, names: list[str]) -> Table:
    """A CSV whose values stay as they are written: numbers and times are made of them exactly, later."""

    def skipped(row: Any) -> str:
        # One thread reads, so that rows are counted; the header is the first.
        table.bad_rows.append(
            (row.number - 1, f"{row.actual_columns} values where the header has {row.expected_columns}")
        )
        return "skip"

    def batches() -> Iterator[pa.RecordBatch]:
        yield from pacsv.open_csv(
            source,
            read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=1),
            parse_options=pacsv.ParseOptions(invalid_row_handler=skipped),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
        table.problem = source.stream.problem

    table = Table(names, batches)
    return table
