"""Jobs: what is done about one order at a broker, question by question, until it is known.

    placing      asks for the order, once. Again only where it is certain that nothing came of it, and under the same id
    finding      nobody knows: asks by its id, open and over, less and less often, until it is found or proved absent
    cancelling   asks for its end until it is over, or the broker twice refuses to end what still works

Absent is what was not found by its id, nor in the whole list of orders since it was sent, at least `proof_s` after the last
request for it ended: until then a request may still be on its way.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.execution.calls import Pause, Talk, ask
from pipeline.execution.orders import Orders
from pipeline.execution.reports import Cancelled, NotTaken, Refused, Report, Taken
from pipeline.execution.tongue import CLOCKS_APART_NS, Failed, Tongue
from pipeline.execution.tracked import Tracked
from pipeline.units import SECOND_NS

TRIES = 3
"""How often an order that was certainly not taken is asked for."""

REFUSALS = 2
"""How often a broker must refuse to end a working order before it is believed."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of the clock on the wall.

    `again_s` doubling up to `again_max_s`: between questions about one order. `proof_s`: see above. `alarm_s`: so long may an
    order be unknown before a person is told. `reconcile_s`: between comparisons of everything, `poll_s` while no stream tells of
    orders, `recheck_s` before a difference in a position is believed. An entry that waited for its broker for more than `stale_s` is not sent.
    """

    again_s: float = 0.5
    again_max_s: float = 30.0
    proof_s: float = 30.0
    alarm_s: float = 30.0
    stale_s: float = 5.0
    reconcile_s: float = 60.0
    poll_s: float = 3.0
    recheck_s: float = 1.0


class Jobs:
    """The jobs of one broker's orders. `now_ns` is read again behind every question: time passes there."""

    def __init__(self, orders: Orders, tongue: Tongue, times: Times, now_ns: Callable[[], int]) -> None:
        self._orders = orders
        self._paper = orders.paper
        self._tongue = tongue
        self._times = times
        self._now_ns = now_ns

    def placing(self, tracked: Tracked) -> Talk[None]:
        """Ask for an order."""
        request, instrument = tracked.request, self._orders.instruments[tracked.request.instrument_id]
        for remaining in reversed(range(TRIES)):
            call = self._tongue.place(request, instrument, tracked.client_order_id, self._paper.now_ns)
            placed = self._tongue.placed((yield from ask(call)))
            tracked.asked_ns = self._now_ns()
            if not isinstance(placed, NotTaken):
                break
            if not remaining:
                tracked.refuse(f"not taken: {placed.text}", self._paper)
                return
            yield Pause(max(placed.wait_s, self._times.again_s))
            if tracked.is_over or tracked.venue_order_id:
                return
            if tracked.is_cancel_wanted:
                tracked.withdraw(self._paper)
                return
        if isinstance(placed, Taken):
            self._orders.report(placed.report)
        elif isinstance(placed, Refused):
            tracked.refuse(placed.text, self._paper)
        elif not tracked.venue_order_id:  # else the stream was faster than the answer that never came
            tracked.unknown(placed.text, self._paper)
            yield from self.finding(tracked)

    def finding(self, tracked: Tracked) -> Talk[None]:
        """Ask about an order until it is not unknown any more."""
        wait_s, began_ns, is_alarmed = self._times.again_s, self._now_ns(), False
        while _is_unknown(tracked):
            found = yield from self._find(tracked)
            if isinstance(found, Report):
                self._orders.report(found)
                return
            if not _is_unknown(tracked):
                return
            if found is None and (yield from self._is_absent(tracked)):
                if _is_unknown(tracked):
                    tracked.refuse("not sent: the broker never had it", self._paper)
                return
            if not is_alarmed and self._now_ns() - began_ns >= self._times.alarm_s * SECOND_NS:
                is_alarmed = True
                why = found.why if isinstance(found, Failed) else "not found"
                self._paper.differ(f"order {tracked.request.order_id} is unknown for {self._times.alarm_s:g} s: {why}")
            proof_in_s = self._times.proof_s - (self._now_ns() - tracked.asked_ns) / SECOND_NS
            yield Pause(min(wait_s, proof_in_s) if proof_in_s > 0 else wait_s)
            wait_s = min(2 * wait_s, self._times.again_max_s)

    def cancelling(self, tracked: Tracked) -> Talk[None]:
        """Ask for the end of an order that is there until it is over."""
        wait_s = self._times.again_s
        while _is_to_end(tracked):
            said = self._tongue.cancelled((yield from ask(self._tongue.cancel(tracked.venue_order_id))))
            if not isinstance(said, Refused):
                yield Pause(wait_s)
                wait_s = min(2 * wait_s, self._times.again_max_s)
            if _is_to_end(tracked):
                yield from self._ask_again(tracked, said)

    def ending(self, tracked: Tracked) -> Talk[None]:
        """End an order that was told as not sent and is at the broker, with what it filled told."""
        wait_s = self._times.again_s
        while True:
            yield from ask(self._tongue.cancel(tracked.venue_order_id))
            found = yield from self._find(tracked)
            if isinstance(found, Report):
                self._orders.report(found)
                if found.is_final:
                    return
            yield Pause(wait_s)
            wait_s = min(2 * wait_s, self._times.again_max_s)

    def _ask_again(self, tracked: Tracked, said: Cancelled) -> Talk[None]:
        """How an order stands behind the wish to cancel it. A refusal says most often that it is over already."""
        found = yield from self._find(tracked)
        if isinstance(found, Report):
            self._orders.report(found)
            if isinstance(said, Refused) and not found.is_final and not tracked.is_over:
                tracked.count_refused_cancels += 1
                if tracked.count_refused_cancels >= REFUSALS:
                    tracked.cancel_refused(said.text, self._paper)
        elif isinstance(said, Refused):
            yield Pause(self._times.again_s)

    def _find(self, tracked: Tracked) -> Talk[Report | Failed | None]:
        since_ns = max(tracked.sent_ns - CLOCKS_APART_NS, 0)
        return (yield from self._tongue.find(tracked.client_order_id, tracked.venue_order_id, since_ns))

    def _is_absent(self, tracked: Tracked) -> Talk[bool]:
        """Whether an order that was not found by its id never was: the list of all orders is the proof."""
        is_late = self._now_ns() - tracked.asked_ns >= self._times.proof_s * SECOND_NS
        if not is_late or tracked.venue_order_id or tracked.filled_steps:
            return False
        listed = yield from self._tongue.orders(max(tracked.sent_ns - CLOCKS_APART_NS, 0))
        if isinstance(listed, Failed):
            return False
        self._orders.reports(listed)
        return all(report.client_order_id != tracked.client_order_id for report in listed)


def _is_unknown(tracked: Tracked) -> bool:
    """Asked anew behind every question: what the stream told meanwhile counts."""
    return tracked.is_unknown


def _is_to_end(tracked: Tracked) -> bool:
    return tracked.is_cancel_wanted and not tracked.is_over
