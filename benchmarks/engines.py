"""Engines: the same cells by the process pool and by Ray on one node, each start and end included; 200 cells by flag.

The session is as long as makes a cell take about a second of this machine, as it is at that moment. Ray runs on a node
that stands already, as where `--address` names one, and then on one that is started for it and ended.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.measure import Figure
from benchmarks.seal import sealed_session
from pipeline.log import cache
from pipeline.log.backtests import FOLDER
from pipeline.log.store import Store
from pipeline.run.backtesting import backtest
from pipeline.run.cluster import connected
from pipeline.run.engines import PROCESSES
from pipeline.run.fold import Speed
from pipeline.run.on_ray import RayChoice
from pipeline.run.strategies import strategy_file
from pipeline.run.sweeping import grid_of

CELLS, CELLS_LARGE = 60, 200
PAIRS = 2
CELL_S = 1.0
TRIED = 2_000_000
"""Rows of the cells that are timed to find out how many take so long."""

LIMIT = 1.15


def figures():
    os.environ[cache.LIMIT_VARIABLE] = "20"
    cores = os.cpu_count() or 1
    cells = CELLS_LARGE if "--large" in sys.argv else CELLS
    with tempfile.TemporaryDirectory() as home:
        rows = _rows(Path(home, "tried"), cores)
        sealed_session(Path(home, "store"), rows)
        store = Store(Path(home, "store"))
        _run(store, PROCESSES, 2)  # decodes
        with connected("", cores, lambda _: None):
            _run(store, RayChoice(), cores)  # the processes are there, as on a node that stands
            pairs = [(_run(store, PROCESSES, cells), _run(store, RayChoice(), cells)) for _ in range(PAIRS)]
        started = _run(store, RayChoice(cores=cores), cells)
    pool_s = statistics.median(pool.wall_s for pool, _ in pairs)
    beside = (
        f"{cells} cells of {rows:,} events, {statistics.median(pool.cell_s for pool, _ in pairs):.2f} s each in the pool and "
        f"{statistics.median(on_ray.cell_s for _, on_ray in pairs):.2f} s on Ray; "
        f"pool {pool_s:.1f} s, Ray {statistics.median(on_ray.wall_s for _, on_ray in pairs):.1f} s; "
        f"load {os.getloadavg()[1]:.1f}, of the benchmark {cores}"
    )
    assert all(each.content == started.content for pair in pairs for each in pair)
    ratio = statistics.median(on_ray.wall_s / pool.wall_s for pool, on_ray in pairs)
    alone = started.wall_s / pool_s
    limit = LIMIT if cells == CELLS_LARGE else float("inf")
    return [
        Figure(
            "cells on Ray, one node that stands, to those of the pool", ratio, "", LIMIT, at_least=False, beside=beside
        ),
        Figure(
            "the same, a node started for it and ended", alone, "", limit, at_least=False, beside="limit of 200 cells"
        ),
    ]


def _rows(home, cores):
    """How many rows make a cell of a second, while all cores are at work."""
    sealed_session(home, TRIED)
    store = Store(home)
    _run(store, PROCESSES, 1)  # compiles
    rows = int(TRIED * CELL_S / _run(store, PROCESSES, 4 * cores).cell_s)
    shutil.rmtree(home)
    return rows


class _Taken:
    def __init__(self, wall_s, rows):
        self.wall_s = wall_s
        self.cell_s = statistics.median(row.seconds for row in rows)
        self.content = [msgspec.structs.replace(row, seconds=0.0) for row in rows]


def _run(store, engine, cells):
    """So many cells anew: rows of before are removed."""
    shutil.rmtree(store.home / FOLDER, ignore_errors=True)
    file = strategy_file("ema_cross")
    grid = grid_of([file], [], ["daily_loss_max=1e12"], [f"slow=60:{59 + cells}:1"])
    started = time.perf_counter()
    outcome = backtest(
        store,
        store.select(["all"]),
        grid,
        [file],
        created_ns=0,
        workers=os.cpu_count() or 1,
        speed=Speed.COMPILED,
        engine=engine,
    )
    assert len(outcome.rows) == cells, outcome.failed
    return _Taken(time.perf_counter() - started, outcome.rows)
