"""Summary: all statistics of a set of closed trades, each with its unit, its interval, or the reason why there is none."""

from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.reports.breakdowns import day_units, r_figures
from pipeline.reports.daily import YEAR_DAYS, daily_figures, daily_profits, daily_returns
from pipeline.reports.drawdowns import deepest, drawdowns, lengths, recoveries, under_water
from pipeline.reports.metrics import Figure, Floats
from pipeline.reports.resampling import Bootstrap, cautions, figures
from pipeline.reports.stretches import Moments, Streaks, exposure, held_at_once, streaks
from pipeline.reports.trades import Integers, Trades
from pipeline.units import NANO

QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

R_EDGES: Final = (-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Bands of R: below the first edge, between each two, from the last on. A band holds its lower edge."""

_NO_TRADE: Final = "no trade was closed"
_NONE_WON: Final = "none of them won"


class Watched(NamedTuple):
    """What trades are held against."""

    from_ns: Moments
    """Stretches that were recorded, UTC nanoseconds."""
    until_ns: Moments
    days: Integers
    """Every day on which the market was open and watched, days since 1970; of a closed trade at least its own."""
    capital: float
    """What the account began with, in the unit of the profits."""
    year_days: int = YEAR_DAYS


class Distribution(msgspec.Struct, frozen=True):
    """Of R, where the risk is known."""

    known: int
    """Trades whose risk is known."""
    unknown: int
    quantiles: dict[str, Figure]
    """By `min`, `5%` ... `max`; between two trades they are interpolated."""
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    """Trades below the first edge, between each two, from the last on."""
    beyond_risk: Figure
    """The fraction that lost more than was risked: below -1 R."""


class Summary(msgspec.Struct, frozen=True):
    """What a set of trades came to; money in the quote currency."""

    trades: int
    days: int
    """Days on which the market was open and watched."""
    days_traded: int
    currencies: tuple[str, ...]
    money: dict[str, Figure]
    r: dict[str, Figure]
    distribution: Distribution
    streaks: Streaks
    time: dict[str, Figure]
    excursion: dict[str, Figure]
    """How far trades were ahead and behind while they were open, in R."""
    drawdown: dict[str, Figure]
    daily: dict[str, Figure]
    capital: float
    cautions: tuple[str, ...]


def summary(
    trades: Trades, watched: Watched, bootstrap: Bootstrap | None = None, *, is_by_day: bool = False
) -> Summary:
    """Every statistic of these trades; intervals as `bootstrap` says, of whole days when asked."""
    days = np.union1d(watched.days, trades.closed_day)
    by_day = daily_profits(trades.closed_day, trades.profit, days)
    traded = np.unique(trades.day)
    currencies = tuple(sorted({str(word) for word in trades.texts["currency"] if word}))
    said = [*cautions(trades.profit, len(traded))]
    if len(currencies) > 1:
        said.append(f"profits in {', '.join(currencies)} are added up as if they were one currency")
    return Summary(
        trades=len(trades.profit),
        days=len(days),
        days_traded=len(traded),
        currencies=currencies,
        money=figures(trades.profit, bootstrap, day_units(trades.day, is_by_day=is_by_day)),
        r=r_figures(trades, bootstrap, is_by_day=is_by_day),
        distribution=distribution(trades.r),
        streaks=streaks(trades.profit),
        time=time_figures(trades, watched),
        excursion=excursion_figures(trades),
        drawdown=drawdown_figures(trades, watched.capital),
        daily=daily_figures(daily_returns(by_day, watched.capital), watched.year_days),
        capital=watched.capital,
        cautions=tuple(said),
    )


def distribution(r: Floats) -> Distribution:
    """How R is spread; NaN counts as unknown."""
    known = r[np.isfinite(r)]
    words = ["min", *(f"{100 * share:g}%" for share in QUANTILES[1:-1]), "max"]
    absent = "no trade closed whose risk is known"
    values = np.quantile(known, QUANTILES) if len(known) else np.full(len(QUANTILES), np.nan)
    places = np.searchsorted(R_EDGES, known, "right")
    return Distribution(
        known=len(known),
        unknown=len(r) - len(known),
        quantiles={word: _figure(value, "R", absent) for word, value in zip(words, values, strict=True)},
        edges=R_EDGES,
        counts=tuple(np.bincount(places, minlength=len(R_EDGES) + 1).tolist()),
        beyond_risk=_figure(_mean((known < -1.0).astype(np.float64)), "fraction", absent),
    )


def time_figures(trades: Trades, watched: Watched) -> dict[str, Figure]:
    """How long trades were held, and how much of the time watched one was open."""
    held, won, lost = trades.held_s, trades.profit > 0.0, trades.profit < 0.0
    inside, stretches = (trades.opened_ns, trades.closed_ns), (watched.from_ns, watched.until_ns)
    return {
        "held_mean": _figure(_mean(held), "s", _NO_TRADE),
        "held_median": _figure(float(np.median(held)) if len(held) else np.nan, "s", _NO_TRADE),
        "held_most": _figure(float(held.max()) if len(held) else np.nan, "s", _NO_TRADE),
        "held_mean_won": _figure(_mean(held[won]), "s", "no trade won"),
        "held_mean_lost": _figure(_mean(held[lost]), "s", "no trade lost"),
        "exposure": _figure(exposure(inside, stretches), "fraction", "no time was watched"),
        "held_at_once": _figure(held_at_once(inside, stretches), "number", "no time was watched"),
    }


def excursion_figures(trades: Trades) -> dict[str, Figure]:
    """What trades were ahead (mfe) and behind (mae) at most while open, in R, where that is known (Sweeney, 1996).

    How far those that won went against us first says where a stop need not be; how far those that lost were ahead, what was
    given back. `kept` is what the trades that won brought, of the most they were ahead: before fees that is 1 at best.
    """
    ahead, behind, r = trades.numbers["mfe_r"], trades.numbers["mae_r"], trades.r
    is_known = np.isfinite(ahead) & np.isfinite(behind) & np.isfinite(r)
    won, lost = is_known & (r > 0.0), is_known & (r < 0.0)
    best = float(ahead[won].sum())
    absent = "no trade closed whose excursion and risk are known"
    return {
        "mfe_mean": _figure(_mean(ahead[is_known]), "R", absent),
        "mae_mean": _figure(_mean(behind[is_known]), "R", absent),
        "mae_mean_won": _figure(_mean(behind[won]), "R", _NONE_WON if is_known.any() else absent),
        "mfe_mean_lost": _figure(_mean(ahead[lost]), "R", "none of them lost" if is_known.any() else absent),
        "kept": _figure(
            float(r[won].sum()) / best if best > 0.0 else float("nan"),
            "fraction",
            _NONE_WON if is_known.any() else absent,
        ),
    }


def drawdown_figures(trades: Trades, capital: float) -> dict[str, Figure]:
    """The falls of the account, looked at as each trade is closed; it begins with the capital as the first one is opened.

    What an open trade is behind is not seen: see `daily_drawdown` for days and a trade's `mae` for what it went through.
    """
    curve = capital + np.append(0.0, np.cumsum(trades.profit))
    moments = np.append(trades.opened_ns.min(initial=np.iinfo(np.int64).max), trades.closed_ns)
    falls = drawdowns(curve)
    worst, absent = deepest(falls), "the account never fell" if len(trades.profit) else _NO_TRADE
    is_over = worst is not None and bool(falls.is_over[worst])

    def told(values: npt.NDArray[np.float64] | Integers, unit: str, scale: float = 1.0) -> Figure:
        return Figure(None, unit, absent) if worst is None else _figure(values[worst] / scale, unit, absent)

    return {
        "depth": told(falls.depth, "money"),
        "depth_share": told(falls.share, "fraction"),
        "length": told(lengths(falls, moments), "s", NANO),
        "length_trades": told(falls.end - falls.peak, "trades"),
        "recovery": told(recoveries(falls, moments), "s", NANO)
        if is_over or worst is None
        else Figure(None, "s", "it is not made good yet"),
        "depth_mean": _figure(_mean(falls.depth), "money", absent),
        "length_most": _figure(float(lengths(falls, moments).max(initial=0)) / NANO, "s", absent)
        if worst is not None
        else Figure(None, "s", absent),
        "under_water": _figure(under_water(falls, moments), "fraction", _NO_TRADE),
        "recovery_factor": told(trades.profit.sum() / np.maximum(falls.depth, np.finfo(np.float64).tiny), "number"),
    }


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _figure(value: float, unit: str, absent: str) -> Figure:
    return Figure(float(value), unit) if np.isfinite(value) else Figure(None, unit, absent)
