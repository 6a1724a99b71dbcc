"""Kernel: `ema_cross` compiled, over columns in memory, with orders, risk and fills; and what compiling it costs."""

import os
import statistics
import tempfile
import time

from benchmarks.measure import Figure, slowness
from benchmarks.rows import definitions, quotes
from pipeline.core.engine import Engine, Plan
from pipeline.kernel.build import CACHE_VARIABLE
from pipeline.kernel.engine import CompiledEngine
from strategies import STRATEGIES

ROWS = 2_000_000
PLAIN_ROWS = 100_000


def figures():
    slow = slowness()
    beside = f"stated for a machine {slow:.1f} times as fast as this one now"
    with tempfile.TemporaryDirectory() as folder:
        os.environ[CACHE_VARIABLE] = folder
        first = _compile_s("ema_cross")
        changed = _compile_s("hold")
    rows, plain = quotes(ROWS, first_seq=11), quotes(PLAIN_ROWS, first_seq=11)
    speeds = [_speed(CompiledEngine, rows) for _ in range(5)]
    interpreted = [_speed(Engine, plain) for _ in range(3)]
    speed = statistics.median(speeds)
    ratio = f"{beside}; {speed / statistics.median(interpreted):.0f} times the interpreted engine"
    return [
        Figure("kernel over columns in memory, ema_cross, all on", speed / 1e6, "M events/s", 30 / slow, beside=ratio),
        Figure("compiling another strategy, the engine at hand", changed, "s", 3 * slow, at_least=False, beside=beside),
        Figure("compiling engine and strategy, the first time", first, "s", float("inf"), at_least=False),
    ]


def _plan(name):
    return [Plan(STRATEGIES[name], STRATEGIES[name].Params())]


def _compile_s(name):
    started = time.perf_counter()
    CompiledEngine(_plan(name)).compile_now()
    return time.perf_counter() - started


def _speed(engine_class, rows):
    engine = engine_class(_plan("ema_cross"))
    engine.reduce([definitions()])
    engine.reduce([rows.slice(0, 1_000)])
    started = time.perf_counter()
    engine.reduce([rows.slice(1_000, len(rows))])
    return (len(rows) - 1_000) / (time.perf_counter() - started)
