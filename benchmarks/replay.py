"""Replay: the interpreted engine on `ema_cross` with orders, risk and fills; memory over 10 M events by flag."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure, slowness
from benchmarks.seal import sealed_session
from pipeline.log.store import Store
from pipeline.run.fold import Speed
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file

ROWS = 300_000
LARGE = 10_000_000


def figures():
    with tempfile.TemporaryDirectory() as home:
        sealed_session(Path(home), ROWS)
        file = strategy_file("ema_cross")
        plan = plan_of([file], [], [])
        store, plainly = Store(Path(home)), Speed.INTERPRETED
        runs = [replay(store, "bench", plan, [file], created_ns=0, speed=plainly) for _ in range(3)]
        speeds = sorted(run.events_per_s for run in runs)
    slow = slowness()
    beside = f"stated for a machine {slow:.1f} times as fast as this one now: 0.1 M events/s"
    found = [Figure("interpreted replay, ema_cross, all on", speeds[1] / 1e6, "M events/s", 0.1 / slow, beside=beside)]
    return found + (_memory() if "--large" in sys.argv else [])


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
    return [Figure("peak memory, replay of 10 M events", peak_mb, "MB", 500, at_least=False, beside=beside)]
