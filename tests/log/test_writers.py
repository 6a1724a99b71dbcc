"""Real processes: one holder of a lock, and a writer that is killed while it writes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from journals import seqs_of

from pipeline.errors import LockedError
from pipeline.log.disk import RealDisk
from pipeline.log.journal import Journal
from pipeline.log.lock import Lock

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(Path(__file__).parent)))}

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

# Waits for a line, then lets a fork write until it is killed: one import of everything serves all rounds.
NURSERY = """
import os, sys
from pathlib import Path
from journals import LOG_ID, timers
from pipeline.log.codec import encode
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal, Limits
from pipeline.log.segments import numbers
from pipeline.log.disk import RealDisk

folder = Path(sys.argv[1])
encode([timers(1, 1)])  # pyarrow's first use imports pandas, in each fork anew if not here

def write(seed):
    limits = Limits(segment_bytes=30_000)
    journal = Journal.resume(folder, limits=limits)[0] if numbers(RealDisk(), folder) else Journal.create(folder, log_id=LOG_ID, limits=limits)
    while True:
        for count in (1, 7, 40)[: 1 + seed % 3]:
            journal.append(FrameKind.INPUTS, [timers(journal.written.seq + 1, count)])
        os.write(1, b"durable %d\\n" % journal.sync().seq)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        write(int(line))
    os.write(1, b"pid %d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"dead 0\\n")
"""


def started(script, *args):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
        bufsize=1,
    )


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
    rng = random.Random(rounds)
    acknowledged = 0
    with started(NURSERY, tmp_path) as nursery:
        for _ in range(rounds):
            acknowledged = max(acknowledged, killed_while_writing(nursery, rng))
            journal, recovered = Journal.resume(tmp_path)
            assert not recovered.was_closed
            seqs = seqs_of(RealDisk(), tmp_path)
            assert seqs == list(range(1, len(seqs) + 1))
            assert len(seqs) == journal.written.seq >= acknowledged
            journal.abandon()
        nursery.stdin.close()
    assert acknowledged > rounds


def killed_while_writing(nursery, rng):
    """Let a writer write for a moment, kill it, give the last seq that it acknowledged."""
    nursery.stdin.write(f"{rng.randrange(3)}\n")
    acknowledged, pid, goal = 0, None, rng.randint(0, 12)
    while True:
        word, number = nursery.stdout.readline().split()
        if word == "dead":
            return acknowledged
        if word == "pid":
            pid = int(number)
        else:
            acknowledged = int(number)
            goal -= 1
        if pid and goal <= 0:
            time.sleep(rng.random() * 0.001)
            os.kill(pid, signal.SIGKILL)
            goal = 10**9
