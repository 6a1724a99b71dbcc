"""Build: kernels compiled once and kept on disk for every later process of the same user.

What is kept is an object file with its hash before it, named by all that goes into it: the text, the layouts of rows,
the versions, the processor. Loading one takes LLVM's loader only, not numba. Code is loaded from there: so the folder
belongs to the user alone, and one that doesn't is refused.
"""

import ctypes
import os
import platform
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import llvmlite.binding as llvm
from blake3 import blake3

from pipeline.core.strategy import Strategy
from pipeline.errors import ConfigError
from pipeline.kernel.groups import WORLD, Run, call_group
from pipeline.kernel.source import DOORS, RARE_DOORS, engine_text, kernel_text, places_in_loop

CACHE_VARIABLE: Final = "TAPE_CACHE"
_PRIVATE: Final = 0o700
_HASH_SIZE: Final = 32
_BENEATH: Final = ("arithmetic", "ordering", "primitives", "signatures", "unifying", "compiling")
"""Modules of this folder that decide what becomes of a text."""

_SIGNATURE: Final = (ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
"""numba's own convention: where the result goes, where the cause of a failure goes, the argument; 0 when all went well."""

_ENTRY: Final = ctypes.CFUNCTYPE(*_SIGNATURE)
_SHORT_ENTRY: Final = ctypes.PYFUNCTYPE(*_SIGNATURE)
"""The same, called without giving the interpreter away."""


def cache_folder() -> Path:
    """Where kernels are kept: TAPE_CACHE, else the user's own cache. Raises ConfigError when others may write there."""
    given = os.environ.get(CACHE_VARIABLE) or os.environ.get("XDG_CACHE_HOME")
    folder = Path(given or Path.home() / ".cache").expanduser() / "tapeworks" / "kernels"
    folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    found = folder.stat()
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise ConfigError(f"{folder}: compiled code is loaded from here, so it must be yours alone (chmod 700)")
    return folder


def is_compiled(strategies: tuple[Strategy, ...]) -> bool:
    """Whether some process of this user compiled these strategies before.

    Raises StrategyError naming the file and line of what can't be compiled.
    """
    return all((cache_folder() / f"{name}.o").is_file() for name in (_engine_symbol(), kernel_symbol(strategies)))


@cache
def kernel_symbol(strategies: tuple[Strategy, ...]) -> str:
    """The name of the loop over these strategies, which changes with everything that goes into it.

    Raises StrategyError naming the file and line of what can't be compiled.
    """
    told = sorted((*places_in_loop(strategies).items(), *((door.__name__, "rare") for door in RARE_DOORS)))
    return f"tape_kernel_{_digest(_engine_symbol(), kernel_text(strategies), str(told), str(call_group(strategies)))}"


@cache
def kernel_of(strategies: tuple[Strategy, ...]) -> Run:
    """The loop over these strategies.

    Compiles what nobody compiled before. Raises StrategyError naming what can't be compiled, ConfigError.
    """
    symbol, doors = kernel_symbol(strategies), _open_doors()
    address = _loaded(symbol, lambda: _compiled(strategies, symbol, doors))
    entry, short_entry = _ENTRY(address), _SHORT_ENTRY(address)
    kept = ctypes.c_int64(), ctypes.c_void_p()
    result_at, cause_at = map(ctypes.addressof, kept)

    def run(call_address: int, *, is_short: bool = False, _kept: Any = kept) -> bool:
        return bool((short_entry if is_short else entry)(result_at, cause_at, call_address) == 0)

    return run


def address_of(functions: Sequence[FunctionType]) -> int:
    """Where the last of these plain functions stands as machine code, which may call those before it.

    What the entry may be given, `compiling.function_object` says; it is called as numba calls its own: where the result
    goes, where the cause of a failure goes, then the arguments, a named tuple's one by one. Compiles what nobody
    compiled before. Raises ConfigError when others may write where it is kept.
    """
    texts = [Path(function.__code__.co_filename).read_text(encoding="utf-8") for function in functions]
    symbol = f"tape_{functions[-1].__name__}_{_digest(*texts)}"
    return _loaded(symbol, lambda: bytes(_compiling().function_object(functions, symbol)))


def _compiled(strategies: tuple[Strategy, ...], symbol: str, doors: dict[Any, str]) -> bytes:
    try:
        return bytes(_compiling().kernel_object(strategies, symbol, doors))
    except Exception as error:  # numba raises whatever its parts raise
        from pipeline.kernel.checking import told_of  # noqa: PLC0415  # wanted here alone

        raise told_of(strategies, error) from error


def _compiling() -> Any:
    from pipeline.kernel import compiling  # noqa: PLC0415  # numba takes half a second to load

    return compiling


@cache
def _engine_symbol() -> str:
    return f"tape_engine_{_digest(engine_text(), str(WORLD))}"


@cache
def _open_doors() -> dict[Any, str]:
    """The engine's functions by their symbols, once it is loaded."""
    doors = {door: f"{_engine_symbol()}_{door.__name__}" for door in DOORS}
    _loaded(_engine_symbol(), lambda: _compiling().engine_object(doors))
    return doors


def _digest(*parts: str) -> str:
    folder = Path(__file__).parent
    beneath = [(folder / f"{name}.py").read_text(encoding="utf-8") for name in _BENEATH]
    versions = [str(sys.version_info[:3]), *map(version, ("numba", "llvmlite", "numpy"))]
    processor = [platform.machine(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    return blake3("\0".join([*parts, *beneath, *versions, *processor]).encode()).hexdigest()[:24]


def _loaded(symbol: str, make: Callable[[], bytes]) -> int:
    """The address of a symbol from the object file of its name; 0 for one that only holds others."""
    path = cache_folder() / f"{symbol}.o"
    made = _kept(path)
    if made is None:
        with _alone(path.with_suffix(".lock")):
            made = _kept(path)  # by who compiled it while we waited
            if made is None:
                made = make()
                _keep(path, made)
    linker = _linker()
    linker.add_object_file(llvm.ObjectFileRef.from_data(made))
    linker.finalize_object()
    return int(linker.get_function_address(symbol))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time that makes the same: the others wait, and find it made. Where nothing can be locked all of them make it.

    The lock is gone behind it: who comes later and finds nothing made has another one, at worst beside who waited here.
    """
    with path.open("ab") as file:
        _wait_for(file.fileno())
        try:
            yield
        finally:
            with suppress(OSError):  # Windows keeps what another process has open
                path.unlink()


def _wait_for(fd: int) -> None:
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - absent on Windows

        with suppress(OSError):  # some file systems have no locks
            fcntl.flock(fd, fcntl.LOCK_EX)


def _kept(path: Path) -> bytes | None:
    """An object file's content; None when there is none, or one that is not whole."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    made = content[_HASH_SIZE:]
    return made if content[:_HASH_SIZE] == blake3(made).digest() else None


def _keep(path: Path, made: bytes) -> None:
    """Whole or not at all: another process may be writing the same."""
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, suffix=".part", delete=False) as file:
        file.write(blake3(made).digest() + made)
    Path(file.name).replace(path)


@cache
def _linker() -> Any:
    """One for the life of the process: what it loaded can't be unloaded while anything may call it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=llvm.get_host_cpu_name(), jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
