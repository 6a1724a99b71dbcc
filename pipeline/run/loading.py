"""Loading: a strategy's file as the module and the strategy that it defines, named by their place when they fail."""

import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from pipeline.core.strategy import Strategy
from pipeline.errors import StrategyError, TapeError


def load_strategy(path: Path) -> Strategy:
    """The `strategy` of a file. Raises StrategyError naming the file, and the line where there is one."""
    return strategy_in(load_module(path))


def strategy_in(module: ModuleType) -> Strategy:
    """The `strategy` of a module. Raises StrategyError when there is none."""
    strategy = getattr(module, "strategy", None)
    if not isinstance(strategy, Strategy):
        raise StrategyError(f"{module.__file__}: a strategy file ends in `strategy = Strategy(...)`; this one has none")
    return strategy


def load_module(path: Path) -> ModuleType:
    """What a strategy's file defines. Raises StrategyError naming the file, and the line where there is one."""
    if not path.is_file():
        raise StrategyError(f"{path}: no such strategy file")
    return module_of(path, path.read_bytes())


@lru_cache(maxsize=64)
def module_of(path: Path, source: bytes) -> ModuleType:
    """What a source defines that stood in this file. Raises StrategyError as `load_module` does.

    A file that did not change is one module and one strategy, compiled and translated once however many cells run it.
    """
    module = ModuleType(f"tape_strategy_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # the class machinery looks its module up by name
    try:
        # Compiled here, so that no bytecode is left in a log's `code/` folder.
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - a strategy is code to be run
    except TapeError:
        raise
    except (Exception, SystemExit) as error:
        raise StrategyError(f"{path}: line {_line_of(error, path)}: {type(error).__name__}: {error}") from error
    return module


def _line_of(error: BaseException, path: Path) -> int | str:
    if isinstance(error, SyntaxError):
        return error.lineno or "?"
    trace, line = error.__traceback__, "?"
    lines = []
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return lines[-1] if lines else line
