"""Worker: a process that runs jobs, one line of JSON in, one line out, until its input ends.

The first line says what code runs; the answer is that it is compiled and ready. A worker has its own state and shares
the decoded columns with the others, for they are maps of the same files. What a strategy prints goes to standard error.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from pipeline.errors import ConfigError, TapeError
from pipeline.log.backtests import CellRow
from pipeline.log.store import Store
from pipeline.run.cell import Code, Job, run_job
from pipeline.run.code import ROOT, is_todays
from pipeline.run.fold import FoldPlan, LocalFold, Speed

BOOT = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pipeline.run.worker import main; main()"
"""What a worker's Python is given to run."""


class Setup(msgspec.Struct, frozen=True):
    """The first line: the store, the code, the blake3 of each source when the backtest began, and any plan to compile for."""

    home: str
    code: Code
    sources: dict[str, str]
    plan: FoldPlan


class Compiling(msgspec.Struct, frozen=True, tag="compiling"):
    """Said once, before something is compiled that nobody compiled yet."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Jobs may come."""

    speed: Speed
    why: str
    """What kept the handlers from being compiled; '' when nothing did."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A job was run: a row for each of its cells."""

    rows: tuple[CellRow, ...]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A job, or all of them, can't be run."""

    reason: str


Said = Compiling | Ready | Done | Failed


def main() -> None:
    """Answer lines until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who hands out cells
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    into = sys.stdin.buffer

    def say(said: Said) -> None:
        out.write(msgspec.json.encode(said) + b"\n")

    setup = msgspec.json.decode(into.readline(), type=Setup)
    try:
        fold = _warmed(setup, lambda: say(Compiling()))
    except (TapeError, OSError) as error:
        say(Failed(str(error)))
        return
    say(Ready(fold.speed, fold.why))
    store = Store(Path(setup.home))
    for line in into:
        try:
            said: Said = Done(run_job(store, setup.code, msgspec.json.decode(line, type=Job)))
        except (TapeError, OSError) as error:
            said = Failed(str(error))
        say(said)


def _warmed(setup: Setup, compiling: Callable[[], None]) -> LocalFold:
    """A fold nobody uses: what it compiles or loads is there for every cell. Raises ConfigError, StrategyError."""
    code = setup.code
    if not is_todays(setup.sources, code.paths):
        raise ConfigError("the code was changed while the backtest began: start it again")
    return LocalFold(setup.plan, code.paths, speed=code.speed, inputs=code.inputs, compiling=compiling)
