"""Notices over a real HTTP server on loopback and a real command."""

import http.server
import json
import os
import stat
import threading
import time

import numpy as np
import pytest

from pipeline.block import Block
from pipeline.codes import (
    AccountAction,
    FeedAction,
    Kind,
    OrderState,
    Origin,
    RequestAction,
    SessionAction,
    TradingStatus,
)
from pipeline.errors import ConfigError
from pipeline.run.notifying import WAITING_MAX, WEBHOOK_VARIABLE, Notifier, notifiers, worth_telling


@pytest.fixture
def webhook(monkeypatch):
    """A server that keeps the texts it is told; posting to /broken is answered with 500."""
    told = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv(WEBHOOK_VARIABLE, f"http://127.0.0.1:{server.server_port}/hook")
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


def feed_rows(*actions):
    rows = [{"seq": n, "action": int(action), "text": f"text {n}"} for n, action in enumerate(actions, 1)]
    return Block.from_rows(Kind.FEED, rows)


def test_gaps_halts_and_stops_are_worth_telling_and_nothing_else():
    told = list(worth_telling(feed_rows(*FeedAction)))
    assert [text.rsplit(" ", 2)[0] for text in told] == [
        "lost",
        "gap opened",
        "mute",
        "clocks apart",
        "ended",
        "lagging",
    ]
    refused = [
        {"seq": 1, "action": int(FeedAction.REJECTED), "channel": "prints", "count": 2, "text": "A B: no right to it"},
        {"seq": 2, "action": int(FeedAction.REJECTED), "channel": "prints", "text": "a price that is none"},
        {"seq": 3, "action": int(FeedAction.REJECTED), "channel": "status", "count": 9, "text": "the vendor says: no"},
    ]
    assert list(worth_telling(Block.from_rows(Kind.FEED, refused))) == ["rejected prints A B: no right to it"]
    requests = Block.from_rows(
        Kind.REQUEST, [{"seq": n, "action": int(action), "text": "why"} for n, action in enumerate(RequestAction, 1)]
    )
    assert list(worth_telling(requests)) == ["halted: why", "trading again: why", "entering nothing: why"]
    stopped = Block.of(Kind.SESSION, 1, seq=1, action=int(SessionAction.STOPPED), key="mine", text="ValueError")
    assert list(worth_telling(stopped)) == ["strategy mine stopped: ValueError"]
    stepped = Block.of(Kind.SESSION, 1, seq=1, action=int(SessionAction.CLOCK_STEPPED), key="ahead", text="7.250")
    assert list(worth_telling(stepped)) == ["this machine's clock was set ahead by 7.250 s, or it slept"]
    halted = Block.of(Kind.STATUS, 2, seq=[1, 2], instrument_id=3, status=[int(TradingStatus.PAUSED), 2])
    assert list(worth_telling(halted)) == ["instrument 3 paused"]
    assert list(worth_telling(Block.of(Kind.QUOTE, 1, seq=1))) == []
    differs = Block.of(Kind.ACCOUNT, 1, seq=1, action=int(AccountAction.DIFFERENCE), text="10 A too many")
    assert list(worth_telling(differs)) == ["the broker differs: 10 A too many"]
    columns = {"order_id": 7, "instrument_id": 3, "text": "its words"}
    states = Block.from_rows(
        Kind.ORDER, [{"seq": n, "state": int(state), **columns} for n, state in enumerate(OrderState, 1)]
    )
    told = [f"ABC order 7 {word} its words" for word in ("unknown", "rejected", "expired")]
    assert sorted(worth_telling(states, {3: "ABC"})) == sorted(told)
    assert list(worth_telling(states.with_columns(origin=np.full(len(states), int(Origin.DERIVED), np.int8)))) == []


def test_a_webhook_hears_what_happens_in_order(webhook):
    with Notifier(notifiers(["webhook"]), "s-1") as notifier:
        notifier.add([feed_rows(FeedAction.LOST)], [])
        notifier.add([], [Block.of(Kind.SESSION, 1, seq=1, action=int(SessionAction.STOPPED), key="mine", text="why")])
    assert webhook == ["tape s-1: lost text 1", "tape s-1: strategy mine stopped: why"]
    assert notifier.failures == 0


def test_an_error_of_the_recording_is_told(webhook):
    with pytest.raises(RuntimeError, match="disk"), Notifier(notifiers(["webhook"]), "s-1"):
        raise RuntimeError("disk")
    assert webhook == ["tape s-1: stopped: disk"]


def test_a_server_that_is_not_there_fails_nothing(monkeypatch):
    monkeypatch.setenv(WEBHOOK_VARIABLE, "http://127.0.0.1:9/nobody")
    with Notifier(notifiers(["webhook"]), "s-1") as notifier:
        notifier.tell("hello")
    assert notifier.failures == 1


def test_an_answer_that_is_no_yes_is_a_failure(webhook, monkeypatch):
    monkeypatch.setenv(WEBHOOK_VARIABLE, os.environ[WEBHOOK_VARIABLE].replace("/hook", "/broken"))
    with Notifier(notifiers(["webhook"]), "s-1") as notifier:
        notifier.tell("hello")
    assert (webhook, notifier.failures) == (["tape s-1: hello"], 1)


def test_the_end_waits_so_long_and_no_longer_for_a_way_that_never_answers():
    hold, begun = threading.Event(), threading.Event()

    class Hangs:
        def send(self, _):
            begun.set()
            hold.wait(120)

    with Notifier([Hangs()], "s", patience_s=0.1) as notifier:
        notifier.tell("first")
        assert begun.wait(30)
        for number in range(2 * WAITING_MAX):
            notifier.tell(str(number))
    assert not hold.is_set()  # the block was left all the same
    hold.set()


def test_what_is_halted_is_named_once_it_was_defined():
    defined = Block.of(Kind.INSTRUMENT, 1, seq=1, instrument_id=3, symbol=["ABCD"], venue=["X"], size_step_nano=1)
    halted = Block.of(Kind.STATUS, 1, seq=2, instrument_id=3, status=int(TradingStatus.HALTED))
    told = []

    class Way:
        def send(self, text):
            told.append(text)

    with Notifier([Way()], "s") as notifier:
        notifier.add([defined, halted], [])
    assert told == ["tape s: ABCD halted"]


def test_more_than_can_be_told_is_counted_and_said(webhook):
    begin, hold = threading.Event(), threading.Event()

    class Slow:
        def __init__(self):
            self.texts = []

        def send(self, text):
            begin.set()
            hold.wait(30)
            self.texts.append(text)

    slow = Slow()
    with Notifier([slow], "s") as notifier:
        notifier.tell("first")
        assert begin.wait(30)
        for number in range(WAITING_MAX + 5):
            notifier.tell(str(number))
        hold.set()
        while len(slow.texts) < 2:
            time.sleep(0.01)
    assert len(slow.texts) == 1 + WAITING_MAX
    assert slow.texts[1] == "tape s: 0 (and 5 more)"


def test_a_desktop_is_told_by_its_command(tmp_path, monkeypatch):
    script = tmp_path / "notify-send"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/told\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("sys.platform", "linux")
    with Notifier(notifiers(["desktop"]), "s-1") as notifier:
        notifier.tell("hello; $(rm -rf x)")
    assert (tmp_path / "told").read_text().splitlines()[-1] == "tape s-1: hello; $(rm -rf x)"


def test_a_way_that_is_none_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match="desktop and webhook"):
        notifiers(["pigeon"])
    monkeypatch.delenv(WEBHOOK_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=WEBHOOK_VARIABLE):
        notifiers(["webhook"])
