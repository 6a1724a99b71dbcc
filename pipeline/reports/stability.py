"""Stability: whether parameters beside the best ones are nearly as good, or the best is a lone peak, as luck makes them.

Parameters are places on axes, from 0; see `run.sweeping.Space`. What lies beside a set is a twentieth of the axis further, at least
one value, on one axis at a time: on two hundred values the very next one would always be as good.
"""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pipeline.log.backtests import Value
from pipeline.log.studies import Trial

_STEP_SHARE: Final = 20
BINS_MAX: Final = 6
"""Of an axis in a map: so many columns fit a terminal."""


class Neighbour(msgspec.Struct, frozen=True):
    """A set of parameters beside the best."""

    params: dict[str, Value]
    value: float | None
    """Of the objective; None when it is no candidate."""


class Neighbourhood(msgspec.Struct, frozen=True):
    """What lies around the best."""

    neighbours: tuple[Neighbour, ...]
    mean: float | None
    worst: float | None
    """Of those that are candidates; None without any."""


class Area(msgspec.Struct, frozen=True):
    """A stretch of one parameter by a stretch of another: both ends of each are in it."""

    first: tuple[Value, Value]
    second: tuple[Value, Value]
    tried: int
    """Sets of parameters."""
    mean: float | None
    best: float | None
    """Of the objective, among candidates."""


class PairMap(msgspec.Struct, frozen=True):
    """How good sets of parameters are by two of them, whatever the others were."""

    first: str
    second: str
    areas: tuple[tuple[Area, ...], ...]
    """By stretch of the first, then of the second."""


def points_beside(lengths: Sequence[int], ordered: Sequence[bool], point: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The places beside this one. An axis whose values have no order has none.

    >>> points_beside([46, 3, 2], [True, True, False], (45, 1, 0))
    [(43, 1, 0), (45, 0, 0), (45, 2, 0)]
    """
    return [
        (*point[:axis], place, *point[axis + 1 :])
        for axis, (length, has_order) in enumerate(zip(lengths, ordered, strict=True))
        for place in (point[axis] - _step(length), point[axis] + _step(length))
        if has_order and 0 <= place < length
    ]


def neighbourhood_of(neighbours: Sequence[Neighbour]) -> Neighbourhood:
    """Those that were run."""
    values = [each.value for each in neighbours if each.value is not None]
    mean = statistics.fmean(values) if values else None
    return Neighbourhood(tuple(neighbours), mean, min(values, default=None))


def maps_of(axes: Mapping[str, Sequence[Value]], trials: Sequence[Trial]) -> list[PairMap]:
    """A map of each two parameters of several values. A set that was tried under several numbers counts once."""
    distinct = list({trial.point: trial for trial in trials}.values())
    varying = [(place, name) for place, name in enumerate(axes) if len(axes[name]) > 1]
    return [
        PairMap(first, second, tuple(_areas(axes, (i, first), (j, second), distinct)))
        for (i, first), (j, second) in itertools.combinations(varying, 2)
    ]


def _step(length: int) -> int:
    return max(1, round(length / _STEP_SHARE))


def _areas(
    axes: Mapping[str, Sequence[Value]], first: tuple[int, str], second: tuple[int, str], trials: Sequence[Trial]
) -> list[tuple[Area, ...]]:
    found: dict[tuple[int, int], list[Trial]] = {}
    (i, one), (j, two) = first, second
    across, down = len(axes[one]), len(axes[two])
    for trial in trials:
        found.setdefault((_bin(trial.point[i], across), _bin(trial.point[j], down)), []).append(trial)
    return [
        tuple(
            _area(_ends(axes[one], row), _ends(axes[two], column), found.get((row, column), []))
            for column in range(min(down, BINS_MAX))
        )
        for row in range(min(across, BINS_MAX))
    ]


def _area(first: tuple[Value, Value], second: tuple[Value, Value], trials: Sequence[Trial]) -> Area:
    values = [trial.value for trial in trials if trial.value is not None]
    mean = statistics.fmean(values) if values else None
    return Area(first, second, len(trials), mean, max(values, default=None))


def _bin(place: int, length: int) -> int:
    """In which stretch a place lies; they are as long as each other, but for one value."""
    bins = min(length, BINS_MAX)
    return place * bins // length


def _ends(axis: Sequence[Value], number: int) -> tuple[Value, Value]:
    inside = [value for place, value in enumerate(axis) if _bin(place, len(axis)) == number]
    return inside[0], inside[-1]
