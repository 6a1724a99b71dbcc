"""Open: a journal of 256-row frames verified (checksums and chain) and its rows decoded."""

import tempfile
from pathlib import Path

from benchmarks.measure import Figure, seconds, slowness
from benchmarks.rows import quotes
from pipeline.log.codec import decode
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.scan import Scan

ROWS = 500_000


def figures():
    block = quotes(ROWS)
    with tempfile.TemporaryDirectory() as home:
        with Journal.create(Path(home) / "journal", log_id=bytes(16)) as journal:
            for start in range(0, ROWS, 256):
                journal.append(FrameKind.INPUTS, [block.slice(start, start + 256)])
        content = next((Path(home) / "journal").glob("*.seg")).read_bytes()
        verify_s = seconds(lambda: sum(1 for _ in Scan(content)))
        rows_s = seconds(lambda: [decode(f.payload) for f in Scan(content) if f.header.kind is FrameKind.INPUTS])
    slow = slowness()
    return [
        Figure(
            "open and verify the chain, frames of 256 rows",
            len(content) / verify_s / 1e9,
            "GB/s",
            2 / slow,
            beside=f"stated for a machine {slow:.1f} times as fast: 2 GB/s; with every row decoded {ROWS / rows_s / 1e6:.1f} M rows/s",
        )
    ]
