"""Metrics of trades: what a round trip brings, from sums over trades alone.

A statistic here looks at profits of closed trades, one number a trade, and never at daily returns: those are in
`reports.daily`, and every name there begins with `daily_`. Each is a formula over a few sums, so the same lines answer for
the trades as they were, for each resample of them and for the trades without one of them (`reports.resampling`).

A statistic that does not exist is NaN here, or infinite where only a division by zero stands between; `figure` turns both
into an absent value with its reason. A trade that brought exactly nothing is a scratch: it counts as a trade, and as
neither won nor lost.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Sums(NamedTuple):
    """What formulas look at; float64 of one shape: () for one sample, (n,) for n of them. Money in the unit of the profits."""

    trades: Floats
    """Trades."""
    won: Floats
    """Trades with a profit above 0."""
    lost: Floats
    """Trades with a profit below 0."""
    gained: Floats
    """Profits of those won."""
    given: Floats
    """Losses of those lost, as a positive number."""
    fallen: Floats
    """Squares of the losses."""
    shifted: Floats
    """Profits less one of them; see `summands`."""
    squared: Floats
    """Squares of these."""

    @classmethod
    def of(cls, columns: Floats) -> "Sums":
        """The last axis taken apart."""
        return cls(*np.moveaxis(columns, -1, 0))


class Need(Enum):
    """What a formula asks of the trades; the value says why there is no number when it is not met."""

    TRADES = "no trade was closed"
    SEVERAL = "one trade has no spread"
    WON = "no trade won"
    LOST = "no trade lost"
    SPREAD = "all trades brought the same"


class Formula(NamedTuple):
    """A statistic, with what it is measured in: `money`, `fraction`, `number`; of R, money is R."""

    of: Callable[[Sums], Floats]
    unit: str
    needs: tuple[Need, ...] = (Need.TRADES,)


class Figure(msgspec.Struct, frozen=True):
    """A number that may not exist, and what is known of how sure it is."""

    value: float | None
    unit: str
    absent: str = ""
    """Why there is no value; empty when there is one."""
    low: float | None = None
    """Ends of the bootstrap interval; an end that resamples do not bound is absent."""
    high: float | None = None


def summands(profits: Floats) -> Floats:
    """What each trade adds to the sums: (n,) profits make (n, 8), in the order of `Sums`.

    Squares are taken around the first profit, so that a small spread around a large mean is not lost in rounding, and
    profits that are all the same have none at all.
    """
    ups, downs, shifted = np.maximum(profits, 0.0), np.maximum(-profits, 0.0), profits - profits[:1]
    columns = (np.ones_like(profits), ups > 0.0, downs > 0.0, ups, downs, downs**2, shifted, shifted**2)
    return np.column_stack(columns).astype(np.float64)


def sums_of(profits: Floats) -> Sums:
    """The sums over one sample. Raises ValueError for a profit that is not a finite number."""
    if not np.isfinite(profits).all():
        raise ValueError("profits must be finite: leave out trades that are still open")
    return Sums.of(summands(profits).sum(axis=0))


def expectancy(sums: Sums) -> Floats:
    """Profit a trade: the mean."""
    return (sums.gained - sums.given) / sums.trades


def net_profit(sums: Sums) -> Floats:
    """Profit of all trades."""
    return sums.gained - sums.given


def win_rate(sums: Sums) -> Floats:
    """Trades won, of all of them: a scratch is one that was not won."""
    return sums.won / sums.trades


def loss_rate(sums: Sums) -> Floats:
    """Trades lost, of all of them."""
    return sums.lost / sums.trades


def average_win(sums: Sums) -> Floats:
    """Profit of a trade that won: the mean."""
    return sums.gained / sums.won


def average_loss(sums: Sums) -> Floats:
    """Loss of a trade that lost, as a positive number: the mean."""
    return sums.given / sums.lost


def payoff(sums: Sums) -> Floats:
    """Average win in units of the average loss."""
    return average_win(sums) / average_loss(sums)


def profit_factor(sums: Sums) -> Floats:
    """All that was won, of all that was lost."""
    return sums.gained / sums.given


def expectancy_of_loss(sums: Sums) -> Floats:
    """Expectancy in units of the average loss: what LEAN calls expectancy, win rate x payoff - loss rate."""
    return expectancy(sums) / average_loss(sums)


def deviation(sums: Sums) -> Floats:
    """Standard deviation of the profits, by n - 1."""
    squares = sums.squared - sums.shifted**2 / sums.trades
    return np.sqrt(np.maximum(squares, 0.0) / (sums.trades - 1.0))


def sharpe_per_trade(sums: Sums) -> Floats:
    """Expectancy by standard deviation of the profits: of one trade, not of a year and not of returns."""
    return expectancy(sums) / deviation(sums)


def sortino_per_trade(sums: Sums) -> Floats:
    """Expectancy by the root of the mean square of losses, over all trades, a profit counting as 0."""
    return expectancy(sums) / np.sqrt(sums.fallen / sums.trades)


def system_quality(sums: Sums) -> Floats:
    """SQN by Van Tharp: the square root of the number of trades x expectancy by standard deviation; a t statistic."""
    return np.sqrt(sums.trades) * sharpe_per_trade(sums)


def system_quality_of_100(sums: Sums) -> Floats:
    """The same with no more than 100 trades counted, so that samples of different sizes can be compared."""
    return np.sqrt(np.minimum(sums.trades, 100.0)) * sharpe_per_trade(sums)


def kelly(sums: Sums) -> Floats:
    """The share of capital that grows fastest, if trades were bets of two outcomes: win rate - (1 - win rate) / payoff."""
    return win_rate(sums) - (1.0 - win_rate(sums)) / payoff(sums)


_SPREAD: Final = (Need.TRADES, Need.SEVERAL, Need.SPREAD)
_BOTH: Final = (Need.TRADES, Need.WON, Need.LOST)

FORMULAS: Final[Mapping[str, Formula]] = {
    "net_profit": Formula(net_profit, "money"),
    "expectancy": Formula(expectancy, "money"),
    "win_rate": Formula(win_rate, "fraction"),
    "loss_rate": Formula(loss_rate, "fraction"),
    "average_win": Formula(average_win, "money", (Need.TRADES, Need.WON)),
    "average_loss": Formula(average_loss, "money", (Need.TRADES, Need.LOST)),
    "payoff": Formula(payoff, "number", _BOTH),
    "profit_factor": Formula(profit_factor, "number", (Need.TRADES, Need.LOST)),
    "expectancy_of_loss": Formula(expectancy_of_loss, "number", (Need.TRADES, Need.LOST)),
    "deviation": Formula(deviation, "money", (Need.TRADES, Need.SEVERAL)),
    "sharpe_per_trade": Formula(sharpe_per_trade, "number", _SPREAD),
    "sortino_per_trade": Formula(sortino_per_trade, "number", (Need.TRADES, Need.LOST)),
    "system_quality": Formula(system_quality, "number", _SPREAD),
    "system_quality_of_100": Formula(system_quality_of_100, "number", _SPREAD),
    "kelly": Formula(kelly, "fraction", _BOTH),
}


def computed(formula: Formula, sums: Sums) -> Floats:
    """The formula with divisions by zero as IEEE 754 has them: infinite, or NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return formula.of(sums)


def missing(formula: Formula, sums: Sums) -> str:
    """Why the statistic of one sample does not exist, or an empty text."""
    is_met = {
        Need.TRADES: sums.trades > 0,
        Need.SEVERAL: sums.trades > 1,
        Need.WON: sums.won > 0,
        Need.LOST: sums.lost > 0,
        Need.SPREAD: sums.squared > 0,
    }
    return next((need.value for need in formula.needs if not is_met[need]), "")


def figure(formula: Formula, sums: Sums) -> Figure:
    """The statistic of one sample."""
    if absent := missing(formula, sums):
        return Figure(None, formula.unit, absent)
    return Figure(float(computed(formula, sums)), formula.unit)
