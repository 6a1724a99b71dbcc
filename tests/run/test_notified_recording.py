"""`tape record --notify` against `tape serve`, all of it processes and sockets: what a person is told, and what telling costs the recording."""

import http.server
import json
import os
import signal
import stat
import subprocess
import threading
from contextlib import contextmanager

import pytest
from live_sessions import live_store
from test_live_processes import counted, tape, until, url_of

from pipeline.codes import Kind, Origin
from pipeline.log.store import Store
from pipeline.run.fold import FoldPlan
from pipeline.run.generating import record_generated
from pipeline.run.notifying import WEBHOOK_VARIABLE
from pipeline.run.verifying import verify
from pipeline.simulator.generate import Day
from pipeline.units import MINUTE_NS

__all__ = ["live_store"]

SYMBOLS = "ABCD,BRNX,CRVQ,DLTA"
FAILS = """
from pipeline.core.params import params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy


@params
class Params:
    pass


@state
class State:
    quotes: int


def on_quote(s, quote, p, ctx):
    s.quotes += 1
    if s.quotes > 30:
        s.quotes = 1 // (quote.instrument_id - quote.instrument_id)


strategy = Strategy("fails", Params, State, on_quote=on_quote)
"""


@contextmanager
def webhook(answer):
    """A server whose posts are kept and then answered by `answer(handler)`; its address and the texts."""
    told = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            answer(self)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", told
        finally:
            server.shutdown()
            thread.join()


def says(code):
    def answer(handler):
        handler.send_response(code)
        handler.end_headers()

    return answer


@pytest.fixture
def desktop(tmp_path):
    """The folder of a `notify-send` that writes down what it is told, a line each."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "notify-send"
    script.write_text(f'#!/bin/sh\nfor last; do :; done\nprintf "%s\\n" "$last" >> {tmp_path}/desktop\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "desktop").touch()
    return folder


@contextmanager
def served(tmp_path, *options):
    """A small day, twenty seconds long, over Alpaca's protocol, which has a word for a pause."""
    day = Day(instruments=4, quotes=900, lasts_ns=4 * MINUTE_NS)
    store = Store(tmp_path / "served")
    session = record_generated(store, day, FoldPlan((), {}), [], created_ns=1)
    asked = ("--protocol", "alpaca", "--port", 0, "--speed", 12, "--stay", *options)
    with tape(store.home, "serve", session.id, *asked, stdout=subprocess.PIPE) as serving:
        yield url_of(serving)


@contextmanager
def recorded(store, url, address, desktop, *more, ways=("webhook", "desktop")):
    options = [word for way in ways for word in ("--notify", way)]
    path = f"{desktop}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, WEBHOOK_VARIABLE: address, "PATH": path}
    asked = ("record", "--feed", f"alpaca={url}", "--symbols", SYMBOLS, "--clock", "served", "--plain", *options)
    asked = (*asked, "--interpreted")
    with tape(store.home, *asked, *more, stderr=subprocess.PIPE, env=environment) as recording:
        yield recording


def test_gap_halt_stop_kill_switch_and_seal_are_told_by_every_way(live_store, tmp_path, desktop):
    (tmp_path / "fails.py").write_text(FAILS)
    with (
        webhook(says(200)) as (address, told),
        served(tmp_path, "--fault", "fin@n=200") as url,
        recorded(live_store, url, address, desktop, "--strategy", tmp_path / "fails.py") as recording,
    ):
        for wanted in ("gap opened", "strategy fails stopped: ZeroDivisionError", "ABCD paused"):
            until(lambda wanted=wanted: any(wanted in text for text in told), 120)
        with tape(live_store.home, "halt", "enough for today", stdout=subprocess.PIPE) as halting:
            assert halting.wait(60) == 0
        until(lambda: any("halted: enough for today" in text for text in told))
        recording.send_signal(signal.SIGTERM)
        said = recording.communicate(timeout=120)[1]
        assert recording.returncode == 0, said
    (manifest,) = live_store.sessions()
    assert all(text.startswith(f"tape {manifest.id}: ") for text in told)
    assert f"tape {manifest.id}: ABCD paused" in told
    assert "ended because of SIGTERM; sealed: " in told[-1]
    assert (tmp_path / "desktop").read_text().splitlines() == told
    assert manifest.state == "sealed"
    assert verify(live_store, manifest.id).identical


@pytest.mark.parametrize("how", ["hangs", "fails"])
def test_a_webhook_that_hangs_or_fails_slows_nothing(how, live_store, tmp_path, desktop):
    """While a post is held, hundreds of quotes are recorded; the end and the seal do not wait for an answer either."""
    hold = threading.Event()
    with (
        webhook((lambda _: hold.wait(120)) if how == "hangs" else says(500)) as (address, told),
        served(tmp_path, "--fault", "fin@n=200") as url,
        recorded(live_store, url, address, desktop, ways=["webhook"]) as recording,
    ):
        until(lambda: told, 120)
        so_far = counted(live_store, Kind.QUOTE, Origin.INPUT)
        until(lambda: counted(live_store, Kind.QUOTE, Origin.INPUT) > so_far + 200, 120)
        if how == "hangs":
            assert len(told) == 1
        recording.send_signal(signal.SIGTERM)
        until(lambda: live_store.sessions()[0].state == "sealed", 120)
        said = recording.communicate(timeout=120)[1]
        assert recording.returncode == 0, said
        hold.set()
    (manifest,) = live_store.sessions()
    assert verify(live_store, manifest.id).identical
