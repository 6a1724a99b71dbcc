"""Ctrl-C with much left to reduce: it is told, and all of it is decided and sealed; a second one stops at once, and the next start goes on."""

import contextlib
import json
import re
import signal
import subprocess
import threading
import time

import pytest
from live_sessions import live_store
from test_live_processes import live_log, rows, tape, until
from websockets import ConnectionClosed
from websockets.sync.server import serve

from pipeline.cli.show import INTERRUPTED
from pipeline.codes import FeedAction, Kind, Origin, SessionAction
from pipeline.run.strategies import strategy_file
from pipeline.run.verifying import verify

__all__ = ["live_store"]

COUNT = 60
PADDING = " " * 200_000
"""Behind each quote, so that a bite is a few of them, though they take long."""

LEFT = re.compile(
    r"reducing what came: (\d+) messages, press Ctrl-C again to stop at once \(the same command then decides"
)
WORK = """
    for i in range(p.work):
        i & 1
    print(end="")
"""
"""Long, and as long at any speed: nothing that prints is compiled."""


class Vendor:
    """Speaks as Massive does: as soon as quotes of A are wanted it sends all there are, once, and then nothing; its history has them too."""

    def __init__(self):
        self.is_sent = threading.Event()
        self._starts_ns = time.time_ns()

    def __enter__(self):
        self._server = serve(self._serve, "127.0.0.1", 0, compression=None, process_request=self._asked)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/stocks"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join(30)

    def _serve(self, socket):
        with contextlib.suppress(ConnectionClosed):
            socket.send('[{"ev":"status","status":"connected","message":"Connected Successfully"}]')
            for text in socket:
                said = json.loads(text)
                if said["action"] == "auth":
                    socket.send('[{"ev":"status","status":"auth_success","message":"authenticated"}]')
                    continue
                topics = said["params"].split(",")
                told = [f"{said['action']}d to: {topic}" for topic in topics]
                socket.send(json.dumps([{"ev": "status", "status": "success", "message": each} for each in told]))
                if "Q.A" in topics and not self.is_sent.is_set():
                    for number in range(COUNT):
                        socket.send(self._quote(number))
                    self.is_sent.set()

    def _quote(self, number):
        quote = {"ev": "Q", "sym": "A", "bp": 10 + number, "bs": 100, "ap": 11 + number, "as": 100}
        quote |= {"t": self._starts_ns // 1_000_000 + number, "q": number + 1}
        return f"[{json.dumps(quote)}]{PADDING}"

    def _asked(self, connection, request):
        """A page of history, where it is no socket that is asked for."""
        if not request.path.startswith("/v3/quotes/A"):
            return None
        results = [
            {
                "bid_price": 10 + number, "bid_size": 100, "ask_price": 11 + number, "ask_size": 100,
                "sip_timestamp": (self._starts_ns // 1_000_000 + number) * 1_000_000, "sequence_number": number + 1,
            }
            for number in range(COUNT)
        ]  # fmt: skip
        return connection.respond(200, json.dumps({"status": "OK", "results": results}))


@pytest.fixture
def slow(tmp_path):
    """`hold`, which works so much with every quote as `work` says."""
    text, line, rest = strategy_file("hold").read_text().partition("    if s.phase == Phase.WAITING and quote")
    setting = '    work: int = param(0, low=0, high=1_000_000_000, help="how much is done with every quote")\n'
    notional = text.index("    notional: float")
    path = tmp_path / "slow.py"
    path.write_text(text[:notional] + setting + text[notional:] + WORK.removeprefix("\n") + line + rest)
    return path


def asked(vendor, slow, work):
    return (
        "record", "--feed", f"massive={vendor.url}", "--symbols", "A", "--channels", "quotes",
        "--strategy", slow, "--param", f"work={work}", "--interpreted", "--plain",
    )  # fmt: skip


def interrupted(recording, vendor, store):
    """Ctrl-C as soon as all is sent and some of it was decided; how many messages it says are left."""
    assert vendor.is_sent.wait(120)
    until(lambda: store.sessions() and len(bids(store)) > 0)
    recording.send_signal(signal.SIGINT)
    for line in recording.stderr:
        if found := LEFT.match(line):
            return int(found[1])
    raise AssertionError


def bids(store, origin=Origin.INPUT):
    return [row["bid_nano"] // 10**9 - 10 for row in rows(live_log(store), Kind.QUOTE) if row["origin"] == origin]


def test_all_that_came_is_decided_and_how_much_it_is_is_told(live_store, slow):
    with (
        Vendor() as vendor,
        tape(live_store.home, *asked(vendor, slow, 1_000_000), stderr=subprocess.PIPE) as recording,
    ):
        left = interrupted(recording, vendor, live_store)
        said = recording.communicate(timeout=120)[1]
    assert recording.returncode == 0, said
    assert "ended because of SIGINT; sealed" in said
    (manifest,) = live_store.sessions()
    assert manifest.state == "sealed"
    assert 0 < left <= len(bids(live_store)) <= COUNT
    assert bids(live_store) == list(range(len(bids(live_store))))
    verdict = verify(live_store, manifest.id)
    assert (verdict.identical, verdict.undecided) == (True, None)


def test_a_second_one_stops_at_once_and_the_same_command_decides_what_was_written_and_fetches_what_was_not(
    live_store, slow
):
    with Vendor() as vendor:
        with tape(live_store.home, *asked(vendor, slow, 3_000_000), stderr=subprocess.PIPE) as recording:
            left = interrupted(recording, vendor, live_store)
            recording.send_signal(signal.SIGINT)
            said = recording.communicate(timeout=60)[1]
        assert recording.returncode == INTERRUPTED, said
        assert "stopped at once: what was written stays" in said
        assert "Traceback" not in said
        written = len(bids(live_store))
        assert 0 < written < COUNT
        assert left > 0
        (manifest,) = live_store.sessions()
        assert manifest.state == "open"
        with tape(live_store.home, *asked(vendor, slow, 3_000_000), stderr=subprocess.PIPE) as again:
            until(lambda: len(bids(live_store, Origin.BACKFILL)) == COUNT - written, seconds=120)
            again.send_signal(signal.SIGTERM)
            said = again.communicate(timeout=120)[1]
        assert again.returncode == 0, said
    assert "(resumed)" in said
    (manifest,) = live_store.sessions()
    log = live_log(live_store)
    assert manifest.state == "sealed"
    assert bids(live_store) == list(range(written))
    assert sorted(bids(live_store, Origin.BACKFILL)) == list(range(written, COUNT))
    assert [row["action"] for row in rows(log, Kind.SESSION)].count(SessionAction.RESUMED) == 1
    assert FeedAction.GAP_OPENED in [row["action"] for row in rows(log, Kind.FEED)]
    verdict = verify(live_store, manifest.id)
    assert (verdict.identical, verdict.undecided) == (True, None)
