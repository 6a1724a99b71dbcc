"""State: any moment of a session of 2 M quotes, in process and as a command; what waypoints cost the fold that leaves them.

Seconds are of the processor: this machine is shared, and a question waits for nothing but its own work.
"""

import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure, slowness
from benchmarks.seal import sealed_session
from pipeline.log import trail
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.fold import LocalFold, Speed
from pipeline.run.keeping import Keeper, trail_of
from pipeline.run.looking import look
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.traveling import Traveler, journey_over

ROWS = 2_000_000
FILE = strategy_file("ema_cross")


def figures():
    slow = slowness()
    beside = f"stated for a machine {slow:.1f} times as fast as this one now"
    with tempfile.TemporaryDirectory() as home:
        sealed_session(Path(home), ROWS)
        store, plan = Store(Path(home)), plan_of([FILE], [], [])
        batches = list(LogReader(store.folder("bench")).batches())
        _fold(store, plan, batches, is_kept=False)
        costs = [_fold(store, plan, batches, is_kept=kept) for _ in range(3) for kept in (False, True)]
        cost = statistics.median(costs[1::2]) / statistics.median(costs[::2]) - 1
        places = random.Random(1).sample(range(1, ROWS), 21)
        asked = sorted(_look(store, plan, seq) for seq in places)
        whole = statistics.median(_command(home, seq) for seq in places[:5])
        size = sum(entry.size for entry in trail.entries(store.home))
    return [
        Figure("state at any moment of 2 M quotes, in process, median", statistics.median(asked), "s", 0.25 * slow, at_least=False, beside=beside),
        Figure("the same, the slowest of 21", asked[-1], "s", 0.5 * slow, at_least=False, beside=f"{size:,} bytes of waypoints"),
        Figure("the same as a command, median", whole, "s", 0.8 * slow, at_least=False, beside=beside),
        Figure("what leaving waypoints adds to a compiled fold", cost * 100, "%", float("inf"), at_least=False),
    ]  # fmt: skip


def _fold(store, plan, batches, *, is_kept):
    """Seconds of processor time; what was there before is dropped."""
    shutil.rmtree(store.home / trail.FOLDER, ignore_errors=True)
    code = journey_over(store, "bench", plan, [FILE]).code
    fold = LocalFold(plan, [FILE], speed=Speed.COMPILED)
    started = time.process_time()
    kept = trail_of(store, store.manifest("bench"), plan, code) if is_kept else None
    keeper = Keeper(fold, kept)
    for batch in batches:
        keeper.reduce(batch)
    if kept:
        kept.__exit__(None, None, None)
    return time.process_time() - started


def _look(store, plan, seq):
    journey = journey_over(store, "bench", plan, [FILE])
    started = time.process_time()
    with Traveler(store, journey) as traveler:
        look(traveler, traveler.at(seq), None)
    return time.process_time() - started


def _command(home, seq):
    command = [sys.executable, "-m", "pipeline.cli", "--home", home, "state", "bench", "--strategy", "ema_cross"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "--seq", str(seq)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
