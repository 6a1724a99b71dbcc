"""Scoring: what a set of parameters came to over some sessions, and by which number sets are compared."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from pipeline.log.backtests import CellRow, TradeSums
from pipeline.reports.deflating import Shape, best_of_chance, probabilistic_sharpe, shape_of
from pipeline.units import NANO


class Score(msgspec.Struct, frozen=True):
    """Rows of one set of parameters added up. Money in 1e-9 of the quote currency, but for the fall."""

    sessions: int = 0
    net_profit_nano: int = 0
    trade_sums: TradeSums = TradeSums()
    max_drawdown: float = 0.0
    """The worst of a session."""
    stopped: int = 0
    """Sessions in which a strategy failed."""

    def __add__(self, other: "Score") -> "Score":
        """Over the sessions of both."""
        return Score(
            self.sessions + other.sessions,
            self.net_profit_nano + other.net_profit_nano,
            self.trade_sums + other.trade_sums,
            max(self.max_drawdown, other.max_drawdown),
            self.stopped + other.stopped,
        )


def score_of(rows: Iterable[CellRow]) -> Score:
    """The rows of one set of parameters, added up."""
    each = (Score(1, row.net_profit_nano, row.trade_sums, row.max_drawdown, int(bool(row.stopped))) for row in rows)
    return sum(each, Score())


class Objective(NamedTuple):
    """What is to be as large as possible; it can be compared between few sessions and many."""

    says: str
    value: Callable[[Score], float | None]
    """None where there is none, e.g. of no trade."""
    lacks: str
    """What is the matter then."""


def _profit(score: Score) -> float | None:
    return score.net_profit_nano / NANO / score.sessions if score.sessions else None


def _trade(score: Score) -> float | None:
    return score.trade_sums.total / NANO / score.trade_sums.count if score.trade_sums.count else None


def _sharpe(score: Score) -> float | None:
    shape = shape_of(score.trade_sums)
    return shape.sharpe if shape else None


OBJECTIVES: Final = {
    "profit": Objective("net profit of a session", _profit, "no session"),
    "trade": Objective("profit of a closed trade after fees", _trade, "no closed trade"),
    "sharpe": Objective(
        "Sharpe ratio of closed trades: mean by standard deviation", _sharpe, "no two closed trades that differ"
    ),
}


def candidate_value(score: Score, objective: str, trades_min: int) -> float | None:
    """By how much a set of parameters is wanted; None when it is no candidate: a strategy failed, or there are too few trades."""
    return None if why_none(score, objective, trades_min) else OBJECTIVES[objective].value(score)


def why_none(score: Score, objective: str, trades_min: int) -> str:
    """Why a set of parameters is no candidate; '' for one that is."""
    if score.stopped:
        return "a strategy that stopped"
    if score.trade_sums.count < trades_min:
        return f"fewer than {trades_min:,} closed trades (see --trades-min)"
    found = OBJECTIVES[objective]
    return "" if found.value(score) is not None else found.lacks


class Deflated(msgspec.Struct, frozen=True):
    """The Sharpe ratio of the best beside what chance alone would find."""

    tried: int
    """Sets of parameters among which it is the best, those included that were tried elsewhere."""
    shape: Shape | None
    """Of its trades."""
    best_of_chance: float | None
    """The Sharpe ratio to expect of the best of so many without skill; None of several of which fewer than two have a ratio."""
    probability: float | None
    """That its true Sharpe ratio is above that; None where that is."""


def deflated(best: Score, tried: Sequence[Score], elsewhere: int = 0) -> Deflated:
    """The best of all that were tried, itself among them; each set of parameters stands there once. `elsewhere` counts more of them.

    Sets whose trades have no Sharpe ratio count as tried, and say nothing about how far ratios lie apart: where fewer than two have
    one there is nothing to deflate by, and so no probability. What was tried alone is the best of nothing, and is not deflated.
    """
    shapes = [shape.sharpe for score in tried if (shape := shape_of(score.trade_sums))]
    count = len(tried) + elsewhere
    if len(shapes) > 1:
        benchmark: float | None = best_of_chance(statistics.variance(shapes), count)
    else:
        benchmark = 0.0 if count < 2 else None
    shape = shape_of(best.trade_sums)
    probability = math.nan if shape is None or benchmark is None else probabilistic_sharpe(shape, benchmark)
    return Deflated(count, shape, benchmark, None if math.isnan(probability) else probability)


def drop_of(inside: float | None, outside: float | None) -> float | None:
    """Which part of an objective was lost out of sample, 0.25 for a quarter; None unless it was above 0 before."""
    if inside is None or outside is None or inside <= 0.0:
        return None
    return 1.0 - outside / inside
