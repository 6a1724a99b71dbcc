"""Reconcile: what the broker says of everything, against what the log says of it. Each difference is an event row.

At the start, after each new stream, every minute, and every few seconds while no stream tells of orders. Orders come first,
so that fills that no stream told are told before positions are compared. A difference in a position counts when the next
look, a moment later, finds the same one: what fills between two questions is no difference, and makes none go away. While
some of what is ours is not there everything is compared every few seconds, for the reducer holds orders back then
(core.missing); the end of a difference is told too.
"""

from collections.abc import Mapping

from pipeline.execution.calls import Talk
from pipeline.execution.orders import Orders
from pipeline.execution.reports import Standing
from pipeline.execution.tongue import CLOCKS_APART_NS, Failed, Tongue
from pipeline.units import SECOND_NS, text_from_nano

LOOK_BACK_NS = 600 * SECOND_NS
"""So far back orders are listed again that are over: one that comes to be long after it was asked for is seen."""


class Reconciler:
    """Compares. `positions` are the log's at the start, in steps by instrument; None: what the broker has then is believed.

    `differences` are those that the log was told of last, in the same way.
    """

    def __init__(
        self,
        orders: Orders,
        tongue: Tongue,
        positions: Mapping[int, int] | None,
        differences: Mapping[int, int] | None = None,
    ) -> None:
        self.standing: Standing | None = None
        """The account as it was last told."""
        self.has_suspects = False
        """Whether a difference waits for a second look."""
        self._orders = orders
        self._tongue = tongue
        self._positions = positions
        self._began_nano: dict[str, int] | None = None
        self._suspected: dict[str, int] = {}
        self._told: dict[int, int] = {id_: steps for id_, steps in (differences or {}).items() if steps}
        """By instrument, in steps: what the log knows of."""
        self._beside = frozenset[str]()
        """Names of what is held there and is no instrument of this session, as last told."""
        self._told_failure = ""

    @property
    def misses_some(self) -> bool:
        """Whether the broker is known not to have what is ours by the log."""
        began, moved = self._positions or {}, self._orders.positions()
        return any((began.get(id_, 0) + moved.get(id_, 0)) * steps < 0 for id_, steps in self._told.items())

    def reconciling(self, now_ns: int) -> Talk[bool]:
        """Compare everything once; whether all questions were answered."""
        working = [tracked for tracked in self._orders.open() if tracked.venue_order_id and not tracked.is_unknown]
        since_ns = min([now_ns - LOOK_BACK_NS, *(tracked.sent_ns for tracked in self._orders.open())])
        listed = yield from self._tongue.orders(max(since_ns - CLOCKS_APART_NS, 0))
        if isinstance(listed, Failed):
            return self._failed("orders", listed.why)
        self._orders.reports(listed)
        there = {report.client_order_id for report in listed}
        for tracked in working:
            if tracked.client_order_id not in there and not tracked.is_over:
                self._orders.paper.differ(f"order {tracked.request.order_id} is not at the broker any more")
                tracked.unknown("not in the broker's list of orders", self._orders.paper)
        standing = yield from self._tongue.standing()
        if isinstance(standing, Failed):
            return self._failed("account", standing.why)
        self.standing = standing
        self._compare(standing)
        self._told_failure = ""
        return True

    def _failed(self, what: str, why: str) -> bool:
        """Told once in a row: there is no comparison meanwhile."""
        if not self._told_failure:
            self._told_failure = why
            self._orders.paper.differ(f"the broker's {what} can't be compared: {why}")
        return False

    def _compare(self, standing: Standing) -> None:
        """The positions of all instruments there are; those that are held under one name together."""
        told, named = self._told_nano()
        held = {holding.symbol: holding.quantity_nano for holding in standing.holdings}
        if self._began_nano is None:
            began = self._positions
            self._began_nano = {name: held.get(name, 0) - told[name] for name in told} if began is None else {}
            for id_, quantity in (began or {}).items():
                name = self._name(id_)
                self._began_nano[name] = self._began_nano.get(name, 0) + quantity * self._step(id_)
        self._tell_beside({name: quantity for name, quantity in held.items() if quantity and name not in named})
        self.has_suspects = False
        for name, ids in named.items():
            difference = held.get(name, 0) - told[name] - self._began_nano.get(name, 0)
            steps = {id_: _whole(difference, self._step(id_)) for id_ in ids}
            if all(self._told.get(id_, 0) == steps[id_] for id_ in ids):
                self._suspected.pop(name, None)
            elif self._suspected.get(name) != difference:
                self._suspected[name] = difference
                self.has_suspects = True
            else:
                self._suspected.pop(name, None)
                self._tell(name, difference, steps)

    def _told_nano(self) -> tuple[dict[str, int], dict[str, list[int]]]:
        """By name of a holding: what the fills told come to, and the instruments that are held under it."""
        told, named, positions = dict[str, int](), dict[str, list[int]](), self._orders.positions()
        for id_ in list(self._orders.instruments):
            name = self._name(id_)
            told[name] = told.get(name, 0) + positions.get(id_, 0) * self._step(id_)
            named.setdefault(name, []).append(id_)
        return told, named

    def _name(self, id_: int) -> str:
        return self._tongue.holding_of(self._orders.instruments[id_].symbol)

    def _step(self, id_: int) -> int:
        return self._orders.instruments[id_].size_step_nano

    def _tell_beside(self, beside: Mapping[str, int]) -> None:
        """What the account has besides; it is nobody's business here, until another name is among it."""
        if not beside.keys() <= self._beside:
            listed = ", ".join(f"{text_from_nano(quantity)} {name}" for name, quantity in sorted(beside.items()))
            self._orders.paper.differ(f"held at the broker, and no instrument of this session: {listed}")
        self._beside = frozenset(beside)

    def _tell(self, name: str, difference_nano: int, steps: Mapping[int, int]) -> None:
        """Of each instrument of a name: the whole difference may be in it."""
        for id_, quantity in steps.items():
            self._told[id_] = quantity
            if difference_nano:
                text = f"{name}: the broker's position less ours is {text_from_nano(difference_nano)}"
            else:
                del self._told[id_]
                text = f"{name}: the broker's position is ours again"
            self._orders.paper.position_differs(text, id_, quantity)


def _whole(quantity_nano: int, step_nano: int) -> int:
    """In steps, away from nothing: less than a step is a difference too."""
    steps = -(-abs(quantity_nano) // step_nano)
    return steps if quantity_nano > 0 else -steps
