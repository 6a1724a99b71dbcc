"""Bell: wakes a coroutine, from its own thread or from another."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
from anyio.lowlevel import current_token


class Bell:
    """One coroutine waits, anybody rings; who rings before somebody waits is heard too. Rings don't add up."""

    def __init__(self) -> None:
        self._is_rung = False
        self._event: anyio.Event | None = None
        self._soon: Callable[[Callable[[], Any]], object] | None = None
        """Runs a function in the waiting loop, from any thread; None while nobody waits."""

    def ring(self) -> None:
        """Wake who waits; never blocks."""
        if self._is_rung:
            return
        self._is_rung = True
        soon = self._soon
        if soon is not None:
            with suppress(RuntimeError):  # the loop has ended: nobody is there to be woken
                soon(self._wake)

    async def wait(self) -> None:
        """Return when it rang since the last time."""
        self._event = event = anyio.Event()
        self._soon = _soon()
        try:
            # Looked at behind the line above: who rings meanwhile either finds `_soon` or is found here.
            if not self._is_rung:
                await event.wait()
        finally:
            self._soon = None
        self._is_rung = False

    def _wake(self) -> None:
        if self._event is not None:
            self._event.set()


def _soon() -> Callable[[Callable[[], Any]], object]:
    loop: Any = current_token().native_token
    return getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon  # type: ignore[no-any-return]  # asyncio's word, trio's word
