"""A world for one connection: a market that makes an event of each symbol a second, its server, its history, a core.

All of it runs on trio's jumping clock, so hours cost milliseconds. The server does what a test's script tells it.
"""

import json
import math
from collections import deque
from contextlib import asynccontextmanager

import anyio
from tiny_vendor import KEY, asked_for, bytes_of, tiny, topic_of, word

from pipeline.block import row_count
from pipeline.codes import FeedAction, Kind
from pipeline.feeds.bell import Bell
from pipeline.feeds.connection import Connection
from pipeline.feeds.facts import Fact
from pipeline.feeds.history import HistoryError
from pipeline.feeds.inbox import Inbox
from pipeline.feeds.line import Times
from pipeline.feeds.sockets import SocketError
from pipeline.ports import Answer, Message, Topic
from pipeline.units import SECOND_NS

START_NS = 1_760_000_000 * SECOND_NS
PAGE = 50
HISTORY_LATE_NS = 2 * SECOND_NS
"""How far a vendor's history is behind its stream."""


class WorldClock:
    """The time of the recording; `offset_s` away from when the market's events begin."""

    rate = 1.0

    def __init__(self, offset_s):
        self._offset_s = offset_s

    def now_ns(self):
        return START_NS + round((anyio.current_time() + self._offset_s) * SECOND_NS)

    async def sleep_until(self, ts_ns):
        await anyio.sleep((ts_ns - self.now_ns()) / SECOND_NS)


class Peer:
    """Both ends of an in-memory connection: the port's verbs for the client, the server's own for the script."""

    def __init__(self):
        self.heard = deque()
        self.is_closed_by_us = False
        self._sent = deque()
        self._end = None
        self._for_client, self._for_server = Bell(), Bell()

    async def receive(self):
        while not self._sent:
            if self._end is not None:
                raise self._end
            await self._for_client.wait()
        payloads = list(self._sent)
        self._sent.clear()
        return payloads

    async def send(self, payload):
        if self._end is not None:
            raise self._end
        self.heard.append(json.loads(payload))
        self._for_server.ring()

    async def close(self):
        if self._end is None:
            self.is_closed_by_us = True
            self.end(1000, "closed by us")

    def say(self, value):
        if self._end is None:
            self._sent.append(value if isinstance(value, bytes) else bytes_of(value))
            self._for_client.ring()

    def end(self, code, text=""):
        if self._end is None:
            self._end = SocketError(text, code)
            self._for_client.ring()
            self._for_server.ring()

    @property
    def is_over(self):
        return self._end is not None

    async def hear(self):
        """The client's next word; None once it is over."""
        while not self.heard:
            if self._end is not None:
                return None
            await self._for_server.wait()
        return self.heard.popleft()


