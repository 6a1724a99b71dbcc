"""Doors: the ports of the exchange. Behind each a venue speaks over WebSockets, or over plain TCP, and answers GETs.

On this machine only: what is served here is not the market, and nothing outside should take it for that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from pipeline.errors import ConfigError
from pipeline.simulator.pacing import CLOCK_PATH
from pipeline.simulator.venue import HttpAnswer, Venue
from pipeline.simulator.wires import LINE_BYTES_MAX, TcpWire, WebSocketWire, Wire

HOST: Final = "127.0.0.1"
_MESSAGE_BYTES_MAX: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Door:
    """One protocol on one port; 0: any that is free.

    `refusing` is the same venue for those who come while logins are refused. `is_tcp`: plain TCP, no WebSockets.
    """

    protocol: str
    venue: Venue
    port: int = 0
    refusing: Venue | None = None
    is_tcp: bool = False


class Address(NamedTuple):
    """Where a protocol is served."""

    protocol: str
    url: str


class Host(NamedTuple):
    """Who is behind the doors: speaks to a connection until it ends, answers a GET, and may be out."""

    talk: Callable[[Door, Wire, Mapping[str, str]], Awaitable[None]]
    answer: Callable[[Door, str, Mapping[str, str], Mapping[str, str]], HttpAnswer]
    is_out: Callable[[Door], bool]


async def opened(door: Door, host: Host, stack: AsyncExitStack, *, close_timeout_s: float) -> Address:
    """Open the door until the stack ends. Raises ConfigError when its port is taken."""
    try:
        if door.is_tcp:
            return await _open_tcp(door, host, stack)
        return await _open_websocket(door, host, stack, close_timeout_s)
    except OSError as error:
        raise ConfigError(f"port {door.port} for {door.protocol}: {error.strerror or error}; another one?") from None


async def _open_websocket(door: Door, host: Host, stack: AsyncExitStack, close_timeout_s: float) -> Address:
    async def come(connection: ServerConnection) -> None:
        assert connection.request is not None
        await host.talk(door, WebSocketWire(connection), _headers(connection.request))

    server = await stack.enter_async_context(
        serve(
            come,
            HOST,
            door.port,
            process_request=lambda _, request: _first_answer(door, host, request),
            compression=None,
            max_size=_MESSAGE_BYTES_MAX,
            ping_interval=None,
            close_timeout=close_timeout_s,
            server_header=None,
        )
    )
    port = next(iter(server.sockets)).getsockname()[1]
    return Address(door.protocol, f"ws://{HOST}:{port}{door.venue.path}")


async def _open_tcp(door: Door, host: Host, stack: AsyncExitStack) -> Address:
    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = TcpWire(reader, writer)
        if host.is_out(door):
            wire.abort(is_reset=True)
        else:
            await host.talk(door, wire, {})

    server = await asyncio.start_server(come, HOST, door.port, limit=LINE_BYTES_MAX)
    stack.callback(server.close)
    return Address(door.protocol, f"tcp://{HOST}:{server.sockets[0].getsockname()[1]}")


def _first_answer(door: Door, host: Host, request: Request) -> Response | None:
    """What a request is answered with; None lets a WebSocket begin."""
    url = urlsplit(request.path)
    if host.is_out(door) and url.path != CLOCK_PATH:  # no vendor has that: what goes wrong does not concern it
        return _response(HttpAnswer(503, b"", {}))
    if request.headers.get("Upgrade", "").lower() == "websocket":
        is_here = url.path.rstrip("/") == door.venue.path.rstrip("/")
        return None if is_here else _response(HttpAnswer(404, f"the stream is at {door.venue.path}\n".encode(), {}))
    if request.method != "GET":
        return _response(HttpAnswer(405, b"", {"Allow": "GET"}))
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    return _response(host.answer(door, url.path, query, _headers(request)))


def _response(answer: HttpAnswer) -> Response:
    headers = Headers({**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"})
    return Response(answer.status, HTTPStatus(answer.status).phrase, headers, answer.body)


def _headers(request: Request) -> dict[str, str]:
    """The request's headers, names in lower case; the first of several of a name."""
    return {name.lower(): value for name, value in reversed(list(request.headers.raw_items()))}
