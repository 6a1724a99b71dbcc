"""Rest: calls over httpx. Each is one request; nothing is sent again, and no redirect is followed."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
import httpx

from pipeline.execution.calls import Answer, Call, Said, Silence
from pipeline.feeds.hiding import hidden
from pipeline.feeds.sockets import is_loopback

TIMEOUT_S: Final = 10.0
"""How long an answer is waited for, all in all."""

BODY_BYTES_MAX: Final = 16 * 2**20
WAIT_S_MAX: Final = 60.0

_NEVER_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

Sign = Callable[[Call], Mapping[str, str]]
"""The headers that say who asks."""


class Rest:
    """One broker's REST, while the context of `opened` lasts."""

    def __init__(self, client: httpx.AsyncClient, sign: Sign, secrets: Sequence[bytes], timeout_s: float) -> None:
        self._client = client
        self._sign = sign
        self._secrets = secrets
        self._timeout_s = timeout_s

    async def ask(self, call: Call) -> Said:
        """Send it once. A Silence says that nothing was sent only where it is certain: no connection came to be."""
        with anyio.move_on_after(self._timeout_s):
            return await self._ask(call)
        return Silence(f"no answer within {self._timeout_s:g} s")

    async def _ask(self, call: Call) -> Said:
        headers = {**self._sign(call), "Content-Type": "application/json"}
        try:
            async with self._client.stream(
                call.method, call.path, params=dict(call.query), content=call.body or None, headers=headers
            ) as response:
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > BODY_BYTES_MAX:
                        return Silence(f"an answer of more than {BODY_BYTES_MAX} bytes")
                return Answer(response.status_code, bytes(body), _wait_s(response))
        except _NEVER_LEFT as error:
            return Silence(self._told(error), was_sent=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Silence(self._told(error))

    def _told(self, error: Exception) -> str:
        return hidden(f"{type(error).__name__} {error}".strip(), self._secrets)


@asynccontextmanager
async def opened(url: str, sign: Sign, secrets: Sequence[bytes], timeout_s: float = TIMEOUT_S) -> AsyncIterator[Rest]:
    """REST at an address. This machine is reached without whatever proxy the environment names."""
    trusted = ssl.create_default_context()
    async with httpx.AsyncClient(
        base_url=url, timeout=timeout_s, follow_redirects=False, trust_env=not is_loopback(url), verify=trusted
    ) as client:
        yield Rest(client, sign, secrets, timeout_s)


def _wait_s(response: httpx.Response) -> float:
    wish = response.headers.get("Retry-After", "")
    return min(float(wish), WAIT_S_MAX) if wish.isascii() and wish.isdigit() else 0.0
