"""Turning: the loop of the thread that reduces: what came is decoded, numbered, reduced; requests, timers and the end are looked at in between."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from pipeline.block import Block
from pipeline.codes import FeedAction, Kind, RequestAction, SessionAction
from pipeline.feeds.facts import Fact
from pipeline.feeds.inbox import Inbox, Item, messages_in
from pipeline.instruments import Instrument
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.ports import Answer, Message, Reported, Warmed
from pipeline.run.beginning import Begun, Recording, symbol_meant
from pipeline.run.brokering import Brokering
from pipeline.run.clock import Steps
from pipeline.run.control import Request
from pipeline.run.guarding import Guard
from pipeline.run.halting import persist
from pipeline.run.intake import LIVE_TIMER_NS
from pipeline.run.listening import Listening, symbols_for
from pipeline.run.referencing import facts_block, spelt_out
from pipeline.run.warming import WAITED_BY, Warming
from pipeline.units import NANO

_LOOK_AT_DISK_EVERY_S: Final = 5.0
LAG_S: Final = 1.0
"""A message that waited longer is told of."""

_LAG_TOLD_EVERY_S: Final = 10.0

_BITE_BYTES: Final = 2 * 2**20
_BITE_COUNT: Final = 8_192
"""Of what waits, reduced before requests, signals and timers are looked at again: some 20,000 events."""
_DEFINED_AT_ONCE: Final = 2_048
"""Instruments defined by one commit: each takes the reducer a tenth of a millisecond."""

_WITHDRAWN_WITHIN_S: Final = 10.0
"""How long the end waits for the broker's word that nothing is on its way any more."""
_WITHDRAWN_AGAIN_S: Final = 1.0
_WAIT_S_MAX: Final = 0.1
"""How long the loop waits for messages at most: so soon are requests, signals and the end of the day seen."""


class Asked(Event):
    """That recording ends: this session, and the others that would follow it. May be set by any thread; `why` before it is set."""

    why = "it was asked to"


@dataclass(slots=True)
class Ending:
    """Why a session's recording ended."""

    asked: Asked = field(default_factory=Asked)
    why: str = ""
    lag_s_max: float = 0.0
    """The longest that a message waited until it was reduced; seconds."""
    is_feedless: bool = False
    """Whether it ended because no feed was left."""
    at_broker: Sequence[str] = ()
    """Orders that work on at the broker, or may, each in words."""
    unprotected: Sequence[str] = ()
    """What is held without a stop at the broker, in words."""
    sealing: str = ""
    """What went wrong with sealing meanwhile; '' when nothing did. It was made up for."""


