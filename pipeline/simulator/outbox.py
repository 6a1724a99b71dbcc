"""Outbox: what waits to be sent to one client, in order, and how its connection ends.

Bounded in bytes. Full means that the client reads too slowly; what is done about it is its owner's.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import anyio

from pipeline.simulator.faults import FaultKind
from pipeline.simulator.wires import GoneError, Wire


class Doing(Enum):
    """What is done with the connection."""

    SEND = 0
    CLOSE = 1
    FINISH = 2
    ABORT = 3
    RESET = 4
    SEND_RAW = 5


class Out(NamedTuple):
    """One thing that waits to be done; all but those that send are the last. `what` and `rows` are for the ledger."""

    doing: Doing
    what: str
    payload: bytes = b""
    rows: tuple[int, ...] = ()
    code: int = 0
    is_binary: bool = False

    @property
    def counted_bytes(self) -> int:
        """What it counts for in the buffer: a frame that was made huge on purpose is nobody's slowness."""
        return 0 if self.what in (FaultKind.HUGE, FaultKind.BOMB) else len(self.payload)


class Outbox:
    """The queue of one client and the task that empties it."""

    def __init__(self, wire: Wire, *, buffer_bytes: int, grace_s: float, done: Callable[[Out], None]) -> None:
        """`done` is told of all that was done; `grace_s` is how long a client that was told to go may take for it."""
        self.is_ending = False
        """Whether nothing more is taken: the end waits in the queue, or came."""
        self._wire = wire
        self._buffer_bytes = buffer_bytes
        self._grace_s = grace_s
        self._done = done
        self._queue: deque[Out] = deque()
        self._waiting_bytes = 0
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._queue

    @property
    def is_full(self) -> bool:
        """Whether more waits than may."""
        return self._waiting_bytes > self._buffer_bytes

    def put(self, out: Out) -> None:
        """Let it wait; forgotten when the end waits already."""
        if not self.is_ending:
            self._queue.append(out)
            self._waiting_bytes += out.counted_bytes
            self._filled.set()

    def end(self, out: Out) -> None:
        """Let this be the last. Whoever does not even read what waits in front of it is let go."""
        if not self.is_ending:
            self.put(out)
            self.is_ending = True
            asyncio.get_running_loop().call_later(self._grace_s + 1.0, self._wire.abort)

    def forget(self) -> None:
        """Throw away what waits."""
        self._queue.clear()
        self._waiting_bytes = 0
        self._drained.set()

    def stop(self) -> None:
        """The connection has gone."""
        self.is_ending = True
        self.forget()

    async def run(self) -> None:
        """Do what waits, until the end or until the client has gone."""
        try:
            while True:
                await self._filled.wait()
                while self._queue:
                    out = self._queue[0]
                    match out.doing:
                        case Doing.SEND:
                            await self._wire.send(out.payload, is_binary=out.is_binary)
                        case Doing.SEND_RAW:
                            self._wire.send_raw(out.payload)
                        case _:
                            await self._last(out)
                            return
                    self._sent(out)
                self._filled.clear()
        except GoneError:
            return

    async def room(self, patience_s: float) -> bool:
        """Whether half of the buffer is free within so long, or the client is on its way out."""
        with anyio.move_on_after(patience_s):
            while self._waiting_bytes > self._buffer_bytes // 2 and not self.is_ending:
                self._drained.clear()
                await self._drained.wait()
            return True
        return False

    async def progress(self) -> None:
        """Return when something was sent, or all is over."""
        self._drained.clear()
        await self._drained.wait()

    def _sent(self, out: Out) -> None:
        if self._queue and self._queue[0] is out:  # else it was forgotten while it was sent
            self._queue.popleft()
            self._waiting_bytes -= out.counted_bytes
        self._done(out)
        self._drained.set()

    async def _last(self, out: Out) -> None:
        self._done(out)
        match out.doing:
            case Doing.CLOSE:
                await self._wire.close(out.code)
            case Doing.FINISH:
                self._wire.finish()
                await anyio.sleep(self._grace_s)  # the client may go sooner, which ends this
            case _:
                self._wire.abort(is_reset=out.doing is Doing.RESET)
