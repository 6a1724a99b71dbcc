"""Dashboards: the pages over 1,000 sessions with 100 M events, in this machine's Chromium.

The sessions are generated, each another day from another seed, recorded as `tape demo` records its own, with a strategy that
decides. They stay in `build/dashboards`: to make them takes some minutes the first time, and goes on where it was cut short.
To make them alone: `python -m benchmarks.dashboards built SESSIONS`.
"""

import os
import statistics
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.charts import FIRST_PAINT_S, PAGES
from benchmarks.measure import Figure, slowness
from benchmarks.viewer import SIZE, answered_s, chromium, dashboard, open_page, paints_s, served, watch_changes
from pipeline.log.store import Store
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
ANSWERED_S = 0.5


def _press(words):
    return lambda page: page.get_by_role("button", name=words, exact=True).click()


def _turn(words):
    return lambda page: page.get_by_role("tab", name=words).click()


def _choose(words):
    return lambda page: page.get_by_test_id("stButtonGroup").get_by_text(words, exact=True).click()


def _key(words):
    return lambda page: page.keyboard.press(words)


def _slide(label):
    return lambda page: page.get_by_role("slider", name=label).press("ArrowRight")


INTERACTIONS = (
    ("sessions", "the tab Gaps", _turn("Gaps")),
    ("live", "candles of a minute", _choose("1 min")),
    ("trades", "the next trade, by key", _key("Alt+ArrowRight")),
    ("trades", "those that won", _choose("won")),
    ("trades", "candles of a second", _choose("1 s")),
    ("trades", "the tab Executions", _turn("Executions")),
    ("trades", "the tab Tape", _turn("Tape")),
    ("replay", "the next event", _key("Alt+ArrowRight")),
    ("replay", "the next decision", _key("Alt+d")),
    ("performance", "the next tab", lambda page: page.get_by_role("tab").nth(1).click()),
    ("montecarlo", "entries missed", _slide("Entries missed, %")),
    ("compare", "the tab Decisions", _turn("Decisions")),
    ("sql", "a statement asked", _press("Ask")),
)
"""By page what is done on it."""

BARE = [
    f"--{option}"
    for option in (
        "server.headless=true",
        "server.fileWatcherType=none",
        "server.address=127.0.0.1",
        "server.port=0",
        "browser.gatherUsageStats=false",
    )
]
_ONE_TABLE = 'import pyarrow as pa, streamlit as st\nst.dataframe(pa.table({"a": [1, 2, 3]}))\n'


def figures():
    slow = max(slowness(), 1.0)
    store = built(SESSIONS)
    events = sum(session.inputs + session.derived for session in store.sessions())
    over = f"{len(store.sessions()):,} sessions, {events / 1e6:,.1f} M events"
    with chromium() as opened:
        with served(["-m", "streamlit", "run", str(_one_table()), *BARE], r".*URL: (http\S+)\s*") as url:
            least = paints_s(opened, url, ROUNDS)
        with dashboard(HOME) as url:
            painted = [_paint(opened, url, page, least, over, slow) for page in (*PAGES, "sql")]
            acts = [_interaction(opened, url, *named, over, slow) for named in INTERACTIONS]
    return [*painted, *acts]


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


def _one_table():
    """An app that is one small table: what no page of Streamlit's can be faster than."""
    path = HOME.parent / "one_table.py"
    path.write_text(_ONE_TABLE)
    return path


def _paint(opened, url, name, least, over, slow):
    first, *later = paints_s(opened, f"{url}{name}", ROUNDS)
    beside = (
        f"{over}; the first time {first:.2f} s; a page of Streamlit with one table {statistics.median(least):.2f} s; "
        f"stated for a machine {slow:.1f} times as fast as this one now"
    )
    what = f"first paint of {name or 'sessions'}, large store"
    return Figure(what, statistics.median(later), "s", FIRST_PAINT_S * slow, at_least=False, beside=beside)


def _interaction(opened, url, name, what, act, over, slow):
    """One act on a page that was painted, each time in an empty browser."""
    took = []
    for _ in range(ROUNDS):
        context = opened.new_context(viewport=SIZE)
        page = context.new_page()
        open_page(page, f"{url}{name}")
        watch_changes(page)
        took.append(answered_s(page, lambda page=page: act(page)))
        context.close()
    first, *later = took
    beside = f"{over}; the first time {first:.2f} s; stated for a machine {slow:.1f} times as fast as this one now"
    figure = f"{name}, {what}: seconds until its last change"
    return Figure(figure, statistics.median(later), "s", ANSWERED_S * slow, at_least=False, beside=beside)


if __name__ == "__main__":
    os.nice(19)
    built(int(sys.argv[2]))
