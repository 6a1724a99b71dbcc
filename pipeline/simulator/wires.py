"""Wires: one open connection as the exchange uses it, a WebSocket's or plain TCP's."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import Final, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

LINE_BYTES_MAX: Final = 2**20

_LINGER_NOT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST and forgets what was not sent."""


class GoneError(Exception):
    """The client has gone."""


class Wire(Protocol):
    """One open connection."""

    async def send(self, payload: bytes, *, is_binary: bool) -> None:
        """Send a message; returns when there is room for the next. Raises GoneError."""
        ...

    def send_raw(self, payload: bytes) -> None:
        """Send bytes as they are, whatever the protocol makes of them."""
        ...

    def heard(self) -> AsyncIterator[bytes]:
        """What the client says, until it goes."""
        ...

    async def close(self, code: int) -> None:
        """End it with a word, where the protocol has one; bounded in time."""
        ...

    def finish(self) -> None:
        """Say by TCP that nothing will come any more; no word of the protocol above it."""
        ...

    def abort(self, *, is_reset: bool = False) -> None:
        """Let go at once, what was not sent is lost; with a reset when asked for."""
        ...


class WebSocketWire:
    """A WebSocket's server side."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def send(self, payload: bytes, *, is_binary: bool) -> None:
        """Send one message. Raises GoneError."""
        try:
            await self._connection.send(payload, text=not is_binary)
        except ConnectionClosed as error:
            raise GoneError from error

    def send_raw(self, payload: bytes) -> None:
        """No frame is made of them."""
        self._connection.transport.write(payload)

    async def heard(self) -> AsyncIterator[bytes]:
        """Messages, text and binary alike."""
        while True:
            try:
                payload = await self._connection.recv(decode=False)
            except ConnectionClosed:
                return
            yield payload

    async def close(self, code: int) -> None:
        """The closing handshake, bounded by the connection's `close_timeout`."""
        await self._connection.close(code)

    def finish(self) -> None:
        """FIN, no close frame."""
        self._connection.transport.write_eof()

    def abort(self, *, is_reset: bool = False) -> None:
        """Let go of the socket."""
        _abort(self._connection.transport, is_reset=is_reset)


class TcpWire:
    """Plain TCP on which a client speaks in lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, payload: bytes, *, is_binary: bool) -> None:  # noqa: ARG002 - TCP knows bytes only
        """Send bytes. Raises GoneError."""
        try:
            if self._writer.is_closing():
                raise ConnectionResetError
            self._writer.write(payload)
            await self._writer.drain()
        except OSError as error:
            raise GoneError from error

    def send_raw(self, payload: bytes) -> None:
        """As what is sent is anyway."""
        self._writer.write(payload)

    async def heard(self) -> AsyncIterator[bytes]:
        """Lines, without their ends."""
        while True:
            try:
                line = await self._reader.readline()
            except (OSError, ValueError):  # a line longer than any
                return
            if not line.endswith(b"\n"):
                return
            yield line[:-1]

    async def close(self, code: int) -> None:  # noqa: ARG002 - TCP has no codes
        """Send what is left and FIN."""
        self._writer.close()

    def finish(self) -> None:
        """FIN."""
        self._writer.write_eof()

    def abort(self, *, is_reset: bool = False) -> None:
        """Let go of the socket."""
        _abort(self._writer.transport, is_reset=is_reset)


def _abort(transport: asyncio.WriteTransport, *, is_reset: bool) -> None:
    if is_reset and not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
