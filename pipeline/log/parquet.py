"""Parquet: sealed rows of one kind in one file, written so that any engine reads them and we can prove them.

The manifest holds the blake3 of the whole file and of each of its pieces: every row group and the footer. A file whose
bytes are not the sealed ones is never given to a Parquet library, which may read a damaged footer as anything, or
abort the process; a damaged row group is told from a sound one by its piece alone. Every page has a CRC as well, which
readers that care check while they decode.

Columns that never change stay in the file, so that any engine sees whole rows: run lengths make them cost nothing. The
footer names them and their values as well, so that our reader need not decode them: a fifth of the work on quotes.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3
from msgspec import json

from pipeline.block import Block, Column, Numbers, concat
from pipeline.codes import Kind
from pipeline.errors import CorruptError
from pipeline.events import FIELD_BY_NAME, LAYOUTS, Field
from pipeline.log.arrow import SCHEMAS, kind_of, numbers_of, packed_text, text_of, to_arrow
from pipeline.log.disk import Disk, RealDisk
from pipeline.log.encoding import options
from pipeline.log.manifest import Piece, SealedPart

ROW_GROUP_ROWS: Final = 131_072
_STATISTICS: Final = ("seq", "ts_event_ns", "ts_recv_ns", "instrument_id")
"""What filters prune by; statistics of the other columns would only make footers longer."""
_CONSTANT: Final = "tape.constant"
"""Key in the footer: a JSON object of the columns that hold one value in all rows."""
_GROUP_BLOCKS_MAX: Final = 16
"""Blocks of which a row group may be made as they are: each costs more than to copy some thousand rows."""
_HASHED_BYTES: Final = 1 << 20
_WRITTEN_BYTES: Final = 1 << 20
"""Gathered before they are written: Parquet comes in pieces of some ten bytes."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written and synced; its name is not durable yet."""

    size: int
    blake3: str
    pieces: tuple[Piece, ...]
    """Its row groups, then the footer, each from where the one before ends."""
    values: tuple[str, ...]
    """`digest_of` each row group."""

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return sum(piece.rows for piece in self.pieces)


class PartWriter:
    """Writes one kind's rows, given in (seq, ord) order, as row groups; memory stays at one group.

    Groups begin with so many rows and double up to ROW_GROUP_ROWS: small ones leave less to be written at the end.
    """

    def __init__(self, path: Path, kind: Kind, disk: Disk | None = None, *, first_rows: int = ROW_GROUP_ROWS) -> None:
        self.kind = kind
        self._group_rows = first_rows
        self._sink = _Sink(disk or RealDisk(), path)
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[Block] = []
        self._waiting_rows = 0
        self._pieces: list[Piece] = []
        self._values: list[str] = []
        self._constants: dict[str, int] = {}

    def write(self, block: Block) -> None:
        """Add rows. Raises OSError."""
        self._waiting.append(block)
        self._waiting_rows += len(block)
        while self._waiting_rows >= self._group_rows:
            self._write_group(self._group_rows)
            self._group_rows = min(2 * self._group_rows, ROW_GROUP_ROWS)

    def close(self) -> Written:
        """Write what waits and the footer, sync the file."""
        if self._waiting_rows or self._writer is None:
            self._write_group(self._waiting_rows)
        assert self._writer is not None
        self._writer.add_key_value_metadata({_CONSTANT: json.encode(self._constants, order="sorted").decode()})
        self._writer.close()
        self._pieces.append(self._sink.piece(0, 0, 0))
        self._sink.finish()
        return Written(self._sink.size, self._sink.hash.hexdigest(), tuple(self._pieces), tuple(self._values))

    def abandon(self) -> None:
        """Give the file up; it stays behind, unfinished."""
        self._sink.release()

    def _write_group(self, rows: int) -> None:
        group = self._taken(rows)
        if self._writer is None:
            self._writer = _open_writer(self._sink, max(group, key=len))
        if rows:
            table = pa.Table.from_batches([to_arrow(block) for block in group])
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            constants = _constants(group)
            self._constants = dict(constants.items() & self._constants.items()) if self._pieces else constants
            first_seq, last_seq = int(group[0].number("seq")[0]), int(group[-1].number("seq")[-1])
            self._pieces.append(self._sink.piece(rows, first_seq, last_seq))
            self._values.append(digest_of(*group))

    def _taken(self, rows: int) -> list[Block]:
        """The next rows, in few blocks: joined only when they came in many."""
        if len(self._waiting) > _GROUP_BLOCKS_MAX or not self._waiting:
            self._waiting = concat(self._waiting) or [Block.of(self.kind, 0)]
        *taken, last = self._waiting
        self._waiting_rows -= rows
        cut = len(last) - self._waiting_rows
        self._waiting = [last.slice(cut, len(last))] if self._waiting_rows else []
        return [*taken, last.slice(0, cut)]


