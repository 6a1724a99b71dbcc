"""Sensitivity: how much hangs on each knob: one turned at a time, and two against each other.

All of it under one seed, where a place draws the same words whatever the knobs: so what differs between two rows is what was
turned, and a difference can be believed at far fewer paths than either row.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pipeline.errors import ConfigError
from pipeline.names import did_you_mean, listed
from pipeline.reports.knobs import Iid, Knobs, scaled, turned_on
from pipeline.reports.montecarlo import Asked
from pipeline.reports.outcomes import Outcome, outcome_of
from pipeline.reports.round_trips import RoundTrips

FACTORS: Final = (0.0, 0.5, 1.0, 2.0)
"""Times what was asked; 0 is as recorded."""

Turns = dict[str, float]
"""Factors by the names of knobs; none is what was asked."""


class Turned(msgspec.Struct, frozen=True):
    """What came of knobs turned by factors, without bands."""

    factors: Turns
    outcome: Outcome


def one_at_a_time(knobs: Knobs) -> list[Turns]:
    """As asked, then each knob that is on turned by each of FACTORS, all others staying."""
    alone = [{name: factor} for name in turned_on(knobs) for factor in _factors(knobs, name) if factor != 1.0]
    return [{}, *alone]


def grid_of_two(knobs: Knobs, first: str, second: str) -> list[Turns]:
    """Two knobs turned by each of FACTORS, row by row of the first.

    Raises ConfigError for a knob that is not on, or the same twice.
    """
    on = turned_on(knobs)
    for name in (first, second):
        if name not in on:
            raise ConfigError(f"grid: {name!r} is no knob that is on; those are {listed(on)}{did_you_mean(name, on)}")
    if first == second:
        raise ConfigError(f"grid: {first} twice; accepted are two knobs of {listed(on)}")
    return [{first: one, second: other} for one in _factors(knobs, first) for other in _factors(knobs, second)]


def turned(trips: RoundTrips, asked: Asked, turns: Iterable[Turns], *, threads: int | None = None) -> Iterator[Turned]:
    """What comes of each turn, one after the other. Raises ConfigError where one passes what its knob accepts."""
    for factors in turns:
        knobs = asked.knobs
        for name, factor in factors.items():
            knobs = scaled(knobs, name, factor)
        again = msgspec.structs.replace(asked, knobs=knobs)
        yield Turned(factors, outcome_of(trips, again, threads=threads, is_drawn=False))


def _factors(knobs: Knobs, name: str) -> tuple[float, ...]:
    """Trades that know nothing of each other can't do so by half."""
    return (0.0, 1.0) if isinstance(getattr(knobs, name), Iid) else FACTORS
