"""Snapshots polled from a server on loopback: what comes is put, failures and slowness are told once, and nothing piles up."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest
from socket_servers import run

from pipeline.codes import FeedAction
from pipeline.feeds import alpaca, massive
from pipeline.feeds.facts import Fact
from pipeline.feeds.fetching import fetching
from pipeline.feeds.history import HistoryError
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.polling import Polling
from pipeline.ports import Answer, Channel
from pipeline.run.clock import ScaledClock
from pipeline.units import NANO

EVERY_S = 60.0
RATE = 600.0
"""A poll every tenth of a second."""


class Vendor(ThreadingHTTPServer):
    """Answers as its `script` says, question by question: a status, or seconds to wait before a good answer; then good ones."""

    daemon_threads = True

    def __init__(self, script=()):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.paths, self.over = list(script), [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        self._thread = threading.Thread(target=self.serve_forever, args=[0.01], daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.paths.append(self.path)
        step = server.script.pop(0) if server.script else 0.0
        if isinstance(step, float):
            server.over.wait(step)
        body = b'{"status": "OK", "tickers": []}'
        self.send_response(step if isinstance(step, int) else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def vendor_at(url, name="massive"):
    if name == "massive":
        return massive.vendor("key", url="ws://127.0.0.1:1/stocks", rest_url=url)
    return alpaca.vendor("key", "secret", stream_url="ws://127.0.0.1:1/v2", rest_url=url)


def polled(server, until, *, symbols=frozenset("*"), name="massive", poll_s_max=30.0):
    """Poll until what was put meets a condition; the items."""
    inbox, items = Inbox(), []

    async def main():
        async with fetching() as fetch:
            clock = ScaledClock(1_800_000_000 * NANO, RATE)
            vendor = vendor_at(server.url, name)
            polling = Polling(vendor, 1, inbox, clock, fetch, lambda: symbols, every_s=EVERY_S, poll_s_max=poll_s_max)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(polling.run)
                with anyio.fail_after(60):
                    while not until(items):
                        items.extend(item for _, item in inbox.take(0.0))
                        await anyio.sleep(0.005)
                tasks.cancel_scope.cancel()

    run(main)
    return items


def answers(items):
    return [item for item in items if isinstance(item, Answer)]


def told(items):
    return [(item.action, item.channel) for item in items if isinstance(item, Fact)]


def test_answers_come_at_once_and_then_with_every_step_of_the_clock():
    with Vendor() as server:
        items = polled(server, lambda items: len(answers(items)) >= 4)
    assert {item.topic.channel for item in answers(items)} == {Channel.SNAPSHOTS}
    steps = [item.ts_recv_ns // int(EVERY_S * NANO) for item in answers(items)][1:]
    assert steps == sorted(set(steps)), "one poll a step at most"


def test_polls_that_fail_are_told_once_with_why_and_so_is_the_first_good_one_behind_them():
    with Vendor([0.0, 500, 503, 429, 0.0, 0.0]) as server:
        items = polled(server, lambda items: len(answers(items)) >= 3)
    facts = [item for item in items if isinstance(item, Fact) and item.action in (FeedAction.MUTE, FeedAction.HEARD)]
    assert [fact.action for fact in facts] == [FeedAction.MUTE, FeedAction.HEARD]
    assert "HTTP status 500" in facts[0].text
    first = answers(items)[0]
    assert facts[0].from_ns >= first.ts_recv_ns
    assert facts[1].from_ns == facts[0].from_ns, "since the last good one"


def test_a_poll_that_takes_longer_than_a_step_is_told_and_the_steps_it_missed_are_left_out():
    with Vendor([0.0, 0.5]) as server:
        items = polled(server, lambda items: (FeedAction.SLOW, "snapshots") in told(items) and len(answers(items)) >= 3)
        asked = len(server.paths)
    assert told(items).count((FeedAction.SLOW, "snapshots")) >= 1
    slow = next(item for item in items if isinstance(item, Fact) and item.action is FeedAction.SLOW)
    assert slow.count > EVERY_S * 1_000, "milliseconds of the session's clock"
    assert asked <= len(answers(items)) + 2, "nothing piled up"


def test_a_poll_that_is_never_answered_is_given_up():
    with Vendor([30.0]) as server:
        items = polled(server, lambda items: len(answers(items)) >= 1, poll_s_max=0.3)
    assert told(items)[0] == (FeedAction.MUTE, "snapshots")
    assert "no answer within 0.3 s" in next(item.text for item in items if isinstance(item, Fact))


@pytest.mark.parametrize(
    ("name", "symbols", "paths"),
    [
        ("massive", {"*", "A"}, ["/v2/snapshot/locale/us/markets/stocks/tickers"]),
        ("massive", {"B", "A"}, ["/v2/snapshot/locale/us/markets/stocks/tickers?tickers=A,B"]),
        ("alpaca", {"B", "A"}, ["/v2/stocks/snapshots?symbols=A%2CB&feed=sip"]),
    ],
)
def test_what_each_vendor_is_asked(name, symbols, paths):
    with Vendor() as server:
        polled(server, lambda items: len(answers(items)) >= 1, symbols=frozenset(symbols), name=name)
    assert server.paths[:1] == paths


def test_many_symbols_are_asked_for_in_pieces():
    names = {f"S{number}" for number in range(600)}
    for name in ("massive", "alpaca"):
        questions = list(vendor_at("http://127.0.0.1:1", name).snapshots(names))
        assert len(questions) == 3
        assert max(len(question.url) for question in questions) < 4_000
        assert "key" not in "".join(question.url for question in questions)


def test_no_answer_and_no_failure_of_a_poll_says_the_key():
    inbox, script = Inbox(), [b'{"about": "key"}', HistoryError("HTTP status 401 for ?apiKey=key")]

    async def fetch(_question):
        step = script.pop(0)
        if isinstance(step, bytes):
            return step
        raise step

    async def main():
        clock = ScaledClock(1_800_000_000 * NANO, RATE)
        polling = Polling(vendor_at("http://127.0.0.1:1"), 1, inbox, clock, fetch, lambda: frozenset("*"))
        return await polling.poll(), await polling.poll()

    assert run(main) == (True, False)
    (_, answer), (_, mute) = inbox.take(0.0)
    assert answer.payload == b'{"about": "***"}'
    assert (mute.action, mute.text) == (FeedAction.MUTE, "HTTP status 401 for ?apiKey=***")
