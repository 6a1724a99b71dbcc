"""Attaching: which strategies stand behind which scanner, from the words of a command.

    --scanner FILE --strategy A --strategy B              one scanner: all strategies hear what it picks
    --scanner ONE=A,B --scanner OTHER=C                   several: each names its own

A symbol that two scanners picked has the strategies of both, and each leaves it as its own scanner says.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ConfigError
from pipeline.run.strategies import strategy_file


class Attached(NamedTuple):
    """Strategies' files, scanners' files, and by strategy the number of the scanner it stands behind, from 1; 0: none."""

    files: tuple[Path, ...]
    scanners: tuple[Path, ...]
    behind: tuple[int, ...]


def attached(scanners: Sequence[str], strategies: Sequence[str]) -> Attached:
    """Who stands behind whom. Raises ConfigError, NotFoundError naming the words and what is accepted."""
    named = [_named(text) for text in scanners]
    if len(named) <= 1 and not any(names for _, names in named):
        files = tuple(map(strategy_file, strategies))
        return Attached(files, tuple(file for file, _ in named), (len(named),) * len(files))
    if strategies:
        raise ConfigError(
            f"--strategy {strategies[0]}: scanners name their own strategies here: --scanner {named[0][0]}={strategies[0]}"
        )
    if silent := next((file for file, names in named if not names), None):
        raise ConfigError(f"--scanner {silent}: of several each names its strategies: --scanner {silent}=opening_range")
    pairs = [(strategy_file(name), number) for number, (_, names) in enumerate(named, 1) for name in names]
    files = tuple(file for file, _ in pairs)
    if twice := next((file for file in files if files.count(file) > 1), None):
        raise ConfigError(
            f"--scanner: {twice.stem} is named twice; accepted is each strategy behind one scanner, for rows are called "
            "after it: give a copy of the file another name"
        )
    return Attached(files, tuple(file for file, _ in named), tuple(number for _, number in pairs))


def _named(text: str) -> tuple[Path, tuple[str, ...]]:
    """`FILE` or `FILE=A,B`; a file may have an equals sign in its own name."""
    file, equals, names = text.rpartition("=")
    if not equals or Path(text).is_file():
        return Path(text), ()
    listed = tuple(name.strip() for name in names.split(","))
    if not file or not all(listed):
        raise ConfigError(f"--scanner {text}: write FILE, or FILE=STRATEGY,STRATEGY")
    return Path(file), listed
