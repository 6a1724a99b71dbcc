"""Indicator: what a fold says of itself, so that strategies, the scanner and charts share one.

A strategy calls the functions of an indicator's module; who only knows a name goes through `catalog.INDICATORS`. Both
follow one interface: `update(group, *inputs, *parameters)` folds one more value, `ready(group, *parameters)` says
whether it has seen enough, `reset(group)` makes it as new.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pipeline.core.market import Bar, Print, Quote
from pipeline.core.params import params
from pipeline.core.record import Record, record_of


class Pane(Enum):
    """Where a chart draws it."""

    OVERLAY = "overlay"
    """Over the prices: its values are prices."""

    OWN = "own pane"


@params
class NoParams:
    """Of an indicator that takes none."""


def no_capacity(_params: Any) -> Mapping[str, int]:
    """Of an indicator without arrays."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One indicator. `convention` names whose formula and seeding it follows.

    `inputs` are fields of `event`, in the order `update` takes them; where they are columns of bars, any other series
    may stand in their place. `values` are members of the group, by path; a chart leaves out the `undrawn` ones, of
    another scale than the rest or nothing to look at beside them. `warm_up(params)` is the least number of
    updates before `ready` can hold, `capacity(params)` how large the group's arrays must be.
    """

    name: str
    title: str
    State: type[Any]
    Params: type[Any] = NoParams
    event: type[Bar | Print | Quote] = Bar
    inputs: tuple[str, ...] = ("close",)
    values: tuple[str, ...] = ("value",)
    undrawn: tuple[str, ...] = ()
    update: Callable[..., None]
    ready: Callable[..., bool]
    reset: Callable[[Any], None]
    warm_up: Callable[[Any], int]
    capacity: Callable[[Any], Mapping[str, int]] = no_capacity
    pane: Pane = Pane.OWN
    convention: str

    def record(self, given: Any) -> Record:
        """The layout of its group, just large enough for these parameters."""
        return record_of(self.State, self.capacity(given))


def capacity_of_length(given: Any) -> Mapping[str, int]:
    """Of an indicator over a window of `length` values."""
    return {"capacity": given.length}
