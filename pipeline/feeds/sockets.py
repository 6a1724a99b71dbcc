"""Sockets: the port to a vendor's stream, and the real one over WebSocket.

Nothing but bytes here. Plain text is spoken to this machine only, TLS contexts are the system's, nothing is compressed:
on a stream of this rate compression costs the socket thread more than the line.
"""

import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from pipeline.errors import TheirsError
from pipeline.feeds.vendor import Vendor

CLOSE_S: Final = 2.0
"""How long a vendor may take to say goodbye; then the connection is cut."""

PING_S: Final = 10.0
PONG_S: Final = 60.0
"""A busy server's answer to a ping stands in line behind its data; whether data flow is watched elsewhere."""

CA_VARIABLE: Final = "SSL_CERT_FILE"
"""Names a file of certificates to be trusted instead of the system's; OpenSSL reads it."""

_FRAMES_WAITING_MAX: Final = 32
"""Messages the library holds before it stops reading: each may have a vendor's largest size."""

_ABNORMAL: Final = 1006
"""RFC 6455, 7.1.5: the connection ended without a goodbye."""

_NO_ENTRY: Final = frozenset({401, 403})
_TOO_MANY: Final = 429
_FLOOR_S: Final = 10.0


class SocketError(TheirsError):
    """A connection ended or could not be made.

    `code` is the WebSocket's close code or the handshake's HTTP status, 0 when there was none; `is_fatal` when no new
    attempt will mend it, `floor_s` the shortest wait before the next.
    """

    def __init__(self, text: str, code: int = 0, *, is_fatal: bool = False, floor_s: float = 0.0) -> None:
        super().__init__(text)
        self.code = code
        self.is_fatal = is_fatal
        self.floor_s = floor_s


class Socket(Protocol):
    """An open connection."""

    async def receive(self) -> list[bytes]:
        """All messages that are there, in order, at least one; waits for it. Raises SocketError once it is over."""
        ...

    async def send(self, payload: bytes) -> None:
        """Send a message. Raises SocketError once it is over."""
        ...

    async def close(self) -> None:
        """End it: politely within seconds, else at once. Afterwards `receive` gives what had come, then raises."""
        ...


class Place(Protocol):
    """Where a WebSocket is: a vendor's, or a broker's stream."""

    @property
    def url(self) -> str:
        """Its address."""
        ...

    @property
    def headers(self) -> Callable[[], Mapping[str, str]]:
        """Makes what the handshake says besides."""
        ...

    @property
    def frame_bytes_max(self) -> int:
        """The largest message taken."""
        ...


Opener = Callable[[Vendor], Awaitable[Socket]]
"""Opens a vendor's connection. Raises SocketError, or OSError and TimeoutError from below."""


class WebSocket:
    """A WebSocket, on asyncio."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> list[bytes]:
        """All messages that are there; see Socket."""
        connection = self._connection
        try:
            payloads = [await connection.recv(decode=False)]
        except ConnectionClosed as closed:
            raise _ended(closed) from None
        # What else has come is taken without a turn of the loop for each; a message in fragments waits for its turn.
        messages = connection.recv_messages
        frames = messages.frames.queue
        while frames and frames[0].fin:
            payloads.append(bytes(frames.popleft().data))
        messages.maybe_resume()
        return payloads

    async def send(self, payload: bytes) -> None:
        """Send a message, as text when it is JSON; see Socket."""
        try:
            await self._connection.send(payload, text=payload[:1] in {b"{", b"["})
        except ConnectionClosed as closed:
            raise _ended(closed) from None

    async def close(self) -> None:
        """End it; see Socket."""
        with anyio.move_on_after(CLOSE_S, shield=True):
            await self._connection.close()
        self._connection.transport.abort()


async def web_socket(vendor: Place) -> Socket:
    """A WebSocket, open. Raises SocketError, OSError, TimeoutError."""
    refuse_plain_text(vendor.url)
    try:
        connection = await connect(
            vendor.url,
            additional_headers=dict(vendor.headers()),
            compression=None,
            ssl=ssl.create_default_context() if urlsplit(vendor.url).scheme == "wss" else None,
            proxy=None if is_loopback(vendor.url) else True,
            open_timeout=None,
            ping_interval=PING_S,
            ping_timeout=PONG_S,
            close_timeout=CLOSE_S,
            max_size=vendor.frame_bytes_max,
            max_queue=_FRAMES_WAITING_MAX,
        )
    except InvalidStatus as error:
        raise _refused(error.response.status_code, error.response.headers.get("Retry-After")) from None
    except WebSocketException as error:
        raise SocketError(f"no WebSocket: {error}") from None
    except ssl.SSLCertVerificationError as error:
        raise SocketError(
            f"{without_query(vendor.url)}: certificate not trusted: {error.verify_message.rstrip('.')}; "
            f"accepted are the system's authorities, or those in {CA_VARIABLE}",
            is_fatal=True,
        ) from None
    return WebSocket(connection)


def refuse_plain_text(url: str) -> None:
    """Raises SocketError, fatal, for an address without TLS that is not on this machine."""
    scheme = urlsplit(url).scheme
    if scheme not in {"wss", "https"} and not is_loopback(url):
        raise SocketError(
            f"{without_query(url)}: plain text is only spoken to this machine; accepted are wss:// and https://",
            is_fatal=True,
        )


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine, by its own word: no name but `localhost` is looked up."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def without_query(url: str) -> str:
    """An address as it may be told: no query, no name or password in it."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _refused(status: int, retry_after: str | None) -> SocketError:
    """The handshake was answered with an HTTP status instead."""
    wish_s = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0
    floor_s = max(_FLOOR_S, min(wish_s, 3_600.0)) if status == _TOO_MANY else 0.0
    return SocketError(f"refused with HTTP status {status}", status, is_fatal=status in _NO_ENTRY, floor_s=floor_s)


def _ended(closed: ConnectionClosed) -> SocketError:
    """How a connection ended: by their word, by ours, or without any."""
    ours_first = closed.rcvd is None or (closed.sent is not None and not closed.rcvd_then_sent)
    word = closed.sent if ours_first else closed.rcvd
    if word is None or word.code == _ABNORMAL:
        cause = closed.__cause__
        return SocketError(f"no goodbye{f': {cause}' if cause is not None else ''}", _ABNORMAL)
    who = "we closed" if ours_first else "closed"
    return SocketError(f"{who}: {word.reason or 'no reason given'}", word.code)
