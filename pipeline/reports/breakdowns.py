"""Breakdowns: the statistics of each part of the trades; the parts add up to the whole.

Of many parts one looks good by luck: with intervals at 95 %, one part in twenty lies outside of what it truly is.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from pipeline.reports.bands import SPLITS, parts
from pipeline.reports.metrics import FORMULAS, Figure, Formula
from pipeline.reports.resampling import Bootstrap, cautions, figures
from pipeline.reports.trades import Integers, Trades

_MEAN: Final = {"expectancy": FORMULAS["expectancy"]}


class Part(msgspec.Struct, frozen=True):
    """One band."""

    label: str
    trades: int
    money: dict[str, Figure]
    r_mean: Figure
    """Expectancy of the trades whose risk is known, in R."""
    cautions: tuple[str, ...]


class Breakdown(msgspec.Struct, frozen=True):
    """All bands that hold a trade, in order."""

    by: str
    parts: tuple[Part, ...]


def breakdown(trades: Trades, by: str, bootstrap: Bootstrap | None = None, *, is_by_day: bool = False) -> Breakdown:
    """The trades taken apart by one of `SPLITS`; intervals as `bootstrap` says, of whole days when asked."""
    labels, places = parts(trades, SPLITS[by])
    told = tuple(
        _part(labels[place], trades.where(places == place), bootstrap, is_by_day=is_by_day)
        for place in np.unique(places)
    )
    return Breakdown(by, told)


def day_units(days: Integers, *, is_by_day: bool) -> Integers | None:
    """What is drawn as one: days numbered from 0, or each trade by itself."""
    return np.unique(days, return_inverse=True)[1] if is_by_day else None


def r_figures(
    trades: Trades, bootstrap: Bootstrap | None, *, is_by_day: bool, formulas: Mapping[str, Formula] = FORMULAS
) -> dict[str, Figure]:
    """The statistics of profits in units of risk, of the trades whose risk is known; money is R there."""
    is_known = np.isfinite(trades.r)
    units = day_units(trades.day[is_known], is_by_day=is_by_day)
    absent = "no trade closed whose risk is known"
    return {
        name: _in_r(msgspec.structs.replace(told, absent=absent) if not is_known.any() else told)
        for name, told in figures(trades.r[is_known], bootstrap, units, formulas).items()
    }


def _in_r(told: Figure) -> Figure:
    return msgspec.structs.replace(told, unit="R") if told.unit == "money" else told


def _part(label: str, trades: Trades, bootstrap: Bootstrap | None, *, is_by_day: bool) -> Part:
    units = day_units(trades.day, is_by_day=is_by_day)
    return Part(
        label,
        len(trades.profit),
        figures(trades.profit, bootstrap, units),
        r_figures(trades, bootstrap, is_by_day=is_by_day, formulas=_MEAN)["expectancy"],
        tuple(cautions(trades.profit, len(np.unique(trades.day)))),
    )
