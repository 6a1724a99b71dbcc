"""Strategies by name or by file: found, loaded, their parameters read from text."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import ConfigError, NotFoundError
from pipeline.run.code import ROOT, place_of
from pipeline.run.fold import StrategyPlan, load_strategy


def shipped() -> list[str]:
    """Names of the strategies that come along."""
    return sorted(path.stem for path in (ROOT / "strategies").glob("[!_]*.py"))


def strategy_file(name_or_path: str) -> Path:
    """The file of a strategy. Raises NotFoundError listing those that come along."""
    path = Path(name_or_path)
    if path.suffix == ".py":
        if not path.is_file():
            raise NotFoundError(f"{name_or_path}: no such strategy file")
        return path.resolve()
    names = shipped()
    if name_or_path not in names:
        near = difflib.get_close_matches(name_or_path, names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise NotFoundError(
            f"no strategy {name_or_path!r}: there are {', '.join(names)}, or a path to a .py file{hint}"
        )
    return ROOT / "strategies" / f"{name_or_path}.py"


def planned(path: Path, given: Sequence[str]) -> StrategyPlan:
    """The plan of one strategy with parameters as `name=value` texts.

    Raises ConfigError naming the parameter and what is accepted.
    """
    strategy = load_strategy(path)
    texts = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"parameter {text!r}: write name=value, e.g. fast=12")
        texts[name.strip()] = value.strip()
    params = strategy.Params.from_text(texts)
    return StrategyPlan(strategy.name, place_of(path), params.as_dict())
