"""The smallest host of a venue: one port for its socket and its REST, all that was asked for sent at once."""

from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.http11 import Response


@asynccontextmanager
async def hosted(venue, served, history):
    """The port on which a venue is there; a client that has subscribed is sent all of it, and an end."""

    async def converse(socket):
        talk = venue.conversation(dict(socket.request.headers))
        for message in talk.connected():
            await socket.send(message.decode())
        async for payload in socket:
            for message in talk.hear(payload.encode()):
                await socket.send(message.decode())
            if talk.close_code is not None or talk.wanted:
                break
        asked = [one.payload for one in served if {one.topic, one.topic._replace(symbol="*")} & talk.wanted]
        for start in range(0, len(asked), 50):
            await socket.send(venue.encoder.frame(asked[start : start + 50]).decode())
        await socket.close(talk.close_code or 1000)

    def get(_socket, request):
        parts = urlsplit(request.path)
        if parts.path == venue.path:
            return None
        status, body, headers = venue.get(parts.path, dict(parse_qsl(parts.query)), dict(request.headers), history)
        length = {"Content-Length": str(len(body)), "Connection": "close"}
        return Response(status, HTTPStatus(status).phrase, Headers({**headers, **length}), body)

    async with serve(converse, "127.0.0.1", 0, process_request=get) as server:
        yield server.sockets[0].getsockname()[1]
