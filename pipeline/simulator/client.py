"""Client: one connection of the exchange, its conversation, its queue, and what goes wrong with it.

Two tasks: one hears the client, one sends what waits for it in order. The queue is bounded in bytes. Full means that
the client reads too slowly: what waits is thrown away, the vendor's words for it are said, and the connection ends
with 1008; a client that does not even read that is let go after `grace_s`.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

import anyio

from pipeline.ports import Channel, Encoder, Served
from pipeline.simulator.faults import HUGE_BYTES, Fault, FaultKind, garbage
from pipeline.simulator.ledger import Ledger, Sent
from pipeline.simulator.venue import Conversation, Framing, Scolding, Timed
from pipeline.simulator.wires import GoneError, Wire

POLICY: Final = 1008
_RECENT_MAX: Final = 1_000
"""How many events back a duplicate may come from."""

_WAITED_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Manners:
    """How the exchange treats its clients.

    `frame_events_max` is how many events one frame holds at most; `buffer_bytes` what may wait for one client; `grace_s`
    how long a client that was told to go may take for it.
    """

    frame_events_max: int = 50
    buffer_bytes: int = 8 * 2**20
    grace_s: float = 2.0


class _Doing(Enum):
    SEND = 0
    CLOSE = 1
    FINISH = 2
    ABORT = 3
    RESET = 4


class _Out(NamedTuple):
    """What waits to be done."""

    doing: _Doing
    what: str
    payload: bytes = b""
    rows: tuple[int, ...] = ()
    code: int = 0
    is_binary: bool = False

    @property
    def counted_bytes(self) -> int:
        """What it counts for in the client's buffer: a frame that was made huge on purpose is nobody's slowness."""
        return 0 if self.what == FaultKind.HUGE else len(self.payload)


_ENDS: Final = {FaultKind.CLOSE_1006: _Doing.ABORT, FaultKind.FIN: _Doing.FINISH, FaultKind.RST: _Doing.RESET}


class Client:
    """One connection, from its handshake until it has gone."""

    def __init__(
        self,
        number: int,
        protocol: str,
        wire: Wire,
        conversation: Conversation,
        encoder: Encoder,
        *,
        manners: Manners,
        ledger: Ledger,
        now_ns: Callable[[], int],
        heard: Callable[[], None],
        ack_delay_s: Callable[[], float],
        chance: random.Random,
    ) -> None:
        self.number = number
        self.protocol = protocol
        self.is_over = False
        """Whether nothing more is queued for it: its end is, or it has gone."""
        self.is_gone = False
        self._wire = wire
        self._conversation = conversation
        self._encoder = encoder
        self._manners = manners
        self._ledger = ledger
        self._now_ns = now_ns
        self._heard = heard
        self._ack_delay_s = ack_delay_s
        self._chance = chance
        self._is_binary = conversation.is_binary if isinstance(conversation, Framing) else False
        self._queue: deque[_Out] = deque()
        self._waiting_bytes = 0
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._whole: frozenset[Channel] = frozenset()
        self._events = 0
        self._faults: list[Fault] = []
        self._recent: deque[Served] = deque(maxlen=_RECENT_MAX)
        self._last_frame = b""
        self._mute_until_s = 0.0
        self._to_hold = 0
        self._hold_s = 0.0
        self._held: list[Served] = []

    @property
    def is_subscribed(self) -> bool:
        """Whether it wants anything."""
        return bool(self._conversation.wanted)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for it."""
        return self.is_gone or not (self._queue or self._held)

    async def talk(self) -> None:
        """Be the server's side of it until one of the two ends it."""
        started_s = anyio.current_time()
        self._note("connected")
        self._say(self._conversation.connected())
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._hear, group.cancel_scope)
                group.start_soon(self._send, group.cancel_scope)
                if isinstance(self._conversation, Timed):
                    group.start_soon(self._wait, self._conversation, started_s)
        finally:
            self._leave()

    def threaten(self, fault: Fault) -> None:
        """Let this happen when so many events have come: `fault.events`."""
        assert fault.events is not None
        self._faults = sorted([*self._faults, fault], key=lambda each: each.events or 0)

    def spare(self, fault: Fault) -> None:
        """It happened to another one."""
        self._faults = [each for each in self._faults if each is not fault]

    def deliver(self, events: Sequence[Served], happened: Callable[[Fault], None]) -> None:
        """Queue those events that it wants, in frames; `happened` is told of each fault that came due on the way."""
        wanted, whole = self._conversation.wanted, self._whole
        mine = [event for event in events if event.topic in wanted or event.topic.channel in whole]
        while self._faults and self._events + len(mine) >= (self._faults[0].events or 0) and not self.is_over:
            fault = self._faults.pop(0)
            before = (fault.events or 0) - self._events
            self._queue_events(mine[:before])
            mine = mine[before:]
            self.suffer(fault)
            happened(fault)
        self._queue_events(mine)

    def suffer(self, fault: Fault) -> None:
        """Let it go wrong, behind all that was queued."""
        kind = fault.kind
        if self.is_over:
            return
        if fault.close_code is not None:
            self._end(_Out(_Doing.CLOSE, kind, code=fault.close_code))
        elif kind in _ENDS:
            self._end(_Out(_ENDS[kind], kind))
        elif kind is FaultKind.MUTE:
            self._note(kind)
            self._mute_until_s = anyio.current_time() + fault.lasts_s
        elif kind is FaultKind.LATE:
            self._to_hold, self._hold_s = fault.count, fault.lasts_s
        elif kind is FaultKind.DUPLICATE:
            self._queue_frames(list(self._recent)[-fault.count :], kind)
        elif kind is FaultKind.HUGE and self._recent:
            event = self._recent[-1]
            self._put_frame([event] * (HUGE_BYTES // len(event.payload) + 1), kind)
        elif kind is FaultKind.GARBAGE:
            for number in range(fault.count):
                frame = garbage(self._last_frame, number, self._chance)
                self._put(_Out(_Doing.SEND, kind, frame, is_binary=self._is_binary or not _is_text(frame)))

    async def room(self, patience_s: float) -> bool:
        """Whether there is room for more within so long; ends at once when it has gone."""
        with anyio.move_on_after(patience_s):
            while self._waiting_bytes > self._manners.buffer_bytes // 2 and not self.is_over:
                self._drained.clear()
                await self._drained.wait()
            return True
        return False

    def release(self) -> None:
        """Queue what was held back to be late."""
        held, self._held = self._held, []
        self._queue_frames(held, FaultKind.LATE)

    async def idle(self) -> None:
        """Return when nothing waits for it any more."""
        while not self.is_idle:
            self._drained.clear()
            await self._drained.wait()

    def cut(self) -> None:
        """It is too slow: forget what waits, say so, and let it go."""
        self._queue.clear()
        self._waiting_bytes = 0
        self._note("slow")
        if isinstance(self._conversation, Scolding):
            self._say(self._conversation.too_slow())
        self._end(_Out(_Doing.CLOSE, "slow", code=POLICY))

    def let_go(self, *, is_reset: bool = False) -> None:
        """Lose the connection at once."""
        self._wire.abort(is_reset=is_reset)

    async def _hear(self, scope: anyio.CancelScope) -> None:
        async for payload in self._wire.heard():
            if delay_s := self._ack_delay_s():
                await anyio.sleep(delay_s)
            self._say(self._conversation.hear(payload))
            self._whole = frozenset(topic.channel for topic in self._conversation.wanted if topic.symbol == "*")
            self._obey_close_code()
            self._heard()
        scope.cancel()

    async def _wait(self, conversation: Timed, started_s: float) -> None:
        while not self.is_over:
            await anyio.sleep(_WAITED_EVERY_S)
            self._say(conversation.waited(anyio.current_time() - started_s))
            self._obey_close_code()

    def _obey_close_code(self) -> None:
        if self._conversation.close_code is not None:
            self._end(_Out(_Doing.CLOSE, "words", code=self._conversation.close_code))

    async def _send(self, scope: anyio.CancelScope) -> None:
        try:
            while True:
                await self._filled.wait()
                while self._queue:
                    out = self._queue[0]
                    if out.doing is not _Doing.SEND:
                        await self._last(out)
                        scope.cancel()
                        return
                    await self._wire.send(out.payload, is_binary=out.is_binary)
                    self._sent(out)
                self._filled.clear()
        except GoneError:
            scope.cancel()

    def _sent(self, out: _Out) -> None:
        if self._queue and self._queue[0] is out:  # else it was cut meanwhile
            self._queue.popleft()
            self._waiting_bytes -= out.counted_bytes
        self._note(out.what, out.rows, count_bytes=len(out.payload))
        self._drained.set()

    async def _last(self, out: _Out) -> None:
        """End the connection as asked."""
        self._note(out.what, code=out.code)
        match out.doing:
            case _Doing.CLOSE:
                await self._wire.close(out.code)
            case _Doing.FINISH:
                self._wire.finish()
                await anyio.sleep(self._manners.grace_s)  # the client may go sooner, which ends this
            case _:
                self._wire.abort(is_reset=out.doing is _Doing.RESET)

    def _leave(self) -> None:
        self.is_over = self.is_gone = True
        self._queue.clear()
        self._held.clear()
        self._wire.abort()
        self._note("gone")
        self._drained.set()

    def _say(self, messages: Sequence[bytes]) -> None:
        if not self._is_mute():
            for message in messages:
                self._put(_Out(_Doing.SEND, "words", message, is_binary=self._is_binary))

    def _queue_events(self, events: Sequence[Served]) -> None:
        if not events or self.is_over:
            return
        self._events += len(events)
        if self._is_mute():
            return
        if self._to_hold:
            events = self._hold(events)
        self._recent.extend(events)
        self._queue_frames(events, "events")

    def _hold(self, events: Sequence[Served]) -> Sequence[Served]:
        """Keep back as many as are to be late; those that are not."""
        count = self._to_hold
        self._held += events[:count]
        self._to_hold = max(0, count - len(events))
        if not self._to_hold:
            asyncio.get_running_loop().call_later(self._hold_s, self.release)
        return events[count:]

    def _queue_frames(self, events: Sequence[Served], what: str) -> None:
        step = self._manners.frame_events_max
        for start in range(0, len(events), step):
            self._put_frame(events[start : start + step], what)

    def _put_frame(self, events: Sequence[Served], what: str) -> None:
        payloads = [event.payload for event in events]
        rows = tuple(event.seq for event in events)
        if not isinstance(self._conversation, Framing):
            frames = [self._encoder.frame(payloads)]
        else:
            frames = self._conversation.frame(payloads)
        for frame in frames[:-1]:
            self._put(_Out(_Doing.SEND, what, frame, is_binary=self._is_binary))
        self._put(_Out(_Doing.SEND, what, frames[-1], rows, is_binary=self._is_binary))
        self._last_frame = frames[-1]

    def _put(self, out: _Out) -> None:
        if self.is_over:
            return
        is_full = self._waiting_bytes > self._manners.buffer_bytes
        self._queue.append(out)
        self._waiting_bytes += out.counted_bytes
        self._filled.set()
        if is_full and out.doing is _Doing.SEND and out.what != "words":
            self.cut()

    def _end(self, out: _Out) -> None:
        """This is the last that is done."""
        if not self.is_over:
            self._put(out)
            self.is_over = True
            loop = asyncio.get_running_loop()
            loop.call_later(self._manners.grace_s + 1.0, self._wire.abort)

    def _is_mute(self) -> bool:
        return anyio.current_time() < self._mute_until_s

    def _note(self, what: str, rows: tuple[int, ...] = (), *, code: int = 0, count_bytes: int = 0) -> None:
        self._ledger.note(Sent(self._now_ns(), self.protocol, self.number, what, rows, code, count_bytes))


def _is_text(frame: bytes) -> bool:
    """Whether it may be sent as text: a text message that is none ends the connection (RFC 6455, 8.1)."""
    try:
        frame.decode()
    except UnicodeDecodeError:
        return False
    return True
