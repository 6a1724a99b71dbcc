"""Orders: all that one session has at a broker, by our id and by theirs, and the positions that their fills come to."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pipeline.codes import OrderState
from pipeline.execution.identity import Identity
from pipeline.execution.paper import Paper
from pipeline.execution.reports import FINAL, Execution, Report
from pipeline.execution.stretches import Stretches
from pipeline.execution.tracked import Tracked
from pipeline.instruments import Instrument
from pipeline.intents import OrderRequest


class Logged(NamedTuple):
    """An order that the log of an interrupted session knows and does not know the end of.

    `sent_ns` is when it was SUBMITTED, `session` which one sent it; '': this one. `filled_steps` is the sum of its FILL rows, `value` that of price times size in 1e-18
    and `fees_nano` that of their fees; None where nobody added them up: a later fill is then told at the order's average price.
    """

    request: OrderRequest
    sent_ns: int
    state: OrderState = OrderState.SUBMITTED
    filled_steps: int = 0
    venue_order_id: str = ""
    is_cancel_wanted: bool = False
    value: int | None = None
    fees_nano: int | None = None
    session: str = ""


class Orders:
    """What is tracked. `instruments` by the session's ids; it may grow meanwhile."""

    def __init__(self, identity: Identity, instruments: Mapping[int, Instrument], paper: Paper) -> None:
        self.identity = identity
        self.instruments = instruments
        self.paper = paper
        self.strangers: dict[str, Report] = {}
        """Orders at the broker that are not of this session's log, by the broker's id."""
        self.zombies: list[Tracked] = []
        """Orders told as not sent that are there: whoever looks ends them."""
        self._by_id: dict[int, Tracked] = {}
        self._open: dict[int, Tracked] = {}

    def take(self, request: OrderRequest, sent_ns: int) -> Tracked:
        """A new one. An order id that was taken before is our own bug: one order must not be sent twice."""
        assert request.order_id not in self._by_id, f"order {request.order_id} was submitted before"
        return self._add(
            Tracked(request, self.identity.client_order_id(request.order_id), self._step(request), sent_ns)
        )

    def resume(self, logged: Logged, now_ns: int) -> Tracked:
        """One that the log knows; what became of it is to be asked."""
        request, is_whole = logged.request, logged.filled_steps == 0
        sender = Identity(self.identity.account, logged.session) if logged.session else self.identity
        tracked = Tracked(
            request,
            sender.client_order_id(request.order_id),
            self._step(request),
            logged.sent_ns,
            now_ns,
            logged.state,
            logged.venue_order_id,
            is_cancel_wanted=logged.is_cancel_wanted,
            filled=Stretches(logged.filled_steps),
            value=0 if is_whole else logged.value,
            fees_nano=0 if is_whole else logged.fees_nano,
        )
        tracked.known_steps = tracked.filled_steps = tracked.told_steps = logged.filled_steps
        return self._add(tracked)

    def get(self, order_id: int) -> Tracked | None:
        """By our number."""
        return self._by_id.get(order_id)

    def open(self) -> Iterator[Tracked]:
        """Those that are not over, oldest first."""
        for order_id, tracked in list(self._open.items()):
            if tracked.is_over:
                del self._open[order_id]
            else:
                yield tracked

    def known(self, client_order_id: str) -> Tracked | None:
        """By the broker's word for our id."""
        order_id = self.identity.order_id(client_order_id)
        tracked = None if order_id is None else self._by_id.get(order_id)
        is_the_one = (
            tracked is not None and tracked.client_order_id == client_order_id
        )  # numbers come again where logs are gone
        return tracked if is_the_one else None

    def report(self, report: Report) -> None:
        """The broker says how an order stands."""
        tracked = self.known(report.client_order_id)
        if tracked is None:
            self._stranger(report)
            return
        tracked.report(report, self.paper)
        if tracked.is_zombie and report.status not in FINAL and tracked not in self.zombies:
            self.zombies.append(tracked)

    def reports(self, reports: Iterable[Report]) -> None:
        """The same of several."""
        for report in reports:
            self.report(report)

    def execution(self, execution: Execution) -> None:
        """The broker says that some of an order was filled. Those of strangers are seen in the positions."""
        tracked = self.known(execution.client_order_id)
        if tracked is not None:
            tracked.execution(execution, self.paper)

    def positions(self) -> dict[int, int]:
        """What the fills told so far, by this object, come to: signed steps by instrument."""
        found: dict[int, int] = {}
        for tracked in self._by_id.values():
            id_, steps = tracked.request.instrument_id, tracked.filled_steps - tracked.known_steps
            found[id_] = found.get(id_, 0) + int(tracked.request.side) * steps
        return found

    def _add(self, tracked: Tracked) -> Tracked:
        self._by_id[tracked.request.order_id] = self._open[tracked.request.order_id] = tracked
        return tracked

    def _step(self, request: OrderRequest) -> int:
        return self.instruments[request.instrument_id].size_step_nano

    def _stranger(self, report: Report) -> None:
        """Told once, while it is open: somebody else trades here, or another session of ours left it."""
        if report.status in FINAL or report.venue_order_id in self.strangers:
            return
        self.strangers[report.venue_order_id] = report
        order_id = self.identity.order_id(report.client_order_id)
        whose = (
            "somebody else's" if order_id is None else f"order {order_id} of an earlier session, not known to be open"
        )
        self.paper.differ(f"{report.symbol}: {report.venue_order_id} is open at the broker, {whose}")
