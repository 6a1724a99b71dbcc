"""Report: from the command to the page, of a run of 500 trades; the command is a new process each time."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure, slowness
from pipeline.log.store import Store
from pipeline.reports.report_page import _plotly
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from warehouse import connect

QUOTES = 20_000
LIMIT_S = 5.0
"""Of a run of 500 trades, on a machine that has nothing else to do."""


def figures():
    slow = slowness()
    with tempfile.TemporaryDirectory() as home:
        run, trades = traded(home)
        page = Path(home, "page.html")
        page_s, cpu_s = sorted(_report_s(home, run, "-o", str(page)) for _ in range(5))[2]
        text_s = sorted(_report_s(home, run, "--text") for _ in range(3))[1][0]
        size, script = page.stat().st_size / 1e6, len(_plotly()[0]) / 1e6
    beside = (
        f"stated for a machine {slow:.1f} times as fast as this one now; {cpu_s:.2f} s of CPU; {trades} trades in {QUOTES * 6:,} quotes; "
        f"{size:.2f} MB, of them {script:.2f} plotly.js; as text {text_s:.2f} s"
    )
    limit = LIMIT_S * max(slow, 1.0)
    return [Figure("tape report of a run of 500 trades", page_s, "s", limit, at_least=False, beside=beside)]


def traded(home):
    """A run of 500 trades and some, over a generated day; the first report works out what is kept, and is not counted."""
    store = Store(Path(home))
    session = record_generated(store, Day(quotes=QUOTES), plan_of([], [], []), [], created_ns=1)
    files = [strategy_file("ema_cross")]
    plan = plan_of(files, ["fast=20", "slow=100", "notional=2000"], ["daily_loss_max=1e9"])
    run = replay(store, session.id, plan, files, created_ns=2).run
    ((trades,),) = (
        connect(home, [run]).sql("select count(*) from trades where is_closed and run is not null").fetchall()
    )
    assert 500 <= trades <= 700, trades
    _report_s(home, run, "--text")
    return run, trades


def _report_s(home, run, *words):
    """Seconds of the clock, and of CPU."""
    command = [sys.executable, "-m", "pipeline.cli", "--home", home, "report", run, *words]
    started, before = time.perf_counter(), os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, spent
