"""A tiny vendor: `S price` is a quote of S, `!` breaks the sequence, anything else is refused. Its server speaks over a real WebSocket.

client: key k       server: welcome, or go away
client: want S      server: have S
"""

import asyncio
import contextlib
import threading

import websockets

from pipeline.codes import AssetClass, FeedAction, Kind, Origin
from pipeline.feeds.dialogue import DialogueError
from pipeline.feeds.vendor import Question, Vendor
from pipeline.instruments import WHOLE_STEP_NANO, Instrument
from pipeline.normalize.rows import Rows
from pipeline.ports import Channel, Topic
from pipeline.units import NANO

START_NS = 1_793_779_200 * NANO


class Words:
    """Quotes as words."""

    def __init__(self):
        self.trouble = ""
        self._ids = {}

    def connected(self):
        self.trouble = ""

    def read(self, messages):
        rows = Rows()
        for message in messages:
            rows.ts_recv_ns = message.ts_recv_ns
            self._read(rows, message.payload.decode(), Origin.INPUT)
        return rows.batch()

    def read_history(self, answers):
        rows = Rows()
        for answer in answers:
            rows.ts_recv_ns = answer.ts_recv_ns
            for line in answer.payload.decode().splitlines():
                self._read(rows, line, Origin.BACKFILL)
        return rows.batch()

    def _read(self, rows, text, origin):
        if text == "!":
            self.trouble = "a number is missing"
            return
        symbol, _, price = text.partition(" ")
        if symbol in ("welcome", "have", "go"):
            return
        if not price.isdecimal():
            rows.add_feed(FeedAction.REJECTED, text)
            return
        if symbol not in self._ids:
            self._ids[symbol] = len(self._ids) + 1
            instrument = Instrument(symbol, "WORDS", WHOLE_STEP_NANO, AssetClass.EQUITY, "USD")
            rows.add_instrument(self._ids[symbol], instrument)
        bid = int(price)
        rows.add(
            Kind.QUOTE, instrument_id=self._ids[symbol], origin=int(origin), bid_nano=bid, ts_event_ns=START_NS + bid
        )


class Market(Words):
    """Words with both sides: `A 100` is bid 100, asked for 101, a thousand of each."""

    def _read(self, rows, text, origin):
        symbol, _, price = text.partition(" ")
        if symbol in ("welcome", "have", "go"):
            return
        if symbol not in self._ids:
            self._ids[symbol] = len(self._ids) + 1
            instrument = Instrument(symbol, "WORDS", WHOLE_STEP_NANO, AssetClass.EQUITY, "USD")
            rows.add_instrument(self._ids[symbol], instrument)
        bid = int(price) * NANO
        sides = {"bid_nano": bid, "ask_nano": bid + NANO, "bid_size_steps": 1_000, "ask_size_steps": 1_000}
        times = {"ts_event_ns": rows.ts_recv_ns, "origin": int(origin)}
        rows.add(Kind.QUOTE, instrument_id=self._ids[symbol], **sides, **times)


class WordsDialogue:
    """Says its key, wants symbols."""

    def __init__(self, key="k"):
        self.is_ready = False
        self.acknowledged = set()
        self.refused = {}
        self._key = key
        self._asked = set()

    def connected(self):
        return [f"key {self._key}".encode()]

    def concerns(self, payload):
        return payload.startswith((b"welcome", b"have", b"go away"))

    def hear(self, payload):
        word, _, rest = payload.decode().partition(" ")
        if word == "welcome":
            self.is_ready = True
        elif word == "have":
            self.acknowledged.add(Topic(Channel.QUOTES, rest))
        else:
            raise DialogueError("words: the key is wrong", is_fatal=True, code=402)
        return []

    def want(self, topics):
        self.acknowledged &= topics
        asked = sorted(topics - self._asked)
        self._asked = set(topics)
        return [f"want {topic.symbol}".encode() for topic in asked]


def vendor(url, *, key="k", history=None, name="words"):
    return Vendor(
        name=name,
        url=url,
        dialogue=lambda: WordsDialogue(key),
        normalizer=Words,
        channels={Channel.QUOTES},
        topics=lambda symbols: frozenset(Topic(Channel.QUOTES, symbol) for symbol in symbols),
        calendar="24/7",
        quiet_s={},
        history=history,
    )


def asks(url):
    """A history of one page."""

    def history(topic, from_ns, to_ns):
        yield Question(f"{url}/{topic.symbol}?from={from_ns}&to={to_ns}", {})

    return history


class Server:
    """Serves what `script` yields to each connection that has subscribed: bytes are sent, a number closes with that code.

    It runs in a thread; `script` is an async generator function given the number of the connection, from 1.
    """

    def __init__(self, script):
        self.connections = 0
        self.wanted = []
        self._script = script
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._server = self._call(self._start())
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_):
        self._server.close()
        self._call(self._server.wait_closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def soon(self, done):
        """Have this called where the script runs."""
        self._loop.call_soon_threadsafe(done)

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _start(self):
        return await websockets.serve(self._serve, "127.0.0.1", 0)

    async def _serve(self, socket):
        self.connections += 1
        number = self.connections
        with contextlib.suppress(websockets.ConnectionClosed):
            key = await socket.recv()
            await socket.send("welcome" if key in (b"key k", "key k") else "go away")
            first = await socket.recv()
            await self._have(socket, first)
            listening = asyncio.ensure_future(self._hear(socket))
            async for sent in self._script(number):
                if isinstance(sent, int):
                    await socket.close(sent)
                    break
                await socket.send(sent)
            await listening

    async def _hear(self, socket):
        async for message in socket:
            await self._have(socket, message)

    async def _have(self, socket, message):
        symbol = (message if isinstance(message, str) else message.decode()).removeprefix("want ")
        self.wanted.append(symbol)
        await socket.send(f"have {symbol}")
