"""Standings: who hears an instrument, who waits for its history, who stays until it is flat, and what each heard last.

The core decides it (`core.universe`); here it is read from what the core wrote, so that whoever comes back to an instrument is
given what it missed, and nothing that it heard.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipeline.codes import Kind
from pipeline.core.carrying import identity_of
from pipeline.core.context import IN_UNIVERSE, LEAVING, OUT_OF_UNIVERSE, WAITING
from pipeline.core.orders import FOLLOWS
from pipeline.core.settings import EngineSettings
from pipeline.core.strategy import Plan
from pipeline.core.universe import KEPT
from pipeline.run.warm_rows import Sort, Want

Pair = tuple[int, int]
"""A strategy's place, from 0, and an instrument."""

_OVER: Final = frozenset(state for state, after in FOLLOWS.items() if not after)
"""Of an order that nothing can happen to any more."""


class Left(NamedTuple):
    """What was heard when an instrument was left: up to which input, the latest event time of each sort of rows, and of all."""

    seq: int
    times: Mapping[Sort, int]
    moment_ns: int

    def time_of(self, sort: Sort) -> int:
        """What happened by then is no news: of a sort that was never heard, what was over before all that was."""
        return self.times.get(sort, self.moment_ns - sort[1])


class Standings:
    """Of one session's strategies in its instruments, as far as they want history. `plans` are the strategies, in their order."""

    def __init__(self, plans: Sequence[Plan], settings: EngineSettings) -> None:
        self._identities = [json.loads(identity_of(plan.strategy, plan.params)) for plan in plans]
        self._places = {plan.strategy.name: i for i, plan in enumerate(plans)}
        self._is_behind_scanner = [plan.scanner_id > 0 for plan in plans]
        self._keeps = [(plan.universe or settings.universe) == KEPT for plan in plans]
        self._wait_ns = settings.warm_up_wait_ns
        self._standing: dict[Pair, int] = {}
        self._until_ns: dict[Pair, int] = {}
        """When who waits begins without."""
        self._left: dict[Pair, Left] = {}
        self._held: set[Pair] = set()
        self._open: dict[int, Pair] = {}
        """Open orders."""
        self._stayed: set[Pair] = set()
        """Who stays in what the session before left, and knows nothing of it unless it is in `_left` too."""
        self._same: set[int] = set()
        """Strategies that remember what they knew in the session before."""

    def added(self, pair: Pair, seq: int, now_ns: int) -> bool:
        """A strategy is introduced to an instrument, or a scanner picked it: whether it waits for history from here on."""
        standing, waits = self._standing.get(pair, OUT_OF_UNIVERSE), False
        if standing == LEAVING and pair in self._stayed and pair not in self._left:
            self._left[pair] = Left(seq, {}, now_ns)  # it is introduced now, and heard what there was meanwhile
            waits = True
        elif standing == OUT_OF_UNIVERSE:
            waits = self._is_behind_scanner[pair[0]] or pair not in self._left
        if waits:
            self._standing[pair] = WAITING
            self._until_ns[pair] = now_ns + self._wait_ns
        elif standing != WAITING:
            self._standing[pair] = IN_UNIVERSE
        return waits

    def dropped(self, pair: Pair, now_ns: int) -> bool:
        """A scanner dropped an instrument: whether the strategy, having heard it, leaves it at once."""
        standing = self._standing.get(pair, OUT_OF_UNIVERSE)
        has_heard = standing == IN_UNIVERSE or (standing == WAITING and now_ns >= self._until_ns[pair])
        if standing != LEAVING:
            # Who waits may hold something from before it waited.
            is_busy = has_heard or (standing == WAITING and pair in self._busy())
            self._standing[pair] = LEAVING if is_busy and self._keeps[pair[0]] else OUT_OF_UNIVERSE
        return has_heard and not self._keeps[pair[0]]

    def let_go(self) -> list[Pair]:
        """Those who stayed only until they were flat, and are: they leave."""
        busy = self._busy()
        gone = [pair for pair, standing in self._standing.items() if standing == LEAVING and pair not in busy]
        self._standing |= dict.fromkeys(gone, OUT_OF_UNIVERSE)
        return gone

    def _busy(self) -> set[Pair]:
        """Those who hold something, or have an order open."""
        return self._held | set(self._open.values())

    def warmed(self, instrument_id: int) -> None:
        """Whoever waited for the history of an instrument hears it."""
        for pair, standing in self._standing.items():
            if pair[1] == instrument_id and standing == WAITING:
                self._standing[pair] = IN_UNIVERSE

    def leave(self, pair: Pair, seq: int, times: Mapping[Sort, int]) -> None:
        """Know what was heard by who leaves, up to an input."""
        before = self._left.get(pair, Left(0, {}, 0))
        moment_ns = max([before.moment_ns, *(ns + sort[1] for sort, ns in times.items())])
        self._left[pair] = Left(seq, {**before.times, **times}, moment_ns)

    def heard(self, instrument_id: int, wants: Mapping[int, Want]) -> tuple[int, dict[Sort, int]]:
        """Up to which input, and which event time of each sort, somebody of those who wait heard; nothing where all are new."""
        found = [left for i in wants if (left := self._left.get((i, instrument_id)))]
        if not found:
            return 0, {}
        bars = {(Kind.BAR, length) for want in wants.values() for length in want.lengths}
        sorts: Iterable[Sort] = ((Kind.QUOTE, 0), (Kind.PRINT, 0), *sorted(bars))
        return max(left.seq for left in found), {sort: max(left.time_of(sort) for left in found) for sort in sorts}

    def came_back(self, instrument_id: int, wants: Iterable[int]) -> list[int]:
        """Those of them who heard something of the instrument before."""
        return [i for i in wants if (i, instrument_id) in self._left]

    def see(self, kind: Kind, row: Mapping[str, Any]) -> None:
        """A position, an order, or a row of what the session before left."""
        if kind is Kind.POSITION:
            self._hold((row["strategy_id"] - 1, row["instrument_id"]), row["quantity_steps"])
        elif kind is Kind.ORDER and row["state"] in _OVER:
            self._open.pop(row["order_id"], None)
        elif kind is Kind.ORDER:
            self._open[row["order_id"]] = row["strategy_id"] - 1, row["instrument_id"]
        else:
            self._take_over(row)

    def _hold(self, pair: Pair, steps: int) -> None:
        (self._held.add if steps else self._held.discard)(pair)

    def _take_over(self, row: Mapping[str, Any]) -> None:
        """As the core does it (`core.carrying`): who holds something stays in it, who is as it was knows what it knew."""
        what, *names = row["key"].split("/")
        place = self._places.get(names[0]) if names else None
        if place is None or what not in ("strategy", "state", "position", "order"):
            return
        told = json.loads(row["text"])
        if what == "strategy":
            if told == self._identities[place]:
                self._same.add(place)
        elif what == "state":
            if place in self._same:
                self._left[place, int(names[1])] = Left(row["seq"], {}, row["ts_recv_ns"])
        elif told["quantity_steps"]:
            pair = place, int(names[1]) if what == "position" else told["instrument_id"]
            self._standing.setdefault(pair, LEAVING)
            self._stayed.add(pair)
            if what == "position":
                self._held.add(pair)
            else:
                self._open[int(names[1])] = pair
