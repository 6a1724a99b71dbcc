"""Sweeping: parameters that take several values, as people write them, and every cell of the grid they span.

`fast=5:50:5` goes from 5 to 50 in steps of 5, the end included where a step falls on it; `fast=5,8,13` names each value;
`fast=5..50` is every integer from 5 to 50, of other numbers a hundred steps of equal size, and `fast=5..50:5` says the step.
Steps are decimal, so `0.1:0.5:0.1` holds 0.3 and not 0.30000000000000004. Bars are named, `bars=1m,5m,500t`; `1m+5m` is one
value, both sizes at once.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


RANGE_STEPS: Final = 100
"""Of a range of numbers that are no integers, when no step is said."""

Point = tuple[int, ...]
"""A set of parameters: the place of each one's value on its axis, from 0."""


class Grid(msgspec.Struct, frozen=True):
    """Plans to run, one a cell; of whole sweeps in the order in which they were given, the last one turning fastest."""

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


class Space(msgspec.Struct, frozen=True):
    """A plan, and the values that some of its parameters may take."""

    base: FoldPlan
    axes: dict[str, tuple[Value, ...]]

    @property
    def size(self) -> int:
        """How many sets of parameters there are."""
        return math.prod(map(len, self.axes.values()))

    @property
    def fixed(self) -> dict[str, Value]:
        """The parameters that are the same everywhere."""
        params = self.chosen([]).params_of(self.base)
        return {name: value for name, value in params.items() if not {name, name.rpartition(".")[2]} & self.axes.keys()}

    def points(self) -> Iterator[Point]:
        """All of them, the last axis turning fastest."""
        return itertools.product(*(range(len(axis)) for axis in self.axes.values()))

    def values_of(self, point: Point) -> dict[str, Value]:
        """The parameters that are chosen there, by name."""
        return {name: axis[place] for (name, axis), place in zip(self.axes.items(), point, strict=True)}

    def chosen(self, points: Iterable[Point]) -> Grid:
        """A grid of these sets alone."""
        return Grid(tuple(_swept(self.base, self.values_of(point)) for point in points), self.axes)

    def grid(self) -> Grid:
        """The grid of all of them. Raises ConfigError when they are too many."""
        if self.size > CELLS_MAX:
            raise ConfigError(f"the sweeps span {self.size:,} cells; accepted are {CELLS_MAX:,}")
        return self.chosen(self.points())


def grid_of(
    files: Sequence[Path],
    params: Sequence[str],
    settings: Sequence[str],
    sweeps: Sequence[str],
    scanners: Sequence[Path] = (),
    behind: Sequence[int] = (),
) -> Grid:
    """The grid of all sets of a `space_of`. Raises as that does, and ConfigError when they are too many."""
    return space_of(files, params, settings, sweeps, scanners, behind).grid()


def space_of(
    files: Sequence[Path],
    params: Sequence[str],
    settings: Sequence[str],
    sweeps: Sequence[str],
    scanners: Sequence[Path] = (),
    behind: Sequence[int] = (),
    option: str = "--sweep",
) -> Space:
    """What `name=values` texts span over these strategies; with the files of `scanners` they hear what those pick, `behind` as `plan_of` has it.

    A name may carry its strategy's in front; without it, it is meant for every strategy. `option` is what errors call the texts. Raises ConfigError for an
    unknown name, with the nearest known one, and for values that are not accepted, StrategyError for bars that are none.
    """
    base = plan_of(files, params, settings, scanners, behind)
    strategies = [load_strategy(path) for path in files]
    given = [text.partition("=")[0].strip() for text in params]
    axes: dict[str, tuple[Value, ...]] = {}
    for text in sweeps:
        name, equals, values = (part.strip() for part in text.partition("="))
        said = f"{option} {text!r}"
        if not equals or not values:
            raise ConfigError(f"{said}: write name=from:to:step or name=a,b,c, e.g. fast=5:50:5")
        if twice := next((other for other in (*given, *axes) if _is_same(name, other)), ""):
            raise ConfigError(f"{said}: {twice} is given twice; accepted is one --param or --sweep of it")
        axes[name] = _axis(strategies, name, values, said)
    return Space(base, axes)


