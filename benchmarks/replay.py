"""Replay: whole runs over a sealed session, from Parquet and from the hot cache, to what reading alone takes.

A run is everything: opening, decoding, reducing, keeping the code, writing and sealing the decisions. Memory over 10 M
events by flag.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
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
LARGE = 10_000_000


def figures():
    slow = slowness()
    found = [*_whole_runs(slow), _interpreted(slow)]
    return found + (_memory() if "--large" in sys.argv else [])


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


def _memory():
    """Peak memory of a process that replays 10 M events, which another process made."""
    with tempfile.TemporaryDirectory() as home:
        sealed_session(Path(home), LARGE)
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "--home", home, "replay", "bench", "--strategy", "ema_cross"],
            check=True,
            capture_output=True,
        )
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        beside = f"{LARGE / (time.perf_counter() - started) / 1e6:.3f} M events/s, sealing of the run included"
    return [Figure("peak memory, replay of 10 M events", peak_mb, "MB", 1_000, at_least=False, beside=beside)]
