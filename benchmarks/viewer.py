"""Viewer: somebody who looks at the dashboard, as a process of its own: the pages' server and this machine's Chromium.

It is told what to do line by line, each a list in JSON, and answers each with a line when it is done: `["open", "live?log=x"]`,
`["press", "Alt+p"]`, `["leave"]`, `["changes"]` (how often the page changed since it was opened). Run: `python -m benchmarks.viewer HOME`.
"""

import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager

from playwright.sync_api import sync_playwright

from pipeline.reports.report_printing import browser

ALONE = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
READY = "[data-testid=stDataFrame] canvas, [data-points], .stCode, textarea"
"""Rows, a chart, commands or a statement: a page has one of them when it is painted."""

_IS_WHOLE = """
() => !document.querySelector("[data-testid=stSkeleton]")
  && [...document.querySelectorAll("[data-testid=stEChartsChart]")].every((diagram) => diagram.querySelector("canvas"))
"""
"""Nothing stands in for what is still loaded, and every diagram is drawn."""

SIZE = {"width": 1280, "height": 900}
_WATCHED = """
() => {
  window.changes = 0; window.changed = performance.now(); window.acted = 0;
  new MutationObserver(() => { window.changes += 1; window.changed = performance.now(); })
    .observe(document.querySelector("[data-testid=stApp]"), { childList: true, subtree: true, characterData: true, attributeFilter: ["data-test-script-state"] });
  for (const kind of ["pointerdown", "keydown"])
    document.addEventListener(kind, () => { window.acted = performance.now(); window.changed = window.acted; }, true);
}
"""
_IS_CALM = """
(calm) => document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning"
  && performance.now() - Math.max(window.changed, window.acted) > calm
"""
_CALM_MS = 700
"""So long does nothing change when the answer to a click is there; it is not counted."""


class Viewer:
    """The process, from here."""

    def __init__(self, home):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.viewer", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ask("ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()

    def ask(self, *words):
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def served(arguments, says):
    """A server in a process of its own; its address."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield next(found[1] for line in server.stdout if (found := re.fullmatch(says, line)))
        finally:
            server.terminate()
            server.communicate()  # it says that it stops, and never does when nobody listens


def dashboard(home):
    """The pages over a store."""
    return served(
        ["-m", "pipeline.cli", "--home", str(home), "dashboard", "--no-browser", "--port", "0"], r"dashboard: (\S+)\n"
    )


@contextmanager
def chromium():
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser(), args=["--headless", *ALONE])
        yield opened
        opened.close()


def open_page(page, url):
    """Until its rows and charts are there and no script of it runs."""
    page.goto(url)
    page.locator(READY).first.wait_for()
    page.get_by_test_id("stStatusWidget").wait_for(state="hidden")
    page.wait_for_function(_IS_WHOLE)


def paints_s(opened, url, rounds):
    """Seconds until a page is there, each time in an empty browser."""
    took = []
    for _ in range(rounds):
        context = opened.new_context(viewport=SIZE)
        page = context.new_page()
        begun = time.perf_counter()
        open_page(page, url)
        took.append(time.perf_counter() - begun)
        context.close()
    return took


def watch_changes(page):
    page.evaluate(_WATCHED)


def answered_s(page, act):
    """Seconds from the click or key of `act` until the page has changed for the last time."""
    act()
    page.wait_for_function(_IS_CALM, arg=_CALM_MS)
    return page.evaluate("(window.changed - window.acted) / 1000")


def _do(page, url, what, *words):
    match what:
        case "open":
            open_page(page, f"{url}{words[0]}")
            watch_changes(page)
        case "leave":
            page.goto("about:blank")
        case "press":
            page.keyboard.press(words[0])
        case "changes":
            return page.evaluate("window.changes")
    return what


def main(home):
    with dashboard(home) as url, chromium() as opened:
        page = opened.new_context(viewport=SIZE).new_page()
        for line in sys.stdin:
            print(json.dumps(_do(page, url, *json.loads(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
