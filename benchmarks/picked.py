"""Picked: 500 symbols with three strategies each over the exchange simulator, and 100 more picked and dropped meanwhile.

The exchange is a process of its own, on the other core. Two scanners: a list of 500 symbols behind which three
strategies stand; and one that picks, all at once, the 100 that are only watched, whose strategy waits for history.
"""

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.measure import Figure
from pipeline.codes import FeedAction, Kind, Origin
from pipeline.feeds.vendor import watching
from pipeline.log.store import Store
from pipeline.ports import Channel
from pipeline.run.beginning import Recording
from pipeline.run.feeds import feed_named
from pipeline.run.live import record
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.turning import Ending
from pipeline.run.verifying import verify
from pipeline.scanner_codes import UniverseAction

LISTED, PICKED = 500, 100
QUOTES, MINUTES, SPEED = 900, 4, 2.0
"""Quotes a symbol in so many minutes of the market, served so many times as fast."""

STRATEGIES = ("ema_cross", "opening_range", "hold")
MARKET = (Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS)
NEWCOMERS = """
name = "newcomers"
limit = 100
subscriptions_max = 100
retention_s = 150
cool_down_s = 3600
full_table_every_s = 0
show = ["last"]

[schedule]
every_s = 5
from = "09:31"
until = "16:00"

[[filters]]
field = "bid"
op = "<"
threshold = 0.0
absent = "pass"

[near_miss]
filters_max = 0
"""
"""Picks what has no quote yet: the symbols that are only watched; a minute later they have one, and are dropped."""


def figures():
    quotes = QUOTES // 3 if "--short" in sys.argv else QUOTES
    with tempfile.TemporaryDirectory() as home, Served(quotes) as served:
        watch, manifest, store = _recorded(Path(home), served)
        verdict = verify(store, manifest.id)
        sent = served.sent
    return [*watch.figures(sent), Figure("decided alike by a replay", float(verdict.identical), "", 1)]


class Served:
    """The exchange's process."""

    def __init__(self, quotes):
        arguments = map(str, (LISTED + PICKED, quotes, MINUTES, SPEED))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.exchange", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.sent = 0
        self.is_over = threading.Event()

    def __enter__(self):
        told = json.loads(self._process.stdout.readline())
        self.url, self.starts_ns, self.symbols = told["url"], told["starts_ns"], told["symbols"]
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self):
        line = self._process.stdout.readline()
        self.sent = json.loads(line)["sent"] if line else 0
        self.is_over.set()

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()


def _recorded(home, served):
    listed = served.symbols[:LISTED]
    (home / "listed.toml").write_text(f'name = "listed"\nsymbols = {json.dumps(listed)}\n')
    (home / "newcomers.toml").write_text(NEWCOMERS)
    second = home / "second.py"
    text = strategy_file("ema_cross").read_text()
    second.write_text(
        text.replace('"ema_cross"', '"second"').replace("on_quote=on_quote,", 'on_quote=on_quote, warm_up="1m",', 1)
    )
    files = (*map(strategy_file, STRATEGIES), second)
    plan = plan_of(
        files,
        ["ema_cross.fast=5", "ema_cross.slow=20", "second.fast=5", "second.slow=20"],
        ["order_slots=20000", "positions_max=10000", "warm_up_wait_ns=600000000000"],
        [home / "listed.toml", home / "newcomers.toml"],
        [1, 1, 1, 2],
    )
    channels = frozenset((Channel.QUOTES, Channel.PRINTS, Channel.STATUSES, Channel.BARS_1M))
    vendor = watching(feed_named("massive", served.url, channels), {Channel.BARS_1M})
    ending, watch, store, clock = Ending(), Watch(), Store(home / "data"), DayClock(served.starts_ns)

    def told(session):
        session.recorder.seen.append(watch.see)
        clock.begin()

    recording = Recording(
        vendors=(vendor,),
        symbols=tuple(listed),
        plan=plan,
        strategy_files=files,
        clock=clock,
        watched=tuple(served.symbols[LISTED:]),
        watch_channels=frozenset((Channel.BARS_1M,)),
    )
    threading.Thread(target=watch.wait, args=(served, ending), daemon=True).start()
    manifest = record(store, recording, ending, told=told)
    return watch, manifest, store


