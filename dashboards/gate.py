"""Gate: nothing of the dashboard is there before the password was said: no page, no picture, no socket.

It stands in front of the whole server. Who says the password gets a cookie with a number that only this process knows,
good until it ends. Wrong ones are answered one after the other, a second each, however many ask at once.
"""

import hmac
import secrets
from typing import Final
from urllib.parse import parse_qs

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE: Final = "tape_dashboard"
_BODY_MAX: Final = 2_000
_WRONG_S: Final = 1.0

_ASKED: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Tapeworks</title><style>:root{color-scheme:light dark}body{font:14px sans-serif;display:grid;place-items:center;
height:90vh}form{display:grid;gap:10px;width:260px}input,button{font:inherit;padding:8px}</style>
<form method="post"><label for="password">Password of this dashboard</label>
<input id="password" name="password" type="password" autocomplete="current-password" autofocus>
<button>Open</button></form></html>
"""


class SameOrigin:
    """In front of an ASGI app: no page of another origin opens a socket.

    Streamlit refuses those of other sites too, but not of other ports of this machine, and asks a server on the internet for this
    machine's address before it does, while everybody waits.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope.get("headers", ()))
        origin = headers.get(b"origin")
        if scope["type"] == "websocket" and origin is not None and origin.partition(b"//")[2] != headers.get(b"host"):
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)


class Gate:
    """In front of an ASGI app: lets through who has the cookie, asks everybody else."""

    def __init__(self, app: ASGIApp, password: str) -> None:
        assert password, "an empty password opens for everybody"
        self._app = app
        self._password = password.encode()
        self._token = secrets.token_urlsafe(32)
        self._wrong: anyio.Lock | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket") or self._is_known(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["method"] == "POST" and await self._is_right(receive):
            place = scope.get("raw_path", b"/").split(b"?")[0]
            query = scope["query_string"]
            cookie = f"{COOKIE}={self._token}; Path=/; HttpOnly; SameSite=Strict".encode()
            # one slash in front: two would lead to another machine
            target = b"/" + place.lstrip(b"/") + (b"?" + query if query else b"")
            await _answered(send, 303, [(b"location", target), (b"set-cookie", cookie)])
        else:
            await _answered(send, 401, [(b"content-type", b"text/html; charset=utf-8")], _ASKED.encode())

    def _is_known(self, scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name == b"cookie":
                # word by word: other servers of this machine put theirs beside it, of forms that http.cookies stops at
                for word in value.split(b";"):
                    if hmac.compare_digest(word.strip(), f"{COOKIE}={self._token}".encode()):
                        return True
        return False

    async def _is_right(self, receive: Receive) -> bool:
        body = await _body(receive)
        said = parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0]
        if hmac.compare_digest(said.encode(), self._password):
            return True
        self._wrong = self._wrong or anyio.Lock()
        async with self._wrong:
            await anyio.sleep(_WRONG_S)
        return False


async def _body(receive: Receive) -> bytes:
    """What was sent, if it is short enough to be a password."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _BODY_MAX or message["type"] == "http.disconnect":
            return b""
        if not message.get("more_body", False):
            return body


async def _answered(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
    told = [*headers, (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
