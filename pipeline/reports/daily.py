"""Daily returns: what an account did from day to day, apart from how often it traded.

Every name here begins with `daily_` where a statistic of trades has a namesake, for they answer other questions: a strategy
that trades twice a year has daily returns all the year. A return is a day's profit by what the account was worth when the
day began, days without a trade count as 0, and a year has 252 days (365 of what never closes). Conventions are those of
empyrical, so figures agree with it: riskless rate 0, deviations by n - 1, downside by all n days. See docs/statistics.md.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.reports.drawdowns import drawdowns, ulcer_index
from pipeline.reports.metrics import Figure

Floats = npt.NDArray[np.float64]

YEAR_DAYS: Final = 252
YEAR_DAYS_ALWAYS: Final = 365
CALENDAR_DAYS: Final = 365.25

_TAIL: Final = 0.05
_NONE: Final = float("nan")


def daily_profits(days: npt.NDArray[np.int64], profits: Floats, all_days: npt.NDArray[np.int64]) -> Floats:
    """Profits added up by day: (n,) of n trades make (m,) of all m days, which ascend. Raises ValueError for a day not in them."""
    places = np.searchsorted(all_days, days)
    if len(days) and not (all_days[np.minimum(places, len(all_days) - 1)] == days).all():
        raise ValueError("a trade lies on a day that is not among the days")
    return np.bincount(places, profits, len(all_days)).astype(np.float64)


def daily_returns(profits: Floats, capital: float) -> Floats:
    """Profits of days by what the account was worth before each; `capital` is what it began with, in the unit of the profits.

    Nothing can be said of days from the one on which the account is lost: the returns end there, with -1 or less.
    """
    worth = capital + np.append(0.0, np.cumsum(profits))
    lost = np.flatnonzero(worth <= 0.0)
    last = int(lost[0]) if len(lost) else len(profits)
    return profits[:last] / worth[:last]


def grown(returns: Floats) -> Floats:
    """What 1 becomes: (n,) returns make (n + 1,) values from 1 on."""
    return np.append(1.0, np.cumprod(1.0 + returns))


def daily_total_return(returns: Floats) -> float:
    """Growth over all days, as a fraction."""
    return float(grown(returns)[-1] - 1.0) if len(returns) else _NONE


def growth_rate(growth: float, years: float) -> float:
    """CAGR: the yearly rate at which 1 becomes `growth` in so many years; NaN without time, or when everything was lost."""
    return growth ** (1.0 / years) - 1.0 if years > 0.0 and growth > 0.0 else _NONE


def daily_growth_rate(returns: Floats, year: int) -> float:
    """CAGR by the number of days: so many of them are a year."""
    return growth_rate(float(grown(returns)[-1]), len(returns) / year)


def daily_volatility(returns: Floats, year: int) -> float:
    """Standard deviation of the returns by n - 1, of a year: x the root of its days."""
    return float(returns.std(ddof=1) * year**0.5) if len(returns) > 1 else _NONE


def daily_sharpe(returns: Floats, year: int) -> float:
    """Mean return by standard deviation (n - 1), x the root of a year's days (Sharpe, 1994; riskless rate 0)."""
    if len(returns) < 2 or not np.ptp(returns):
        return _NONE
    return float(returns.mean() / returns.std(ddof=1) * year**0.5)


def daily_downside(returns: Floats, year: int) -> float:
    """Root of the mean square of losses over all days, of a year (Sortino and van der Meer, 1991; target 0)."""
    return float(np.sqrt((np.minimum(returns, 0.0) ** 2).mean()) * year**0.5) if len(returns) else _NONE


def daily_sortino(returns: Floats, year: int) -> float:
    """Mean return of a year by `daily_downside`."""
    downside = daily_downside(returns, year)
    return float(returns.mean() * year / downside) if len(returns) > 1 and downside > 0.0 else _NONE


def daily_drawdown(returns: Floats) -> float:
    """The deepest fall from a peak, as a fraction of it, 0 or more; looked at when days end."""
    return float(drawdowns(grown(returns)).share.max(initial=0.0)) if len(returns) else _NONE


def daily_calmar(returns: Floats, year: int) -> float:
    """Growth rate of a year by the deepest fall (Young, 1991)."""
    fall = daily_drawdown(returns)
    return daily_growth_rate(returns, year) / fall if fall > 0.0 else _NONE


