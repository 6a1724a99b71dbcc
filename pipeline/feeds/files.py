"""Which feed reads a file: by content first, then by the ending of its name."""

from pathlib import Path
from typing import Final

from pipeline.errors import FeedError
from pipeline.feeds.captures import CaptureFile
from pipeline.feeds.captures import looks_like as is_capture
from pipeline.feeds.dbn import DbnFile
from pipeline.feeds.streams import opened
from pipeline.feeds.tables import TableFile
from pipeline.normalize.tables import Mapping
from pipeline.ports import FileFeed

ACCEPTED: Final = (
    "DBN (plain or zstd), CSV, Parquet and Feather tables, captured frames of Binance, Coinbase and Hyperliquid"
)

_TABLE_MAGICS: Final = (b"PAR1", b"ARROW1")
_TABLE_ENDINGS: Final = (".csv", ".csv.gz", ".csv.zst", ".parquet", ".feather", ".arrow", ".txt", ".tsv")
_HEAD_BYTES: Final = 65_536


def feed_of(path: Path, *, mapping: Mapping | None = None, delay_ns: int = 0) -> FileFeed:
    """The feed that reads this file; its header has been read.

    mapping    how the columns of a table become events; detected when None
    delay_ns   after the event time (a bar's close), when a row without receive time counts as received

    Raises FeedError when no feed reads it, naming what is accepted.
    """
    if path.is_dir():
        raise FeedError(path, "open", f"is a folder; accepted are files: {ACCEPTED}")
    with opened(path) as stream:
        head = stream.read(_HEAD_BYTES)
        problem = stream.problem
    if head.startswith(b"DBN"):
        return DbnFile(path, delay_ns=delay_ns)
    if head.startswith(_TABLE_MAGICS):
        return TableFile(path, mapping, delay_ns=delay_ns)
    if is_capture(head):
        return CaptureFile(path)
    if mapping is not None or path.name.lower().endswith(_TABLE_ENDINGS):
        return TableFile(path, mapping, delay_ns=delay_ns)
    raise FeedError(path, "open", problem or f"this is none of the files that are read: {ACCEPTED}")
