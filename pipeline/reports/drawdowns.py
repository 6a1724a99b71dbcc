"""Drawdowns: every fall of a curve below its highest value so far, how deep, how long, and how long until it was made good.

A curve is what an account was worth at moments, oldest first, and begins with what it was worth before the first trade.
A fall begins at the last moment at the highest value, has its bottom at the first lowest value, and ends at the first moment
at or above the highest again; one that has not ended lasts until the curve does.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


class Drawdowns(NamedTuple):
    """All falls of one curve, in order; places are indices into it."""

    peak: Places
    bottom: Places
    end: Places
    """Where it was made good; the last place of the curve where it was not."""
    is_over: npt.NDArray[np.bool_]
    depth: Floats
    """Below the peak, in the unit of the curve; above 0."""
    share: Floats
    """The same as a fraction of the peak; NaN where that is not above 0."""


def drawdowns(curve: Floats) -> Drawdowns:
    """The falls of a curve of (n,) values. Raises ValueError where one is not finite."""
    if not np.isfinite(curve).all():
        raise ValueError("a curve must be finite")
    highest = np.maximum.accumulate(curve) if len(curve) else curve
    edges = np.diff((curve < highest).astype(np.int8), prepend=0, append=0)
    first, end = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    bottom = np.array(
        [start + int(np.argmin(curve[start:stop])) for start, stop in zip(first, end, strict=True)], np.int64
    )
    depth = highest[bottom] - curve[bottom]
    peaks = np.where(highest[bottom] > 0.0, highest[bottom], np.nan)
    return Drawdowns(first - 1, bottom, np.minimum(end, len(curve) - 1), end < len(curve), depth, depth / peaks)


def deepest(falls: Drawdowns) -> int | None:
    """Which fall is the deepest, the first of several; None without one."""
    return int(np.argmax(falls.depth)) if len(falls.depth) else None


def lengths(falls: Drawdowns, moments: Places) -> Places:
    """From each peak until it was made good, or the curve ended, by the moments of the curve: (n,) for n falls."""
    return moments[falls.end] - moments[falls.peak]


def recoveries(falls: Drawdowns, moments: Places) -> Places:
    """From each bottom until it was made good, or the curve ended."""
    return moments[falls.end] - moments[falls.bottom]


def under_water(falls: Drawdowns, moments: Places) -> float:
    """The fraction of its time that the curve spent below its highest value; NaN when it has none."""
    whole = float(moments[-1] - moments[0]) if len(moments) else 0.0
    return float(lengths(falls, moments).sum()) / whole if whole else float("nan")


def ulcer_index(curve: Floats) -> float:
    """Root of the sum of squared falls by n - 1, each as a fraction of the peak before it.

    After Martin (1987), who divides by n; quantstats has n - 1. NaN for fewer than two values.
    """
    if len(curve) < 2:
        return float("nan")
    falls = curve / np.maximum.accumulate(curve) - 1.0
    return float(np.sqrt((falls**2).sum() / (len(curve) - 1)))
