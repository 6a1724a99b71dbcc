"""Kernel: `ema_cross` compiled, over columns in memory, with orders, risk and fills; what compiling and a lone input cost.

All of it is CPU time: the machine is shared, and whoever waits for a core has not worked.
"""

import os
import statistics
import sys
import tempfile
import time

from benchmarks.by_hand import ByHand, has_compiler
from benchmarks.measure import Figure, slowness
from benchmarks.rows import definitions, quotes
from pipeline.core.engine import Engine, Plan
from pipeline.kernel.build import CACHE_VARIABLE
from pipeline.kernel.engine import CompiledEngine
from strategies import STRATEGIES

ROWS = 2_000_000
PLAIN_ROWS = 100_000
FIRST = 1_000
LONE_ROWS = 20_000


def figures():
    with tempfile.TemporaryDirectory() as folder:
        os.environ[CACHE_VARIABLE] = folder
        return [*_compiling(), *_speeds(), *_lone()]


def _stated(slow):
    return f"stated for a machine {slow:.1f} times as fast as this one now"


def _compiling():
    slow = slowness()
    first = _compile_s("ema_cross")
    changed = _compile_s("hold")
    return [
        Figure(
            "compiling another strategy, the engine at hand",
            changed,
            "s",
            3 * slow,
            at_least=False,
            beside=_stated(slow),
        ),
        Figure("compiling engine and strategy, the first time", first, "s", float("inf"), at_least=False),
    ]


def _compile_s(name):
    started = time.thread_time()
    CompiledEngine(_plan(name)).compile_now()
    return time.thread_time() - started


def _speeds():
    """The kernel and the program by hand in turn, so that both meet the same machine."""
    slow = slowness()
    rows, plain = quotes(ROWS, first_seq=11), quotes(PLAIN_ROWS, first_seq=11)
    by_hand = ByHand(rows) if has_compiler() else None
    whole, alone, hand = [], [], []
    for _ in range(7):
        if by_hand:
            hand.append(by_hand.seconds() / ROWS)
        engine, seconds, kernel_seconds = _run(CompiledEngine, rows)
        whole.append(seconds)
        alone.append(kernel_seconds)
    interpreted = statistics.median(_run(Engine, plain)[1] for _ in range(3))
    speed = 1e-6 / statistics.median(whole)
    times = f"{_stated(slow)}; {speed * interpreted * 1e6:.0f} times the interpreted engine"
    made = [Figure("kernel over columns in memory, ema_cross, all on", speed, "M events/s", 30 / slow, beside=times)]
    if not by_hand:
        print("no C compiler (cc) here: the kernel is not held against C", file=sys.stderr)
        return made
    account = engine.snapshot().tables["account"][0]
    assert by_hand.came_to() == (account["cash"], account["fill_id_last"], account["order_id_last"])
    return [*made, *_ratios(hand, alone, whole)]


def _ratios(hand, alone, whole):
    ratios = [statistics.median(c / k for c, k in zip(hand, ours, strict=True)) for ours in (alone, whole)]
    ns = [statistics.median(each) * 1e9 for each in (hand, alone, whole)]
    beside = f"same cash, fills and orders; {ns[0]:.1f} ns an event in C, {ns[1]:.1f} in the loop"
    return [
        Figure("the kernel's loop to the same strategy by hand in C", ratios[0], "", 0.5, beside=beside),
        Figure("the same, rows of every decision hashed and handed over", ratios[1], "", 0.0, beside=f"{ns[2]:.1f} ns"),
    ]


def _lone():
    """One quote at a time, as a live session takes them."""
    slow = slowness()
    rows = quotes(FIRST + LONE_ROWS, first_seq=11)
    lone = [[rows.slice(k, k + 1)] for k in range(FIRST, FIRST + LONE_ROWS)]
    engine, plain = _begun(CompiledEngine, "hold", rows), _begun(Engine, "hold", rows)
    in_kernel = _timed(engine)
    seconds, interpreted = (_each_s(each, batches) for each, batches in ((engine, lone), (plain, lone[:2_000])))
    call_us = sum(in_kernel) / LONE_ROWS * 1e6
    beside = f"{_stated(slow)}; {seconds * 1e6:.1f} us from block to block, {interpreted * 1e6:.0f} interpreted"
    return [
        Figure("one live input through the compiled handler", call_us, "us", 2 * slow, at_least=False, beside=beside)
    ]


def _each_s(engine, batches):
    started = time.thread_time()
    for batch in batches:
        engine.reduce(batch)
    return (time.thread_time() - started) / len(batches)


def _run(engine_class, rows):
    """An engine, and the seconds an event took: all in all, and in the loop."""
    engine = _begun(engine_class, "ema_cross", rows)
    in_kernel = _timed(engine) if engine_class is CompiledEngine else []
    started = time.thread_time()
    engine.reduce([rows.slice(FIRST, len(rows))])
    count = len(rows) - FIRST
    return engine, (time.thread_time() - started) / count, sum(in_kernel) / count


def _begun(engine_class, name, rows):
    engine = engine_class(_plan(name))
    engine.reduce([definitions()])
    engine.reduce([rows.slice(0, FIRST)])
    return engine


def _timed(engine):
    """The seconds of every call into the kernel from here on."""
    kernel, taken = engine.kernel, []

    def timed(address, **how):
        started = time.thread_time()
        is_well = kernel(address, **how)
        taken.append(time.thread_time() - started)
        return is_well

    engine.kernel = timed
    return taken


def _plan(name):
    return [Plan(STRATEGIES[name], STRATEGIES[name].Params())]
