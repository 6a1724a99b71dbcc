"""Resampling: how much of a statistic is luck, by the bootstrap of Efron (1979), with the corrected ends of Efron (1987).

Drawn with replacement are trades, or whole days with all their trades: trades of one day share its market, and an interval
that takes them for independent is too narrow. What a unit adds to the sums is one row, so both are the same lines.

Chance is counted, not kept: draw j of resample i under a seed is a word of the counter-based generator Philox (Salmon and
others, 2011), and depends on nothing else. So resamples may be made in any pieces, by any number of threads, and are the
same to the bit. A word becomes a place among n by its upper half x n / 2^32, which is off by less than n / 2^32.
"""

from collections.abc import Iterator, Mapping
from math import ceil
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.reports.metrics import FORMULAS, Figure, Floats, Formula, Sums, computed, figure, summands

ABSENT_SHARE_MAX: Final = 0.05
"""Of the resamples; where the statistic is absent in more of them, the interval says too little of those that are left."""

TRADES_FEW: Final = 30
OUTCOMES_FEW: Final = 10
DAYS_FEW: Final = 10

_WORDS: Final = 4
"""Words of 64 bits that Philox makes at a time; each resample begins with a fresh four."""

_DRAWS_AT_ONCE: Final = 262_144
"""2 MiB of them: memory does not grow with the number of resamples."""

_NORMAL: Final = NormalDist()


class Bootstrap(NamedTuple):
    """How intervals are made."""

    seed: int = 7
    resamples: int = 2_000
    level: float = 0.95
    """How often the interval should hold the true value, between 0 and 1."""


def places(seed: int, first: int, last: int, count: int, among: int) -> npt.NDArray[np.int64]:
    """What the draws from `first` up to `last`, exclusive, hold with repetition: (last - first, count) places from 0 up to `among`."""
    blocks = -(-count // _WORDS)
    words = np.random.Philox(key=seed, counter=first * blocks).random_raw((last - first) * blocks * _WORDS)
    words = words.reshape(last - first, blocks * _WORDS)[:, :count]
    return ((words >> np.uint64(32)) * np.uint64(among) >> np.uint64(32)).astype(np.int64)


def resampled(rows: Floats, seed: int, first: int, last: int) -> Floats:
    """The sums of the resamples from `first` up to `last`, exclusive: (last - first, columns) of (units, columns)."""
    made = np.empty((last - first, rows.shape[1]))
    columns = np.ascontiguousarray(rows.T)
    at_once = max(1, _DRAWS_AT_ONCE // max(len(rows), 1))
    for start in range(first, last, at_once):
        end = min(start + at_once, last)
        drawn = places(seed, start, end, len(rows), len(rows))
        drawn += np.arange(end - start)[:, None] * len(rows)
        times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)
        for place, each in enumerate(times, start - first):
            # not by BLAS, which adds up in an order that depends on how many threads it has
            made[place] = np.einsum("u,cu->c", each, columns, optimize=False)
    return made


def by_unit(rows: Floats, units: npt.NDArray[np.int64]) -> Floats:
    """Rows added up by the number of their unit, 0 and up: (n, columns) make (units, columns)."""
    count = int(units.max()) + 1 if len(units) else 0
    return np.column_stack([np.bincount(units, column, count) for column in rows.T])


def figures(
    profits: Floats,
    bootstrap: Bootstrap | None = None,
    units: npt.NDArray[np.int64] | None = None,
    formulas: Mapping[str, Formula] = FORMULAS,
) -> dict[str, Figure]:
    """Every statistic of these profits, with an interval when asked for; `units` numbers what is drawn as one, 0 and up."""
    rows = summands(profits)
    sums = Sums.of(rows.sum(axis=0))
    told = {name: figure(formula, sums) for name, formula in formulas.items()}
    drawn = rows if units is None else by_unit(rows, units)
    if bootstrap is None or len(drawn) < 2:
        return told
    samples = Sums.of(resampled(drawn, bootstrap.seed, 0, bootstrap.resamples))
    without = Sums.of(drawn.sum(axis=0) - drawn)
    return {
        name: each
        if each.value is None
        else _bounded(each, computed(formulas[name], samples), computed(formulas[name], without), bootstrap.level)
        for name, each in told.items()
    }


def _bounded(told: Figure, values: Floats, without: Floats, level: float) -> Figure:
    low, high = interval(told.value or 0.0, values, without, level)
    return Figure(told.value, told.unit, "", low, high)


def interval(value: float, values: Floats, without: Floats, level: float) -> tuple[float | None, float | None]:
    """The ends between which the true value lies at this level, by resamples and by the sample without each of its units.

    BCa: the quantiles are moved by how far the resamples lie beside the value and by how its spread changes with it. Where
    these can't be told, e.g. since all resamples agree, the plain quantiles. An end at infinity is absent: nothing bounds it.
    """
    known = np.sort(values[~np.isnan(values)])
    if len(known) < (1.0 - ABSENT_SHARE_MAX) * len(values):
        return None, None
    ends = [_corrected(value, known, without, (1.0 + sign * level) / 2.0) for sign in (-1.0, 1.0)]
    low, high = (known[min(max(ceil(end * len(known)) - 1, 0), len(known) - 1)] for end in ends)
    return (float(low) if np.isfinite(low) else None, float(high) if np.isfinite(high) else None)


def _corrected(value: float, known: Floats, without: Floats, end: float) -> float:
    """The quantile to read instead of `end`."""
    below = (np.searchsorted(known, value, "left") + np.searchsorted(known, value, "right")) / 2.0 / len(known)
    if not 0.0 < below < 1.0 or not np.isfinite(without).all():
        return end
    apart = without.mean() - without
    spread = float((apart**2).sum())
    if spread == 0.0:
        return end
    acceleration = float((apart**3).sum()) / (6.0 * spread**1.5)
    bias = _NORMAL.inv_cdf(float(below))
    moved = bias + _NORMAL.inv_cdf(end)
    room = 1.0 - acceleration * moved
    return _NORMAL.cdf(bias + moved / room) if room > 0.0 else end


def cautions(profits: Floats, days: int) -> Iterator[str]:
    """What makes a sample small; a sentence each.

    Fewer than 30 trades: even a mean of them is far from normal. Fewer than 10 won or 10 lost: rates and ratios hang on a
    handful. Fewer than 10 days: trades of one day share its market, and what differs between days was hardly seen.
    """
    won, lost = int((profits > 0.0).sum()), int((profits < 0.0).sum())
    if len(profits) < TRADES_FEW:
        yield f"{_counted(len(profits), 'trade')}, fewer than {TRADES_FEW}: too few for any of this to be sure"
    elif min(won, lost) < OUTCOMES_FEW:
        yield f"{won} won, {lost} lost: rates and ratios hang on fewer than {OUTCOMES_FEW}"
    if days < DAYS_FEW:
        yield f"{_counted(days, 'day')}, fewer than {DAYS_FEW}: how days differ was hardly seen, and intervals are too narrow"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
