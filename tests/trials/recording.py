"""A long recording: a sender and a recorder with a strategy, as fast as it is said, its memory looked at every few seconds.

`speed` is that of the virtual clock: eight hours at a speed of 16 are half an hour, in which 16 times as many messages come a
second. What it came to is a line of `recorded.jsonl`: nothing of it is written when a message was lost.
"""

import json
import resource
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from stints import code

from benchmarks.live import NAMES, Sender
from pipeline.codes import Kind
from pipeline.log.store import Store
from pipeline.ports import Channel
from pipeline.run.beginning import Recording
from pipeline.run.clock import ScaledClock, SystemClock
from pipeline.run.feeds import feed_named
from pipeline.run.live import record
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.turning import Ending
from pipeline.run.verifying import verify

RECORDED = Path(__file__).with_name("recorded.jsonl")
LOOKED_EVERY_S = 5
PER_FRAME = 10
WARM = 1 / 3
"""So much of it passes before memory is compared: buffers, caches and the allocator have grown by then."""


class Watch:
    """Counts what is committed, and looks at this process from time to time."""

    def __init__(self, count):
        self.seen, self.last, self.lag_max_ns = 0, time.monotonic(), 0
        self.looks = []
        """Seconds since the beginning, private memory in MiB, open files, threads."""
        self._count, self._began = count, time.monotonic()

    def see(self, inputs, derived):
        for block in inputs:
            if block.kind is Kind.QUOTE:
                self.seen += len(block)
                self.last = time.monotonic()

    def wait(self, ending, patience_s):
        while self.seen < self._count and time.monotonic() - self.last < patience_s:
            self._look()
            time.sleep(LOOKED_EVERY_S)
        self._look()
        ending.asked.set()

    def _look(self):
        status = Path("/proc/self/status").read_text().splitlines()
        private_kb = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
        files, threads = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
        self.looks.append((time.monotonic() - self._began, private_kb / 1024, files, threads))

    def slope_mib_per_hour(self):
        """Of a straight line through the later looks."""
        later = np.array([look[:2] for look in self.looks if look[0] >= self.looks[-1][0] * WARM])
        return float(np.polyfit(later[:, 0] / 3600, later[:, 1], 1)[0])


def run(minutes, rate, speed, *, words=sys.stdout, patience_s=120.0):
    """Record so many minutes of the virtual clock; what it came to. Raises AssertionError when something was lost."""
    count = int(minutes * 60 * rate) // PER_FRAME * PER_FRAME
    file = strategy_file("ema_cross")
    clock = ScaledClock(time.time_ns(), speed) if speed != 1 else SystemClock()
    with (
        tempfile.TemporaryDirectory(prefix="recording-") as home,
        Sender(count, PER_FRAME, int(rate * speed)) as sender,
    ):
        watch, ending, store = Watch(count), Ending(), Store(Path(home))
        asked = Recording(
            vendors=(feed_named("massive", sender.url, frozenset((Channel.QUOTES,))),),
            symbols=NAMES,
            plan=plan_of([file], ["fast=5", "slow=20", "notional=1000"], []),
            strategy_files=(file,),
            clock=clock,
        )
        thread = threading.Thread(target=watch.wait, args=(ending, patience_s), daemon=True)
        thread.start()
        began = time.monotonic()
        manifest = record(store, asked, ending, told=lambda session: session.recorder.seen.append(watch.see))
        thread.join()
        found = {
            "day": f"{datetime.now(UTC):%Y-%m-%d}",
            "code": code(),
            "minutes": round((time.monotonic() - began) / 60, 1),
            "speed": speed,
            "rate": rate,
            "sent": count,
            "recorded": manifest.kinds.get("quote", 0),
            "derived": manifest.derived,
            "slope_mib_per_hour": round(watch.slope_mib_per_hour(), 2),
            "memory_mib": [round(watch.looks[at][1]) for at in (len(watch.looks) // 3, -1)],
            "files": [watch.looks[at][2] for at in (len(watch.looks) // 3, -1)],
            "threads": [watch.looks[at][3] for at in (len(watch.looks) // 3, -1)],
            "cpu_s": round(sum(resource.getrusage(resource.RUSAGE_SELF)[:2])),
        }
        print(json.dumps(found), file=words, flush=True)
        assert found["recorded"] == count, f"{count - found['recorded']} messages are not in the log"
        assert verify(store, manifest.id).identical, "what it decided is not what its log decides"
    return found


def keep(found):
    """Write down what a run came to."""
    with RECORDED.open("a") as kept:
        kept.write(json.dumps(found) + "\n")
