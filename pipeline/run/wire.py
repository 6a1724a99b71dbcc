"""Wire: what the shell and the process that folds recorded code say to each other over pipes.

A batch is a count of blocks, and per block its kind, its length and an Arrow stream; where a batch may stand, a count
that no batch has asks for something else. A packet is a length and that many bytes. It ends where the pipe does.
"""

import struct
from collections.abc import Sequence
from io import BytesIO
from typing import Any, BinaryIO, Final

import pyarrow as pa

from pipeline.block import Blocks
from pipeline.codes import Kind
from pipeline.log.arrow import from_arrow, to_arrow

HASHES: Final = 0xFFFF_FFFF
"""Give the hashes, a line of JSON."""

CARRIED: Final = 0xFFFF_FFFE
"""Give what another session would begin with, a line of JSON."""

OUTLINE: Final = 0xFFFF_FFFD
"""Give the outline of the state, a line of JSON."""

FREEZE: Final = 0xFFFF_FFFC
"""Give the state as a packet."""

THAW: Final = 0xFFFF_FFFB
"""Go on from the state in the packet that follows."""

BLOCKS_MAX: Final = 0xFFFF
"""A larger count asks for something."""

_COUNT: Final = struct.Struct("<I")
_BLOCK: Final = struct.Struct("<IQ")
_LENGTH: Final = struct.Struct("<Q")


def ask(pipe: BinaryIO, question: int) -> None:
    """Ask for one of the above."""
    pipe.write(_COUNT.pack(question))
    pipe.flush()


def read_count(pipe: BinaryIO) -> int | None:
    """How many blocks follow, or what is asked; None at the pipe's end."""
    packed = pipe.read(_COUNT.size)
    return int(_COUNT.unpack(packed)[0]) if len(packed) == _COUNT.size else None


def write_batch(pipe: BinaryIO, batch: Sequence[Any]) -> None:
    """Put blocks on a pipe."""
    pipe.write(_COUNT.pack(len(batch)))
    for block in batch:
        sink = pa.BufferOutputStream()
        record_batch = to_arrow(block)
        with pa.ipc.new_stream(sink, record_batch.schema) as stream:
            stream.write_batch(record_batch)
        payload = sink.getvalue()
        pipe.write(_BLOCK.pack(block.kind, payload.size))
        pipe.write(payload)
    pipe.flush()


def read_batch(pipe: BinaryIO) -> Blocks:
    """Blocks from a pipe. Raises EOFError when it closes early."""
    return read_blocks(pipe, *_COUNT.unpack(_exactly(pipe, _COUNT.size)))


def read_blocks(pipe: BinaryIO, count: int) -> Blocks:
    """The blocks of a batch whose count was read. Raises EOFError when the pipe closes early."""
    batch = []
    for _ in range(count):
        kind, length = _BLOCK.unpack(_exactly(pipe, _BLOCK.size))
        table = pa.ipc.open_stream(pa.py_buffer(_exactly(pipe, length))).read_all()
        batch.append(from_arrow(table, Kind(kind)))
    return batch


def as_bytes(batch: Sequence[Any]) -> bytes:
    """A batch as it would go over a pipe."""
    pipe = BytesIO()
    write_batch(pipe, batch)
    return pipe.getvalue()


def from_bytes(content: bytes) -> Blocks:
    """The batch again. Raises EOFError for too few bytes."""
    return read_batch(BytesIO(content))


def write_line(pipe: BinaryIO, line: bytes) -> None:
    """Put a line on a pipe."""
    pipe.write(line + b"\n")
    pipe.flush()


def read_line(pipe: BinaryIO) -> bytes:
    """A line from a pipe. Raises EOFError when it closes early."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line


def write_packet(pipe: BinaryIO, content: bytes) -> None:
    """Put bytes on a pipe."""
    pipe.write(_LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def read_packet(pipe: BinaryIO) -> bytes:
    """Bytes from a pipe. Raises EOFError when it closes early."""
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    return _exactly(pipe, length)


def _exactly(pipe: BinaryIO, count: int) -> bytes:
    content = pipe.read(count)
    if len(content) != count:
        raise EOFError
    return content
