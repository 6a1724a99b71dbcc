"""Imports: a DBN file into a durable session, beside DBNStore.to_ndarray on the same file."""

import tempfile
from pathlib import Path

import databento as db
import databento_dbn as dbn
import numpy as np
import zstandard

from benchmarks.measure import Figure, ratio
from benchmarks.rows import quotes
from pipeline.feeds.files import feed_of
from pipeline.log.store import Store
from pipeline.run.importing import import_files

RECORDS = 1_000_000


def figures():
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "day.mbp-1.dbn.zst"
        _write(path)
        count = iter(range(10**6))

        def ours(*, is_sealed=False):
            store = Store(Path(home) / f"store-{next(count)}")
            done = import_files(store, [feed_of(path)], [path], name="bench", created_ns=0, is_sealed=is_sealed)
            assert done.kinds["quote"] == RECORDS

        share, ours_s, theirs_s = ratio(ours, lambda: db.DBNStore.from_file(path).to_ndarray(), runs=3)
        sealed_share, _, _ = ratio(
            lambda: ours(is_sealed=True), lambda: db.DBNStore.from_file(path).to_ndarray(), runs=3
        )
    return [
        Figure(
            "import of mbp-1 from zstd into a durable session, to DBNStore.to_ndarray",
            share,
            "",
            0.5,
            beside=f"{RECORDS / ours_s / 1e6:.2f} M records/s to {RECORDS / theirs_s / 1e6:.2f}; sealing included {sealed_share:.2f}",
        )
    ]


def _write(path: Path) -> None:
    """Records of a random walk in the vendor's own layout, written with the vendor's own encoder."""
    block = quotes(RECORDS, instruments=4)
    records = np.zeros(RECORDS, dbn.MBP1Msg._dtypes)  # noqa: SLF001 - the vendor's own layout for numpy
    records["length"] = dbn.MBP1Msg.size_hint // 4  # the vendor counts in words of four bytes
    records["rtype"] = 1
    records["publisher_id"] = 2
    records["instrument_id"] = block.number("instrument_id")
    records["ts_event"] = block.number("ts_event_ns")
    records["ts_recv"] = block.number("ts_recv_ns")
    records["action"] = b"A"
    records["side"] = b"B"
    records["price"] = block.number("bid_nano")
    records["size"] = 100
    records["sequence"] = np.arange(RECORDS)
    records["bid_px_00"] = block.number("bid_nano")
    records["ask_px_00"] = block.number("ask_nano")
    records["bid_sz_00"] = block.number("bid_size_steps")
    records["ask_sz_00"] = block.number("ask_size_steps")
    metadata = dbn.Metadata(
        dataset="XNAS.ITCH",
        start=int(block.number("ts_recv_ns")[0]),
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=dbn.Schema.MBP_1,
        symbols=[],
        partial=[],
        not_found=[],
        mappings=[],
        version=3,
    )
    with zstandard.open(path, "wb") as sink:
        sink.write(bytes(metadata))
        sink.write(records.tobytes())
