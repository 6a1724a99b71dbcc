"""The whole connection over real sockets: a server on loopback that ends in every way there is."""

import asyncio
import json
import sys
import threading

import anyio
import pytest
from socket_servers import fin, rst, served
from socket_servers import run as run_on
from tiny_vendor import KEY, TinyNormalizer, bytes_of, tiny

from pipeline.codes import FeedAction as Do
from pipeline.feeds.backoff import Waits
from pipeline.feeds.connection import Connection
from pipeline.feeds.facts import Fact
from pipeline.feeds.history import HistoryError
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.line import Times
from pipeline.feeds.sockets import web_socket
from pipeline.ports import Message

QUICK = Times(connect_s=5, ready_s=5, tick_s=0.02, waits=Waits(first_s=0.05, connects_max=100))


LOOPS = [False] if sys.platform == "win32" else [False, True]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"][: len(LOOPS)])
def run(request):
    """Runs a coroutine function on each of the loops a recording may have."""
    return lambda main: run_on(main, use_uvloop=request.param)


class StepClock:
    """Each reading is a nanosecond later, so that the order of stamps can be looked at."""

    rate = 1.0

    def __init__(self):
        self._ns = 0

    def now_ns(self):
        self._ns += 1
        return self._ns

    async def sleep_until(self, _ts_ns):
        raise AssertionError


class Core(threading.Thread):
    """A real core thread: takes, reads, tells its progress."""

    def __init__(self, inbox, connection):
        super().__init__()
        self.facts, self.numbers, self.stamps = [], [], []
        self.is_to_end = False
        self._inbox, self._connection = inbox, connection
        self._normalizer = TinyNormalizer()

    def run(self):
        while not self.is_to_end:
            for _, item in self._inbox.take(0.05):
                if isinstance(item, Fact):
                    self._hear(item)
                elif isinstance(item, Message):
                    self._read(item)

    def _hear(self, fact):
        self.facts.append(fact)
        if fact.action is Do.CONNECTED:
            self._connection.progress.connection = fact.count

    def _read(self, message):
        self.stamps.append(message.ts_recv_ns)
        self._connection.progress.add(1, self._normalizer.read([message]))
        if message.payload.startswith(b'{"t"'):
            self.numbers.append(json.loads(message.payload)["n"])

    def actions(self):
        return [fact.action for fact in self.facts]


async def no_history(_question):
    raise HistoryError("none")


async def accept(connection):
    await connection.send(bytes_of({"hello": 1}))
    assert json.loads(await connection.recv()) == {"auth": KEY}
    await connection.send(bytes_of({"auth": True}))
    said = json.loads(await connection.recv())
    await connection.send(bytes_of({"ok": said["sub"]}))


async def watched(handler, until, **changes):
    """A connection to a server of that handler, until its core has seen enough; the core."""
    async with served(handler) as url, anyio.create_task_group() as tasks:
        inbox, vendor = Inbox(), tiny(url=url, history=None, **changes)
        connection = Connection(
            vendor,
            1,
            inbox,
            StepClock(),
            open_socket=web_socket,
            fetch=no_history,
            draw=lambda: 0.5,
            times=QUICK,
        )
        core = Core(inbox, connection)
        core.start()
        try:
            connection.desire(["A"])
            tasks.start_soon(connection.run)
            while not until(core):  # noqa: ASYNC110 - the core is another thread, as it is in a recording
                await anyio.sleep(0.01)
        finally:
            tasks.cancel_scope.cancel()
            core.is_to_end = True
    core.join()
    core._read_rest = core._inbox.take(0)
    return core


async def close_1000(connection):
    await connection.close(1000, "bye")


async def close_1001(connection):
    await connection.close(1001, "bye")


async def close_1008(connection):
    await connection.close(1008, "bye")


async def close_1011(connection):
    await connection.close(1011, "bye")


async def end_by_fin(connection):
    fin(connection)


async def end_by_rst(connection):
    rst(connection)


async def send_too_much(connection):
    await connection.send(b"x" * 20 * 2**20)
    await connection.wait_closed()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (close_1000, 1000),
        (close_1001, 1001),
        (close_1008, 1008),
        (close_1011, 1011),
        (end_by_fin, 1006),
        (end_by_rst, 1006),
        (send_too_much, 1009),
    ],
)
def test_every_end_is_told_and_the_connection_made_anew(end, code, run):
    connects = []

    async def handler(connection):
        connects.append(1)
        await accept(connection)
        for n in range(100):
            await connection.send(bytes_of({"t": "quotes:A", "ns": n, "n": 100 * len(connects) + n}))
        if len(connects) <= 2:
            await end(connection)
        else:
            await connection.wait_closed()

    core = run(lambda: watched(handler, lambda core: core.numbers[-1:] == [399]))
    life = [Do.LOST, Do.GAP_OPENED, Do.CONNECTED, Do.SUBSCRIBED, Do.GAP_CLOSED]
    assert core.actions()[:12] == [Do.CONNECTED, Do.SUBSCRIBED, *life, *life]
    assert {fact.code for fact in core.facts if fact.action is Do.LOST} == {code}
    if end is not end_by_rst:  # which takes with it what was under way
        assert core.numbers == list(range(100, 400))
    assert core.stamps == sorted(core.stamps)


def test_a_message_of_twenty_megabytes_within_the_limit_is_a_message_like_any_other(run):
    async def handler(connection):
        await accept(connection)
        event = {"t": "quotes:A", "ns": 1, "n": 1, "pad": "x" * 20 * 2**20}
        await connection.send(bytes_of(event))
        await connection.send(bytes_of({"t": "quotes:A", "ns": 2, "n": 2}))
        await connection.wait_closed()

    core = run(lambda: watched(handler, lambda core: len(core.numbers) == 2, frame_bytes_max=32 * 2**20))
    assert core.numbers == [1, 2]
    assert core.actions()[:2] == [Do.CONNECTED, Do.SUBSCRIBED]
    assert Do.LOST not in core.actions()


def test_stopping_under_load_loses_nothing_that_was_taken(run):
    async def handler(connection):
        await accept(connection)
        n = 0
        while True:
            await connection.send(bytes_of({"t": "quotes:A", "ns": n, "n": n}))
            n += 1
            if n % 50 == 0:
                await asyncio.sleep(0)

    core = run(lambda: watched(handler, lambda core: len(core.numbers) > 2_000))
    rest = [json.loads(item.payload)["n"] for _, item in core._read_rest if isinstance(item, Message)]
    assert core.numbers + rest == list(range(len(core.numbers) + len(rest)))


def test_a_server_that_throws_out_while_it_is_spoken_to_is_an_incident_like_any_other(run):
    connects = []

    async def handler(connection):
        connects.append(1)
        if len(connects) % 2:
            rst(connection)
            return
        await accept(connection)
        if len(connects) < 6:
            rst(connection)
            return
        await connection.send(bytes_of({"t": "quotes:A", "ns": 1, "n": 1}))
        await connection.wait_closed()

    core = run(lambda: watched(handler, lambda core: core.numbers == [1]))
    assert len(connects) == 6
    assert core.actions().count(Do.LOST) == 5
    assert core.actions().count(Do.GAP_OPENED) == core.actions().count(Do.GAP_CLOSED)
