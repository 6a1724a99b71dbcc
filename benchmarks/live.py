"""Live: what a recorder makes of a feed, to merely receiving and decoding it; how soon it decides, and whether it keeps up.

The sender is a process of its own, on the other core; messages are made beforehand. 200 symbols, Massive's words.
"""

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
import uvloop
from websockets.asyncio.client import connect

from benchmarks.measure import Figure
from benchmarks.sender import SYMBOLS
from pipeline.codes import Kind
from pipeline.log.store import Store
from pipeline.normalize.massive_words import Quote, Status
from pipeline.ports import Channel
from pipeline.run.beginning import Recording
from pipeline.run.clock import SystemClock
from pipeline.run.feeds import feed_named
from pipeline.run.live import record
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.turning import Ending

FAST = {50: 1_500_000, 1: 300_000}
"""Messages of the two fast runs, by how many stand in a frame."""

STATED = {50: 1.7e6, 1: 170e3}
"""What receiving and decoding alone reached, messages a second, on the machine for which the limits by the clock were stated."""

RUNS = 3
STEADY = ((50_000, 10), (10_000, 1))
STEADY_S = 60
BURST = 500_000
AFTER_BURST_S = 2.0
"""So long may it take from a burst's last byte until nothing lags: were all of it to wait then, 250,000 messages a second."""

NO_LAG_MS = 10.0
"""A lag of no more than a decision at a steady rate may take (p99) is none."""

NAMES = tuple(f"S{number}" for number in range(1, SYMBOLS + 1))


def figures():
    seconds = 10 if "--short" in sys.argv else STEADY_S
    found, slower = [], []
    for per_frame in FAST:
        figure, bare = _ratio(per_frame)
        found.append(figure)
        slower.append(STATED[per_frame] / bare)
    slow = max(1.0, statistics.mean(slower))
    for rate, per_frame in STEADY:
        found += _steady(rate, per_frame, seconds, slow)
    return [*found, *_burst(slow)]


class Sender:
    """The sender's process; `report` is what it says when it has sent all."""

    def __init__(self, count, per_frame, rate=0, burst=0):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sender", *map(str, (count, per_frame, rate, burst))],
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        self.url = f"ws://127.0.0.1:{int(self._process.stdout.readline())}/stocks"
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    @property
    def report(self):
        return json.loads(self._process.stdout.readline())


def _ratio(per_frame):
    """The figure, and how many messages a second were merely received and decoded."""
    count = FAST[per_frame]
    bare, whole = [], []
    for _ in range(RUNS):
        with Sender(count, per_frame) as sender:
            bare.append(count / uvloop.run(_decode_alone(sender.url, count)))
        whole.append(count / recorded(count, per_frame)["seconds"])
    ratio = statistics.median(ours / theirs for ours, theirs in zip(whole, bare, strict=True))
    speeds = f"{statistics.median(whole) / 1e3:,.0f} k messages/s to {statistics.median(bare) / 1e3:,.0f}"
    what = f"receive, decode, normalise, log and reduce, {per_frame} a frame, to receive and decode alone"
    return Figure(what, ratio, "", 0.5, beside=speeds), statistics.median(bare)


async def _decode_alone(url, count):
    """Seconds from the first message to the last."""
    decoder = msgspec.json.Decoder(list[Quote | Status])
    seen, started = 0, 0.0
    async with connect(url, compression=None, max_size=2**26) as socket:
        await socket.recv()
        await socket.send('{"action":"auth","params":"k"}')
        await socket.recv()
        await socket.send(json.dumps({"action": "subscribe", "params": ",".join(f"Q.{name}" for name in NAMES)}))
        while seen < count:
            messages = decoder.decode(await socket.recv(decode=False))
            if isinstance(messages[0], Quote):
                started = started or time.perf_counter()
                seen += len(messages)
    return time.perf_counter() - started


def recorded(count, per_frame, rate=0, burst=0, strategy="ema_cross", beside=None):
    """Record so many messages; what came of it. `beside` is called in a thread of its own with home, session and watch."""
    file = strategy_file(strategy)
    with tempfile.TemporaryDirectory() as home, Sender(count, per_frame, rate, burst) as sender:
        watch, ending = _Watch(count), Ending()
        recording = Recording(
            vendors=(feed_named("massive", sender.url, frozenset((Channel.QUOTES,))),),
            symbols=NAMES,
            plan=plan_of([file], ["fast=5", "slow=20", "notional=1000"], []),
            strategy_files=(file,),
            clock=SystemClock(),
        )
        thread = threading.Thread(target=watch.wait, args=(ending,), daemon=True)
        thread.start()

        def begun(session):
            session.recorder.seen.append(watch.see)
            if beside is not None:
                threading.Thread(target=beside, args=(home, session.manifest.id, watch), daemon=True).start()

        manifest = record(Store(Path(home)), recording, ending, told=begun)
        thread.join()
        return watch.told() | {"recorded": manifest.kinds.get("quote", 0), "watch": watch} | sender.report


