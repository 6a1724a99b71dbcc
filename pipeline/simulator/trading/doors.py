"""Doors: the two ports of a broker: REST over plain HTTP, and the stream over WebSocket. On this machine only.

REST has a server of its own, since brokers are posted to: HTTP/1.1, bodies by their length, one request behind the other.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from pipeline.errors import ConfigError
from pipeline.simulator.doors import HOST, Address
from pipeline.simulator.trading.counter import Counter
from pipeline.simulator.trading.face import Call, Listener
from pipeline.simulator.venue import HttpAnswer
from pipeline.simulator.wires import TcpWire

_STEP_S: Final = 0.01
"""How often it is looked at what is due."""

_BODY_BYTES_MAX: Final = 2**20
_WAITED_EVERY_S: Final = 0.1


class _Line(NamedTuple):
    """One stream: what waits for it; None ends it."""

    listener: Listener
    connection: ServerConnection
    waiting: asyncio.Queue[bytes | None]


class TradingDoors:
    """A counter behind its two ports; `now_ns` is the time that its book goes by."""

    def __init__(self, counter: Counter, now_ns: Callable[[], int]) -> None:
        self._counter = counter
        self._now_ns = now_ns
        self._lines: dict[int, _Line] = {}
        self._comers: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def opened(self, port: int = 0) -> AsyncIterator[list[Address]]:
        """Both ports open, REST's first; `port` is REST's, the stream's is the next one; 0: any. Raises ConfigError for a taken one."""
        face = self._counter.face
        try:
            rest = await asyncio.start_server(self._come, HOST, port)
            async with (
                rest,
                serve(
                    self._listen,
                    HOST,
                    port + 1 if port else 0,
                    compression=None,
                    ping_interval=None,
                    close_timeout=1.0,
                    server_header=None,
                ) as stream,
            ):
                passing = asyncio.create_task(self._pass_time())
                try:
                    rest_port, stream_port = (next(iter(each.sockets)).getsockname()[1] for each in (rest, stream))
                    yield [
                        Address(f"{face.name}-trading", f"http://{HOST}:{rest_port}"),
                        Address(f"{face.name}-orders", f"ws://{HOST}:{stream_port}{face.stream_path}"),
                    ]
                finally:
                    passing.cancel()
                    for task in self._comers:
                        task.cancel()
        except OSError as error:
            raise ConfigError(f"port {port} for {face.name}-trading: {error.strerror or error}; another one?") from None

    async def _pass_time(self) -> None:
        while True:
            self._counter.pass_time(self._now_ns())
            self._tell()
            await asyncio.sleep(_STEP_S)

    def _tell(self) -> None:
        """Put what happened on its way to the streams."""
        loop = asyncio.get_running_loop()
        for told in self._counter.told():
            line = self._lines.get(id(told.listener))
            if line is None:
                continue
            if told.after_s:
                loop.call_later(told.after_s, line.waiting.put_nowait, told.payload)
            else:
                line.waiting.put_nowait(told.payload)

    async def _listen(self, connection: ServerConnection) -> None:
        """One stream, from its handshake to its end."""
        listener = self._counter.connect()
        line = self._lines[id(listener)] = _Line(listener, connection, asyncio.Queue())
        tasks = [asyncio.create_task(self._send(line)), asyncio.create_task(self._wait(line))]
        try:
            while True:
                payload = await connection.recv(decode=False)
                for answer in listener.hear(payload, self._now_ns()):
                    line.waiting.put_nowait(answer)
        except ConnectionClosed:
            pass
        finally:
            del self._lines[id(listener)]
            self._counter.leave(listener)
            for task in tasks:
                task.cancel()

    async def _send(self, line: _Line) -> None:
        is_binary = line.listener.is_binary
        while (payload := await line.waiting.get()) is not None:
            try:
                await line.connection.send(payload, text=not is_binary)
            except ConnectionClosed:
                return
        line.connection.transport.abort()

    async def _wait(self, line: _Line) -> None:
        """What a stream says when time passes."""
        listener, loop = line.listener, asyncio.get_running_loop()
        opened_s = loop.time()
        while listener.close_code is None:
            for payload in listener.waited(loop.time() - opened_s, self._now_ns()):
                line.waiting.put_nowait(payload)
            await asyncio.sleep(_WAITED_EVERY_S)
        await line.connection.close(listener.close_code)

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to REST: a request behind the other, until it or the door closes."""
        task = asyncio.current_task()
        assert task is not None
        self._comers.add(task)
        task.add_done_callback(self._comers.discard)
        wire = TcpWire(reader, writer)
        try:
            while (call := await _call(reader)) is not None:
                course = self._counter.course()
                if course.is_refused:
                    wire.abort(is_reset=True)
                    return
                await asyncio.sleep(course.act_after_s)
                answer = self._counter.done(call, course, self._now_ns())
                self._tell()
                if course.answer_after_s is None:
                    await reader.read(1)  # until the client goes
                    return
                await asyncio.sleep(course.answer_after_s)
                writer.write(_written(answer))
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()


async def _call(reader: asyncio.StreamReader) -> Call | None:
    """The next request; None when there is none. Raises ValueError for what is no HTTP."""
    line = await reader.readline()
    if not line:
        return None
    method, target, _ = line.decode("ascii").split()
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= _BODY_BYTES_MAX:
        raise ValueError("a body of that length")
    url = urlsplit(target)
    query: dict[str, str] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    return Call(method, unquote(url.path), query, headers, await reader.readexactly(length))


def _written(answer: HttpAnswer) -> bytes:
    phrase = HTTPStatus(answer.status).phrase
    headers = {**answer.headers, "Content-Length": str(len(answer.body))}
    if answer.status == HTTPStatus.NO_CONTENT:
        del headers["Content-Length"]
    lines = [f"HTTP/1.1 {answer.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