def parted(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Texts of parameters that have one value, and of those that may take several.

    >>> parted(["notional=5000", "fast=5..50", "slow=60,120", "spread_bps=0.1:0.5:0.1"])
    (['notional=5000'], ['fast=5..50', 'slow=60,120', 'spread_bps=0.1:0.5:0.1'])
    """
    ranges = [text for text in texts if any(mark in text.partition("=")[2] for mark in ("..", ",", ":"))]
    return [text for text in texts if text not in ranges], ranges


def is_ordered(axis: Sequence[Value]) -> bool:
    """Whether values are numbers that rise or fall all the way, so that some lie between others."""
    numbers = [value for value in axis if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(axis) and numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _told(strategy: StrategyPlan) -> dict[str, Value]:
    """What a row tells of a strategy's parameters."""
    return strategy.params | ({BARS: "+".join(strategy.bars)} if strategy.bars else {})


def _is_same(name: str, other: str) -> bool:
    """Whether two names are, or one of them without its strategy's may be, the same parameter."""
    (owner, _, own), (other_owner, _, other_own) = name.rpartition("."), other.rpartition(".")
    return own == other_own and (owner == other_owner or not owner or not other_owner)


def _swept(base: FoldPlan, chosen: Mapping[str, Value]) -> FoldPlan:
    return FoldPlan(tuple(_given(strategy, chosen) for strategy in base.strategies), base.settings, base.scanners)


def _given(strategy: StrategyPlan, chosen: Mapping[str, Value]) -> StrategyPlan:
    own = {name.rpartition(".")[2]: value for name, value in chosen.items() if is_for(name, strategy.name)}
    bars = strategy.bars
    if BARS in own and BARS not in strategy.params:
        bars = tuple(str(own.pop(BARS)).split("+"))
    return msgspec.structs.replace(strategy, params=strategy.params | own, bars=bars)


def _axis(strategies: Sequence[Strategy], name: str, values: str, said: str) -> tuple[Value, ...]:
    """The values of one sweep, each once; `said` is the option as it was given. Raises ConfigError, StrategyError."""
    owner, dot, own = name.rpartition(".")
    meant = [strategy for strategy in strategies if not dot or strategy.name == owner]
    if not meant:
        names = ", ".join(strategy.name for strategy in strategies)
        raise ConfigError(f"{said}: no strategy {owner!r} in this run; there is {names}")
    if own == BARS and all(map(takes_bars, meant)):
        checked: list[Value] = [_bars(meant, value) for value in values.split(",")]
    else:
        spec = _spec(meant, own)
        is_stepped = ":" in values or ".." in values
        given = _stepped(spec, values, said) if is_stepped else [value.strip() for value in values.split(",")]
        checked = [spec.checked(value) for value in given]
    if len(set(checked)) < len(checked):
        raise ConfigError(f"{said}: a value stands there twice")
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


def _stepped(spec: Param, values: str, said: str) -> list[str]:
    try:
        start, end, step = _bounds(spec, values)
        count = math.floor((end - start) / step) + 1
    except (ValueError, ArithmeticError, InvalidOperation):
        raise ConfigError(f"{said}: write from:to:step with a step that is not 0, e.g. fast=5:50:5") from None
    if spec.type is bool:
        raise ConfigError(f"{said}: {spec.name} is {spec.accepted}; write true,false")
    if not 1 <= count <= CELLS_MAX:
        raise ConfigError(f"{said}: these steps do not lead from {start} to {end}, or are too many")
    return [format(start + step * i, "f") for i in range(count)]


def _bounds(spec: Param, values: str) -> tuple[Decimal, Decimal, Decimal]:
    """Start, end and step of `5:50:5`, `5..50` or `5..50:5`. Raises ValueError, ArithmeticError."""
    if ".." not in values:
        start, end, step = map(Decimal, values.split(":"))
        return start, end, step
    first, _, rest = values.partition("..")
    last, _, stepped = rest.partition(":")
    start, end = Decimal(first), Decimal(last)
    whole = (end - start) / RANGE_STEPS if spec.type is float else Decimal(1)
    return start, end, Decimal(stepped) if stepped else whole
