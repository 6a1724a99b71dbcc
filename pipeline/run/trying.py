"""Trying: a strategy looked at as a whole before it is used: its dialect, its parameters and State, a day at both speeds."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from pipeline.block import Blocks, concat, row_count
from pipeline.codes import Kind
from pipeline.core.engine import Engine
from pipeline.core.strategy import Plan, Strategy
from pipeline.errors import OperatorError, StrategyError
from pipeline.feeds.merge import merged
from pipeline.kernel.checking import BreachError, refusals
from pipeline.kernel.determinism import breaches_of
from pipeline.kernel.rules import RULES, Breach
from pipeline.run.comparing import Difference, first_difference
from pipeline.run.loading import load_module, strategy_in
from pipeline.run.strategies import plan_of
from pipeline.simulator.generate import Day, GeneratedDay
from pipeline.units import NANO

DAY = Day(instruments=3, quotes=2_000, starts_ns=1_793_797_200 * NANO)
"""From 8:00 to 10:30 in New York: premarket, the open, a halt, a lost feed."""


class Found(msgspec.Struct, frozen=True):
    """A place that breaks a rule, for people and machines."""

    file: str
    line: int
    rule: str
    what: str
    accepted: str
    is_refused_at_load: bool
    """Else it runs, but interpreted."""


class Trial(msgspec.Struct, frozen=True):
    """What came of it."""

    file: str
    strategy: str
    sound: bool
    """Nothing was found, and both speeds came to the same bytes."""
    problem: str
    """Why it could not be loaded, or not be compiled for a reason without a line; '' when neither."""
    breaches: list[Found]
    inputs: int
    rows: int
    """Derived, over the generated day."""
    kinds: dict[str, int]
    stopped: list[str]
    """Where a handler failed on that day, and why."""
    difference: Difference | None
    """The first row at which the two speeds part."""
    same_state: bool
    seconds: dict[str, float]
    """By part: load, compile, interpreted, compiled."""


def try_strategy(path: Path, given: Sequence[str] = (), *, compiling: Callable[[], None] = lambda: None) -> Trial:
    """Look at a strategy's file and run it, with the parameters that are `given` as `name=value` texts.

    `compiling` is called before something is compiled. Raises nothing that a file can cause; ConfigError, StrategyError for a
    parameter that is none.
    """
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    try:
        module = load_module(path)
        strategy = strategy_in(module)
        _ = strategy.record, strategy.shared_record, strategy.Params()
        breaches = sorted({*breaches_of(path, vars(module)), *refusals(strategy)})
    except OperatorError as error:  # a parameter out of its bounds is a ConfigError
        problem = str(error)
        return _unsound(path, problem=problem if problem.startswith(str(path)) else f"{path}: {problem}")
    seconds["load"] = time.perf_counter() - started
    if breaches:
        return _unsound(path, strategy.name, breaches=breaches, seconds=seconds)
    plan = _plan(path, strategy, given)
    compiling()
    started = time.perf_counter()
    try:
        _compile(plan.strategy)
    except BreachError as error:
        return _unsound(path, strategy.name, breaches=[error.breach], seconds=seconds)
    except StrategyError as error:
        return _unsound(path, strategy.name, problem=str(error), seconds=seconds)
    seconds["compile"] = time.perf_counter() - started
    return _over_a_day(path, plan, seconds)


def _plan(path: Path, strategy: Strategy, given: Sequence[str]) -> Plan:
    """The strategy with these parameters, and other bars where it is given any."""
    (asked,) = plan_of([path], given, []).strategies
    return Plan(strategy.with_bars(asked.bars) if asked.bars else strategy, strategy.Params.from_dict(asked.params))


def _over_a_day(path: Path, plan: Plan, seconds: dict[str, float]) -> Trial:
    from pipeline.kernel.engine import CompiledEngine  # noqa: PLC0415  # LLVM is loaded only where something is compiled

    batches = list(_day())
    derived, engines = [], []
    for name, engine_class in (("interpreted", Engine), ("compiled", CompiledEngine)):
        started = time.perf_counter()
        engine = engine_class([plan])
        derived.append(concat([block for batch in batches for block in engine.reduce(batch)]))
        engines.append(engine)
        seconds[name] = time.perf_counter() - started
    plain, fast = engines
    difference = first_difference(*derived)
    same_state = plain.state_hash() == fast.state_hash() and plain.decisions_hash() == fast.decisions_hash()
    stopped = [row["text"] for block in derived[0] if block.kind is Kind.SESSION for row in block.rows()]
    return Trial(
        file=str(path),
        strategy=plan.strategy.name,
        sound=difference is None and same_state and not stopped,
        problem="",
        breaches=[],
        inputs=sum(map(row_count, batches)),
        rows=row_count(derived[0]),
        kinds={block.kind.name.lower(): len(block) for block in derived[0]},
        stopped=stopped,
        difference=difference,
        same_state=same_state,
        seconds={name: round(taken, 3) for name, taken in seconds.items()},
    )


def _unsound(
    path: Path,
    name: str = "",
    *,
    problem: str = "",
    breaches: list[Breach] | None = None,
    seconds: dict[str, float] | None = None,
) -> Trial:
    """What can be told of a strategy that was not run."""
    found = [
        Found(each.file, each.line, each.rule, each.what, each.accepted, RULES[each.rule].is_kept_at_load)
        for each in breaches or []
    ]
    taken = {name: round(each, 3) for name, each in (seconds or {}).items()}
    return Trial(str(path), name, False, problem, found, 0, 0, {}, [], None, same_state=False, seconds=taken)  # `sound`


def _compile(strategy: Strategy) -> None:
    from pipeline.kernel.build import kernel_of  # noqa: PLC0415  # LLVM is loaded only where something is compiled

    kernel_of((strategy,))


def _day() -> Iterator[Blocks]:
    """The generated day, `seq` counting through."""
    seq = 0
    for batch in merged([GeneratedDay(DAY)]):
        yield [block.with_columns(seq=block.number("seq") + seq) for block in batch]
        seq += row_count(batch)
