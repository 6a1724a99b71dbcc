"""Live sessions in a thread of their own, as tests look on; `live_store` is where they lie."""

import threading
import time

import pytest

from pipeline.codes import FeedAction, Kind
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.beginning import Recording
from pipeline.run.clock import SystemClock
from pipeline.run.fold import Speed
from pipeline.run.live import record
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.turning import Ending

FILES = (strategy_file("hold"),)
WAITING = ["warm_up_wait_ns=86400000000000"]
"""Clocks of served days run fast."""


@pytest.fixture
def live_store(tmp_path):
    return Store(tmp_path / "data")


def recording(*vendors, symbols=("A", "B"), files=FILES, **options):
    """Interpreted unless asked otherwise: what is compiled comes to the same bytes, and takes ten seconds a strategy first."""
    return Recording(
        vendors=vendors,
        symbols=symbols,
        plan=plan_of(files, [], WAITING),
        strategy_files=files,
        **{"clock": SystemClock(), "speed": Speed.INTERPRETED, **options},
    )


class Running:
    """A recording in a thread of its own, as a test looks on."""

    def __init__(self, store, what):
        self.ending, self.error, self.manifest, self.session = Ending(), None, None, None
        self.feed_rows = []
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(store, what), daemon=True)
        self._thread.start()

    def _run(self, store, what):
        try:
            self.manifest = record(store, what, self.ending, told=self._told)
        except Exception as error:  # noqa: BLE001 - raised again where the test looks
            self.error = error
        finally:
            self._begun.set()

    def _told(self, session):
        self.session = session
        session.recorder.seen.append(self._see)
        self._begun.set()

    def _see(self, committed, _):
        self.feed_rows += [row for block in committed if block.kind is Kind.FEED for row in block.rows()]

    def told(self, *actions):
        """The rows of these actions so far."""
        return [row for row in self.feed_rows if row["action"] in actions]

    def until(self, condition, seconds=30):
        assert self._begun.wait(300)  # strategies nobody compiled before are compiled first
        if self.session is None:
            raise self.error
        deadline = time.monotonic() + seconds
        while not condition(self.session.recorder):
            assert self.error is None, self.error
            assert time.monotonic() < deadline, self.session.recorder.kinds
            time.sleep(0.01)

    def end(self):
        self.ending.asked.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        return self.manifest


def quotes(count):
    return lambda recorder: recorder.kinds.get(Kind.QUOTE, 0) >= count


def rows(store, manifest, *kinds):
    return [
        row
        for batch in LogReader(store.folder(manifest.id)).batches(kinds=kinds)
        for block in batch
        for row in block.rows()
    ]


def actions(store, manifest):
    return [FeedAction(row["action"]) for row in rows(store, manifest, Kind.FEED)]


def rows_of_kind(store, manifest, kind):
    batches = LogReader(store.folder(manifest.id)).batches(what="derived", kinds=[kind])
    return [row for batch in batches for block in batch for row in block.rows()]