class PartFile:
    """A sealed file of one kind, open for reading, whose footer at least was proved before.

    Raises FileNotFoundError, SchemaError for a layout this version does not know, CorruptError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # Neither mapped nor buffered ahead: memory stays at the column chunks of one row group.
            self._file = pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)
        except pa.ArrowException as error:
            raise CorruptError(path, 0, f"the footer can't be read: {_short(error)}") from None
        self.kind = kind_of(self._file.schema_arrow)

    @property
    def count_groups(self) -> int:
        """Row groups in the file."""
        return int(self._file.metadata.num_row_groups)

    def blocks(
        self,
        from_seq: int = 0,
        *,
        rows: int = ROW_GROUP_ROWS,
        columns: Sequence[str] | None = None,
        groups: Sequence[int] | None = None,
        decode_all: bool = False,
    ) -> Iterator[Block]:
        """Rows from that `seq` on, at most `rows` a block; all columns and row groups, or those named.

        Columns that the footer says are constant are repeated from it, unless `decode_all`.
        """
        chosen = range(self.count_groups) if groups is None else groups
        wanted = [group for group in chosen if self._last_seq(group) >= from_seq]
        if not wanted:
            return
        names = list(columns) if columns is not None else list(LAYOUTS[self.kind].names)
        repeated = {} if decode_all else self._repeated(names, min(rows, self._file.metadata.num_rows))
        decoded = [name for name in names if name not in repeated]
        with self._still_sound(wanted[0]):
            for batch in self._file.iter_batches(rows, row_groups=wanted, columns=decoded, use_threads=False):
                block = _block(batch, self.kind, names, repeated)
                start = int(np.searchsorted(block.number("seq"), from_seq))
                if start < len(block):
                    yield block.slice(start, len(block)) if start else block

    def times(self) -> tuple[int, int]:
        """The first and the last `ts_recv_ns` in it, as the footer has them."""
        groups = [self._file.metadata.row_group(group) for group in range(self.count_groups)]
        index = list(LAYOUTS[self.kind].names).index("ts_recv_ns")
        found = [group.column(index).statistics for group in groups]
        return min(int(each.min) for each in found), max(int(each.max) for each in found)

    def values(self) -> tuple[str, ...]:
        """`digest_of` each row group, as it reads now."""
        return tuple(self._digest(group) for group in range(self.count_groups))

    def _digest(self, group: int) -> str:
        names = list(LAYOUTS[self.kind].names)
        with self._still_sound(group):
            batches = self._file.iter_batches(ROW_GROUP_ROWS, row_groups=[group], columns=names, use_threads=False)
            return _digest_of_batch(next(batches), self.kind)

    @contextmanager
    def _still_sound(self, group: int) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            start = self._file.metadata.row_group(group).column(0).data_page_offset
            raise CorruptError(self.path, start, f"it was sound and is so no more: {_short(error)}") from None

    def _repeated(self, names: Sequence[str], rows: int) -> dict[str, Numbers]:
        """Those of these columns that hold one value in all rows, repeated, read-only; `seq` is always decoded."""
        constants = json.decode(
            (self._file.metadata.metadata or {}).get(_CONSTANT.encode(), b"{}"), type=dict[str, int]
        )
        types = {field.name: field.type for field in LAYOUTS[self.kind].fields[1:]}
        repeated = {
            name: np.full(rows, constants[name], types[name]) for name in names if name in constants.keys() & types
        }
        for column in repeated.values():
            column.flags.writeable = False
        return repeated

    def _last_seq(self, group: int) -> int:
        # `seq` is the first column of every layout.
        return int(self._file.metadata.row_group(group).column(0).statistics.max)


def prove(path: Path, part: SealedPart) -> None:
    """Check a sealed file, byte for byte, against its entry in the manifest. Raises CorruptError, FileNotFoundError."""
    size = path.stat().st_size
    if size != part.size:
        raise CorruptError(path, min(size, part.size), f"{size} bytes where the manifest says {part.size}")
    if file_hash(path) != part.blake3:
        damage = damaged_pieces(path, part)
        raise CorruptError(
            path, damage[0][0] if damage else 0, "; ".join(reason for _, reason in damage) or "other bytes"
        )


def damaged_pieces(path: Path, part: SealedPart) -> list[tuple[int, str]]:
    """Where each damaged piece of a file begins, and which rows it holds."""
    return [
        (start, f"seq {piece.first_seq}..{piece.last_seq}, {piece.rows} rows" if piece.rows else "the footer")
        for start, piece in pieces_with_starts(part)
        if not is_intact(path, start, piece)
    ]


def pieces_with_starts(part: SealedPart) -> list[tuple[int, Piece]]:
    """The pieces of a part, each with the byte at which it begins."""
    return list(zip([0, *(piece.end for piece in part.pieces)], part.pieces, strict=False))


def is_intact(path: Path, start: int, piece: Piece) -> bool:
    """Whether the bytes of a piece are the sealed ones."""
    with path.open("rb") as file:
        file.seek(start)
        return bytes_hash(file.read(piece.end - start)) == piece.blake3


def digest_of(*blocks: Block) -> str:
    """blake3 over the values of a kind's rows, column after column in the layout's order; text as its lengths, then its bytes."""
    hasher = blake3()
    for field in LAYOUTS[blocks[0].kind].fields:
        if field.is_fixed:
            for block in blocks:
                hasher.update(_bytes_of(block.number(field.name)))
        else:
            packed = [packed_text(block.text(field.name)) for block in blocks]
            for lengths, _ in packed:
                hasher.update(_bytes_of(lengths))
            for _, content in packed:
                hasher.update(content)
    return hasher.hexdigest()


def _digest_of_batch(batch: pa.RecordBatch, kind: Kind) -> str:
    """`digest_of` the rows of a batch, without making values of them. Raises ArrowInvalid for nulls."""
    hasher = blake3()
    for field in LAYOUTS[kind].fields:
        array = batch.column(field.name)
        if field.is_fixed:
            hasher.update(_bytes_of(_numbers(array, field)))
        else:
            lengths, content = text_of(array)
            hasher.update(_bytes_of(lengths))
            hasher.update(content)
    return hasher.hexdigest()


def file_hash(path: Path) -> str:
    """blake3 of the whole file. Raises OSError."""
    hasher = blake3()
    piece = memoryview(bytearray(_HASHED_BYTES))  # the same memory for each: fresh memory costs as much as hashing it
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            hasher.update(piece[:count])
    return hasher.hexdigest()


def bytes_hash(content: bytes) -> str:
    """blake3 of these bytes, as `file_hash` has it."""
    return blake3(content).hexdigest()


def _block(batch: pa.RecordBatch, kind: Kind, names: Sequence[str], repeated: Mapping[str, Numbers]) -> Block:
    """The rows of a batch, and beside its columns those that need not be decoded."""
    columns: dict[str, Column] = {}
    for name in names:
        known = repeated.get(name)
        columns[name] = known[: len(batch)] if known is not None else _column(batch.column(name), kind, name)
    return Block(kind, columns)


def _column(array: pa.Array, kind: Kind, name: str) -> Column:
    """An array's values; numbers share its memory. Raises ArrowInvalid for nulls, which no layout of numbers has."""
    field = FIELD_BY_NAME[kind][name]
    if not field.is_fixed:
        return array.to_pylist()  # type: ignore[no-any-return]  # pyarrow is untyped
    return _numbers(array, field)


