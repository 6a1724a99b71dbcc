"""Client: one connection of the exchange, its conversation, and what goes wrong with it.

Two tasks: one hears the client, one sends what waits for it. A client that reads too slowly loses what waits, is told so
in the vendor's words, and is closed with 1008; one that does not even read that is let go after a grace.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from pipeline.ports import Channel, Encoder, Served
from pipeline.simulator.faults import HUGE_BYTES, Fault, FaultKind, bomb, garbage
from pipeline.simulator.ledger import Ledger, Sent
from pipeline.simulator.outbox import Doing, Out, Outbox
from pipeline.simulator.venue import Conversation, Framing, Scolding, Timed
from pipeline.simulator.wires import Wire

POLICY: Final = 1008
_RECENT_MAX: Final = 1_000
"""How many events back a duplicate may come from."""

_WAITED_EVERY_S: Final = 0.1
_ENDS: Final = {FaultKind.CLOSE_1006: Doing.ABORT, FaultKind.FIN: Doing.FINISH, FaultKind.RST: Doing.RESET}


@dataclass(frozen=True, slots=True)
class Manners:
    """How the exchange treats its clients.

    `frame_events_max` is how many events one frame holds at most; `buffer_bytes` what may wait for one client; `grace_s`
    how long a client that was told to go may take for it.
    """

    frame_events_max: int = 50
    buffer_bytes: int = 8 * 2**20
    grace_s: float = 2.0


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
        """`heard` is called when the client has said something; `ack_delay_s` tells how late that is taken in."""
        self.number = number
        self.protocol = protocol
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
        self._outbox = Outbox(wire, buffer_bytes=manners.buffer_bytes, grace_s=manners.grace_s, done=self._done)
        self._whole: frozenset[Channel] = frozenset()
        self._count_events = 0
        self._faults: list[Fault] = []
        self._recent: deque[Served] = deque(maxlen=_RECENT_MAX)
        self._last_frame = b""
        self._mute_until_s = 0.0
        self._to_hold = 0
        self._hold_s = 0.0
        self._held: list[Served] = []

    @property
    def is_over(self) -> bool:
        """Whether nothing more is queued for it: its end is, or it has gone."""
        return self._outbox.is_ending

    @property
    def is_subscribed(self) -> bool:
        """Whether it wants anything."""
        return bool(self._conversation.wanted)

    async def talk(self) -> None:
        """Be the server's side of it until one of the two ends it."""
        self._note("connected")
        self._say(self._conversation.connected())
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._hear, group.cancel_scope)
                group.start_soon(self._send, group.cancel_scope)
                if isinstance(self._conversation, Timed):
                    group.start_soon(self._wait, self._conversation)
        finally:
            self.is_gone = True
            self._held.clear()
            self._outbox.stop()
            self._wire.abort()
            self._note("gone")

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
        while self._faults and self._count_events + len(mine) >= (self._faults[0].events or 0) and not self.is_over:
            fault = self._faults.pop(0)
            before = (fault.events or 0) - self._count_events
            self._queue_events(mine[:before])
            mine = mine[before:]
            self.suffer(fault)
            happened(fault)
        self._queue_events(mine)

    def suffer(self, fault: Fault) -> None:
        """Let it go wrong, behind all that was queued."""
        kind = fault.kind
        if fault.close_code is not None:
            self._outbox.end(Out(Doing.CLOSE, kind, code=fault.close_code))
        elif kind in _ENDS:
            self._outbox.end(Out(_ENDS[kind], kind))
        elif kind is FaultKind.MUTE:
            self._note(kind)
            self._mute_until_s = anyio.current_time() + fault.lasts_s
        elif kind is FaultKind.LATE:
            self._to_hold, self._hold_s = fault.count, fault.lasts_s
        elif kind is FaultKind.DUPLICATE:
            self._queue_frames(list(self._recent)[-fault.count :], kind)
        elif kind is FaultKind.HUGE:
            sizes = ((event, self._size(event.payload)) for event in reversed(self._recent))
            if found := next(((event, size) for event, size in sizes if size), None):
                event, count_bytes = found
                self._put_frame([event] * (HUGE_BYTES // count_bytes + 1), kind)
        elif kind is FaultKind.BOMB:
            self._put(Out(Doing.SEND_RAW, kind, bomb()))
        elif kind is FaultKind.GARBAGE:
            for number in range(fault.count):
                frame = garbage(self._last_frame, number, self._chance)
                self._put(Out(Doing.SEND, kind, frame, is_binary=self._is_binary or not _is_text(frame)))

    async def room(self, patience_s: float) -> bool:
        """Whether there is room for more within so long; true too when it goes."""
        return await self._outbox.room(patience_s)

    def release(self) -> None:
        """Queue what was held back to be late."""
        held, self._held = self._held, []
        self._queue_frames(held, FaultKind.LATE)

    async def idle(self) -> None:
        """Return when nothing waits for it any more."""
        while not self.is_gone and not (self._outbox.is_empty and not self._held):
            await self._outbox.progress()

    def cut(self) -> None:
        """It is too slow: forget what waits, say so, and let it go."""
        self._outbox.forget()
        self._note("slow")
        if isinstance(self._conversation, Scolding):
            self._say(self._conversation.too_slow())
        self._outbox.end(Out(Doing.CLOSE, "slow", code=POLICY))

    async def _hear(self, scope: anyio.CancelScope) -> None:
        async for payload in self._wire.heard():
            if delay_s := self._ack_delay_s():
                await anyio.sleep(delay_s)
            self._say(self._conversation.hear(payload))
            self._whole = frozenset(topic.channel for topic in self._conversation.wanted if topic.symbol == "*")
            self._obey_close_code()
            self._heard()
        scope.cancel()

    async def _send(self, scope: anyio.CancelScope) -> None:
        await self._outbox.run()
        scope.cancel()

    async def _wait(self, conversation: Timed) -> None:
        started_s = anyio.current_time()
        while not self.is_over:
            await anyio.sleep(_WAITED_EVERY_S)
            self._say(conversation.waited(anyio.current_time() - started_s))
            self._obey_close_code()

    def _obey_close_code(self) -> None:
        if self._conversation.close_code is not None:
            self._outbox.end(Out(Doing.CLOSE, "words", code=self._conversation.close_code))

    def _say(self, messages: Sequence[bytes]) -> None:
        if not self._is_mute():
            for message in messages:
                self._outbox.put(Out(Doing.SEND, "words", message, is_binary=self._is_binary))

    def _queue_events(self, events: Sequence[Served]) -> None:
        if not events or self.is_over:
            return
        self._count_events += len(events)
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
        """One frame, or as many as the conversation makes of it; the last one is what the ledger has their rows of."""
        payloads = [event.payload for event in events]
        if isinstance(self._conversation, Framing):
            frames = self._conversation.frame(payloads)
        else:
            frames = [self._encoder.frame(payloads)]
        rows = tuple(event.seq for event in events)
        for number, frame in enumerate(frames, 1):
            told = rows if number == len(frames) else ()
            self._put(Out(Doing.SEND, what, frame, told, is_binary=self._is_binary))
            self._last_frame = frame

    def _size(self, payload: bytes) -> int:
        """How many bytes one more of an event adds to a frame."""
        return self._conversation.size(payload) if isinstance(self._conversation, Framing) else len(payload)

    def _put(self, out: Out) -> None:
        """Queue what no client may be slow for."""
        if self._outbox.is_full and not self.is_over:
            self.cut()
        self._outbox.put(out)

    def _is_mute(self) -> bool:
        return anyio.current_time() < self._mute_until_s

    def _done(self, out: Out) -> None:
        self._note(out.what, out.rows, code=out.code, count_bytes=len(out.payload))

    def _note(self, what: str, rows: tuple[int, ...] = (), *, code: int = 0, count_bytes: int = 0) -> None:
        self._ledger.note(Sent(self._now_ns(), self.protocol, self.number, what, rows, code, count_bytes))


def _is_text(frame: bytes) -> bool:
    """Whether it may be sent as text: a text message that is none ends the connection (RFC 6455, 8.1)."""
    try:
        frame.decode()
    except UnicodeDecodeError:
        return False
    return True