class World:
    """What a test sees: connects, facts, what was recorded, what the market made."""

    def __init__(
        self, script, *, poll_s=0.1, vendor=None, times=None, draw=lambda: 0.5, offset_s=0.0, inbox=None, **options
    ):
        self.script = script
        self.clock = WorldClock(offset_s)
        self.inbox = inbox or Inbox()
        self.connects = []
        self.peers = []
        self.facts: list[Fact] = []
        self.live: dict[tuple, int] = {}
        self.backfilled: set[tuple] = set()
        self.foretold: set[tuple] = set()
        """What was fetched before the stream brought it."""
        self.questions = []
        self.history_fails = lambda _question: None
        self.is_market_silent = False
        self.is_core_stuck = False
        self.poll_s = poll_s
        vendor = vendor or tiny()
        self.vendor = vendor
        self._normalizer = vendor.normalizer()
        self.connection = Connection(
            vendor,
            1,
            self.inbox,
            self.clock,
            open_socket=self._open,
            fetch=self._fetch,
            draw=draw,
            times=times or Times(),
            **options,
        )

    @asynccontextmanager
    async def running(self, symbols=("A", "B")):
        """The connection, its server and its core, while the context lasts."""
        self.connection.desire(symbols)
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._core)
            async with anyio.create_task_group() as ours:
                ours.start_soon(self.connection.run)
                yield self
                ours.cancel_scope.cancel()
            self.read()
            self._tasks.cancel_scope.cancel()

    async def _open(self, vendor):
        self.connects.append(anyio.current_time())
        peer = Peer()
        served = self.script(self, peer, len(self.connects))
        if isinstance(served, Exception):
            raise served
        self.peers.append(peer)
        self._tasks.start_soon(served)
        await anyio.sleep(0.05)
        return peer

    async def _fetch(self, question):
        self.questions.append(question)
        await anyio.sleep(0.02)
        if (why := self.history_fails(question)) is not None:
            raise why if isinstance(why, Exception) else HistoryError(why)
        topic, from_ns, to_ns, at = asked_for(question)
        servers_ns = START_NS + round(anyio.current_time() * SECOND_NS)
        events = market(topic, from_ns, min(to_ns, servers_ns - HISTORY_LATE_NS))
        more = f"{question.url.partition('&at=')[0]}&at={at + PAGE}" if len(events) > at + PAGE else None
        return bytes_of({"events": events[at : at + PAGE], "next": more})

    async def _core(self):
        while True:
            # a little behind the server, which speaks on whole seconds
            await anyio.sleep(self.poll_s if anyio.current_time() else self.poll_s + 0.01)
            if not self.is_core_stuck:
                self.read()

    def read(self):
        """What a core does: facts in order, messages through the normaliser, progress told."""
        for _, item in self.inbox.take(0):
            if isinstance(item, Fact):
                self.facts.append(item)
                if item.action is FeedAction.CONNECTED:
                    self._normalizer.connected()
                    self.connection.progress.connection = item.count
            elif isinstance(item, Answer):
                self._keep(json.loads(item.payload)["events"], is_live=False)
            else:
                self._read(item)

    def _read(self, message: Message):
        batch = self._normalizer.read([message])
        self.connection.progress.add(1, batch)
        if row_count([block for block in batch if block.kind is not Kind.FEED]):
            self._keep([json.loads(message.payload)], is_live=True)

    def _keep(self, events, *, is_live):
        for event in events:
            key = (event["t"], event["n"])
            if is_live:
                self.live[key] = self.live.get(key, 0) + 1
                self.foretold |= {key} & self.backfilled
            else:
                self.backfilled.add(key)

    def told(self, *actions):
        return [fact for fact in self.facts if fact.action in actions]

    def actions(self):
        return [fact.action for fact in self.facts]

    def missing(self, symbol, from_s, to_s):
        """Numbers of events of that stretch of time that were neither heard nor fetched."""
        topic = f"quotes:{symbol}"
        return [
            n
            for n in range(math.ceil(from_s), math.floor(to_s))
            if (topic, n) not in self.live and (topic, n) not in self.backfilled
        ]


def market(topic: Topic, from_ns, to_ns):
    """The events of a topic: number n happens n seconds after the start."""
    first, last = math.ceil((from_ns - START_NS) / SECOND_NS), math.ceil((to_ns - START_NS) / SECOND_NS)
    return [{"t": word(topic), "ns": START_NS + n * SECOND_NS, "n": n} for n in range(max(first, 0), last)]


async def accept(peer, *, key=KEY):
    """The server's greeting; whether the client knows the word."""
    peer.say({"hello": 1})
    said = await peer.hear()
    if said is None or said.get("auth") != key:
        return False
    peer.say({"auth": True})
    return True


async def serve(world, peer, *, lasts_s=math.inf, end=None, answer=None, topics=None, late_s=0):
    """A good server: accepts, acknowledges, sends an event of each topic a second, for some time, then ends as told."""
    if not await accept(peer):
        return
    topics = set() if topics is None else topics
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_answer, peer, topics, answer or (lambda said: say_yes(peer, topics, said)))
        with anyio.move_on_after(lasts_s):
            await _send(world, peer, topics, late_s)
        tasks.cancel_scope.cancel()
    if end is not None:
        end(peer)


def say_yes(peer, topics, said):
    if "sub" in said:
        topics.update(said["sub"])
        peer.say({"ok": said["sub"]})
    if "unsub" in said:
        topics.difference_update(said["unsub"])
        peer.say({"bye": said["unsub"]})


async def _answer(peer, topics, answer):
    while (said := await peer.hear()) is not None:
        answer(said)


async def _send(world, peer, topics, late_s):
    """What happens from now on, each event so many seconds later."""
    since_s = anyio.current_time()
    while not peer.is_over:
        now_s = anyio.current_time()
        await anyio.sleep(math.floor(now_s) + 1 - now_s)
        if not world.is_market_silent and (n := round(anyio.current_time()) - late_s) > since_s:
            for text in sorted(topics):
                peer.say({"t": text, "ns": START_NS + n * SECOND_NS, "n": n})


def always(world, peer, _number):
    """The script of a server that is always good."""
    return lambda: serve(world, peer)


__all__ = ["FeedAction", "World", "accept", "always", "market", "say_yes", "serve", "topic_of"]