def _numbers(array: pa.Array, field: Field) -> Numbers:
    """Raises ArrowInvalid for nulls."""
    if array.null_count:
        raise pa.ArrowInvalid(f"column {field.name!r} holds nulls")
    return numbers_of(array, field)


def _bytes_of(column: Numbers) -> memoryview:
    return np.ascontiguousarray(column).view(np.uint8).data


def _open_writer(sink: "_Sink", first: Block) -> pq.ParquetWriter:
    """A writer whose encodings are chosen by the first row group."""
    return pq.ParquetWriter(
        pa.PythonFile(sink, mode="w"),
        SCHEMAS[first.kind],
        write_statistics=list(_STATISTICS),
        write_page_checksum=True,
        sorting_columns=[pq.SortingColumn(0), pq.SortingColumn(1)],
        **options(first),
    )


def _constants(group: Sequence[Block]) -> dict[str, int]:
    """The integer columns that hold one value. Floats are left out: a NaN in JSON is nobody's number."""
    firsts = {
        name: column[0]
        for name, column in group[0].columns.items()
        if isinstance(column, np.ndarray) and column.dtype.kind == "i"
    }
    return {
        name: int(first)
        for name, first in firsts.items()
        if all((block.number(name) == first).all() for block in group)
    }


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


class _Sink(io.RawIOBase):
    """A file object over the disk's verbs, so that Parquet is written through the same port as the journal."""

    def __init__(self, disk: Disk, path: Path) -> None:
        super().__init__()
        self.size = 0
        self.hash = blake3()
        self._piece = blake3()
        self._disk = disk
        self._fd = disk.create(path)
        self._gathered = bytearray()

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes written."""
        return self.size

    def write(self, content: Any) -> int:
        """Append all of the content."""
        view = memoryview(content).cast("B")
        self.hash.update(view)
        self._piece.update(view)
        self.size += len(view)
        self._gathered += view
        if len(self._gathered) >= _WRITTEN_BYTES:
            self._put()
        return len(view)

    def piece(self, rows: int, first_seq: int, last_seq: int) -> Piece:
        """End a piece of the file here: these rows, or the footer."""
        digest, self._piece = self._piece.hexdigest(), blake3()
        return Piece(end=self.size, blake3=digest, rows=rows, first_seq=first_seq, last_seq=last_seq)

    def finish(self) -> None:
        """Make the content durable and let go of the file."""
        self._put()
        self._disk.sync(self._fd)
        self.release()

    def _put(self) -> None:
        self._disk.write(self._fd, self._gathered)
        self._gathered = bytearray()

    def release(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            self._disk.close(self._fd)
            self._fd = -1
