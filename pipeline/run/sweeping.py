"""Sweeping: parameters that take several values, as people write them, and every cell of the grid they span.

`fast=5:50:5` goes from 5 to 50 in steps of 5, the end included where a step falls on it; `fast=5,8,13` names each value.
Steps are decimal, so `0.1:0.5:0.1` holds 0.3 and not 0.30000000000000004.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import msgspec

from pipeline.core.params import Param
from pipeline.core.strategy import Strategy
from pipeline.errors import ConfigError
from pipeline.run.fold import FoldPlan, StrategyPlan
from pipeline.run.loading import load_strategy
from pipeline.run.strategies import plan_of

Value = bool | int | float

CELLS_MAX: Final = 1_000_000
"""A grid with more is a slip of the pen: at a millisecond each that is a day of sessions of nothing."""


class Grid(msgspec.Struct, frozen=True):
    """Plans to run, one a cell, in the order in which the sweeps were given, the last one turning fastest."""

    plans: tuple[FoldPlan, ...]
    sweeps: dict[str, tuple[Value, ...]]

    def params_of(self, plan: FoldPlan) -> dict[str, Value]:
        """All parameters of a cell; with the strategy's name in front where there are several strategies."""
        several = len(plan.strategies) > 1
        return {
            f"{strategy.name}.{name}" if several else name: value
            for strategy in plan.strategies
            for name, value in strategy.params.items()
            if not isinstance(value, str)
        }


def grid_of(files: Sequence[Path], params: Sequence[str], settings: Sequence[str], sweeps: Sequence[str]) -> Grid:
    """The grid that `name=values` texts span over these strategies.

    A name may carry its strategy's in front; without it, it is meant for every strategy. Raises ConfigError for an
    unknown name, with the nearest known one, and for values that are not accepted.
    """
    base = plan_of(files, params, settings)
    strategies = [load_strategy(path) for path in files]
    fixed = {text.partition("=")[0].strip() for text in params}
    axes: dict[str, tuple[Value, ...]] = {}
    for text in sweeps:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not values:
            raise ConfigError(f"--sweep {text!r}: write name=from:to:step or name=a,b,c, e.g. fast=5:50:5")
        if name in axes or name in fixed:
            raise ConfigError(f"--sweep {text!r}: {name} is given twice")
        axes[name] = _values(_spec(strategies, name), values, text)
    count = 1
    for axis in axes.values():
        count *= len(axis)
    if count > CELLS_MAX:
        raise ConfigError(f"the sweeps span {count:,} cells; accepted are {CELLS_MAX:,}")
    return Grid(tuple(_plans(base, axes)), axes)


def _plans(base: FoldPlan, axes: Mapping[str, Sequence[Value]]) -> Iterator[FoldPlan]:
    for values in itertools.product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        yield FoldPlan(tuple(_swept(strategy, chosen) for strategy in base.strategies), base.settings)


def _swept(strategy: StrategyPlan, chosen: Mapping[str, Value]) -> StrategyPlan:
    own: dict[str, Value | str] = {}
    for name, value in chosen.items():
        owner, dot, rest = name.rpartition(".")
        if not dot or owner == strategy.name:
            own[rest] = value
    return msgspec.structs.replace(strategy, params=strategy.params | own)


def _spec(strategies: Sequence[Strategy], name: str) -> Param:
    """The parameter of that name. Raises ConfigError as its strategy does, and when no strategy is called so."""
    owner, dot, own = name.rpartition(".")
    meant = [strategy for strategy in strategies if not dot or strategy.name == owner]
    if not meant:
        names = ", ".join(strategy.name for strategy in strategies)
        raise ConfigError(f"--sweep {name}: no strategy {owner!r} in this run; there is {names}")
    for strategy in meant:
        known = {spec.name: spec for spec in strategy.Params.specs}
        if own not in known:
            strategy.Params.from_dict({own: 0})  # says which name is nearest
    specs: tuple[Param, ...] = meant[0].Params.specs
    return next(spec for spec in specs if spec.name == own)


def _values(spec: Param, values: str, text: str) -> tuple[Value, ...]:
    """Checked values, each once. Raises ConfigError."""
    given = _stepped(spec, values, text) if ":" in values else [value.strip() for value in values.split(",")]
    checked = [spec.checked(value) for value in given]
    if len(set(checked)) < len(checked):
        raise ConfigError(f"--sweep {text!r}: a value stands there twice")
    return tuple(checked)


def _stepped(spec: Param, values: str, text: str) -> list[str]:
    try:
        start, end, step = map(Decimal, values.split(":"))
        count = math.floor((end - start) / step) + 1
    except (ValueError, ArithmeticError, InvalidOperation):
        raise ConfigError(f"--sweep {text!r}: write from:to:step with a step that is not 0, e.g. fast=5:50:5") from None
    if spec.type is bool:
        raise ConfigError(f"--sweep {text!r}: {spec.name} is {spec.accepted}; write true,false")
    if not 1 <= count <= CELLS_MAX:
        raise ConfigError(f"--sweep {text!r}: these steps do not lead from {start} to {end}, or are too many")
    return [format(start + step * i, "f") for i in range(count)]
