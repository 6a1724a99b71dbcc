"""Sensitivity: how much hangs on each knob: one turned at a time, and two against each other.

All of it under one seed, where a place draws the same words whatever the knobs: so what differs between two rows is what was
turned, and a difference can be believed at far fewer paths than either row.
"""

from typing import Final

import msgspec

from pipeline.errors import ConfigError
from pipeline.names import did_you_mean
from pipeline.reports.knobs import Iid, Knobs, scaled, turned_on
from pipeline.reports.montecarlo import Asked
from pipeline.reports.outcomes import Outcome, outcome_of
from pipeline.reports.round_trips import RoundTrips

FACTORS: Final = (0.0, 0.5, 1.0, 2.0)
"""Times what was asked; 0 is as recorded."""


class Turned(msgspec.Struct, frozen=True):
    """What came of knobs turned by factors, without bands; none turned is what was asked."""

    factors: dict[str, float]
    outcome: Outcome


def one_at_a_time(trips: RoundTrips, asked: Asked, *, threads: int | None = None) -> list[Turned]:
    """What was asked, then each knob that is on turned by each of FACTORS, all others staying."""
    turned = [
        {name: factor} for name in turned_on(asked.knobs) for factor in _factors(asked.knobs, name) if factor != 1.0
    ]
    return [_row(trips, asked, factors, threads) for factors in ({}, *turned)]


def grid_of_two(
    trips: RoundTrips, asked: Asked, first: str, second: str, *, threads: int | None = None
) -> list[Turned]:
    """Two knobs turned by each of FACTORS, row by row of the first.

    Raises ConfigError for a knob that is not on, or the same twice.
    """
    on = turned_on(asked.knobs)
    for name in (first, second):
        if name not in on:
            raise ConfigError(
                f"grid: {name!r} is no knob that is on; those are {', '.join(on)}{did_you_mean(name, on)}"
            )
    if first == second:
        raise ConfigError(f"grid: {first} twice; accepted are two knobs, e.g. {','.join(on[:2])}")
    return [
        _row(trips, asked, {first: one, second: other}, threads)
        for one in _factors(asked.knobs, first)
        for other in _factors(asked.knobs, second)
    ]


def _factors(knobs: Knobs, name: str) -> tuple[float, ...]:
    """Trades that know nothing of each other can't do so by half."""
    return (0.0, 1.0) if isinstance(getattr(knobs, name), Iid) else FACTORS


def _row(trips: RoundTrips, asked: Asked, factors: dict[str, float], threads: int | None) -> Turned:
    knobs = asked.knobs
    for name, factor in factors.items():
        knobs = scaled(knobs, name, factor)
    turned = msgspec.structs.replace(asked, knobs=knobs)
    return Turned(factors, outcome_of(trips, turned, threads=threads, is_drawn=False))
