"""Mapped: rows of one kind as a folder of Arrow files, one a column, that are read by mapping them.

A column is one record batch, so its values lie in one piece at one place of the file: a stretch of rows is a window of
the map, without decoding and without a copy. A file a column, because whoever asks for three columns then maps, proves
and keeps in memory three. Columns that hold one value have no file. Any Arrow library can read the others.

Each file's values have their blake3 in a `ColumnFile`, which whoever keeps the folder keeps as well.
"""

import io
import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import numpy as np
import pyarrow as pa
from blake3 import blake3

from pipeline.block import Block, Numbers
from pipeline.codes import Kind
from pipeline.errors import CorruptError
from pipeline.events import FIELD_BY_NAME, LAYOUTS
from pipeline.log.arrow import SCHEMAS

SUFFIX: Final = ".arrow"
MAPPABLE: Final = frozenset(kind for kind, layout in LAYOUTS.items() if layout.is_fixed)
"""Kinds of which every column is numbers. The others hold text: few rows, or bytes that nothing reads in a loop."""

_PROVED_BYTES: Final = 8 << 20
_READING: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class ColumnFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column's file: where its values begin, and what they hash to."""

    offset: int
    """Byte at which the first value stands."""
    size: int
    """Bytes of the whole file."""
    blake3: str
    """Of the values alone."""


class KindFiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind's rows: a file a column, or the one value that all its rows hold."""

    rows: int
    first_seq: int
    last_seq: int
    columns: dict[str, ColumnFile]
    constants: dict[str, str]
    """The bytes of the value, hexadecimal, little endian: a NaN is this NaN."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(column.size for column in self.columns.values())


class KindWriter:
    """Writes the rows of one kind, given in `seq` order, into a folder that must not be there yet.

    A column gets its file with the first value that differs from the one before; until then it is a constant.
    """

    def __init__(self, folder: Path, kind: Kind) -> None:
        """Raises FileExistsError."""
        folder.mkdir()
        self.written_bytes = 0
        self._folder = folder
        self._kind = kind
        self._rows = 0
        self._seqs = (0, 0)
        self._constants: dict[str, Numbers] = {}
        self._files: dict[str, _ColumnWriter] = {}

    def write(self, block: Block) -> None:
        """Add rows. Raises OSError."""
        if not len(block):
            return
        for name in LAYOUTS[self._kind].names:
            self._write_column(name, block.number(name))
        seq = block.number("seq")
        self._seqs = (self._seqs[0] if self._rows else int(seq[0]), int(seq[-1]))
        self._rows += len(block)

    def close(self) -> KindFiles:
        """Finish all files. Nothing is synced: what a crash leaves is found out by its hash. Raises OSError."""
        return KindFiles(
            rows=self._rows,
            first_seq=self._seqs[0],
            last_seq=self._seqs[1],
            columns={name: file.close() for name, file in self._files.items()},
            constants={name: value.tobytes().hex() for name, value in self._constants.items()},
        )

    def abandon(self) -> None:
        """Let go of the files, unfinished."""
        for file in self._files.values():
            file.release()

    def _write_column(self, name: str, column: Numbers) -> None:
        if name not in self._files:
            value = self._constants.setdefault(name, column[:1].copy())
            if (_bits(column) == _bits(value)).all():
                return
            del self._constants[name]
            self._files[name] = _ColumnWriter(self._folder / (name + SUFFIX), self._kind, name)
            self.written_bytes += self._files[name].repeat(value, self._rows)
        self.written_bytes += self._files[name].write(column)


class MappedKind:
    """The rows of a folder that a `KindWriter` wrote; closed by `with`. Arrays given out outlive it.

    Raises OSError when a file is not there, CorruptError when one does not have its size.
    """

    def __init__(self, folder: Path, kind: Kind, files: KindFiles, names: Iterable[str] | None = None) -> None:
        """`names` are the columns to open, all by default; `seq` is always one of them."""
        chosen = set(LAYOUTS[kind].names if names is None else names) | {"seq"}
        self.names: Final = [name for name in LAYOUTS[kind].names if name in chosen]
        self.kind = kind
        self.files = files
        self._folder = folder
        self._opened: dict[str, int] = {}
        self._repeated: dict[str, Numbers] = {}
        try:
            for name in self.names:
                if name in files.columns:
                    self._opened[name] = self._open(name, files.columns[name])
        except BaseException:
            self.close()
            raise
        self._seq = self._column("seq", 0, files.rows)

    def block(self, start: int, stop: int) -> Block:
        """These rows, as read-only views of the files. Each block maps its own stretch: what was passed is given back."""
        return Block(self.kind, {name: self._column(name, start, stop) for name in self.names})

    def row_of(self, seq: int) -> int:
        """The first row whose `seq` is not smaller."""
        return int(np.searchsorted(self._seq, seq))

    def unproved(self, proved: dict[str, list[int]]) -> dict[str, list[int]]:
        """The identity of each file opened, by name, where it is not the one under which it was proved."""
        identities = {f"{self._folder.name}/{name}": _identity(fd) for name, fd in self._opened.items()}
        return {name: identity for name, identity in identities.items() if proved.get(name) != identity}

    def prove(self, names: Sequence[str]) -> None:
        """Compare the values in these files with their hashes. Raises CorruptError."""
        for name in (name.rpartition("/")[2] for name in names):
            hasher = blake3(max_threads=blake3.AUTO)
            rows = max(_PROVED_BYTES // self._type(name).itemsize, 1)
            for start in range(0, self.files.rows, rows):
                hasher.update(_bytes(self._column(name, start, min(start + rows, self.files.rows))))
            if hasher.hexdigest() != self.files.columns[name].blake3:
                raise CorruptError(self._path(name), 0, "holds other values than were written")

    def close(self) -> None:
        """Let go of the files."""
        while self._opened:
            os.close(self._opened.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, name: str, file: ColumnFile) -> int:
        fd = os.open(self._path(name), _READING)
        size = os.fstat(fd).st_size
        # What is mapped must be there: a read behind a file's end kills the process.
        if size != file.size or size < file.offset + self.files.rows * self._type(name).itemsize:
            os.close(fd)
            raise CorruptError(self._path(name), min(size, file.size), f"{size} bytes where {file.size} were written")
        return fd

    def _column(self, name: str, start: int, stop: int) -> Numbers:
        if name not in self._opened:
            return self._constant(name, stop - start)
        type_, count = self._type(name), stop - start
        if not count:
            return np.empty(0, type_)
        begin = self.files.columns[name].offset + start * type_.itemsize
        before = begin % mmap.ALLOCATIONGRANULARITY
        length = before + count * type_.itemsize
        mapped = mmap.mmap(self._opened[name], length, access=mmap.ACCESS_READ, offset=begin - before)
        return np.frombuffer(mapped, type_, count, before)

    def _constant(self, name: str, count: int) -> Numbers:
        """The value repeated, the same memory for every block."""
        if len(self._repeated.get(name, ())) < count:
            value = np.frombuffer(bytes.fromhex(self.files.constants[name]), self._type(name))
            # Most constants are zero, and zeros take no memory before they are touched.
            self._repeated[name] = np.full(count, value[0]) if _bits(value)[0] else np.zeros(count, value.dtype)
            self._repeated[name].flags.writeable = False
        return self._repeated[name][:count]

    def _type(self, name: str) -> np.dtype[Any]:
        return np.dtype(FIELD_BY_NAME[self.kind][name].type)

    def _path(self, name: str) -> Path:
        return self._folder / (name + SUFFIX)


class _ColumnWriter:
    """An Arrow file of one column whose number of rows is known at its end."""

    def __init__(self, path: Path, kind: Kind, name: str) -> None:
        schema = SCHEMAS[kind]
        self._schema = pa.schema([schema.field(name)], metadata=schema.metadata)
        self._type = np.dtype(FIELD_BY_NAME[kind][name].type)
        self._offset = len(_around(self._schema, self._type, 1)[0])
        self._hash = blake3()
        self._rows = 0
        self._file = path.open("xb", buffering=0)
        self._file.seek(self._offset)

    def write(self, column: Numbers) -> int:
        """Append values; how many bytes they took."""
        content = left = _bytes(column)
        self._hash.update(content)
        while left:
            left = left[self._file.write(left) :]
        self._rows += len(column)
        return content.nbytes

    def repeat(self, value: Numbers, count: int) -> int:
        """Append the same value so many times."""
        pieces = (min(_REPEATED_ROWS, count - start) for start in range(0, count, _REPEATED_ROWS))
        return sum(self.write(np.repeat(value, rows)) for rows in pieces)

    def close(self) -> ColumnFile:
        """Put around the values what makes them an Arrow file."""
        head, tail = _around(self._schema, self._type, self._rows)
        assert len(head) == self._offset  # numbers in it are as wide as they were for one row
        self._file.write(tail)
        size = self._file.tell()
        self._file.seek(0)
        self._file.write(head)
        self.release()
        return ColumnFile(self._offset, size, self._hash.hexdigest())

    def release(self) -> None:
        """Let go of the file."""
        self._file.close()


_REPEATED_ROWS: Final = 131_072


def _around(schema: pa.Schema, type_: np.dtype[Any], rows: int) -> tuple[bytes, bytes]:
    """What stands in an Arrow file before and behind the values of one column of so many rows.

    Written by Arrow itself, around memory that nobody touches.
    """
    untouched = mmap.mmap(-1, rows * type_.itemsize)
    array = pa.Array.from_buffers(schema.field(0).type, rows, [None, pa.py_buffer(memoryview(untouched))])
    sink = _Around()
    with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), schema) as file:
        file.write_batch(pa.RecordBatch.from_arrays([array], schema=schema))
    return bytes(sink.before), bytes(sink.behind)


class _Around(io.RawIOBase):
    """Keeps what Arrow writes of its own and passes over the values, which it hands on as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.before = bytearray()
        self.behind = bytearray()
        self._size = 0
        self._is_behind = False

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes written."""
        return self._size

    def write(self, content: Any) -> int:
        """Keep bytes, count a buffer."""
        if isinstance(content, pa.Buffer):
            self._is_behind = True
            size = int(content.size)
        else:
            kept = self.behind if self._is_behind else self.before
            kept += content
            size = len(content)
        self._size += size
        return size


def _bits(column: Numbers) -> Numbers:
    """The same values as unsigned integers: a NaN equals itself, and -0.0 is not 0.0."""
    return column.view(f"u{column.dtype.itemsize}")


def _bytes(column: Numbers) -> memoryview:
    return np.ascontiguousarray(column).view(np.uint8).data


def _identity(fd: int) -> list[int]:
    """What changes with any write through the file system: nobody can set a file's change time."""
    status = os.fstat(fd)
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
