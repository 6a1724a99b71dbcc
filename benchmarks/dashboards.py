"""Dashboards: the pages over 1,000 sessions with 100 M events, in this machine's Chromium.

The sessions are generated, each another day from another seed, recorded as `tape demo` records its own, with a strategy that
decides. They stay in `build/dashboards`: to make them takes some minutes the first time, and goes on where it was cut short.
To make them alone: `python -m benchmarks.dashboards built SESSIONS`.
"""

import os
import re
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.charts import ALONE, FIRST_PAINT_S, PAGES
from benchmarks.measure import Figure, slowness
from pipeline.log.store import Store
from pipeline.reports.report_printing import browser
from pipeline.run.generating import record_generated
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day
from pipeline.units import NANO

HOME = Path(__file__).parents[1] / "build" / "dashboards"
SESSIONS = 1_000
QUOTES = 12_300
"""Of each of the six instruments: some 100,000 inputs a session, prints and timers included."""

LAST_DAY = datetime(2026, 11, 4, 8, tzinfo=UTC)
ROUNDS = 5
READY = "[data-testid=stDataFrame] canvas, [data-points], .stCode"
"""Rows, a chart or commands: a page has one of them when it is painted."""

_ONE_TABLE = 'import pyarrow as pa, streamlit as st\nst.dataframe(pa.table({"a": [1, 2, 3]}))\n'


def figures():
    slow = max(slowness(), 1.0)
    store = built(SESSIONS)
    events = sum(session.inputs + session.derived for session in store.sessions())
    over = f"{len(store.sessions()):,} sessions, {events / 1e6:,.1f} M events"
    with _browser() as chromium:
        with served(
            ["-m", "streamlit", "run", str(_one_table()), "--server.headless=true", "--server.fileWatcherType=none"],
            r".*Local URL: (http\S+)\s*",
        ) as url:
            least = _paints(chromium, url, "/")
        with dashboard(HOME) as url:
            found = [_paint(chromium, url, page, least, over, slow) for page in PAGES]
    return found


def built(count):
    """The store with so many sessions; what an earlier building left unfinished is made again."""
    store = Store(HOME)
    there = {}
    for each in store.sessions():
        if each.state == "sealed":
            there[each.seed] = each
        else:
            store.delete(each.id)
    file = strategy_file("ema_cross")
    plan = plan_of([file], ["fast=20", "slow=100", "notional=2000"], ["daily_loss_max=1e9"])
    for seed, day in enumerate(_days(count), 1):
        if seed not in there:
            made = Day(quotes=QUOTES, seed=seed, starts_ns=int(day.timestamp()) * NANO)
            record_generated(store, made, plan, [file], created_ns=made.starts_ns + made.lasts_ns)
    return store


def _days(count):
    """The last so many weekdays, oldest first."""
    found, day = [], LAST_DAY
    while len(found) < count:
        if day.weekday() < 5:
            found.append(day)
        day -= timedelta(days=1)
    return found[::-1]


@contextmanager
def served(arguments, says):
    """A server in a process of its own; its address."""
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield next(found[1] for line in server.stdout if (found := re.fullmatch(says, line)))
        finally:
            server.terminate()


def dashboard(home):
    """The pages over a store."""
    return served(
        ["-m", "pipeline.cli", "--home", str(home), "dashboard", "--no-browser", "--port", "0"], r"dashboard: (\S+)\n"
    )


def _one_table():
    """An app that is one small table: what no page of Streamlit's can be faster than."""
    path = HOME.parent / "one_table.py"
    path.write_text(_ONE_TABLE)
    return path


@contextmanager
def _browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=["--headless", *ALONE])
        yield chromium
        chromium.close()


def _paints(chromium, url, name):
    """Seconds until a page is there, each time in an empty browser."""
    took = []
    for _ in range(ROUNDS):
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        begun = time.perf_counter()
        _open(page, f"{url.rstrip('/')}/{name.lstrip('/')}")
        took.append(time.perf_counter() - begun)
        context.close()
    return took


def _open(page, url):
    page.goto(url)
    page.locator(READY).first.wait_for()
    page.get_by_test_id("stStatusWidget").wait_for(state="hidden")


def _paint(chromium, url, name, least, over, slow):
    first, *later = _paints(chromium, url, name)
    beside = (
        f"{over}; the first time {first:.2f} s; a page of Streamlit with one table {statistics.median(least):.2f} s; "
        f"stated for a machine {slow:.1f} times as fast as this one now"
    )
    what = f"first paint of {name or 'sessions'}, large store"
    return Figure(what, statistics.median(later), "s", FIRST_PAINT_S * slow, at_least=False, beside=beside)


if __name__ == "__main__":
    os.nice(19)
    built(int(sys.argv[2]))
