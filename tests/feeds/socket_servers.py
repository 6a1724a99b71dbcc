"""Servers on loopback for tests of real sockets."""

import asyncio
import socket
import struct
from contextlib import asynccontextmanager

import anyio
from tiny_vendor import tiny
from websockets.asyncio.server import serve

from pipeline.feeds.sockets import web_socket


@asynccontextmanager
async def served(handler, **options):
    """A WebSocket server; its address."""
    async with serve(handler, "127.0.0.1", 0, close_timeout=1, max_size=None, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream"


@asynccontextmanager
async def connected(handler, frame_bytes_max=2**20, **options):
    """A socket to such a server."""
    async with served(handler, **options) as url:
        socket_ = await web_socket(tiny(url=url, frame_bytes_max=frame_bytes_max))
        try:
            yield socket_
        finally:
            await socket_.close()


async def received(socket_, count):
    """So many messages."""
    payloads = []
    with anyio.fail_after(60):
        while len(payloads) < count:
            payloads += await socket_.receive()
    return payloads


def fin(connection):
    """End the TCP connection politely, without a word of WebSocket."""
    connection.transport.write_eof()
    connection.transport.close()


def rst(connection):
    """Cut the TCP connection."""
    linger = struct.pack("ii", 1, 0)
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.transport.abort()


def run(main, *, use_uvloop=False):
    """On asyncio, as in production; what hangs fails."""

    async def bounded():
        with anyio.fail_after(120):
            return await main()

    return anyio.run(bounded, backend_options={"use_uvloop": use_uvloop})


async def flood(connection, payload=b"x" * 500):
    """Send without end, as fast as it goes."""
    while True:
        await connection.send(payload)
        await asyncio.sleep(0)
