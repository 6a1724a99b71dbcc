"""Start: how long `tape --help` takes, beside a Python that does nothing, and a replay whose kernel is at hand."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure, seconds, slowness
from benchmarks.seal import sealed_session

ROWS = 10_000


def figures():
    help_s = seconds(
        lambda: subprocess.run([sys.executable, "-m", "pipeline.cli", "--help"], check=True, capture_output=True),
        runs=9,
    )
    bare_s = seconds(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), runs=9)
    bare = f"bare Python {bare_s:.3f} s"
    return [Figure("tape --help", help_s, "s", 0.3, at_least=False, beside=bare), _cold_replay()]


def _cold_replay():
    """From the command to the result, the compile cache warm; the command is a new process each time."""
    slow = slowness()
    with tempfile.TemporaryDirectory() as home:
        sealed_session(Path(home), ROWS)
        _replay_s(home)
        compiled_s = sorted(_replay_s(home) for _ in range(5))[2]
        plain_s = sorted(_replay_s(home, "--interpreted") for _ in range(5))[2]
    beside = f"stated for a machine {slow:.1f} times as fast as this one now; {plain_s:.2f} s interpreted"
    name = f"cold tape replay of {ROWS:,} quotes, its kernel at hand"
    return Figure(name, compiled_s, "s", 2.5 * slow, at_least=False, beside=beside)


def _replay_s(home, how="--compiled"):
    words = ["--home", home, "replay", "bench", "--strategy", "ema_cross", how, "--json"]
    environment = {**os.environ, "TAPE_CACHE": home}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *words], check=True, capture_output=True, env=environment
    )
    taken = time.perf_counter() - started
    assert json.loads(done.stdout.splitlines()[-1])["speed"] == how.removeprefix("--")
    return taken
