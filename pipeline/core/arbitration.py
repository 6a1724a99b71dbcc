"""Arbitration: which of the entries wished in one round may go on, when there are fewer places than wishes.

Rank: larger `rank_score` first (none given: last), then the strategies' order, then the instruments', then the order in
which they were wished. A place is a (strategy, instrument) pair with a position or an open entry order; a pair that has
its place already needs no other. A loser names the last entry that took a place before it, or nobody when all places
were taken in earlier rounds.
"""

import math
from collections.abc import Iterable, Sequence

from pipeline.core.dialect import INF
from pipeline.core.portfolio import PositionRow, holds
from pipeline.core.world import Wish


def ranked(entries: Sequence[Wish]) -> list[Wish]:
    """The entries, best first."""
    return sorted(entries, key=_rank)


def _rank(entry: Wish) -> tuple[float, int, int]:
    score = entry.output.rank_score
    return (INF if math.isnan(score) else -score, entry.strategy_id, entry.instrument_id)


def has_place(position: PositionRow, positions: Iterable[PositionRow], positions_max: int) -> bool:
    """Whether this pair may hold a position."""
    return holds(position) or sum(map(holds, positions)) < positions_max
