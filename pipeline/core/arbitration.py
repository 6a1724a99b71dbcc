"""Arbitration: which of the entries wished in one round may go on, when there is less than they wish of what all share.

Rank: larger `rank_score` first (none given: last), then the strategies' order, then the instruments', then the order in
which they were wished. A place is a (strategy, instrument) pair with a position or an open entry order; a pair that has
its place already needs no other. What else is shared are the last rules of the gate (core.risk). A loser names the last
entry that took of the same before it, or nobody when all was taken in earlier rounds.
"""

import math
from typing import Final

from pipeline.codes import IntentAction, IntentOutcome, RiskRule
from pipeline.core.context import Output
from pipeline.core.dialect import INF
from pipeline.core.portfolio import PositionRow, holds
from pipeline.core.risk import Verdict
from pipeline.core.tables import claim, close_gap
from pipeline.core.tape import Place
from pipeline.core.world import World, index_of


_SHARED: Final = (RiskRule.PLACES, RiskRule.BUYING_POWER, RiskRule.ORDER_RATE)
"""Rules of what one entry takes from another."""


def best_entry(world: World) -> int:
    """Where in `outputs` the best entry stands that is not settled yet; 0 when there is none."""
    best = 0
    for i in range(1, world.counts.outputs + 1):
        output = world.outputs[i]
        if output.is_settled or output.action != IntentAction.ENTER:
            continue
        if best == 0 or _is_before(output, world.outputs[best]):
            best = i
    return best


def _is_before(one: Output, other: Output) -> bool:
    """Whether one entry ranks above another; what is equal in all keeps its order."""
    if _key(one) != _key(other):
        return _key(one) < _key(other)
    if one.strategy_id != other.strategy_id:
        return one.strategy_id < other.strategy_id
    return one.instrument_id < other.instrument_id


def _key(entry: Output) -> float:
    return INF if math.isnan(entry.rank_score) else -entry.rank_score


def has_place(world: World, position: PositionRow) -> bool:
    """Whether this pair may hold a position."""
    is_free: bool = holds(position) or world.counts.places < world.settings.positions_max
    return is_free


def no_place(world: World) -> Verdict:
    """What an entry is told for which there is no place."""
    return Verdict(False, RiskRule.PLACES, float(world.counts.places + 1), float(world.settings.positions_max))


def contested(rule: int) -> int:
    """What became of an entry of which the gate said this (codes.IntentOutcome): it lost where a rule spoke of what all share."""
    return IntentOutcome.LOST if rule in _SHARED else IntentOutcome.TAKEN


def winner_of(world: World) -> Place:
    """The intent of this round that became an order last; (0, 0) when none did."""
    last = 0
    for i in range(1, world.counts.outputs + 1):
        last = max(last, world.outputs[i].won_ord)
    return Place(world.clock.seq, last) if last > 0 else Place(0, 0)


def count_place(world: World, position: PositionRow, did_hold: bool) -> None:  # noqa: FBT001 - the dialect has no keywords
    """A pair's position or its entry orders changed: whether it takes a place, or gives one back."""
    does_hold, counts = holds(position), world.counts
    index = index_of(world, position.strategy_id, position.instrument_id)
    if does_hold and not did_hold:
        counts.places += 1
        claim(world.held, counts.places).slot = index
    if did_hold and not does_hold:
        place = 1
        while world.held[place].slot != index:
            place += 1
        close_gap(world.held, place, counts.places)
        counts.places -= 1