class _Watch:
    """Looks at every commit: how many quotes, how long a quote waited for its decisions, how far behind it is."""

    def __init__(self, count):
        self._count, self._seen = count, 0
        self._first = self._last = 0.0
        self._waits, self._lags, self._memory = [], [], []
        self._over = threading.Event()

    def see(self, inputs, derived):
        now_ns, now = time.time_ns(), time.perf_counter()
        block = next((block for block in inputs if block.kind is Kind.QUOTE), None)
        if block is None:
            return
        self._first = self._first or now
        self._last = now
        self._seen += len(block)
        recv_ns, seq = block.number("ts_recv_ns"), block.number("seq")
        self._lags.append((now_ns, now_ns - int(recv_ns[0])))
        for made in derived:
            if made.kind is Kind.INTENT:
                place = np.searchsorted(seq, made.number("seq"))
                known = seq[np.minimum(place, len(seq) - 1)] == made.number("seq")
                self._waits.append(now_ns - recv_ns[place[known]])
        if len(self._lags) % 1_000 == 1:
            self._memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        if self._seen >= self._count:
            self._over.set()

    def wait(self, ending):
        self._over.wait(300)
        ending.asked.set()

    def is_over(self, timeout_s):
        return self._over.wait(timeout_s)

    def begin(self):
        """Let what waited until now count for nothing."""
        self._waits = []

    def told(self):
        waits = np.concatenate(self._waits) / 1e6 if self._waits else np.zeros(1)
        return {
            "seconds": self._last - self._first,
            "p50_ms": float(np.percentile(waits, 50)),
            "p99_ms": float(np.percentile(waits, 99)),
            "intents": len(waits),
            "lag_max_ms": max(lag for _, lag in self._lags) / 1e6,
            "grown_mb": self._memory[-1] - self._memory[len(self._memory) // 3] if self._memory else 0.0,
        }

    def back_s(self, since_ns):
        """Seconds from then to the first commit that is not behind, and is followed by a second that as a rule is not, either."""
        at_ns, lag_ns = (np.array(column) for column in zip(*self._lags, strict=True))
        for first in np.flatnonzero((at_ns >= since_ns) & (lag_ns <= NO_LAG_MS * 1e6)).tolist():
            end = np.searchsorted(at_ns, at_ns[first] + 1e9)
            if np.median(lag_ns[first:end]) <= NO_LAG_MS * 1e6:
                return (at_ns[first] - since_ns) / 1e9
        return float("inf")


def _steady(rate, per_frame, seconds, slow):
    told = recorded(rate * seconds, per_frame, rate)
    what = f"{rate:,} messages/s, {per_frame} a frame, {seconds} s"
    beside = f"{told['intents']:,} intents, {told['recorded']:,} of {told['sent']:,} recorded, most behind {told['lag_max_ms']:.0f} ms"
    stated = f"stated for a machine {slow:.1f} times as fast as this one now"
    return [
        Figure(f"{what}: lost", told["sent"] - told["recorded"], "", 0, at_least=False, beside=beside),
        Figure(f"{what}: tick to paper intent, p50", told["p50_ms"], "ms", slow, at_least=False, beside=stated),
        Figure(f"{what}: tick to paper intent, p99", told["p99_ms"], "ms", 10 * slow, at_least=False, beside=stated),
        Figure(f"{what}: memory grown in its last two thirds", told["grown_mb"], "MB", 64, at_least=False),
    ]


def _burst(slow):
    """25,000 messages a second for ten seconds, the burst, and the same for ten seconds again."""
    told = recorded(BURST * 2, 10, 25_000, BURST)
    back_s = told["watch"].back_s(told["burst_over_ns"])
    beside = (
        f"most behind {told['lag_max_ms']:,.0f} ms; {told['sent'] - told['recorded']} lost; "
        f"stated for a machine {slow:.1f} times as fast as this one now"
    )
    what = f"burst of {BURST:,} messages into 25,000 a second: seconds from its end until nothing lags"
    return [Figure(what, back_s, "s", AFTER_BURST_S * slow, at_least=False, beside=beside)]


if __name__ == "__main__":
    asyncio.run(_decode_alone(sys.argv[1], int(sys.argv[2])))
