"""Start: how long `tape --help` takes, beside a Python that does nothing."""

import subprocess
import sys

from benchmarks.measure import Figure, seconds


def figures():
    help_s = seconds(
        lambda: subprocess.run([sys.executable, "-m", "pipeline.cli", "--help"], check=True, capture_output=True),
        runs=9,
    )
    bare_s = seconds(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), runs=9)
    return [Figure("tape --help", help_s, "s", 0.3, at_least=False, beside=f"bare Python {bare_s:.3f} s")]