class DayClock:
    """The clock of the served day, which stands until the recorder is ready to connect: compiling takes as long as it takes."""

    rate = SPEED

    def __init__(self, starts_ns):
        self._starts_ns = starts_ns
        self._begun_ns = 0

    def begin(self):
        self._begun_ns = time.monotonic_ns()

    def now_ns(self):
        elapsed_ns = time.monotonic_ns() - self._begun_ns if self._begun_ns else 0
        return self._starts_ns + int(elapsed_ns * self.rate)


class Watch:
    """Looks at every commit: how much, how far behind, and how long it takes until what was picked flows, and is warm."""

    def __init__(self):
        self._rows, self._first, self._last = 0, 0.0, 0.0
        self._lags, self._memory = [], []
        self._picked, self._dropped, self._flows, self._warm, self._left = [], [], [], [], []

    def see(self, inputs, derived):
        now = time.perf_counter()
        for block in inputs:
            if block.kind in MARKET:
                self._rows += int((block.number("origin") == int(Origin.INPUT)).sum())
                self._first, self._last = self._first or now, now
            if block.kind is Kind.FEED:
                self._feed(block, now)
        for block in derived:
            if block.kind is Kind.UNIVERSE:
                newcomers = block.number("action")[block.number("scanner_id") == 2]
                self._picked += [now] * int((newcomers == int(UniverseAction.ADDED)).sum())
                self._dropped += [now] * int((newcomers == int(UniverseAction.DROPPED)).sum())
        self._memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    def _feed(self, block, now):
        for row in block.rows():
            count = len(row["text"].split())
            if self._picked and row["action"] == FeedAction.SUBSCRIBED and row["channel"] == Channel.QUOTES:
                self._flows += [now] * count
            elif row["action"] == FeedAction.WARMED:
                self._warm.append((now, row["text"]))
            elif self._dropped and row["action"] == FeedAction.UNSUBSCRIBED and row["channel"] == Channel.QUOTES:
                self._left += [now] * count

    def wait(self, served, ending):
        served.is_over.wait(900)
        seen = -1
        while seen != self._rows:
            seen = self._rows
            time.sleep(2.0)
        ending.asked.set()
        self._lag_s = lambda: ending.lag_s_max

    def figures(self, sent):
        rate = self._rows / (self._last - self._first)
        picked, dropped = self._picked[:PICKED], self._dropped[:PICKED]
        cold = [text for _, text in self._warm if ": " in text]
        grown = self._memory[-1] - self._memory[2 * len(self._memory) // 3]
        beside = (
            f"{self._rows:,} of {sent:,} recorded, {rate:,.0f} a second, longest wait {self._lag_s() * 1e3:,.0f} ms"
        )
        return [
            Figure(f"{LISTED} symbols, 3 strategies each, {PICKED} more picked: lost", sent - self._rows, "", 0, at_least=False, beside=beside),
            Figure("memory grown in its last third", grown, "MB", 64, at_least=False, beside=self._steps()),
            Figure(f"{PICKED} symbols picked: all flow", _until(picked, self._flows), "s", 5, at_least=False, beside=f"{len(self._picked)} picked"),
            Figure(f"{PICKED} symbols picked: all are warm", _until(picked, [at for at, _ in self._warm]), "s", 30, at_least=False, beside=f"{len(cold)} cold"),
            Figure(f"{PICKED} symbols dropped: none flows", _until(dropped, self._left), "s", 5, at_least=False, beside=f"{len(self._dropped)} dropped"),
        ]  # fmt: skip

    def _steps(self):
        sizes = [self._memory[len(self._memory) * tenth // 10] for tenth in range(10)] + [self._memory[-1]]
        return " ".join(f"{size:,.0f}" for size in sizes)


def _until(began, ended):
    """Seconds from the first of the ones to the last of the others; infinite where they are too few."""
    return ended[PICKED - 1] - began[0] if len(began) >= PICKED <= len(ended) else float("inf")
