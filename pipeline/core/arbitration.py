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

_IN_INSTRUMENT: Final = (RiskRule.INSTRUMENT_STRATEGIES, RiskRule.INSTRUMENT_NOTIONAL)
_IN_SECTOR: Final = (RiskRule.SECTOR_INSTRUMENTS, RiskRule.SECTOR_NOTIONAL)
_IN_THEME: Final = (RiskRule.THEME_INSTRUMENTS, RiskRule.THEME_NOTIONAL)
_OF_ALL: Final = (RiskRule.PLACES, RiskRule.TOTAL_NOTIONAL, RiskRule.BUYING_POWER, RiskRule.ORDER_RATE)
"""Rules of what one entry takes from another, by whom it takes it from."""


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
    if rule == RiskRule.DUPLICATE:
        return IntentOutcome.DUPLICATE
    is_shared = rule in _IN_INSTRUMENT or rule in _IN_SECTOR or rule in _IN_THEME or rule in _OF_ALL
    return IntentOutcome.LOST if is_shared else IntentOutcome.TAKEN


def winner_of(world: World, loser: Output, rule: int) -> Place:
    """The intent of this round that became an order last, of those that took what the rule is about; (0, 0) when none did."""
    last = 0
    for i in range(1, world.counts.outputs + 1):
        other = world.outputs[i]
        if other.won_ord > last and _is_rival(world, loser, other, rule):
            last = other.won_ord
    return Place(world.clock.seq, last) if last > 0 else Place(0, 0)


def _is_rival(world: World, loser: Output, other: Output, rule: int) -> bool:
    """Whether one entry took from another what this rule is about."""
    own, its = world.instruments[loser.instrument_id], world.instruments[other.instrument_id]
    if rule in _IN_SECTOR:
        return own.sector == its.sector
    if rule in _IN_THEME:
        return own.theme == its.theme
    if rule in _IN_INSTRUMENT:
        return loser.instrument_id == other.instrument_id
    is_same = loser.instrument_id == other.instrument_id and loser.strategy_id == other.strategy_id
    return rule in _OF_ALL or (is_same and loser.side == other.side)


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
