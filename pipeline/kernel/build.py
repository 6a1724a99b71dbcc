"""Build: a kernel's text as a module, compiled once and kept on disk for every later process of the same user.

numba keeps compiled code beside the file it came from and looks it up by the file's name: so a text gets a file named by
its hash. Code is loaded from there: the folder belongs to the user alone, and one that doesn't is refused.
"""

import importlib.util
import inspect
import os
import stat
import sys
import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import llvmlite
import numba
import numpy as np
from blake3 import blake3
from numba.core.errors import NumbaExperimentalFeatureWarning

from pipeline.core.strategy import Strategy
from pipeline.errors import ConfigError, StrategyError
from pipeline.kernel import arithmetic, primitives
from pipeline.kernel.primitives import door as make_door
from pipeline.kernel.primitives import open_door
from pipeline.kernel.signatures import DOORS, door_signature
from pipeline.kernel.source import engine_name, engine_text, kernel_text

CACHE_VARIABLE: Final = "TAPE_CACHE"
_PRIVATE: Final = 0o700


def cache_folder() -> Path:
    """Where kernels are kept: TAPE_CACHE, else the user's own cache. Raises ConfigError when others may write there."""
    given = os.environ.get(CACHE_VARIABLE) or os.environ.get("XDG_CACHE_HOME")
    folder = Path(given or Path.home() / ".cache").expanduser() / "tapeworks" / "kernels"
    folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    found = folder.stat()
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise ConfigError(f"{folder}: compiled code is loaded from here, so it must be yours alone (chmod 700)")
    return folder


def kernel_name(text: str) -> str:
    """A name that changes with everything that goes into the compiled code."""
    versions = f"{sys.version_info[:3]} {numba.__version__} {llvmlite.__version__} {np.__version__}"
    beneath = "".join(map(inspect.getsource, (arithmetic, primitives)))
    return "kernel_" + blake3((text + versions + beneath).encode()).hexdigest()[:24]


def kernel_of(strategies: Sequence[Strategy]) -> ModuleType:
    """The module with `run` and its named tuples; nothing is compiled before `compile_once`.

    Raises StrategyError naming the file and line of what can't be compiled.
    """
    engine = _engine()
    return _module(kernel_text(strategies, engine.__name__))


def is_compiled(strategies: Sequence[Strategy]) -> bool:
    """Whether some process of this user compiled these strategies before. Raises StrategyError as `kernel_of` does."""
    engine_name = kernel_name(engine_text())
    name = kernel_name(kernel_text(strategies, engine_name))
    return any((cache_folder() / "__pycache__").glob(f"{name}.run-*.nbi"))


@cache
def _engine() -> ModuleType:
    """The engine's module, its doors compiled and open."""
    engine = _module(engine_text())
    for door in DOORS:
        name, signature = engine_name(door), door_signature(engine, door)
        symbol = f"tape_{engine.__name__}_{name}"
        open_door(symbol, getattr(engine, name), signature)
        setattr(engine, f"door_{name}", make_door(symbol, signature))
    return engine


@cache
def _module(text: str) -> ModuleType:
    name = kernel_name(text)
    if name in sys.modules:
        return sys.modules[name]
    folder = cache_folder()
    path = folder / f"{name}.py"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        _write(path, text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # the compiled code names its types by their module
    spec.loader.exec_module(module)
    return module


def compile_once(module: ModuleType, arguments: tuple[Any, ...]) -> None:
    """Compile a kernel for these arguments, or load what was compiled before; later calls cost nothing.

    Raises StrategyError with numba's own words, for what the translation let pass.
    """
    run = module.run
    if not run.signatures:
        try:
            with warnings.catch_warnings():
                # Of two States that begin alike numba takes one's code for both: right, though it calls that experimental.
                warnings.simplefilter("ignore", NumbaExperimentalFeatureWarning)
                run.compile(tuple(map(numba.typeof, arguments)))
        except Exception as error:
            raise StrategyError(f"{module.__name__}: it can't be compiled: {error}") from error


def _write(path: Path, text: str) -> None:
    """Whole or not at all: another process may be writing the same."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)
