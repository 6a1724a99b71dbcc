"""Databento's stream: plain TCP, cut into messages.

A text line, the DBN header and each control record stand alone, the market's records come as many whole ones as arrived.

Databento has no TLS. Its key never crosses the line (`common.cram` signs a challenge), market data does, in the clear: so
plain text is spoken to Databento's own gateways and to this machine, and to nobody else.

A stream of records has no marks to find back to: behind a byte that can't begin a record nothing can be read, so there the
connection ends, and is made anew.
"""

from typing import Final
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketStream

from pipeline.feeds.sockets import CLOSE_S, Socket, SocketError, is_loopback
from pipeline.feeds.vendor import Vendor
from pipeline.normalize import databento_words as words
from pipeline.normalize.databento_records import is_record

GATEWAYS: Final = ".lsg.databento.com"
LINE_BYTES_MAX: Final = 65_536
_CHUNK_BYTES: Final = 1 << 18


class Cut:
    """Cuts a stream of bytes into messages; `header_bytes_max` is how long a header may be."""

    def __init__(self, header_bytes_max: int = 1 << 24) -> None:
        self._header_bytes_max = header_bytes_max
        self._rest = b""
        self._position = 0
        """Of the first byte of the rest in the stream."""
        self._is_text = True

    def messages(self, chunk: bytes) -> list[bytes]:
        """The messages that are whole now, in order. Raises SocketError where the stream can't be followed any more."""
        buffer = self._rest + chunk if self._rest else chunk
        found: list[bytes] = []
        used = self._lines(buffer, found) if self._is_text else 0
        if not self._is_text:
            used = self._records(buffer, used, found)
        self._rest = buffer[used:]
        self._position += used
        return found

    def _lines(self, buffer: bytes, found: list[bytes]) -> int:
        """Lines, and the header that ends them; up to where the buffer is used."""
        used = 0
        while used < len(buffer):
            is_header = buffer[used : used + 3] == words.HEADER_START
            size = self._header_bytes(buffer, used) if is_header else buffer.find(b"\n", used) + 1 - used
            if size <= 0 or used + size > len(buffer):
                if not is_header and len(buffer) - used > LINE_BYTES_MAX:
                    raise self._lost(used, f"a line of more than {LINE_BYTES_MAX} bytes")
                return used
            if size > 1:  # an empty line says nothing
                found.append(buffer[used : used + size])
            used += size
            if is_header:
                self._is_text = False
                return used
        return used

    def _header_bytes(self, buffer: bytes, start: int) -> int:
        prelude = buffer[start : start + words.HEADER_PRELUDE_BYTES]
        if len(prelude) < words.HEADER_PRELUDE_BYTES:
            return 0
        size = words.HEADER_PRELUDE_BYTES + int.from_bytes(prelude[4:], "little")
        if size > self._header_bytes_max:
            raise self._lost(start, f"a header of {size} bytes")
        return size

    def _records(self, buffer: bytes, used: int, found: list[bytes]) -> int:
        start = used  # of the market's records that were passed and not given yet
        end, good = len(buffer), _GOOD
        while used + 2 <= end:
            head = buffer[used : used + 2]
            if head not in good:
                if not is_record(head[1], head[0] * 4):
                    raise self._lost(used, f"type {head[1]} with {head[0] * 4} bytes is no record")
                good.add(head)
            after = used + head[0] * 4
            if after > end:
                break
            if head[1] in words.CONTROL:
                if start < used:
                    found.append(buffer[start:used])
                found.append(buffer[used:after])
                start = after
            used = after
        if start < used:
            found.append(buffer[start:used])
        return used

    def _lost(self, place: int, why: str) -> SocketError:
        return SocketError(f"the stream can't be followed at byte {self._position + place}: {why}")


_GOOD: Final[set[bytes]] = set()
"""Lengths and types of records met so far: 65,536 at most."""


class GatewaySocket:
    """A connection to a gateway: `sockets.Socket`."""

    def __init__(self, stream: SocketStream, frame_bytes_max: int) -> None:
        self._stream = stream
        self._cut = Cut(frame_bytes_max)

    async def receive(self) -> list[bytes]:
        """All messages that are there; see Socket."""
        while True:
            try:
                chunk = await self._stream.receive(_CHUNK_BYTES)
            except anyio.EndOfStream:
                raise SocketError("closed without a word") from None
            except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                raise SocketError(f"broken: {error.__cause__ or 'we closed'}") from None
            if found := self._cut.messages(chunk):
                return found

    async def send(self, payload: bytes) -> None:
        """Send a line; see Socket."""
        try:
            await self._stream.send(payload)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise SocketError(f"broken: {error.__cause__ or 'we closed'}") from None

    async def close(self) -> None:
        """End it; see Socket."""
        with anyio.move_on_after(CLOSE_S, shield=True):
            await self._stream.aclose()


async def gateway_socket(vendor: Vendor) -> Socket:
    """A gateway's connection, open. Raises SocketError, OSError, TimeoutError."""
    parts = urlsplit(vendor.url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme != "tcp" or port is None or not may_speak_plainly(vendor.url):
        raise SocketError(
            f"{vendor.url!r} is no gateway; accepted are tcp://NAME{GATEWAYS}:PORT and this machine", is_fatal=True
        )
    return GatewaySocket(await anyio.connect_tcp(host, port), vendor.frame_bytes_max)


def may_speak_plainly(url: str) -> bool:
    """Whether an address is one of Databento's gateways, or on this machine."""
    return is_loopback(url) or (urlsplit(url).hostname or "").endswith(GATEWAYS)
