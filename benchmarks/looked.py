"""Looked at: what a dashboard that is looked at takes from a recorder, and from a replay.

Recorder, pages' server, Chromium and sender are four processes that share this machine's cores.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.live import recorded
from benchmarks.measure import Figure, slowness
from benchmarks.viewer import Viewer
from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day

RATE, PER_FRAME = 5_000, 5
SECONDS = 60
RUNS = 2
QUOTES = 300_000
"""Of each of the six instruments of the day that is replayed: some 2.4 M inputs, that a run lasts longer than its start."""

PAIRS = 5
P99_MS = 10.0
REPLAY_RATIO = 0.95


def figures():
    slow = max(slowness(), 1.0)
    return [*_replays(), *_recorder(slow)]


def _recorder(slow):
    """In turn without and with the Live page; the medians of the runs."""
    seconds = 10 if "--short" in sys.argv else SECONDS
    alone, beside = [], []
    for _ in range(RUNS):
        alone.append(recorded(RATE * seconds, PER_FRAME, RATE))
        beside.append(_beside_live(RATE * seconds))
    what = f"{RATE:,} messages/s with the Live page open, {seconds} s"
    lost = sum(told["sent"] - told["recorded"] for told in beside)
    changes = ", ".join(f"{told['changes']:,}" for told in beside)
    stated = f"stated for a machine {slow:.1f} times as fast as this one now"
    return [
        Figure(f"{what}: lost", lost, "", 0, at_least=False, beside=f"the page changed {changes} times"),
        *(
            Figure(
                f"{what}: tick to paper intent, {name}",
                statistics.median(told[f"{name}_ms"] for told in beside),
                "ms",
                limit * slow,
                at_least=False,
                beside=f"without {statistics.median(told[f'{name}_ms'] for told in alone):.2f} ms; {stated}",
            )
            for name, limit in (("p50", float("inf")), ("p99", P99_MS))
        ),
    ]


def _beside_live(count):
    """One recording that somebody looks at from its first seconds to its end."""
    looked = {}

    def look(home, session, watch):
        with Viewer(home) as viewer:
            viewer.ask("open", f"live?log={session}")
            watch.begin()
            while not watch.is_over(1.0):
                looked["changes"] = viewer.ask("changes")

    return recorded(count, PER_FRAME, RATE, beside=look) | looked


def _replays():
    """`tape verify` of a day, alone and while the Replay page shows it."""
    with tempfile.TemporaryDirectory() as home:
        store, file = Store(Path(home)), strategy_file("ema_cross")
        day = Day(quotes=QUOTES // 10 if "--short" in sys.argv else QUOTES, seed=7)
        plan = plan_of([file], ["fast=20", "slow=100", "notional=2000"], ["daily_loss_max=1e9"])
        session = record_generated(store, day, plan, [file], created_ns=1)
        _verify_s(home, session.id)
        with Viewer(home) as viewer:
            return [_pairs(home, session, viewer, is_playing) for is_playing in (False, True)]


def _pairs(home, session, viewer, is_playing):
    """In turn without and with the page in sight."""
    ratios, changes = [], 0
    for _ in range(PAIRS):
        viewer.ask("leave")
        alone = _verify_s(home, session.id)
        viewer.ask("open", f"replay?log={session.id}")
        if is_playing:
            viewer.ask("press", "Alt+p")
        ratios.append(alone / _verify_s(home, session.id))
        changes += viewer.ask("changes")
    return Figure(
        f"speed of tape verify with the Replay page open, which {'plays' if is_playing else 'stands'}, to without",
        statistics.median(ratios),
        "",
        REPLAY_RATIO,
        beside=f"{alone:.2f} s alone, {session.inputs:,} inputs; the page changed {changes:,} times",
    )


def _verify_s(home, id_):
    begun = time.perf_counter()
    command = [sys.executable, "-m", "pipeline.cli", "--home", str(home), "verify", id_]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun
