"""Counts: what an open log holds by now. Its manifest says so only when it has ended."""

from pipeline.log.manifest import Manifest
from pipeline.log.parts import Tally
from pipeline.log.reader import LogReader
from pipeline.log.store import Store


def counted(store: Store, log: Manifest) -> Manifest:
    """The manifest with its rows by kind, its inputs and their times, read from the journal where nobody counted them yet.

    Raises CorruptError.
    """
    if log.kinds:
        return log
    tally = Tally()
    for batch in LogReader(store.folder(log.id), store.disk).batches(what="all", columns=["ts_recv_ns"]):
        for block in batch:
            tally.add(block)
    return tally.counted(log)
