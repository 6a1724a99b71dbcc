"""Fetching: the answers of a vendor's REST, over httpx."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from pipeline.feeds.hiding import hidden
from pipeline.feeds.history import Fetch, HistoryError
from pipeline.feeds.sockets import SocketError, is_loopback, refuse_plain_text, without_query
from pipeline.feeds.vendor import Question

TIMEOUT_S: Final = 20.0
"""Of each step: to connect, to hear something, to hear more."""

BODY_BYTES_MAX: Final = 64 * 2**20
WAIT_S_MAX: Final = 120.0

_TRY_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@asynccontextmanager
async def fetching() -> AsyncIterator[Fetch]:
    """A Fetch that keeps its connections while the context lasts."""
    trusted = (
        ssl.create_default_context()
    )  # once for both: it reads every certificate of the system, a twentieth of a second
    async with _client(trusted, is_local=False) as far, _client(trusted, is_local=True) as near:

        async def fetch(question: Question) -> bytes:
            return await _answer(near if is_loopback(question.url) else far, question)

        yield fetch


def _client(trusted: ssl.SSLContext, *, is_local: bool) -> httpx.AsyncClient:
    """This machine is reached without whatever proxy the environment names; what is trusted is what sockets trust."""
    return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=not is_local, verify=trusted)


async def _answer(client: httpx.AsyncClient, question: Question) -> bytes:
    """The body of an answer. Raises HistoryError."""
    place = without_query(question.url)
    try:
        refuse_plain_text(question.url)
        method = "GET" if question.form is None else "POST"
        async with client.stream(method, question.url, headers=question.headers, data=question.form) as response:
            if response.status_code != httpx.codes.OK:
                raise _refused(place, response)
            return await _body(place, response)
    except SocketError as error:
        raise HistoryError(str(error), is_final=True) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:  # some repeat the header they can't send
        said = hidden(f"{type(error).__name__} {error}", _secrets(question))
        raise HistoryError(f"{place}: {said}") from None


def _secrets(question: Question) -> Iterator[bytes]:
    """What of the headers is nobody's business."""
    for name, value in question.headers.items():
        if any(word in name.lower() for word in ("auth", "key", "secret", "token")):
            yield from (value.encode(), value.partition(" ")[2].encode())


async def _body(place: str, response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise HistoryError(f"{place}: an answer of more than {BODY_BYTES_MAX} bytes", is_final=True)
    return bytes(body)


def _refused(place: str, response: httpx.Response) -> HistoryError:
    status, wish = response.status_code, response.headers.get("Retry-After", "")
    wait_s = min(float(wish), WAIT_S_MAX) if wish.isascii() and wish.isdigit() else 0.0
    return HistoryError(f"{place}: HTTP status {status}", is_final=status not in _TRY_AGAIN, wait_s=wait_s)
