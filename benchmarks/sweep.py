"""Sweep: many cells over one session, by one worker and by one a core; decoded once. 100 cells by flag.

How much faster a second worker makes it is held against how much faster this machine, shared as it is at that moment,
lets a second process be that does nothing but count.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.seal import sealed_session
from pipeline.log import cache, hot
from pipeline.log.backtests import FOLDER
from pipeline.log.store import Store
from pipeline.run.backtesting import backtest
from pipeline.run.fold import Speed
from pipeline.run.strategies import strategy_file
from pipeline.run.sweeping import grid_of

ROWS = 2_000_000
SLOWS = 3
LARGE_SLOWS = 10


def figures():
    os.environ[cache.LIMIT_VARIABLE] = "20"
    cores = os.cpu_count() or 1
    sweeps = ["fast=5:50:5", f"slow=60:{50 + 10 * (LARGE_SLOWS if '--large' in sys.argv else SLOWS)}:10"]
    with tempfile.TemporaryDirectory() as home:
        sealed_session(Path(home), ROWS)
        store = Store(Path(home))
        _run(store, cores, ["fast=5"])  # compiles
        hot.clear(store)
        pairs = [(_run(store, 1, sweeps), _run(store, cores, sweeps), _counting(cores)) for _ in range(2)]
        (entry,) = hot.entries(store)
    speedups = [one.wall_s / all_.wall_s for one, all_, _ in pairs]
    counting = [speedup for _, _, speedup in pairs]
    scaling = statistics.median(ours / theirs for ours, theirs in zip(speedups, counting, strict=True))
    work = statistics.median(one.processor_s / all_.processor_s for one, all_, _ in pairs)
    all_ = min((all_ for _, all_, _ in pairs), key=lambda each: each.wall_s)
    rate = all_.cells * ROWS / all_.wall_s / 1e6
    beside = (
        f"{all_.cells} cells in {all_.wall_s:.1f} s, {rate:.1f} M events/s in all, starting and rows included; "
        f"{statistics.median(speedups):.2f} times as fast as one worker, counting {statistics.median(counting):.2f} times; "
        f"processor time of one worker to that of {cores}: {work:.2f}; largest worker {all_.peak_mb:.0f} MB, "
        f"of which up to {entry.size / 1e6:.0f} MB are the shared columns"
    )
    return [
        Figure(
            f"gain of a sweep by {cores} workers, to that of {cores} processes that count",
            scaling,
            "",
            0.85,
            beside=beside,
        ),
        Figure("largest worker of a sweep", all_.peak_mb, "MB", 1_000, at_least=False),
    ]


class _Taken:
    def __init__(self, wall_s, processor_s, cells):
        self.wall_s = wall_s
        self.processor_s = processor_s
        self.cells = cells
        self.peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _run(store, workers, sweeps):
    """All cells anew: rows of before are removed."""
    for part in store.home.glob(f"{FOLDER}/*/cells-*"):
        part.unlink()
    file = strategy_file("ema_cross")
    grid = grid_of([file], [], ["daily_loss_max=1e12"], sweeps)
    used, started = _children_s(), time.perf_counter()
    backtest(store, store.select(["all"]), grid, [file], created_ns=0, workers=workers, speed=Speed.COMPILED)
    return _Taken(time.perf_counter() - started, _children_s() - used, len(grid.plans))


def _counting(cores):
    """How much faster so many processes count together than one after the other."""
    command = [sys.executable, "-c", "total = 0\nfor i in range(40_000_000): total += i"]

    def taken_s(count):
        started = time.perf_counter()
        processes = [subprocess.Popen(command) for _ in range(count)]
        for process in processes:
            process.wait()
        return time.perf_counter() - started

    return cores * taken_s(1) / taken_s(cores)


def _children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
