"""Tracked: what is known of one order at a broker, and what of it has been told. No clock, no socket.

Whatever comes, in whatever order and however often, the rows told are these: ACCEPTED at most once in front of anything that
only a taken order can have; a FILL for each stretch that was not told before; an ORDER row whenever its state or its filled
size is another one, which shows the sum of the FILLs in front of it. What is over stays over; fills behind that are told, and
loudly. A price or fee of a stretch that no execution told is what is left of the sum that the order shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.codes import Kind, Liquidity, OrderReason, OrderState
from pipeline.execution.paper import Paper, request_columns
from pipeline.execution.reports import FINAL, Execution, Report, Status
from pipeline.execution.stretches import Stretches
from pipeline.intents import OrderRequest
from pipeline.units import ABSENT, INT64_MAX

_S: Final = OrderState
OVER: Final = frozenset((_S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED, _S.REPLACED))
NOT_CANCELLED: Final = "not cancelled"
"""So begins what is told of an order whose cancel the broker refused."""

_NEEDS_ACCEPTED: Final = {
    _S.SUBMITTED: frozenset((_S.PARTIALLY_FILLED, _S.FILLED, _S.EXPIRED, _S.REPLACED)),
    _S.UNKNOWN: frozenset((_S.CANCEL_PENDING, _S.REPLACED)),
}
"""By the state told last: those that are told behind ACCEPTED only."""

_ENDS: Final = {
    Status.FILLED: _S.FILLED,
    Status.CANCELLED: _S.CANCELLED,
    Status.REJECTED: _S.REJECTED,
    Status.EXPIRED: _S.EXPIRED,
    Status.REPLACED: _S.REPLACED,
}


@dataclass(slots=True)
class Tracked:
    """One order.

    `size_step_nano` is its instrument's; `sent_ns` when it was first asked for, by the recording's time, `asked_ns` when the last
    request for it ended, by that of waits. `filled` and `fees_nano` go on from what the log knows of it; `value` is the sum of price times size in 1e-18 that it knows, and
    None where it does not, as `fees_nano` is. `is_absent`: it was told that the broker never had it; `is_zombie`:
    and then it had.
    """

    request: OrderRequest
    client_order_id: str
    size_step_nano: int
    sent_ns: int = 0
    asked_ns: int = 0
    state: OrderState = OrderState.SUBMITTED
    venue_order_id: str = ""
    is_cancel_wanted: bool = False
    is_cancel_pending: bool = False
    is_absent: bool = False
    is_zombie: bool = False
    filled: Stretches = field(default_factory=Stretches)
    value: int | None = 0
    fees_nano: int | None = 0
    count_refused_cancels: int = 0
    filled_steps: int = 0
    """Sum of the FILL rows told."""
    told_steps: int = 0
    """The same as the ORDER row told last shows it."""
    known_steps: int = 0
    """Filled size that the log knew before."""
    _values: list[tuple[int, int, int]] = field(default_factory=list)
    """Of each stretch told: from, to, and its price times size in 1e-18."""
    _executions: set[str] = field(default_factory=set)

    @property
    def is_over(self) -> bool:
        """Whether its end was told."""
        return self.state in OVER

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows what became of it."""
        return self.state is _S.UNKNOWN

    def report(self, report: Report, paper: Paper) -> None:
        """The broker says how it stands."""
        if report.venue_order_id:
            self.venue_order_id = self.venue_order_id or report.venue_order_id
        steps = self._steps(report.filled_nano, paper)
        if report.status in FINAL and steps < self.filled_steps and not self.is_over:
            paper.differ(
                f"order {self.request.order_id} ended with {steps} steps filled, and {self.filled_steps} were told"
            )
        new = self.filled.add(0, steps)
        self.is_cancel_pending = self.is_cancel_pending or report.status is Status.CANCEL_PENDING
        target = self._target(report.status)
        was_over = self.is_over
        if new or target in _NEEDS_ACCEPTED.get(self.state, ()):
            self._accept(report.ts_ns, paper)
        if new:
            self._fill_the_rest(new, report, paper)
        if was_over:
            self._late(new, report, paper)
        elif self.state is not target or self.filled_steps != self.told_steps:
            self._enter(target, paper, report.ts_ns, self._words(report, target))

    def execution(self, execution: Execution, paper: Paper) -> None:
        """The broker says that some of it was filled; its state is told by the report that goes with it."""
        if execution.execution_id in self._executions:
            return
        self._executions.add(execution.execution_id)
        self.venue_order_id = self.venue_order_id or execution.venue_order_id
        stop, size = self._steps(execution.cumulative_nano, paper), self._steps(execution.quantity_nano, paper)
        new = self.filled.add(max(stop - size, 0), stop)
        if not new:
            return
        self._accept(execution.ts_ns, paper)
        for start, end in new:
            is_whole = end - start == size
            id_ = execution.execution_id if is_whole else f"{execution.execution_id}:{start}-{end}"
            fee = execution.fee_nano if is_whole else execution.fee_nano * (end - start) // size
            self._fill((start, end), execution.price_nano, fee, id_, execution.ts_ns, paper, execution.liquidity)

    def unknown(self, why: str, paper: Paper) -> None:
        """Nobody knows what became of it."""
        if not self.is_over and not self.is_unknown:
            self._enter(_S.UNKNOWN, paper, text=why)

    def refuse(self, why: str, paper: Paper, reason: OrderReason = OrderReason.VENUE) -> None:
        """It never came to be at the broker. What was seen there is not believed to be refused."""
        if self.venue_order_id or self.filled_steps:
            paper.differ(f"order {self.request.order_id} is refused, but was there: {why}")
        elif not self.is_over:
            self.is_absent = True
            self._enter(_S.REJECTED, paper, text=why, reason=reason)

    def withdraw(self, paper: Paper) -> None:
        """It was to be cancelled before it was sent, and is not sent."""
        if not self.is_over:
            self.is_absent = True
            self._enter(_S.CANCELLED, paper, text="not sent: cancelled before", reason=OrderReason.INTENT)

    def want_cancel(self) -> None:
        """We ask for its end; whoever asked has said so in the log."""
        self.is_cancel_wanted = True
        self.count_refused_cancels = 0
        if self.state in {_S.SUBMITTED, _S.ACCEPTED, _S.PARTIALLY_FILLED}:
            self.state = _S.CANCEL_PENDING

    def cancel_refused(self, why: str, paper: Paper) -> None:
        """The broker keeps it."""
        self.is_cancel_wanted = self.is_cancel_pending = False
        if not self.is_over:
            self._enter(
                _S.PARTIALLY_FILLED if self.filled_steps else _S.ACCEPTED, paper, text=f"{NOT_CANCELLED}: {why}"
            )

    def _target(self, status: Status) -> OrderState:
        """The state to be told; that of the fills stands above what a broker has not noticed yet."""
        if self.filled.total >= self.request.quantity_steps:
            return _S.FILLED
        if status in FINAL:
            target = _ENDS[status]
            is_taken = self.state not in {_S.SUBMITTED, _S.UNKNOWN} or self.filled.total > 0
            is_odd = target is _S.REJECTED and is_taken
            is_odd = is_odd or (target is _S.REPLACED and self.state is _S.CANCEL_PENDING) or target is _S.FILLED
            return _S.CANCELLED if is_odd else target
        if self.is_cancel_pending or self.is_cancel_wanted:
            return _S.CANCEL_PENDING
        return _S.PARTIALLY_FILLED if self.filled.total else _S.ACCEPTED

    def _words(self, report: Report, target: OrderState) -> str:
        """The broker's words, and what it called the end when we call it another."""
        if report.status in FINAL and _ENDS[report.status] is not target:
            return f"{report.status.name.lower()}: {report.text}".rstrip(": ")
        return report.text

    def _accept(self, ts_ns: int, paper: Paper) -> None:
        if self.state in {_S.SUBMITTED, _S.UNKNOWN}:
            self._enter(_S.ACCEPTED, paper, ts_ns)

    def _fill_the_rest(self, new: Sequence[tuple[int, int]], report: Report, paper: Paper) -> None:
        """Stretches that no execution told: what the order's sums leave for them."""
        size = sum(stop - start for start, stop in new) * self.size_step_nano
        price = _nearest(report.value, report.filled_nano)
        if self.value is not None:
            price = _nearest(report.value - self._value_below(report.filled_nano // self.size_step_nano), size)
        if report.value == ABSENT or not 0 < price <= INT64_MAX:
            price = max(_nearest(report.value, report.filled_nano), 0)
            paper.differ(f"order {self.request.order_id}: the prices of its fills don't add up to the broker's average")
        fee = 0
        if report.fees_nano != ABSENT:
            told = self.fees_nano
            fee = report.fees_nano * size // report.filled_nano if told is None else report.fees_nano - told
        for start, stop in new:
            id_ = f"{self.venue_order_id}:{start}-{stop}"
            self._fill((start, stop), price, fee, id_, report.ts_ns, paper)
            fee = 0

    def _fill(
        self,
        stretch: tuple[int, int],
        price_nano: int,
        fee_nano: int,
        id_: str,
        ts_ns: int,
        paper: Paper,
        liquidity: Liquidity = Liquidity.UNKNOWN,
    ) -> None:
        steps = stretch[1] - stretch[0]
        self.filled_steps += steps
        value = price_nano * steps * self.size_step_nano
        self._values.append((*stretch, value))
        if self.fees_nano is not None:
            self.fees_nano += fee_nano
        paper.write(
            Kind.FILL,
            ts_ns=ts_ns,
            instrument_id=self.request.instrument_id,
            order_id=self.request.order_id,
            side=int(self.request.side),
            price_nano=price_nano,
            quantity_steps=steps,
            fee_nano=fee_nano,
            liquidity=int(liquidity),
            venue_fill_id=id_,
        )
        if self.filled_steps > self.request.quantity_steps:
            over = self.filled_steps - self.request.quantity_steps
            paper.differ(
                f"order {self.request.order_id} is overfilled by {over} steps",
                instrument_id=self.request.instrument_id,
                quantity_steps=int(self.request.side) * over,
            )

    def _value_below(self, steps: int) -> int:
        """What was told of the first so many steps, in 1e-18; of what the log knew before a part in its proportion."""
        assert self.value is not None
        below = [(0, self.known_steps, self.value), *self._values]
        return sum(
            value * (min(stop, steps) - start) // (stop - start)
            for start, stop, value in below
            if start < min(stop, steps)
        )

    def _late(self, new: Sequence[tuple[int, int]], report: Report, paper: Paper) -> None:
        """What is told of an order that is over must have been known, or is told to a person."""
        if new:
            size = sum(stop - start for start, stop in new)
            paper.differ(
                f"order {self.request.order_id} was {self.state.name} and filled {size} steps more",
                instrument_id=self.request.instrument_id,
                quantity_steps=int(self.request.side) * size,
            )
        if self.is_absent:
            self.is_absent, self.is_zombie = False, True
            paper.differ(
                f"order {self.request.order_id} was told as not sent, and is at the broker: {report.status.name}"
            )

    def _enter(
        self,
        state: OrderState,
        paper: Paper,
        ts_ns: int = ABSENT,
        text: str = "",
        reason: OrderReason | None = None,
    ) -> None:
        self.state, self.told_steps = state, self.filled_steps
        if reason is None:
            reason = OrderReason.TIME_IN_FORCE if state is _S.EXPIRED else OrderReason.VENUE
            if state is _S.CANCELLED and self.is_cancel_wanted:
                reason = OrderReason.INTENT
        paper.write(
            Kind.ORDER,
            ts_ns=ts_ns,
            **request_columns(self.request),
            state=int(state),
            reason=int(reason),
            filled_steps=self.filled_steps,
            venue_order_id=self.venue_order_id,
            text=text,
        )

    def _steps(self, quantity_nano: int, paper: Paper) -> int:
        """A broker's quantity in our steps; what is finer is told and left out."""
        steps, rest = divmod(quantity_nano, self.size_step_nano)
        if rest:
            paper.differ(
                f"order {self.request.order_id}: {quantity_nano} nano are no whole steps of {self.size_step_nano} nano",
                instrument_id=self.request.instrument_id,
            )
        return steps


def _nearest(numerator: int, denominator: int) -> int:
    """The quotient rounded to the nearest whole number, ties up."""
    return (2 * numerator + denominator) // (2 * denominator)
