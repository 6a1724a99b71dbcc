"""Replay: whole runs over a sealed session, from Parquet and from the hot cache, to what reading alone takes.

A run is everything: opening, decoding, reducing, keeping the code, writing the decisions and making them durable. By
`--large` also runs of 1 M, 10 M and 100 M events (`--large=20`: up to 20 M), each a process of its own, for their memory and for
what a further event costs: in processor time, for a machine that is shared for minutes says nothing by the clock.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.measure import Figure, ratio, seconds, slowness
from benchmarks.seal import sealed_session
from pipeline.codes import Kind
from pipeline.core.chunk import COLUMNS
from pipeline.log import cache, hot, trail
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.ahead import ahead
from pipeline.run.fold import Speed
from pipeline.run.replaying import BATCH_ROWS, replay
from pipeline.run.strategies import plan_of, strategy_file

ROWS = 2_000_000
PLAIN_ROWS = 300_000
SHORT_ROWS = 1_000
LARGE = 100_000_000
DISK_BYTES = 110
"""Of a quote: 9 sealed, 78 in the hot cache, the rest for a journal being sealed and what the file system keeps free."""


def figures():
    slow = slowness()
    sizes = _large_sizes()
    with tempfile.TemporaryDirectory() as home:
        _check_disk(Path(home), max(sizes, default=0))
    found = [*_whole_runs(slow), _interpreted(slow)]
    return found + (_large(sizes) if sizes else [])


def _whole_runs(slow):
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as short_home:
        sealed_session(Path(home), ROWS)
        sealed_session(Path(short_home), SHORT_ROWS)
        store, short = Store(Path(home)), Store(Path(short_home))
        least_s = seconds(lambda: _run(short, Speed.COMPILED))
        os.environ[cache.LIMIT_VARIABLE] = "0"
        to_decoding, from_parquet_s, decoding_s = ratio(lambda: _run(store, Speed.COMPILED), lambda: _decode(store))
        os.environ[cache.LIMIT_VARIABLE] = "20"
        _run(store, Speed.COMPILED)  # leaves the columns
        from_hot_s = seconds(lambda: _run(store, Speed.COMPILED))
        reading_s = seconds(lambda: _read(store))
    beside = f"{_rate(from_parquet_s)} to {_rate(decoding_s)}; {least_s:.2f} s of it are what any run takes"
    stated = f"stated for a machine {slow:.1f} times as fast as this one now"
    return [
        Figure("run from sealed Parquet, ema_cross, to pyarrow decoding the same columns", to_decoding, "", 0.5, beside=beside),
        Figure(
            "run from the hot cache, ema_cross",
            ROWS / from_hot_s / 1e6,
            "M events/s",
            20 / slow,
            beside=f"{stated}; without what any run takes {_rate(from_hot_s - least_s)}",
        ),
        Figure(
            "reading for a run from the hot cache, nothing done with it",
            ROWS / reading_s / 1e6,
            "M events/s",
            100 / slow,
            beside=stated,
        ),
    ]  # fmt: skip


def _interpreted(slow):
    with tempfile.TemporaryDirectory() as home:
        sealed_session(Path(home), PLAIN_ROWS)
        runs = [_run(Store(Path(home)), Speed.INTERPRETED) for _ in range(3)]
    speeds = sorted(run.events_per_s for run in runs)
    beside = f"stated for a machine {slow:.1f} times as fast as this one now: 0.1 M events/s"
    return Figure("interpreted replay, ema_cross, all on", speeds[1] / 1e6, "M events/s", 0.1 / slow, beside=beside)


def _run(store, speed):
    """A run as the first of its plan: what the ones before left of the way is dropped."""
    shutil.rmtree(store.home / trail.FOLDER, ignore_errors=True)
    file = strategy_file("ema_cross")
    return replay(store, "bench", plan_of([file], [], []), [file], created_ns=0, speed=speed)


def _decode(store):
    reader = LogReader(store.folder("bench"))
    for part in reader.manifest.parts_of(Kind.QUOTE):
        file = pq.ParquetFile(reader.folder / part.file, page_checksum_verification=True)
        names = [name for name in file.schema_arrow.names if name in {"seq", "ord", *COLUMNS}]
        for _ in file.iter_batches(131_072, columns=names, use_threads=False):
            pass


def _read(store):
    for _ in ahead(hot.windows(store, "bench", columns=COLUMNS, rows=BATCH_ROWS[Speed.COMPILED])):
        pass


def _rate(taken_s):
    return f"{ROWS / taken_s / 1e6:.1f} M events/s"


def _large_sizes():
    """Sizes of the long runs, ascending, that the flag asks for; none without it."""
    flag = next((word for word in sys.argv if word.startswith("--large")), None)
    if flag is None:
        return []
    most = int(float(flag.partition("=")[2]) * 1e6) if "=" in flag else LARGE
    return [most // 100, most // 10, most]


def _check_disk(folder, rows):
    """Leave with a sentence when the disk has no room for a session of so many quotes, its hot cache and its runs."""
    free, needed = shutil.disk_usage(folder).free, rows * DISK_BYTES
    if rows and free < needed:
        sys.exit(
            f"{rows / 1e6:g} M events take {needed / 2**30:.1f} GiB under {folder.parent}, and {free / 2**30:.1f} GiB are "
            "free: ask for fewer by --large=MILLIONS, or set TMPDIR to another disk"
        )


def _large(sizes):
    """What a further event costs as runs grow longer, and the largest memory of a process that made one."""
    from_parquet, from_hot, peaks = [], [], []
    for rows in sizes:
        with tempfile.TemporaryDirectory() as home:
            sealed_session(Path(home), rows)
            print(f"... replay: {rows / 1e6:g} M events are sealed", file=sys.stderr, flush=True)
            from_parquet.append(_apart(home, "0"))
            peaks.append(_apart(home, "20").peak_mb)  # leaves the columns
            from_hot.append(_apart(home, "20"))
    peaks += [run.peak_mb for run in (*from_parquet, *from_hot)]
    span = f"{sizes[0] / 1e6:g} M to {sizes[-1] / 1e6:g} M events"
    return [
        _linear(f"from Parquet, {span}", sizes, from_parquet),
        _linear(f"from the hot cache, {span}", sizes, from_hot),
        Figure(f"peak memory of a run, {span}", max(peaks), "MB", 1_000, at_least=False, beside="mapped columns included"),
    ]  # fmt: skip


def _linear(name, sizes, runs):
    """Processor time of an event between the longest two runs, to that between the shortest two."""
    steps = zip(pairwise(sizes), pairwise(runs), strict=True)
    costs = [(b.processor_s - a.processor_s) / (n - m) * 1e9 for (m, n), (a, b) in steps]
    rates = ", ".join(f"{rows / run.seconds / 1e6:.2f}" for rows, run in zip(sizes, runs, strict=True))
    beside = f"{costs[0]:.0f} ns an event, then {costs[-1]:.0f}; by the clock {rates} M events/s"
    return Figure(f"cost of a further event, {name}", costs[-1] / costs[0], "", 1.1, at_least=False, beside=beside)


class _Apart:
    """A replay in a process of its own."""

    def __init__(self, seconds, used):
        self.seconds = seconds
        self.processor_s = used.ru_utime + used.ru_stime
        self.peak_mb = used.ru_maxrss / 1024


def _apart(home, gib):
    shutil.rmtree(Path(home) / trail.FOLDER, ignore_errors=True)
    words = ["--home", home, "replay", "bench", "--strategy", "ema_cross", "--compiled", "--json"]
    environment = {**os.environ, cache.LIMIT_VARIABLE: gib}
    process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", *words], stdout=subprocess.PIPE, env=environment)
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, "the replay failed; its own words stand above"
    return _Apart(json.loads(said.splitlines()[-1])["seconds"], used)
