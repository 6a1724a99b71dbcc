"""Proved: small JSON files that carry the hash of their own text on the first line."""

from pathlib import Path
from typing import TypeVar

import msgspec
from blake3 import blake3

from pipeline.errors import CorruptError
from pipeline.log.disk import Disk, publish

T = TypeVar("T")


def encoded(content: msgspec.Struct) -> bytes:
    """The file's bytes."""
    text = msgspec.json.encode(content, order="deterministic")
    return blake3(text).hexdigest().encode() + b"\n" + text


def write_first(disk: Disk, folder: Path, name: str, content: msgspec.Struct) -> None:
    """Make a folder with its first file, unless that stands there already; durable when this returns. Raises OSError."""
    disk.make_folder(folder)
    if name not in disk.names(folder):
        publish(disk, folder / name, encoded(content))
        disk.sync_folder(folder.parent)


def read(path: Path, type_: type[T]) -> T:
    """What such a file holds. Raises OSError, CorruptError when a byte is not as it was written."""
    digest, _, text = path.read_bytes().partition(b"\n")
    if blake3(text).hexdigest().encode() != digest:
        raise CorruptError(path, 0, "the text does not have the hash in front of it")
    try:
        return msgspec.json.decode(text, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptError(path, 0, str(error)) from None
