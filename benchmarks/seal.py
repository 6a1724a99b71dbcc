"""Seal: bytes a quote at rest, header included, and what each column costs."""

import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.measure import Figure
from benchmarks.rows import definitions, quotes
from pipeline.codes import Kind
from pipeline.log import manifest as manifests
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import JOURNAL
from pipeline.log.seal import seal, seal_segment
from pipeline.log.store import Store
from pipeline.provenance import Mode

ROWS = 1_000_000


LONG_ROWS = 10_000_000
"""Sessions longer than this are sealed while they are written, as a long import is: the journal stays at two segments."""


def sealed_session(home: Path, rows: int, *, quotes_a_day: int = 15_000_000) -> Path:
    """A sealed session of so many quotes; its folder."""
    store = Store(home)
    manifest = store.create_session("bench", mode=Mode.IMPORT, created_ns=0)
    folder = store.folder(manifest.id)
    with Journal.create(folder / JOURNAL, log_id=bytes.fromhex(manifest.log_id)) as journal:
        journal.append(FrameKind.INPUTS, [definitions()])
        for number, start in enumerate(range(0, rows, 500_000)):
            count = min(500_000, rows - start)
            block = quotes(count, first_seq=11 + start, seed=number + 1, quotes_a_day=quotes_a_day)
            for begin in range(0, count, 32_768):
                journal.append(FrameKind.INPUTS, [block.slice(begin, begin + 32_768)])
            while rows > LONG_ROWS and seal_segment(folder):
                pass
    manifests.update(folder, state="ended")
    seal(folder)
    return folder


def figures():
    found = []
    for quotes_a_day, limit in ((15_000_000, 9), (2_000_000, float("inf"))):
        with tempfile.TemporaryDirectory() as home:
            size, costs = _costs(sealed_session(Path(home), ROWS, quotes_a_day=quotes_a_day))
        shown = ", ".join(
            f"{name} {cost:.2f}" for name, cost in sorted(costs.items(), key=lambda c: -c[1]) if cost > 0.005
        )
        name = f"sealed quote, header included, a day of {quotes_a_day / 1e6:.0f} M quotes of 10 symbols"
        found.append(Figure(name, size, "bytes", limit, at_least=False, beside=shown))
    return found


def _costs(folder: Path) -> tuple[float, dict[str, float]]:
    """Bytes a quote, and by column."""
    files = [folder / part.file for part in manifests.load(folder).parts_of(Kind.QUOTE)]
    costs = {}
    for path in files:
        metadata = pq.ParquetFile(path).metadata
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(index)
                costs[chunk.path_in_schema] = costs.get(chunk.path_in_schema, 0) + chunk.total_compressed_size / ROWS
    return sum(path.stat().st_size for path in files) / ROWS, costs
