"""Writers of real logs on a real disk that die of SIGKILL, each a fork of one process that has imported everything."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from journals import seqs_of

from pipeline.log.disk import RealDisk
from pipeline.log.journal import Journal
from pipeline.log.segments import numbers

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(Path(__file__).parent)))}

# Waits for a line, then lets a fork write until it is killed: one import of everything serves all of them.
SCRIPT = """
import os, sys
from pathlib import Path
from journals import LOG_ID, timers
from pipeline.log.codec import encode
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal, Limits
from pipeline.log.segments import numbers
from pipeline.log.disk import RealDisk

encode([timers(1, 1)])  # pyarrow's first use imports pandas, in each fork anew if not here

def write(seed, folder):
    limits = Limits(segment_bytes=30_000)
    is_there = folder.is_dir() and numbers(RealDisk(), folder)
    journal = Journal.resume(folder, limits=limits)[0] if is_there else Journal.create(folder, log_id=LOG_ID, limits=limits)
    while True:
        for count in (1, 7, 40)[: 1 + seed % 3]:
            journal.append(FrameKind.INPUTS, [timers(journal.written.seq + 1, count)])
        os.write(1, b"durable %d\\n" % journal.sync().seq)

for line in sys.stdin:
    seed, folder = line.rstrip("\\n").split(" ", 1)
    child = os.fork()
    if child == 0:
        write(int(seed), Path(folder))
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
        start_new_session=True,  # Ctrl-C is for whoever started this, who ends it behind a life
    )


class Nursery:
    """Gives birth to writers. A context manager."""

    def __enter__(self):
        self._process = started(SCRIPT)
        return self

    def __exit__(self, *_):
        self._process.communicate()

    def life(self, folder, rng, kills):
        """The life of a log: so many writers go on in it, each killed, and each time it is recovered and read whole.

        The last seq that was acknowledged. Raises AssertionError when the log lost something, or made something up.
        """
        acknowledged = 0
        for _ in range(kills):
            acknowledged = max(acknowledged, self._killed_while_writing(folder, rng))
            if not (folder.is_dir() and numbers(RealDisk(), folder)):
                assert not acknowledged, f"{acknowledged} were acknowledged, and there is no log"
                continue  # killed before the first segment had its name
            journal, recovered = Journal.resume(folder)
            assert not recovered.was_closed
            seqs = seqs_of(RealDisk(), folder)
            assert seqs == list(range(1, len(seqs) + 1)), "there is a hole, or a row twice"
            assert len(seqs) == journal.written.seq
            assert len(seqs) >= acknowledged, f"{acknowledged} were acknowledged, {len(seqs)} are there"
            journal.abandon()
        return acknowledged

    def _killed_while_writing(self, folder, rng):
        """Let a writer write for a moment, kill it, give the last seq that it acknowledged; 0 when it came to none."""
        nursery = self._process
        nursery.stdin.write(f"{rng.randrange(3)} {folder}\n")
        acknowledged, pid, goal = 0, None, rng.randint(0, 12)
        moment_s = rng.random() * (0.001 if goal else 0.03)  # while it writes, or while it looks at what is there
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
                time.sleep(moment_s)
                os.kill(pid, signal.SIGKILL)
                goal = 10**9
