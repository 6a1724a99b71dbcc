"""A generated day with a scanner, two strategies and a run, with hostile words in its notes; its pages, by Streamlit and in Chromium."""

import re
from pathlib import Path

import pytest
from pages_served import HOSTILE, HOSTILE_SYMBOL, SESSION, Server
from playwright.sync_api import sync_playwright
from streamlit.testing.v1 import AppTest

from dashboards.data import HOME
from dashboards.serving import APP
from pipeline.codes import Kind
from pipeline.errors import ConfigError
from pipeline.log.frames import FrameKind
from pipeline.log.journal import Journal
from pipeline.log.reader import JOURNAL, LogReader
from pipeline.log.store import Store
from pipeline.provenance import Mode
from pipeline.reports.report_printing import browser as found_browser
from pipeline.run.generating import record_generated
from pipeline.run.notes import remark
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.simulator.generate import Day

ROOT = Path(__file__).resolve().parents[2]
FILES = [strategy_file("ema_cross"), strategy_file("opening_range")]
BUSY = ROOT / "tests" / "busy.toml"


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The home of a store with a session and a run over it, both sealed; nobody may change it."""
    home = tmp_path_factory.mktemp("dashboards")
    store = Store(home)
    given = ["ema_cross.fast=5", "ema_cross.slow=20", "opening_range.open_minute=480"]
    session = record_generated(store, Day(seed=3, quotes=1_500), plan_of(FILES, given, [], [BUSY]), FILES, created_ns=1)
    assert session.id == SESSION
    replay(store, SESSION, plan_of(FILES[:1], ["fast=8", "slow=30"], [], [BUSY]), FILES[:1], created_ns=2)
    remark(store, SESSION, HOSTILE, tag="*x*", now_ns=3)
    return home


@pytest.fixture
def app(home, monkeypatch):
    """The pages over the day."""
    return _app(home, monkeypatch)


@pytest.fixture
def empty_app(tmp_path, monkeypatch):
    """The pages over a store that has nothing."""
    return _app(tmp_path / "nothing", monkeypatch)


def _app(home, monkeypatch):
    monkeypatch.setenv(HOME, str(home))
    return AppTest.from_file(str(APP), default_timeout=60)


@pytest.fixture(scope="session")
def server(home):
    """The pages over the day, served once for all tests."""
    made = Server(home)
    yield made
    made.end()


@pytest.fixture(scope="module")
def chromium():
    """A browser without a window, for one file: while it is there, nobody else can run a loop. Skipped where there is none."""
    try:
        program = found_browser()
    except ConfigError:
        pytest.skip("no Chromium on this machine")
    words = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    words += " disable-component-update disable-sync"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[f"--{word}" for word in words.split()])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """An empty page. It fails when it asked anybody but this machine, or a script of it failed."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(120_000)
    strangers, failures = [], []
    page.on("request", lambda asked: strangers.append(asked.url) if _is_stranger(asked.url) else None)
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    context.close()
    assert strangers == []
    assert failures == []


def _is_stranger(url):
    return not re.match(r"(http|ws)://(127\.0\.0\.1|localhost):|data:|blob:", url)


class Writing:
    """A session that is being recorded: the inputs and decisions of the day, appended by the real journal when a test says so."""

    def __init__(self, home, source):
        store, day = Store(home), LogReader(source / "sessions" / SESSION)
        told = {"settings": day.manifest.settings, "strategies": day.manifest.strategies, "code": {}}
        self.manifest = store.create_session("live", mode=Mode.PAPER, created_ns=5, **told)
        self.journal = Journal.create(
            store.folder(self.manifest.id) / JOURNAL, log_id=bytes.fromhex(self.manifest.log_id)
        )
        self.last_seq = day.last_seq
        self._day = day
        self._next = 1

    def write(self, until_seq):
        """The rows up to this input, as a recorder commits them: inputs first, then what was decided about them."""
        stretch = {"from_seq": self._next, "to_seq": until_seq, "rows": until_seq}
        for kind, what in ((FrameKind.INPUTS, "inputs"), (FrameKind.DERIVED, "derived")):
            for window in self._day.windows(what=what, **stretch):
                self.journal.append(kind, [self._renamed(block) for block in window.blocks])
        self.journal.sync()
        self._next = until_seq + 1

    def _renamed(self, block):
        """One instrument has a symbol that a browser could take for more than a word."""
        if block.kind is not Kind.INSTRUMENT:
            return block
        symbols = [HOSTILE_SYMBOL if each == block.text("symbol")[0] else each for each in block.text("symbol")]
        return block.with_columns(symbol=symbols)


@pytest.fixture
def writing(home, tmp_path):
    """A store of its own with a session that is being recorded."""
    made = Writing(tmp_path / "live", home)
    with made.journal:
        yield made
