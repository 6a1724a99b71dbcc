"""Real processes: one holder of a lock, and a writer that is killed while it writes."""

import os
import random
import resource
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


def test_who_has_no_room_for_his_number_holds_no_lock(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # as on a full disk, no byte can be written
    try:
        with pytest.raises(OSError, match="File too large"):
            Lock(tmp_path / "lock")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    Lock(tmp_path / "lock").release()


RACER = """
import sys, time
from pathlib import Path
from pipeline.errors import LockedError
from pipeline.log.lock import Lock
for line in sys.stdin:
    while time.time_ns() < int(line):
        pass
    try:
        held = Lock(Path(sys.argv[1]))
    except LockedError as error:
        print("refused", str(error).split()[2], flush=True)
        continue
    print("in", flush=True)
    sys.stdin.readline()
    held.release()
    print("out", flush=True)
"""


@pytest.mark.parametrize("rounds", [100, pytest.param(1_000, marks=pytest.mark.soak)])
def test_of_many_that_come_in_one_moment_one_holds_the_lock(tmp_path, rounds):
    """The others are told who holds it. Every tenth holder is killed with it."""
    racers = {each.pid: each for each in (started(RACER, tmp_path / "lock") for _ in range(6))}
    try:
        for number in range(rounds):
            at_ns = time.time_ns() + 1_000_000
            for racer in racers.values():
                racer.stdin.write(f"{at_ns}\n")
                racer.stdin.flush()
            said = {pid: racer.stdout.readline().split() for pid, racer in racers.items()}
            (holder,) = (pid for pid, words in said.items() if words == ["in"])
            assert [said[pid] for pid in said if pid != holder] == [["refused", str(holder)]] * 5
            if number % 10:
                racers[holder].stdin.write("out\n")
                racers[holder].stdin.flush()
                assert racers[holder].stdout.readline() == "out\n"
            else:
                dead = racers.pop(holder)
                dead.kill()
                dead.communicate()
                other = started(RACER, tmp_path / "lock")
                racers[other.pid] = other
    finally:
        for racer in racers.values():
            racer.kill()
            racer.communicate()


@pytest.mark.parametrize("rounds", [100, pytest.param(1_000, marks=pytest.mark.soak)])
def test_of_many_processes_one_at_a_time_holds_the_lock(tmp_path, rounds):
    with (tmp_path / "out").open("w+") as out:
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", HOLDER, str(tmp_path / "lock"), str(rounds)],
                stdin=subprocess.PIPE,
                stdout=out,
                env=ENVIRONMENT,
                text=True,
            )
            for _ in range(6)
        ]
        for racer in racers:  # all are let go before anybody is waited for
            racer.stdin.write("go\n")
            racer.stdin.flush()
        for racer in racers:
            racer.communicate()
        assert all(racer.returncode == 0 for racer in racers)
        out.seek(0)
        words = out.read().split()
    assert words[::2] == ["in"] * (len(words) // 2)
    assert words[1::2] == ["out"] * (len(words) // 2)
    assert len(words) >= 2 * rounds // 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("rounds", [30, pytest.param(1000, marks=pytest.mark.soak)])
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path, rounds):
    seed = 10
    """Of which the first writer dies before it has made a folder."""
    with Nursery() as nursery:
        acknowledged = nursery.life(tmp_path / "log", random.Random(seed), rounds)
    assert acknowledged > rounds
