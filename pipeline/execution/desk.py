"""Desk: orders of one account at one broker, without a socket and without a clock.

Whoever holds the sockets gives it what comes, and takes what is to be asked and what is to be told:

    start, submit, cancel, said, opened, heard, lost, ended, wake     in
    take_calls, next_ns, paper                                        out

Two times. `now_ns`, given with all that comes, only rises at the pace of the world: waits go by it. `stamp` gives the time of the
recording, which may lie in the past, be set, or run faster: rows have it, and brokers are asked by it.

Orders wait until the stream tells of orders and everything was compared once; after that they go out, stream or none: REST
says what became of them. Everything goes by the numbers of calls, so a late answer finds the question it belongs to, and one
that comes twice is an answer once.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.codes import FeedAction, OrderFlag, OrderReason, OrderState
from pipeline.execution.calls import Call, Pause, Said, Talk
from pipeline.execution.identity import Identity
from pipeline.execution.jobs import Jobs, Times
from pipeline.execution.orders import Logged, Orders
from pipeline.execution.paper import Paper
from pipeline.execution.reconcile import Reconciler
from pipeline.execution.tongue import Conversation, Tongue
from pipeline.execution.tracked import Tracked
from pipeline.instruments import Instrument
from pipeline.intents import CancelRequest, OrderRequest
from pipeline.units import NANO, TS_MAX_NS


class Asked(NamedTuple):
    """A question on its way."""

    number: int
    call: Call


class Desk:
    """See above. `logged` are the orders of the log that are not over, `positions` its positions at the start, `differences` what it was told of the broker's."""

    def __init__(
        self,
        tongue: Tongue,
        identity: Identity,
        instruments: Mapping[int, Instrument],
        *,
        stamp: Callable[[], int],
        logged: Sequence[Logged] = (),
        positions: Mapping[int, int] | None = None,
        differences: Mapping[int, int] | None = None,
        times: Times | None = None,
        secrets: Sequence[bytes] = (),
    ) -> None:
        self.paper = Paper(identity.account, secrets)
        self.is_ready = False
        """Whether orders go out."""
        self.is_listening = False
        """Whether the stream tells of orders."""
        self.orders = Orders(identity, instruments, self.paper)
        self.reconciler = Reconciler(self.orders, tongue, positions, differences)
        self._tongue = tongue
        self._times = times or Times()
        self._jobs = Jobs(self.orders, tongue, self._times, lambda: self._now_ns)
        self._stamp = stamp
        self._now_ns = 0
        self._why_ended = ""
        self._logged = logged
        self._waiting: list[tuple[int, Tracked]] = []
        """Since when each order waits that is not sent."""
        self._conversation: Conversation | None = None
        self._calls: list[Asked] = []
        self._asking: dict[int, Talk[object]] = {}
        self._resting: list[tuple[int, int, Talk[object]]] = []
        self._number = 0
        self._reconcile_ns = TS_MAX_NS
        self._is_reconciling = False
        self._is_wanted_again = False
        self._busy: dict[int, set[str]] = {}

    def start(self, now_ns: int) -> None:
        """Begin: what the log does not know the end of is unknown until the broker was asked."""
        self._time(now_ns)
        for logged in self._logged:
            tracked = self.orders.resume(logged, now_ns)
            if logged.state is not OrderState.UNKNOWN:
                tracked.unknown("the session goes on", self.paper)
            self._begin(tracked, "find")
        self._plan(self._times.poll_s)  # the stream is there before that, or it is not awaited
        self._look()

    def submit(self, request: OrderRequest, now_ns: int) -> None:
        """Ask for an order; it waits while the desk is not ready."""
        self._time(now_ns)
        instrument = self.orders.instruments[request.instrument_id]
        tracked = self.orders.take(request, self.paper.now_ns)
        why = self._tongue.unsupported(request, instrument)
        if why:
            tracked.refuse(f"not sent: {why}", self.paper, OrderReason.UNSUPPORTED)
        elif self._why_ended and not self.is_ready:
            tracked.refuse(f"not sent: {self._why_ended}", self.paper)
        elif self.is_ready:
            self._begin(tracked, "place")
        else:
            self._waiting.append((now_ns, tracked))

    def withdraw(self, request: OrderRequest, now_ns: int) -> None:
        """An order whose cancel was asked for before it was sent: it is not sent."""
        self._time(now_ns)
        self.orders.take(request, self.paper.now_ns).withdraw(self.paper)

    def cancel(self, request: CancelRequest, now_ns: int) -> None:
        """Ask for an order's end; of one that is over, or was never here, nothing is said."""
        self._time(now_ns)
        tracked = self.orders.get(request.order_id)
        if tracked is None or tracked.is_over:
            return
        tracked.want_cancel()
        if any(waiting is tracked for _, waiting in self._waiting):
            self._waiting = [each for each in self._waiting if each[1] is not tracked]
            tracked.withdraw(self.paper)
        else:
            self._look()

    def said(self, number: int, said: Said, now_ns: int) -> None:
        """What a question came to; of one that was answered before nothing is believed twice."""
        self._time(now_ns)
        job = self._asking.pop(number, None)
        if job is not None:
            self._go_on(job, said)
            self._look()

    def opened(self, now_ns: int) -> list[bytes]:
        """A new stream is open: what is to be said."""
        self._time(now_ns)
        self._conversation = self._tongue.conversation()
        return self._conversation.opened()

    def heard(self, payload: bytes, now_ns: int) -> list[bytes]:
        """The stream says something: what is to be answered. Raises StreamError."""
        self._time(now_ns)
        assert self._conversation is not None, "heard before opened"
        heard = self._conversation.hear(payload)
        for execution in heard.executions:
            self.orders.execution(execution)
        self.orders.reports(heard.reports)
        for notice in heard.notices:
            self.paper.differ(notice)
        if heard.is_listening and not self.is_listening:
            self.is_listening = True
            self.paper.tell(FeedAction.CONNECTED, self._tongue.name)
            self._reconcile()
        if heard.is_broken:
            self._reconcile()
        self._look()
        return list(heard.replies)

    def lost(self, why: str, now_ns: int) -> None:
        """The stream has ended; orders are asked for until the next one."""
        self._time(now_ns)
        self._conversation = None
        if self.is_listening:
            self.is_listening = False
            self.paper.tell(FeedAction.LOST, f"{self._tongue.name}: {why}")
            self._plan(self._times.poll_s)

    def ended(self, why: str, now_ns: int) -> None:
        """There will be no stream. Who was ready goes on by REST; else nothing is sent."""
        self.lost(why, now_ns)
        self.paper.tell(FeedAction.ENDED, f"{self._tongue.name}: {why}")
        self._why_ended = why
        waiting, self._waiting = self._waiting, []
        for _, tracked in waiting:
            tracked.refuse(f"not sent: {why}", self.paper)

    def wake(self, now_ns: int) -> None:
        """Time has passed."""
        self._time(now_ns)
        while self._resting and self._resting[0][0] <= now_ns:
            self._go_on(heapq.heappop(self._resting)[2], None)
        if self._reconcile_ns <= now_ns:
            self._reconcile()
        self._look()

    def next_ns(self) -> int:
        """When `wake` is to be called at the latest; TS_MAX_NS: not by the clock."""
        return min(self._reconcile_ns, self._resting[0][0] if self._resting else TS_MAX_NS)

    def take_calls(self) -> list[Asked]:
        """Questions that are to be asked now."""
        calls, self._calls = self._calls, []
        return calls

    def _time(self, now_ns: int) -> None:
        self._now_ns, self.paper.now_ns = now_ns, self._stamp()

    def _look(self) -> None:
        """Begin what follows from what was said."""
        while self.orders.zombies:
            self._begin(self.orders.zombies.pop(), "end")
        for tracked in self.orders.open():
            if tracked.is_unknown:
                self._begin(tracked, "find")
            if tracked.is_cancel_wanted and tracked.venue_order_id:
                self._begin(tracked, "cancel")
        if not self.is_ready and self.is_listening and self.reconciler.standing is not None:
            self.is_ready = True
            waiting, self._waiting = self._waiting, []
            for since_ns, tracked in waiting:
                self._send_or_refuse(since_ns, tracked)

    def _send_or_refuse(self, since_ns: int, tracked: Tracked) -> None:
        """An order that waited for the broker; an entry not for long, for what it was decided on is gone."""
        waited_ns = self._now_ns - since_ns
        if waited_ns > self._times.stale_s * NANO and not tracked.request.flags & OrderFlag.REDUCE_ONLY:
            tracked.refuse(f"not sent: waited {waited_ns / NANO:,.1f} s for the broker", self.paper)
        else:
            self._begin(tracked, "place")

    def _begin(self, tracked: Tracked, what: str) -> None:
        """Begin a job about an order, unless the same is being done. Placing finds by itself."""
        busy = self._busy.setdefault(tracked.request.order_id, set())
        if what in busy or (what == "find" and "place" in busy):
            return
        busy.add(what)
        jobs = {
            "place": self._jobs.placing,
            "find": self._jobs.finding,
            "cancel": self._jobs.cancelling,
            "end": self._jobs.ending,
        }
        self._go_on(self._finishing(jobs[what](tracked), busy, what), None)

    def _finishing(self, job: Talk[None], busy: set[str], what: str) -> Talk[None]:
        yield from job
        busy.discard(what)

    def _reconcile(self) -> None:
        """Compare everything now, or once more when that is being done."""
        self._reconcile_ns = TS_MAX_NS
        if self._is_reconciling:
            self._is_wanted_again = True
            return
        self._is_reconciling = True
        self._go_on(self._reconciling(), None)

    def _reconciling(self) -> Talk[None]:
        is_done = yield from self.reconciler.reconciling(self.paper.now_ns)
        self._is_reconciling = False
        if self._is_wanted_again:
            self._is_wanted_again = False
            self._plan(self._times.recheck_s)  # a stream that breaks again and again is no reason to storm
        elif not is_done or not self.is_listening:
            self._plan(self._times.poll_s)
        else:
            reconciler, times = self.reconciler, self._times
            later_s = times.poll_s if reconciler.misses_some else times.reconcile_s
            self._plan(times.recheck_s if reconciler.has_suspects else later_s)

    def _plan(self, seconds: float) -> None:
        """Compare everything in so many seconds, or before that when it was planned so."""
        if not self._is_reconciling:
            self._reconcile_ns = min(self._reconcile_ns, self._now_ns + round(seconds * NANO))

    def _go_on(self, job: Talk[object], said: Said | None) -> None:
        """Let a job do its next step."""
        try:
            step = job.send(said)
        except StopIteration:
            return
        self._number += 1
        if isinstance(step, Pause):
            heapq.heappush(self._resting, (self._now_ns + round(step.seconds * NANO), self._number, job))
        else:
            self._asking[self._number] = job
            self._calls.append(Asked(self._number, step))


def open_order_ids(desk: Desk) -> Iterator[int]:
    """Our numbers of the orders that are not over."""
    return (tracked.request.order_id for tracked in desk.orders.open())
