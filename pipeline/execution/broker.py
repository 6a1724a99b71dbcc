"""Broker: a desk with its sockets: REST over httpx, the stream over WebSocket, waits on the clock of this machine.

All of it runs in one loop: `run` until it is cancelled, `submit`, `cancel` and `events` beside it. What a desk does not know is
not here: this only carries.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

import anyio
from anyio.abc import TaskGroup

from pipeline.block import Blocks
from pipeline.errors import VenueError
from pipeline.execution.desk import Asked, Desk
from pipeline.execution.identity import Identity
from pipeline.execution.jobs import Times
from pipeline.execution.orders import Logged
from pipeline.execution.reports import Standing
from pipeline.execution.rest import TIMEOUT_S, Rest, opened
from pipeline.execution.snapshots import snapshot
from pipeline.execution.tongue import Failed, StreamError
from pipeline.execution.venues import Venue
from pipeline.feeds.backoff import Backoff
from pipeline.feeds.bell import Bell
from pipeline.feeds.sockets import Socket, SocketError, web_socket
from pipeline.instruments import Instrument
from pipeline.intents import CancelRequest, OrderRequest
from pipeline.ports import Clock
from pipeline.units import NANO

CONNECT_S: Final = 10.0
_ASKED_AGAIN_S: Final = (0.0, 0.5, 1.0)
"""How long a question that changes nothing waits before it is asked, each time."""


class LiveBroker:
    """One account at one broker: `ports.Broker`.

    `identity` names account and session. `instruments` by the session's ids, which may grow; orders are for those in it.
    `logged` and `positions` are what the log of a session that goes on knows: its orders that are not over, and its positions in
    steps; without `positions` those that the broker has at the start are believed. `differences` are those in positions that it was told of last. `draw` gives random numbers from 0 to below 1.
    """

    def __init__(
        self,
        venue: Venue,
        identity: Identity,
        instruments: Mapping[int, Instrument],
        clock: Clock,
        *,
        draw: Callable[[], float],
        logged: Sequence[Logged] = (),
        positions: Mapping[int, int] | None = None,
        differences: Mapping[int, int] | None = None,
        times: Times | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.desk = Desk(
            venue.tongue,
            identity,
            instruments,
            stamp=clock.now_ns,
            logged=logged,
            positions=positions,
            differences=differences,
            times=times,
            secrets=venue.secrets,
        )
        self._venue = venue
        self._clock = clock
        self._timeout_s = timeout_s
        self._backoff = Backoff(draw)
        self._to_do, self._to_tell = Bell(), Bell()
        self._rest: Rest | None = None

    async def run(self) -> None:
        """Be connected, ask and hear, until cancelled."""
        async with AsyncExitStack() as stack:
            venue = self._venue
            self._rest = await stack.enter_async_context(
                opened(venue.rest_url, venue.sign, venue.secrets, self._timeout_s)
            )
            self.desk.start(_now_ns())
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen)
                await self._work(tasks)

    async def submit(self, request: OrderRequest) -> None:
        """Ask for an order; see `ports.Broker`."""
        self.desk.submit(request, _now_ns())
        self._ring()

    async def withdraw(self, request: OrderRequest) -> None:
        """Of an order whose cancel was asked for before it was sent: it is told as cancelled, and not sent."""
        self.desk.withdraw(request, _now_ns())
        self._ring()

    async def cancel(self, request: CancelRequest) -> None:
        """Ask for an order's end; see `ports.Broker`."""
        self.desk.cancel(request, _now_ns())
        self._ring()

    async def events(self) -> AsyncIterator[Blocks]:
        """What became of orders, as it becomes known; never ends by itself."""
        while True:
            while self.desk.paper.is_empty:
                await self._to_tell.wait()
            yield self.desk.paper.take()

    async def snapshot(self) -> Blocks:
        """Account, positions and open orders as the broker sees them now. Raises VenueError when it does not answer."""
        if self._rest is None:
            raise VenueError(f"{self._venue.name}: not connected")
        talk = snapshot(self._venue.tongue, self.desk.orders, self._clock.now_ns())
        said = None
        while True:
            try:
                step = talk.send(said)
            except StopIteration as end:
                blocks: Blocks = end.value
                return blocks
            said = await self._rest.ask(step)  # type: ignore[arg-type]  # this talk never pauses

    async def _work(self, tasks: TaskGroup) -> None:
        """Ask what is to be asked, and wake the desk when it wants to be."""
        while True:
            for asked in self.desk.take_calls():
                tasks.start_soon(self._ask, asked)
            wait_s = max(self.desk.next_ns() - _now_ns(), 0) / NANO
            with anyio.move_on_after(wait_s):
                await self._to_do.wait()
            self.desk.wake(_now_ns())
            self._ring_who_tells()

    async def _ask(self, asked: Asked) -> None:
        assert self._rest is not None
        said = await self._rest.ask(asked.call)
        self.desk.said(asked.number, said, _now_ns())
        self._ring()

    async def _listen(self) -> None:
        """The stream, again and again; its end is an event, not an error."""
        while True:
            self._backoff.connecting(anyio.current_time())
            why, is_fatal, floor_s = await self._stream()
            if is_fatal:
                self.desk.ended(why, _now_ns())
                self._ring()
                return
            self.desk.lost(why, _now_ns())
            self._ring()
            await anyio.sleep(self._backoff.failed(anyio.current_time(), floor_s))

    async def _stream(self) -> tuple[str, bool, float]:
        """One stream: why it ended, whether for good, and how long to stay away at least."""
        try:
            with anyio.fail_after(CONNECT_S):
                socket = await web_socket(self._venue)
        except SocketError as error:
            return str(error), error.is_fatal, error.floor_s
        except (OSError, TimeoutError) as error:
            return f"no stream: {error}", False, 0.0
        try:
            return await self._hear(socket)
        finally:
            with anyio.CancelScope(shield=True):
                await socket.close()

    async def _hear(self, socket: Socket) -> tuple[str, bool, float]:
        try:
            for payload in self.desk.opened(_now_ns()):
                await socket.send(payload)
            while True:
                with anyio.move_on_after(self._venue.tongue.quiet_s) as patience:
                    payloads = await socket.receive()
                if patience.cancelled_caught:
                    return f"silent for {self._venue.tongue.quiet_s:g} s", False, 0.0
                for payload in payloads:
                    for reply in self.desk.heard(payload, _now_ns()):
                        await socket.send(reply)
                if self.desk.is_listening:
                    self._backoff.data(anyio.current_time())
                self._ring()
        except SocketError as error:
            return str(error), error.is_fatal, error.floor_s
        except StreamError as error:
            return str(error), error.is_fatal, 0.0

    def _ring(self) -> None:
        self._to_do.ring()
        self._ring_who_tells()

    def _ring_who_tells(self) -> None:
        if not self.desk.paper.is_empty:
            self._to_tell.ring()


async def standing(venue: Venue, timeout_s: float = TIMEOUT_S) -> Standing:
    """An account as its broker sees it now, asked three times at most. Raises VenueError when it does not say."""
    why = ""
    async with opened(venue.rest_url, venue.sign, venue.secrets, timeout_s) as rest:
        for pause_s in _ASKED_AGAIN_S:
            await anyio.sleep(pause_s)
            told = await _standing(venue, rest)
            if not isinstance(told, Failed):
                return told
            why = told.why
    raise VenueError(f"{venue.name} does not say how the account stands: {why}")


async def _standing(venue: Venue, rest: Rest) -> Standing | Failed:
    talk, said = venue.tongue.standing(), None
    while True:
        try:
            step = talk.send(said)
        except StopIteration as end:
            told: Standing | Failed = end.value
            return told
        said = await rest.ask(step)  # type: ignore[arg-type]  # this talk never pauses


def _now_ns() -> int:
    """The loop's own clock, which only rises."""
    return round(anyio.current_time() * NANO)