def daily_omega(returns: Floats) -> float:
    """All gains by all losses (Keating and Shadwick, 2002; threshold 0): the profit factor of days."""
    lost = float(-np.minimum(returns, 0.0).sum())
    return float(np.maximum(returns, 0.0).sum()) / lost if lost > 0.0 else _NONE


def daily_tail_ratio(returns: Floats) -> float:
    """The 95th percentile by the 5th, without signs; percentiles between two values are interpolated."""
    if not len(returns):
        return _NONE
    low, high = np.percentile(returns, [100.0 * _TAIL, 100.0 * (1.0 - _TAIL)])
    return float(abs(high) / abs(low)) if low else _NONE


def daily_value_at_risk(returns: Floats) -> float:
    """The 5th percentile of the returns, interpolated: one day in twenty was worse."""
    return float(np.percentile(returns, 100.0 * _TAIL)) if len(returns) else _NONE


def daily_shortfall(returns: Floats) -> float:
    """Mean of the worst twentieth of the days, rounded as empyrical does: floor((n - 1) / 20) + 1 of them."""
    if not len(returns):
        return _NONE
    count = int((len(returns) - 1) * _TAIL) + 1
    return float(np.sort(returns)[:count].mean())


def daily_ulcer_index(returns: Floats) -> float:
    """How deep the account was under water, in the mean square; see `reports.drawdowns`."""
    return ulcer_index(grown(returns)[1:])


_NO_DAY: Final = "no day"
_NO_LOSS: Final = "no day lost"

OF_RETURNS: Final[Mapping[str, tuple[Callable[[Floats], float], str, str]]] = {
    "daily_total_return": (daily_total_return, "fraction", _NO_DAY),
    "daily_drawdown": (daily_drawdown, "fraction", _NO_DAY),
    "daily_omega": (daily_omega, "number", _NO_LOSS),
    "daily_tail_ratio": (daily_tail_ratio, "number", "no day, or a 5th percentile of 0"),
    "daily_value_at_risk": (daily_value_at_risk, "fraction", _NO_DAY),
    "daily_shortfall": (daily_shortfall, "fraction", _NO_DAY),
    "daily_ulcer_index": (daily_ulcer_index, "fraction", "fewer than two days"),
}
"""By name: formula over (n,) returns, what it is measured in, and why it may not exist."""

OF_A_YEAR: Final[Mapping[str, tuple[Callable[[Floats, int], float], str, str]]] = {
    "daily_growth_rate": (daily_growth_rate, "fraction", "no day, or everything was lost"),
    "daily_volatility": (daily_volatility, "fraction", "fewer than two days"),
    "daily_sharpe": (daily_sharpe, "number", "fewer than two days, or all the same"),
    "daily_sortino": (daily_sortino, "number", "fewer than two days, or none lost"),
    "daily_calmar": (daily_calmar, "number", _NO_LOSS),
}
"""The same of formulas that also take the days of a year."""


TAIL_DAYS_LEAST: Final = 20
"""Of the worst twentieth of fewer days there is not one."""

OF_TAILS: Final = ("daily_tail_ratio", "daily_value_at_risk", "daily_shortfall")
OF_WHOLE_YEARS: Final = ("daily_growth_rate", "daily_calmar")


def daily_figures(returns: Floats, year: int = YEAR_DAYS) -> dict[str, Figure]:
    """Every statistic of daily returns, by name; those of tails from 20 days on, those of yearly growth from a quarter of a year on."""
    told = {name: _figure(of(returns), unit, absent) for name, (of, unit, absent) in OF_RETURNS.items()}
    told.update({name: _figure(of(returns, year), unit, absent) for name, (of, unit, absent) in OF_A_YEAR.items()})
    for names, least in ((OF_TAILS, TAIL_DAYS_LEAST), (OF_WHOLE_YEARS, year // 4)):
        if len(returns) < least:
            told.update({name: Figure(None, told[name].unit, f"fewer than {least} days") for name in names})
    return told


def _figure(value: float, unit: str, absent: str) -> Figure:
    return Figure(value, unit) if np.isfinite(value) else Figure(None, unit, absent)
