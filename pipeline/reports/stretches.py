"""Stretches: what trades do in time: winning and losing in a row, and how long they were in the market.

A stretch of time is half open, from a moment until another; moments are integers, UTC nanoseconds or places of bars.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Moments = npt.NDArray[np.int64]

_WON: Final = 1
_LOST: Final = -1


class Streaks(NamedTuple):
    """Trades in a row with one outcome, by when they closed; a scratch ends both and belongs to none."""

    won_most: int
    lost_most: int
    won_now: int
    """How many of the last trades won in a row; 0 when the last one did not."""
    lost_now: int
    lost_sum_most: float
    """What the most costly losses in a row took together, as a positive number."""


def streaks(profits: Floats) -> Streaks:
    """The streaks of (n,) profits in the order of closing."""
    outcomes = np.sign(profits).astype(np.int64)
    starts = np.flatnonzero(np.diff(outcomes, prepend=2))
    sizes, kinds = np.diff(np.append(starts, len(profits))), outcomes[starts]
    sums = np.add.reduceat(profits, starts) if len(starts) else profits
    now = (int(sizes[-1]), int(kinds[-1])) if len(starts) else (0, 0)
    return Streaks(
        won_most=int(sizes[kinds == _WON].max(initial=0)),
        lost_most=int(sizes[kinds == _LOST].max(initial=0)),
        won_now=now[0] if now[1] == _WON else 0,
        lost_now=now[0] if now[1] == _LOST else 0,
        lost_sum_most=float(-sums[kinds == _LOST].min(initial=0.0)),
    )


def joined(from_: Moments, until: Moments) -> tuple[Moments, Moments]:
    """The same stretches without overlaps, in order: what at least one of them covers."""
    order = np.argsort(from_, kind="stable")
    begin, end = from_[order], until[order]
    if not len(begin):
        return begin, end
    furthest = np.maximum.accumulate(end)
    is_new = np.append(True, begin[1:] > furthest[:-1])
    last = np.append(np.flatnonzero(is_new)[1:] - 1, len(begin) - 1)
    return begin[is_new], furthest[last]


def covered(of: tuple[Moments, Moments], by: tuple[Moments, Moments]) -> int:
    """How much of the stretches `of` the stretches `by` cover, one or many of them."""
    return (
        _length(*joined(*of))
        + _length(*joined(*by))
        - _length(*joined(np.append(of[0], by[0]), np.append(of[1], by[1])))
    )


def exposure(trades: tuple[Moments, Moments], watched: tuple[Moments, Moments]) -> float:
    """The fraction of the time watched in which at least one trade was open; NaN when nothing was watched."""
    whole = _length(*joined(*watched))
    return covered(watched, trades) / whole if whole else float("nan")


def held_at_once(trades: tuple[Moments, Moments], watched: tuple[Moments, Moments]) -> float:
    """Trades that were open at once, on average over the time watched; NaN when nothing was.

    What a trade was open at other times is left out, as that of one that came with a position of the session before.
    """
    begin, end = joined(*watched)
    whole = _length(begin, end)
    if not whole:
        return float("nan")
    edges = np.column_stack((begin, end)).ravel()
    seen = np.append(0, np.cumsum(np.diff(edges) * (np.arange(len(edges) - 1) % 2 == 0)))
    return _watched_until(trades[1], edges, seen) / whole - _watched_until(trades[0], edges, seen) / whole


def _watched_until(moments: Moments, edges: Moments, seen: Moments) -> int:
    """How long it was watched until each of these moments, all added up; `seen`: until each edge of what was watched."""
    places = np.searchsorted(edges, moments, "right") - 1
    inside = np.where(places % 2 == 0, moments - edges[np.maximum(places, 0)], 0)
    return int(np.where(places < 0, 0, seen[np.maximum(places, 0)] + inside).sum())


def _length(from_: Moments, until: Moments) -> int:
    return int((until - from_).sum())
