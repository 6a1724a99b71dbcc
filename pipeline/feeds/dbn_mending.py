"""Mending: what is whole of a DBN file whose download was cut.

Records come in order of their index time. Those at the last time seen may be some of several, so they are left out, and
the rest is asked for from that time on: every record once, none twice.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from pipeline.block import Numbers
from pipeline.errors import FeedError
from pipeline.feeds.streams import ByteStream, opened
from pipeline.normalize.databento_records import Run, runs
from pipeline.normalize.databento_words import metadata_of

_CHUNK_BYTES: Final = 1 << 22
_METADATA_BYTES_MAX: Final = 1 << 28


class Look(NamedTuple):
    """What was found in a file. `is_whole`: it ends where a record does, and its compression is sound to its end."""

    is_whole: bool
    records: int
    kept_records: int
    """Those in front of the first at the last time."""
    kept_bytes: int
    """Plain bytes in front of it, the header's included."""
    last_ns: int
    """Index time of the last record, UTC nanoseconds; 0 when there is none."""


def look_at(path: Path) -> Look:
    """Read a DBN file to its end, or to where it is cut. Raises FeedError when its header or its records can't be read."""
    with opened(path) as stream:
        header = _header(stream)
        if header is None:
            return Look(is_whole=False, records=0, kept_records=0, kept_bytes=0, last_ns=0)
        kept = Look(is_whole=True, records=0, kept_records=0, kept_bytes=len(header), last_ns=0)
        position, rest = len(header), b""
        try:
            ts_out = bool(metadata_of(header).ts_out)
        except ValueError as error:
            raise FeedError(path, "header", f"metadata can't be read: {error}") from None
        while chunk := stream.read(_CHUNK_BYTES):
            buffer = rest + chunk
            end = 0
            for run in _sound_runs(path, buffer, ts_out=ts_out):
                kept = _behind(kept, run, position + end)
                end = run.end
            rest = buffer[end:]
            position += end
        return kept._replace(is_whole=not stream.problem and not rest)


def keep_front(path: Path, look: Look, target: Path) -> None:
    """Write what comes in front of the last time into a file of its own. Raises OSError."""
    left = look.kept_bytes
    with opened(path) as stream, pa.CompressedOutputStream(str(target), "zstd") as out:
        while left and (chunk := stream.read(min(left, _CHUNK_BYTES))):
            out.write(chunk)
            left -= len(chunk)
    assert not left, f"{path}: {left} bytes fewer than a moment ago"


def _header(stream: ByteStream) -> bytes | None:
    """The metadata in front of the records; None when it is cut, or no DBN."""
    prelude = stream.read(8)
    length = int.from_bytes(prelude[4:], "little")
    if len(prelude) < 8 or prelude[:3] != b"DBN" or length > _METADATA_BYTES_MAX:
        return None
    body = stream.read(length)
    return prelude + body if len(body) == length else None


def _sound_runs(path: Path, buffer: bytes, *, ts_out: bool) -> Iterator[Run]:
    for run in runs(buffer, ts_out=ts_out):
        if run.problem:
            raise FeedError(path, "records", run.problem)
        yield run


def _behind(look: Look, run: Run, start: int) -> Look:
    """What is known behind a run that begins at this plain byte."""
    times = _index_times(run)
    count, last_ns = len(times), int(times[-1])
    if last_ns == look.last_ns:
        return look._replace(records=look.records + count)
    first = int((times == last_ns).argmax())
    return Look(
        is_whole=True,
        records=look.records + count,
        kept_records=look.records + first,
        kept_bytes=start + first * run.records.dtype.itemsize,
        last_ns=last_ns,
    )


def _index_times(run: Run) -> Numbers:
    """What a request's range is by: the receive time where there is one, else the event time."""
    names = run.records.dtype.names or ()
    return run.records["ts_recv" if "ts_recv" in names else "ts_event"].astype("i8")