def bites(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """What waits, in order, in pieces that are reduced in some tens of milliseconds and fit into one commit."""
    start, count_bytes = 0, 0
    for place, (_, item) in enumerate(items):
        count_bytes += len(item.payload) if isinstance(item, Message) else _bytes_of(item)
        if count_bytes >= _BITE_BYTES or place - start + 1 >= _BITE_COUNT:
            yield items[start : place + 1]
            start, count_bytes = place + 1, 0
    if start < len(items):
        yield items[start:]


def _bytes_of(item: Fact | Answer | Warmed | Reported) -> int:
    """How much there is to be read of what is no message."""
    if isinstance(item, Warmed):
        return sum(len(answer.payload) for answer in item.answers)
    return len(item.payload) if isinstance(item, Answer) else 0


class Loop:
    """The thread that reduces."""

    def __init__(
        self,
        recording: Recording,
        session: Begun,
        inbox: Inbox,
        listening: Listening,
        ending: Ending,
        store: Store,
        warming: Warming,
        left: Callable[[int], None],
        brokering: Brokering | None,
    ) -> None:
        self._brokering = brokering
        self._recording = recording
        self._recorder = session.recorder
        self._intake = session.intake
        self._inbox = inbox
        self._listening = listening
        self._ending = ending
        self._store = store
        self._symbols = set(session.symbols)
        self._picks = session.picks
        self._asked_for = session.picks.symbols
        self._warming = warming
        self._guard = Guard()
        self._recorder.seen += [self._picks.add, warming.add, self._guard.add]
        self._session = session
        self._steps = Steps(recording.clock)
        self._left = left
        self._is_closed = False
        self._looked_at_disk_s = 0.0
        self._was_over = False
        self._told_lag_s = 0.0
        self.lag_s_max = 0.0
        """The longest that a message waited until it was reduced."""

    def run(self) -> None:
        """Until it ends, and at a broker until the broker said its word on what was on its way."""
        self._recall()
        self._introduce(frozenset(self._symbols) | set(self._recording.watched))
        while not self._is_over():
            self._turn(self._wait_s())
        self._close(())
        self._turn(0.0)  # what came before the sockets were closed
        if self._brokering is not None:
            self._withdraw(self._brokering)

    def _withdraw(self, brokering: Brokering) -> None:
        """Have entries cancelled that still work at the broker, for nobody will be there when they fill, and wait for what leaves.

        What protects stays there.
        """
        until_s = time.monotonic() + _WITHDRAWN_WITHIN_S
        again_s = time.monotonic() + _WITHDRAWN_AGAIN_S
        self._ask_to_withdraw()
        while not brokering.is_settled and (now_s := time.monotonic()) < until_s:
            if now_s >= again_s:
                self._ask_to_withdraw()
                again_s = now_s + _WITHDRAWN_AGAIN_S
            self._turn(_WAIT_S_MAX)

    def _ask_to_withdraw(self) -> None:
        self._recorder.request(Request(RequestAction.WITHDRAW.name, text="the session ends"))
        self._recorder.flush()

    def _turn(self, wait_s: float) -> None:
        items, reduced_count = self._inbox.take(wait_s), 0
        for bite in bites(items):
            self._reduce(bite)
            reduced_count += len(bite)
            if self._is_over():
                self._close(items[reduced_count:])
        if self._brokering is not None:
            self._brokering.check()
        self._tell_step()
        now_ns = self._recording.clock.now_ns()
        # Not while messages wait: they came before now, and bring the timers in front of them themselves.
        if self._inbox.is_empty and (ticks := self._intake.ticked(now_ns)):
            self._recorder.take(ticks)
        for request in self._recorder.obeyed():
            self._carry_out(request)
        if (why := self._guard.wish()) is not None:
            if self._recording.account:  # practice leaves nothing
                persist(self._store, why, self._recording.account)
            self._recorder.request(why.request)
        if self._picks.symbols != self._asked_for:
            self._ask()
        self._ask_history()
        self._listening.renew(self._intake.troubles())

    def _close(self, items: Sequence[Item]) -> None:
        """Close the sockets at once: what came, these among it, is still reduced, and nothing more comes."""
        if self._is_closed:
            return
        self._is_closed = True
        self._listening.close()
        if count := messages_in(items) + self._inbox.message_count():
            self._left(count)

    def _recall(self) -> None:
        """Who waited for history in a session that goes on, or in what one begins with, waits still."""
        if self._recorder.last_seq and self._session.how.startswith("resumed"):
            self._guard.recall(LogReader(self._store.folder(self._session.manifest.id)).batches(kinds=[Kind.REQUEST]))
        if self._warming.is_wanted and self._recorder.last_seq:
            self._recorder.flush()
            log = LogReader(self._store.folder(self._session.manifest.id))
            self._warming.recall(log.batches(what="all", kinds=WAITED_BY), self._recorder.last_seq)

    def _ask_history(self) -> None:
        """Ask for the history that strategies wait for."""
        for number, wish in self._warming.wishes():
            if self._recording.vendors[number - 1].history is None:
                now_ns = self._recording.clock.now_ns()
                self._warm(Warmed(now_ns, wish, now_ns, (), "its vendor has no history that can be asked for"))
            else:
                self._listening.warm(number, wish)

    def _warm(self, warmed: Warmed) -> None:
        """Give strategies the history they wait for; all that came before is committed first, so that nothing falls between."""
        self._recorder.flush()
        for batch in self._warming.given(warmed, self._intake, self._recording.clock.now_ns()):
            self._recorder.take(batch)

    def _reduce(self, bite: Sequence[Item]) -> None:
        """What feeds brought, then what strategies wait for and what a broker says."""
        has_inside = self._warming.is_wanted or self._brokering is not None
        inside = [item for _, item in bite if isinstance(item, Warmed | Reported)] if has_inside else []
        others = [each for each in bite if not isinstance(each[1], Warmed | Reported)] if inside else bite
        for batch in self._intake.taken(others):
            self._recorder.take(batch)
        for item in inside:
            if isinstance(item, Warmed):
                self._warm(item)
            else:
                self._report(item)
        if others:
            self._tell_lag(others[0])

    def _report(self, item: Reported) -> None:
        """What a broker says becomes inputs."""
        assert self._brokering is not None
        for batch in self._intake.placed(self._brokering.reported(item.blocks), 0, self._recording.clock.now_ns()):
            self._recorder.take(batch)

    def _tell_lag(self, oldest: Item) -> None:
        """How long the oldest of what was just reduced had waited; on the tape where it was long, but not with every batch."""
        number, item = oldest
        now_ns, rate = self._recording.clock.now_ns(), self._recording.clock.rate
        lag_s = (now_ns - item.ts_recv_ns) / NANO / rate
        self.lag_s_max = max(self.lag_s_max, lag_s)
        if lag_s >= LAG_S and time.monotonic() - self._told_lag_s >= _LAG_TOLD_EVERY_S:
            self._told_lag_s = time.monotonic()
            fact = Fact(
                self._intake.session_ns, FeedAction.SLOW, count=int(lag_s * 1_000), text=f"behind by {lag_s:,.1f} s"
            )
            for batch in self._intake.taken([(number, fact)]):
                self._recorder.take(batch)

    def _tell_step(self) -> None:
        """Tell that the clock was set: stamps on either side of this row don't say how long it was between them."""
        if step_s := self._steps.step_s():
            way = "ahead" if step_s > 0 else "back"
            row = {"action": int(SessionAction.CLOCK_STEPPED), "key": way, "text": f"{abs(step_s):.3f}"}
            self._recorder.say([row])

    def _wait_s(self) -> float:
        """Until the next timer, or for a while."""
        clock = self._recording.clock
        to_timer_s = (LIVE_TIMER_NS - clock.now_ns() % LIVE_TIMER_NS) / NANO / clock.rate
        return min(_WAIT_S_MAX, max(to_timer_s, 0.001))

    def _carry_out(self, request: Request) -> None:
        """What a request asks of the shell; what it asks of the engine is done by reducing it."""
        symbol = symbol_meant(request.target)
        if request.code is RequestAction.ADD_SYMBOL:
            self._symbols.add(symbol)
        elif request.code is RequestAction.DROP_SYMBOL:
            self._symbols.discard(symbol)
        else:
            return
        self._introduce(frozenset(self._symbols))
        self._ask()

    def _ask(self) -> None:
        """Subscribe what was asked for, what is watched, and what the scanner picked."""
        self._asked_for = self._picks.symbols
        self._listening.desire(self._recording.desired(self._symbols | self._picks.symbols))

    def _introduce(self, symbols: frozenset[str]) -> None:
        """Define instruments at once that will be heard of, some at a time, so that a wish to end is heard soon."""
        for number, vendor in enumerate(self._recording.vendors, 1):
            expected = sorted(spelt_out(self._store, symbols_for(vendor.name, symbols)))
            for start in range(0, len(expected), _DEFINED_AT_ONCE):
                if self._is_over():
                    return
                some, now_ns = expected[start : start + _DEFINED_AT_ONCE], self._recording.clock.now_ns()
                for batch in self._intake.introduced(number, some, now_ns, self._known_of):
                    self._recorder.take(batch)

    def _known_of(self, instruments: Sequence[Instrument]) -> Block | None:
        """What the store knows of instruments at this moment."""
        return facts_block(self._store, instruments, self._recording.clock.now_ns())

    def _is_over(self) -> bool:
        """Whether it ends; what ended it first stays why."""
        until_ns, ending = self._recording.until_ns, self._ending
        if self._was_over:
            return True
        if ending.asked.is_set():
            ending.why = ending.asked.why
        elif self._recorder.is_to_end:
            ending.why = "a request to end"
        elif until_ns is not None and self._recording.clock.now_ns() >= until_ns:
            ending.why = "its time has come"
        elif self._listening.is_over:
            ending.why, ending.is_feedless = "no feed is left", True
        elif self._is_disk_full():
            ending.why = f"less than {self._recording.bytes_free_min / 2**30:.1f} GiB free on its disk"
        self._was_over = bool(ending.why)
        return self._was_over

    def _is_disk_full(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._looked_at_disk_s < _LOOK_AT_DISK_EVERY_S:
            return False
        self._looked_at_disk_s = now_s
        return shutil.disk_usage(self._store.home).free < self._recording.bytes_free_min
