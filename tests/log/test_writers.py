"""Real processes: one holder of a lock, and a writer that is killed while it writes."""

import os
import random
import subprocess
import sys
import time

import pytest
from killed_writers import ENVIRONMENT, Nursery, started

from pipeline.errors import LockedError
from pipeline.log.lock import Lock

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.errors import LockedError
from pipeline.log.lock import Lock
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    try:
        held = Lock(Path(sys.argv[1]))
    except LockedError:
        continue
    print("in", flush=True)
    time.sleep(0.0005)
    print("out", flush=True)
    held.release()
"""


def test_a_killed_holder_frees_the_lock_and_a_living_one_is_named_at_once(tmp_path):
    holder = started(HOLDER.replace("time.sleep(0.0005)", "time.sleep(60)"), tmp_path / "lock", 1)
    with holder:
        holder.stdin.write("go\n")
        assert holder.stdout.readline() == "in\n"
        start = time.monotonic()
        with pytest.raises(LockedError, match=f"process {holder.pid} writes this log"):
            Lock(tmp_path / "lock")
        assert time.monotonic() - start < 1
        holder.kill()
    Lock(tmp_path / "lock").release()


def test_of_many_processes_one_at_a_time_holds_the_lock(tmp_path):
    with (tmp_path / "out").open("w+") as out:
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", HOLDER, str(tmp_path / "lock"), "100"],
                stdin=subprocess.PIPE,
                stdout=out,
                env=ENVIRONMENT,
                text=True,
            )
            for _ in range(4)
        ]
        for racer in racers:
            racer.communicate("go\n")
        assert all(racer.returncode == 0 for racer in racers)
        out.seek(0)
        words = out.read().split()
    assert words[::2] == ["in"] * (len(words) // 2)
    assert words[1::2] == ["out"] * (len(words) // 2)
    assert len(words) >= 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("rounds", [30, pytest.param(1000, marks=pytest.mark.soak)])
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path, rounds):
    seed = 10
    """Of which the first writer dies before it has made a folder."""
    with Nursery() as nursery:
        acknowledged = nursery.life(tmp_path / "log", random.Random(seed), rounds)
    assert acknowledged > rounds
