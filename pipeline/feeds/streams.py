"""Byte streams of files, plain, gzip or zstd: everything before a cut or a damaged block is given, then what is wrong."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from pipeline.errors import FeedError

_COMPRESSION_BY_MAGIC: Final = {b"\x28\xb5\x2f\xfd": "zstd", b"\x1f\x8b": "gzip"}
_PIECE_BYTES: Final = 4_096
"""How close to a damaged place a second reading goes."""

LINE_BYTES_MAX: Final = 64 << 20
"""A longer line is no line of a capture: a full book snapshot has some megabytes."""


def compression_of(path: Path) -> str | None:
    """`zstd`, `gzip` or None for plain bytes, by content. Raises FeedError when the file can't be opened."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise FeedError(path, "open", error.strerror or str(error)) from None
    return next((name for known, name in _COMPRESSION_BY_MAGIC.items() if magic.startswith(known)), None)


class ByteStream:
    """The plain bytes of a file. `problem` says why they ended, when they did not end by themselves."""

    def __init__(self, path: Path, compression: str | None) -> None:
        self.problem = ""
        self._path = path
        self._compression = compression
        self._position = 0
        self._source = self._reopened()

    def close(self) -> None:
        """Give the file back."""
        self._source.close()

    def read(self, count: int) -> bytes:
        """The next `count` bytes; fewer at the end, and none after it or after a problem."""
        if self.problem:
            return b""
        try:
            chunk = self._source.read(count)
        except (OSError, zlib.error, EOFError) as error:
            self.problem = f"damaged or cut compressed data: {' '.join(str(error).split())}"
            chunk = self._read_to_the_damage(count)
        self._position += len(chunk)
        return bytes(chunk)

    def lines(self) -> Iterator[bytes]:
        """Lines without their end. The last piece of a damaged stream is no line and is left out."""
        rest = b""
        while chunk := self.read(1 << 20):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > LINE_BYTES_MAX:
                self.problem = f"a line of more than {LINE_BYTES_MAX} bytes"
        if rest and not self.problem:
            yield rest

    def _reopened(self) -> Any:
        return pa.input_stream(str(self._path), compression=self._compression, buffer_size=1 << 16)

    def _read_to_the_damage(self, count: int) -> bytes:
        """The bytes in front of the damage: a failed read gives none of what it had unpacked, so read again in small pieces."""
        self._source.close()
        self._source = self._reopened()
        pieces: list[bytes] = []
        try:
            left = self._position
            while left:
                left -= len(self._source.read(min(left, 1 << 20)))
            while count > 0:
                pieces.append(self._source.read(min(count, _PIECE_BYTES)))
                count -= _PIECE_BYTES
        except (OSError, zlib.error, EOFError):
            pass
        return b"".join(pieces)


def is_sound(path: Path) -> bool:
    """Whether compressed bytes unpack to their end and to their checksum, in one pass; plain ones have nothing to prove.

    Raises FeedError when the file can't be opened.
    """
    if compression_of(path) is None:
        return True
    with opened(path) as stream:
        while stream.read(1 << 20):
            pass
        return not stream.problem


@contextmanager
def opened(path: Path) -> Iterator[ByteStream]:
    """The file's plain bytes. Raises FeedError when it can't be opened."""
    compression = compression_of(path)
    try:
        stream = ByteStream(path, compression)
    except OSError as error:
        raise FeedError(path, "open", str(error)) from None
    try:
        yield stream
    finally:
        stream.close()
