"""Talk: the life of one connection, from its first word to its end.

Three tasks: one reads, and does nothing else that could wait; one sends; one looks once a second at all that should have
happened by now, and ends what can't be saved by closing the socket, so that no read is ever cut off in its middle.
"""

from collections import deque
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final, NamedTuple

import anyio
import msgspec
from anyio.abc import TaskGroup

from pipeline.codes import FeedAction
from pipeline.feeds.bell import Bell
from pipeline.feeds.dialogue import DialogueError, Replaying
from pipeline.feeds.facts import WITHDRAWN, about
from pipeline.feeds.line import Line
from pipeline.feeds.sockets import Socket, SocketError
from pipeline.feeds.watch import Watch
from pipeline.ports import Message, Topic

NOTHING: Final[frozenset[Topic]] = frozenset()
_HIDDEN: Final = b"*"
_NAMED_MAX: Final = 5
"""Topics named where one sentence is all there is room for."""


class End(NamedTuple):
    """How a connection ended: what is to be said, the code given, and what it means for the next one."""

    text: str
    code: int = 0
    is_fatal: bool = False
    floor_s: float = 0.0


class Talk:
    """One connection of a line; `connection` is its number."""

    def __init__(self, line: Line, socket: Socket, connection: int) -> None:
        self.acknowledged = NOTHING
        """What the vendor says it sends."""
        self._line = line
        self._socket = socket
        self._connection = connection
        self._dialogue = line.vendor.dialogue()
        if isinstance(self._dialogue, Replaying):
            self._dialogue.whole_until_ns = line.whole_until_ns
        self._opened_s = anyio.current_time()
        self.opened_ns = line.clock.now_ns()
        """When it began, by the recording's clock."""
        self._watch = Watch(line, connection, self._opened_s)
        self._wanted: frozenset[Topic] | None = None
        self._refused = NOTHING
        self._untold = NOTHING
        """What was acknowledged and is not told yet, since `_untold_since_s`."""
        self._untold_since_s = self._opened_s
        self._outbox: deque[bytes] = deque()
        self._outbox_bell = Bell()
        self._is_sent_unsaid = False
        """Whether market data came since something was asked for."""
        self._is_complete = False
        self._is_filling = False
        self._end: End | None = None

    async def run(self) -> End:
        """Speak and listen until it is over."""
        self._line.subscriptions.connected()
        self._line.silence.connected()
        self._line.unheard.connected()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._speak)
            tasks.start_soon(self._look, tasks)
            end = await self._listen()
            tasks.cancel_scope.cancel()
        self._tell_gained()
        self._watch.tell_slow(float("inf"))
        if isinstance(self._dialogue, Replaying):
            self._line.whole_until_ns = self._dialogue.whole_until_ns
        return self._end or end

    def flowing(self) -> frozenset[Topic]:
        """What is missing when this ends: what the vendor says it sends, and what came though it never said so.

        What came and was not read yet may be of any that was asked for.
        """
        unsaid = (self._wanted or NOTHING) - self.acknowledged - self._refused
        progress = self._line.progress
        if progress.message_count < self._line.message_count and self._is_sent_unsaid:
            return self.acknowledged | unsaid
        return self.acknowledged | {topic for topic in unsaid if progress.last_event_ns(topic) is not None}

    async def _listen(self) -> End:
        try:
            self._say(self._dialogue.connected())
            while True:
                self._take(await self._socket.receive())
                if not self._line.inbox.has_room:
                    self._watch.not_read()
                    await self._line.inbox.room()
        except (SocketError, DialogueError) as error:
            return End(str(error), error.code, error.is_fatal, error.floor_s)

    def _take(self, payloads: list[bytes]) -> None:
        """Stamp and hand over; then hear what concerns the conversation. Raises DialogueError."""
        line, now_ns = self._line, self._line.clock.now_ns
        number, concerns = line.number, self._dialogue.concerns
        stamped = [Message(now_ns(), payload) for payload in payloads]
        places = [place for place, payload in enumerate(payloads) if concerns(payload)]
        concerning = [self._without_secrets(payloads[place]) for place in places]
        for place, payload in zip(places, concerning, strict=True):
            stamped[place] = Message(stamped[place].ts_recv_ns, payload)
        line.last_ns = stamped[-1].ts_recv_ns
        self._is_sent_unsaid = self._is_sent_unsaid or (self._wanted is not None and len(places) < len(payloads))
        line.message_count += len(stamped)
        line.inbox.put([(number, message) for message in stamped], sum(map(len, payloads)))
        try:
            for payload in concerning:
                self._hear(payload)
        finally:
            if concerning:
                self._heard()

    def _without_secrets(self, payload: bytes) -> bytes:
        """A word of the conversation as it may be recorded: there are servers that name the key they refuse."""
        for secret in self._line.vendor.secrets:
            payload = payload.replace(secret, _HIDDEN * len(secret))  # as long as it was: packed formats count bytes
        return payload

    def _hear(self, payload: bytes) -> None:
        try:
            self._say(self._dialogue.hear(payload))
        # whatever a decoder makes of a stranger's bytes ends here: refused, and the conversation goes on
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._line.tell(FeedAction.REJECTED, text=f"no word of the conversation: {error}")

    def _say(self, words: list[bytes]) -> None:
        if words:
            self._outbox.extend(words)
            self._outbox_bell.ring()

    async def _speak(self) -> None:
        with suppress(SocketError):  # who listens is told as well
            while True:
                await self._outbox_bell.wait()
                while self._outbox:
                    await self._socket.send(self._outbox.popleft())

    async def _look(self, tasks: TaskGroup) -> None:
        line = self._line
        while self._end is None:
            with anyio.move_on_after(line.times.tick_s):
                await line.bell.wait()
            if why := self._trouble(anyio.current_time()):
                self._end = End(why)
                await self._socket.close()
            elif line.vendor.history is not None and not self._is_filling and line.holes.to_fill():
                self._is_filling = True
                tasks.start_soon(self._fill)

    async def _fill(self) -> None:
        await self._line.history.fill()
        self._is_filling = False

    def _trouble(self, now_s: float) -> str:
        """Why the connection is to be ended, '' when it isn't."""
        line = self._line
        if now_s - self._untold_since_s >= line.times.tick_s:
            self._tell_gained()
        if why := line.ending or line.mistrust(self._connection):
            return why
        if not self._dialogue.is_ready:
            is_late = now_s - self._opened_s >= line.times.ready_s
            return f"not accepted within {line.times.ready_s:g} s" if is_late else ""
        self._want(now_s)
        return self._missing(now_s) or self._watch.look(now_s, self.acknowledged)

    def _want(self, now_s: float) -> None:
        """Ask for what is desired now."""
        topics = self._line.topics()
        if topics == self._wanted:
            return
        self._tell_gained()
        self._tell(FeedAction.UNSUBSCRIBED, self.acknowledged - topics)
        self._tell_back(self._line.withdrawn_ns.keys() - topics)
        self._wanted = topics
        self.acknowledged &= topics
        self._say(self._dialogue.want(topics))
        self._line.subscriptions.want(now_s, topics)
        self._heard()

    def _heard(self) -> None:
        """Look at what the vendor accepted and refused."""
        now_s = anyio.current_time()
        if self._wanted is None:
            if self._dialogue.is_ready:
                self._want(now_s)
            return
        acknowledged = frozenset(self._dialogue.acknowledged & self._wanted)
        gained, withdrawn = acknowledged - self.acknowledged, self.acknowledged - acknowledged
        self.acknowledged = acknowledged
        if gained:
            self._untold_since_s = self._untold_since_s if self._untold else now_s
            self._untold |= gained
            self._line.holes.close(gained, self._line.clock.now_ns())
            self._line.bell.ring()  # what was missed of them can be asked for
        if withdrawn := withdrawn - self._dialogue.refused.keys():
            self._withdrawn(now_s, withdrawn)
        self._hear_refused()
        self._line.subscriptions.answered(self.acknowledged | self._refused)
        if self._line.subscriptions.is_complete:
            self._tell_gained()
        self._completed()

    def _withdrawn(self, now_s: float, topics: frozenset[Topic]) -> None:
        """What the vendor stopped to send is a hole, though the connection goes on."""
        line = self._line
        self._tell_gained()
        self._tell(FeedAction.UNSUBSCRIBED, topics, " (by the vendor)")
        assert line.last_ns is not None  # a message told it
        line.tell_all(about(topics, FeedAction.GAP_OPENED, line.clock.now_ns(), why=WITHDRAWN, from_ns=line.last_ns))
        line.withdrawn_ns |= dict.fromkeys(sorted(topics), line.last_ns)
        line.holes.open({topic: line.progress.last_event_ns(topic) for topic in topics})
        line.subscriptions.withdrawn(now_s, topics)

    def _tell_gained(self) -> None:
        """Tell what was acknowledged: when all is that was asked for, and meanwhile once a tick: some vendors answer one by one."""
        gained, self._untold = self._untold, NOTHING
        self._tell(FeedAction.SUBSCRIBED, gained)
        self._tell_back(gained)

    def _tell_back(self, topics: AbstractSet[Topic]) -> None:
        """Of what the vendor had stopped to send these flow again, or are not wanted any more."""
        line, now_ns = self._line, self._line.clock.now_ns()
        since_ns = {topic: line.withdrawn_ns.pop(topic) for topic in line.withdrawn_ns.keys() & topics}
        for from_ns in sorted(set(since_ns.values())):
            back = {topic for topic in since_ns if since_ns[topic] == from_ns}
            line.tell_all(about(back, FeedAction.GAP_CLOSED, now_ns, from_ns=from_ns, to_ns=now_ns))

    def _hear_refused(self) -> None:
        refused = self._dialogue.refused
        for why in sorted({refused[topic] for topic in refused.keys() - self._refused}):
            topics = frozenset(topic for topic in refused.keys() - self._refused if refused[topic] == why)
            self._tell(FeedAction.REJECTED, topics, f": {why}")
        self._refused = frozenset(refused)

    def _completed(self) -> None:
        """Once all is answered, the hole behind us is closed."""
        line = self._line
        if self._is_complete or not line.subscriptions.is_complete:
            return
        self._is_complete = True
        if line.gap_from_ns is not None:
            line.tell(FeedAction.GAP_CLOSED, from_ns=line.gap_from_ns, to_ns=line.clock.now_ns())
            line.gap_from_ns = None

    def _missing(self, now_s: float) -> str:
        """Ask again for what was not answered; why the connection is to be made anew when that is of no use."""
        verdict = self._line.subscriptions.judge(now_s)
        answer_s = self._line.times.answer_s
        if verdict.again:
            self._tell(FeedAction.REJECTED, verdict.again, f": not answered within {answer_s:g} s")
            assert self._wanted is not None
            # A dialogue asks but once for what it believes asked for, so it is made to believe that these are given back. They
            # are not: a vendor that sends and does not say so would stop, and what came in between would be missing in silence.
            self._dialogue.want(self._wanted - verdict.again)
            self._say(self._dialogue.want(self._wanted))
        if verdict.given_up:
            self._tell(FeedAction.REJECTED, verdict.given_up, ": not answered, gone on without")
            self._line.holes.close(verdict.given_up, self._line.clock.now_ns())
            self._completed()
        if verdict.reconnect:
            names = [topic.symbol for topic in sorted(verdict.reconnect)[:_NAMED_MAX]]
            more = "" if len(verdict.reconnect) <= _NAMED_MAX else f" and {len(verdict.reconnect) - _NAMED_MAX} more"
            return f"subscriptions not answered: {', '.join(names)}{more}"
        return ""

    def _tell(self, action: FeedAction, topics: AbstractSet[Topic], why: str = "") -> None:
        self._line.tell_all(about(topics, action, self._line.clock.now_ns(), why=why))
