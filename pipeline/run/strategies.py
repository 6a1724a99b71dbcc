"""Strategies by name or by file: found, loaded, their parameters read from text, their words kept for readers."""

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final

import msgspec

from pipeline.core.settings import EngineSettings
from pipeline.core.strategy import Strategy
from pipeline.errors import ConfigError, NotFoundError, StrategyError
from pipeline.kernel.determinism import breaches_of
from pipeline.log.manifest import StrategyEntry, Words
from pipeline.names import did_you_mean
from pipeline.run.code import ROOT, Code, place_of
from pipeline.run.fold import FoldPlan, StrategyPlan
from pipeline.run.following import ScannerPlan
from pipeline.run.loading import load_module, load_strategy, strategy_in
from pipeline.run.scanners import no_such_file, scanner_plans

_FLATTENED: Final = 1
"""Of the setting `universe`: who is dropped is flattened."""

_WHOLE: Final = frozenset(field.name for field in msgspec.structs.fields(EngineSettings) if field.type is int)
"""Settings that count something."""

BARS: Final = "bars"
"""A parameter that every strategy with bars has, unless it has one of its own by that name."""


def shipped() -> list[str]:
    """Names of the strategies that come along."""
    return sorted(path.stem for path in (ROOT / "strategies").glob("[!_]*.py"))


def strategy_file(name_or_path: str) -> Path:
    """The file of a strategy. Raises NotFoundError listing those that come along."""
    path = Path(name_or_path)
    if path.suffix == ".py":
        if not path.is_file():
            raise no_such_file(path, "no such strategy file")
        return path.resolve()
    names = shipped()
    if name_or_path not in names:
        hint = did_you_mean(name_or_path, names)
        raise NotFoundError(
            f"no strategy {name_or_path!r}: there are {', '.join(names)}, or a path to a .py file{hint}"
        )
    return ROOT / "strategies" / f"{name_or_path}.py"


def settings_of(texts: Sequence[str]) -> dict[str, bool | int | float | str]:
    """Engine settings from `name=value` texts, as numbers. Raises ConfigError."""
    return {name: _number(name, value) for name, value in map(_split, texts)}


def plan_of(
    files: Sequence[Path],
    params: Sequence[str],
    settings: Sequence[str],
    scanners: Sequence[Path] = (),
    behind: Sequence[int] = (),
) -> FoldPlan:
    """The plan of these strategies, with parameters and engine settings as `name=value` texts.

    With the files of `scanners` they hear what these pick: `behind` has for each strategy the place of its own, from 1;
    when it is empty they all stand behind the only one. The setting `universe` is 1 then unless told otherwise.

    A parameter may carry its strategy's name in front (`ema_cross.fast=12`); without it, it is meant for every
    strategy. `bars=5m,500t` gives a strategy other bars than it asks for. Raises ConfigError or StrategyError naming the
    parameter or setting and what is accepted.
    """
    if params and not files:
        raise ConfigError(f"--param {params[0]}: it is of a strategy, and none is named; add --strategy")
    given = [_split(text) for text in params]
    loaded = [load_checked(path) for path in files]
    names = [strategy.name for strategy in loaded]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ConfigError(
            f"strategy {twice!r} is given twice; accepted is each name once, for rows are called after it"
        )
    for name, _ in given:
        owner = name.partition(".")[0]
        if "." in name and owner not in names:
            raise ConfigError(f"parameter {name!r}: no strategy {owner!r} in this run; there is {', '.join(names)}")
    entries = []
    numbers = behind or (min(len(scanners), 1),) * len(files)
    for path, strategy, number in zip(files, loaded, numbers, strict=True):
        own = {name.removeprefix(f"{strategy.name}."): value for name, value in given if is_for(name, strategy.name)}
        bars = bars_of(strategy, own.pop(BARS).split(",")) if BARS in own and takes_bars(strategy) else ()
        given_ = strategy.Params.from_text(own).as_dict()
        entries.append(StrategyPlan(strategy.name, place_of(path), given_, bars, number))
    engine = EngineSettings.from_dict(settings_of(settings))
    plan = FoldPlan(tuple(entries), engine.as_dict())
    return hearing(plan, *scanner_plans(scanners)) if scanners else plan


def hearing(plan: FoldPlan, *scanners: ScannerPlan) -> FoldPlan:
    """The same strategies, hearing what scanners pick; those that stand behind none stand behind the first."""
    universe = plan.settings["universe"] or _FLATTENED
    behind = tuple(msgspec.structs.replace(each, scanner=each.scanner or 1) for each in plan.strategies)
    settings = {**plan.settings, "universe": universe}
    return msgspec.structs.replace(plan, strategies=behind, settings=settings, scanners=scanners)


def is_for(name: str, strategy: str) -> bool:
    """Whether a parameter so called is meant for a strategy."""
    return "." not in name or name.startswith(f"{strategy}.")


def takes_bars(strategy: Strategy) -> bool:
    """Whether `bars` are the bars it is given, and no parameter of its own."""
    return BARS not in strategy.Params._fields


def bars_of(strategy: Strategy, words: Sequence[str]) -> tuple[str, ...]:
    """The sizes of bars that words name, told as they are told everywhere. Raises StrategyError."""
    asked = strategy.with_bars(words)
    return tuple(str(bars.timeframe) for bars in asked.all_bars)


def load_checked(path: Path) -> Strategy:
    """The `strategy` of a file that keeps to the rules without which nothing could be replayed (docs/dialect.md).

    Raises StrategyError naming file, line, rule and what is accepted, also for what can't be loaded.
    """
    module = load_module(path)
    strategy, breaches = strategy_in(module), breaches_of(path, vars(module))
    if breaches:
        more = f"; {len(breaches) - 1} more: tape strategy check {path}" if len(breaches) > 1 else ""
        raise StrategyError(f"{breaches[0]}{more}")
    return strategy


def strategy_entries(plan: FoldPlan, files: Sequence[Path], code: Code) -> tuple[StrategyEntry, ...]:
    """The strategies as a manifest lists them: what they were run with, and their words."""
    hashes = code.hashes
    return tuple(
        StrategyEntry(entry.name, entry.params, hashes[entry.file], words_of(load_strategy(path)))
        for entry, path in zip(plan.strategies, files, strict=True)
    )


def words_of(strategy: Strategy) -> Words:
    """The codes a strategy has words for, which are the members of its enums in lower case."""
    return Words(
        phases=_codes(strategy.phases),
        gates=_codes(strategy.gates),
        reasons=_codes(strategy.reasons),
        outputs=_codes(strategy.outputs),
        messages=_codes(strategy.messages),
        templates={message.name.lower(): message.template for message in strategy.messages or ()},
    )


def _codes(members: type[IntEnum] | None) -> dict[str, int]:
    return {member.name.lower(): int(member) for member in members or ()}


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"{text!r}: write name=value, e.g. fast=12")
    return name.strip(), value.strip()


def _number(name: str, text: str) -> int | float:
    try:
        number = int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise ConfigError(f"engine setting {name}={text}: accepted is a number") from None
    if name in _WHOLE and isinstance(number, float) and not number.is_integer():
        raise ConfigError(f"engine setting {name}={text}: accepted is a whole number")
    return number
