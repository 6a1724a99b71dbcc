"""Ten million rows are sealed and read in the memory of a few chunks."""

import subprocess
import sys
from pathlib import Path

import pytest
from store_quotes import random_walk_quotes

from pipeline.log import manifest
from pipeline.log.frames import FrameKind

READ = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from pipeline.log.reader import LogReader
from pipeline.log.seal import seal
def anonymous_mb():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("RssAnon"))
folder, peak = Path({folder!r}), 0
if {is_sealing!r}:
    seal(folder)
    peak = anonymous_mb()
rows = 0
for batch in LogReader(folder).batches(what="all"):
    rows += sum(map(len, batch))
    peak = max(peak, anonymous_mb())
print(rows, peak)
"""


@pytest.mark.parametrize("million", [1, pytest.param(10, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell a process's own memory")
def test_memory_stays_flat(store, begun, million):
    made, journal = begun()
    folder = store.folder(made.id)
    day = random_walk_quotes(1_000_000)
    for start in range(0, million * 1_000_000, 4_000):
        rows = day.slice(start % 1_000_000, start % 1_000_000 + 4_000)
        journal.append(FrameKind.INPUTS, [rows.with_columns(seq=rows.number("seq") + start // 1_000_000 * 1_000_000)])
    journal.close()
    manifest.update(folder, state="ended")
    for is_sealing in (False, True):
        script = READ.format(root=str(Path(__file__).resolve().parents[2]), folder=str(folder), is_sealing=is_sealing)
        done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
        rows, peak_mb = map(int, done.stdout.split())
        assert rows == million * 1_000_000
        assert peak_mb < 200
