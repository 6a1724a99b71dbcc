"""Sweeping: parameters that take several values, as people write them, and every cell of the grid they span.

`fast=5:50:5` goes from 5 to 50 in steps of 5, the end included where a step falls on it; `fast=5,8,13` names each value.
Steps are decimal, so `0.1:0.5:0.1` holds 0.3 and not 0.30000000000000004. Bars are named, `bars=1m,5m,500t`; `1m+5m` is one
value, both sizes at once.
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
from pipeline.run.strategies import BARS, bars_of, is_for, plan_of, takes_bars

Value = bool | int | float | str
"""Of a parameter; the sizes of bars are a text."""

CELLS_MAX: Final = 1_000_000
"""A grid with more is a slip of the pen: at a millisecond each that is a day of sessions of nothing."""


class Grid(msgspec.Struct, frozen=True):
    """Plans to run, one a cell, in the order in which the sweeps were given, the last one turning fastest."""

    plans: tuple[FoldPlan, ...]
    sweeps: dict[str, tuple[Value, ...]]

    def params_of(self, plan: FoldPlan) -> dict[str, Value]:
        """All parameters of a cell, and `bars` where they are other ones than the strategy asks for.

        The strategy's name stands in front where there are several strategies.
        """
        several = len(plan.strategies) > 1
        return {
            f"{strategy.name}.{name}" if several else name: value
            for strategy in plan.strategies
            for name, value in _told(strategy).items()
        }


def grid_of(
    files: Sequence[Path],
    params: Sequence[str],
    settings: Sequence[str],
    sweeps: Sequence[str],
    scanners: Sequence[Path] = (),
    behind: Sequence[int] = (),
) -> Grid:
    """The grid that `name=values` texts span over these strategies; with the files of `scanners` they hear what those pick, `behind` as `plan_of` has it.

    A name may carry its strategy's in front; without it, it is meant for every strategy. Raises ConfigError for an
    unknown name, with the nearest known one, and for values that are not accepted, StrategyError for bars that are none.
    """
    base = plan_of(files, params, settings, scanners, behind)
    strategies = [load_strategy(path) for path in files]
    given = [text.partition("=")[0].strip() for text in params]
    axes: dict[str, tuple[Value, ...]] = {}
    for text in sweeps:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not values:
            raise ConfigError(f"--sweep {text!r}: write name=from:to:step or name=a,b,c, e.g. fast=5:50:5")
        if twice := next((other for other in (*given, *axes) if _is_same(name, other)), ""):
            raise ConfigError(f"--sweep {text!r}: {twice} is given twice; accepted is one --param or --sweep of it")
        axes[name] = _axis(strategies, name, values, text)
    count = 1
    for axis in axes.values():
        count *= len(axis)
    if count > CELLS_MAX:
        raise ConfigError(f"the sweeps span {count:,} cells; accepted are {CELLS_MAX:,}")
    return Grid(tuple(_plans(base, axes)), axes)


def _told(strategy: StrategyPlan) -> dict[str, Value]:
    """What a row tells of a strategy's parameters."""
    return strategy.params | ({BARS: "+".join(strategy.bars)} if strategy.bars else {})


def _is_same(name: str, other: str) -> bool:
    """Whether two names are, or one of them without its strategy's may be, the same parameter."""
    (owner, _, own), (other_owner, _, other_own) = name.rpartition("."), other.rpartition(".")
    return own == other_own and (owner == other_owner or not owner or not other_owner)


def _plans(base: FoldPlan, axes: Mapping[str, Sequence[Value]]) -> Iterator[FoldPlan]:
    for values in itertools.product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        swept = tuple(_swept(strategy, chosen) for strategy in base.strategies)
        yield FoldPlan(swept, base.settings, base.scanners)


def _swept(strategy: StrategyPlan, chosen: Mapping[str, Value]) -> StrategyPlan:
    own = {name.rpartition(".")[2]: value for name, value in chosen.items() if is_for(name, strategy.name)}
    bars = strategy.bars
    if BARS in own and BARS not in strategy.params:
        bars = tuple(str(own.pop(BARS)).split("+"))
    return msgspec.structs.replace(strategy, params=strategy.params | own, bars=bars)


def _axis(strategies: Sequence[Strategy], name: str, values: str, text: str) -> tuple[Value, ...]:
    """The values of one sweep, each once. Raises ConfigError, StrategyError."""
    owner, dot, own = name.rpartition(".")
    meant = [strategy for strategy in strategies if not dot or strategy.name == owner]
    if not meant:
        names = ", ".join(strategy.name for strategy in strategies)
        raise ConfigError(f"--sweep {name}: no strategy {owner!r} in this run; there is {names}")
    if own == BARS and all(map(takes_bars, meant)):
        checked: list[Value] = [_bars(meant, value) for value in values.split(",")]
    else:
        spec = _spec(meant, own)
        given = _stepped(spec, values, text) if ":" in values else [value.strip() for value in values.split(",")]
        checked = [spec.checked(value) for value in given]
    if len(set(checked)) < len(checked):
        raise ConfigError(f"--sweep {text!r}: a value stands there twice")
    return tuple(checked)


def _bars(strategies: Sequence[Strategy], value: str) -> str:
    """Sizes of bars as they are told everywhere, when every one of the strategies can be given them."""
    (told, *_) = ["+".join(bars_of(strategy, value.split("+"))) for strategy in strategies]
    return told


def _spec(strategies: Sequence[Strategy], name: str) -> Param:
    """The parameter of that name. Raises ConfigError as the strategy does that lacks it."""
    for strategy in strategies:
        if name not in strategy.Params._fields:
            strategy.Params.from_dict({name: 0})  # says which name is nearest
    specs: tuple[Param, ...] = strategies[0].Params.specs
    return next(spec for spec in specs if spec.name == name)


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
