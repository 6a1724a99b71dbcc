"""The least that puts a venue behind a WebSocket: one client on loopback, without pace and without faults."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve

from pipeline.simulator.venue import Conversation, Venue


@asynccontextmanager
async def served(venue: Venue, tell: Callable[[Conversation], list[bytes] | None]):
    """The address of a server; `tell` is asked, ten times a second, for what is to be sent besides answers."""

    async def talk(connection: ServerConnection) -> None:
        conversation = venue.conversation(connection.request.headers)
        started_s = asyncio.get_running_loop().time()
        await _send(connection, conversation.connected())
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(_tick(connection, conversation, started_s, tell))
            async for text in connection:
                await _send(connection, conversation.hear(text.encode() if isinstance(text, str) else text))
            ticking.cancel()

    async with serve(talk, "127.0.0.1", 0, compression=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _tick(connection, conversation, started_s, tell):
    while True:
        await _send(connection, conversation.waited(asyncio.get_running_loop().time() - started_s))
        if conversation.close_code is not None:
            await connection.close(conversation.close_code)
        await _send(connection, tell(conversation) or [])
        await asyncio.sleep(0.1)


async def _send(connection, frames):
    for frame in frames:
        await connection.send(frame.decode())
