"""Compiling: a kernel's text as machine code. The only module beneath `build` that loads numba.

numba optimises every function it meets by itself, with all that it calls, and makes machine code of each. Here it only
translates: all functions are linked into one module, which is optimised once, with nothing visible from outside but
its entries. So callees are inlined where they are called from, and a strategy takes half the time.
"""

import linecache
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import llvmlite.binding as llvm
from numba import types
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext
from numba.core.errors import NumbaExperimentalFeatureWarning
from numba.core.registry import cpu_target

from pipeline.core.strategy import Strategy
from pipeline.kernel.groups import call_group
from pipeline.kernel.primitives import door as make_door
from pipeline.kernel.primitives import group_at
from pipeline.kernel.signatures import door_signature, group_type
from pipeline.kernel.source import DOORS, engine_name, engine_text, kernel_text

_PATCHED: Final = (
    (CPUCodeLibrary, "_optimize_functions"),
    (CPUCodeLibrary, "_optimize_final_module"),
    (CPUCodeLibrary, "_finalize_final_module"),
    (CPUContext, "get_executable"),
)


def engine_object(symbols: Mapping[Any, str]) -> bytes:
    """The engine as an object file: each door under its symbol."""
    namespace, entries = _engine(), {}
    with _only_translated():
        for door, symbol in symbols.items():
            entries[symbol] = _translated(namespace[engine_name(door)], door_signature(namespace, door).args)
    return _object(entries)


def kernel_object(strategies: tuple[Strategy, ...], symbol: str, doors: Mapping[Any, str]) -> bytes:
    """The loop over these strategies as an object file that calls the engine through the symbols of its doors."""
    namespace = _engine()
    opened = {engine_name(door): make_door(doors[door], door_signature(namespace, door)) for door in DOORS}
    found = {"call_at": group_at(group_type(call_group(strategies)))}
    kernel = _executed("kernel", kernel_text(strategies), namespace | opened | found)
    with _only_translated():
        entries = {symbol: _translated(kernel["run"], (types.int64,))}
    return _object(entries)


@cache
def _engine() -> dict[str, Any]:
    return _executed("engine", engine_text(), {})


def _executed(name: str, text: str, names: Mapping[str, Any]) -> dict[str, Any]:
    """What a text defines. numba's errors show its lines."""
    file = f"<{name}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace = {**names, "__name__": f"tape_{name}"}
    exec(compile(text, file, "exec"), namespace)  # noqa: S102  # the text was written by `source`
    return namespace


@contextmanager
def _only_translated() -> Iterator[None]:
    """Have numba stop behind its own part of the work: nothing is optimised, nothing can be called."""
    kept = [(owner, name, getattr(owner, name)) for owner, name in _PATCHED]
    given = (_take_over_layout, lambda _self: None, _call_finished, lambda *_: [].append)
    with global_compiler_lock:
        for (owner, name), instead in zip(_PATCHED, given, strict=True):
            setattr(owner, name, instead)
        try:
            yield
        finally:
            for owner, name, before in kept:
                setattr(owner, name, before)


def _take_over_layout(library: Any, module: Any) -> None:
    module.data_layout = library.codegen._data_layout  # noqa: SLF001  # what the replaced function does first


def _call_finished(library: Any) -> None:
    library._finalized = True  # noqa: SLF001  # the replaced function would make machine code


def _translated(dispatcher: Any, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """A function's name and the module that holds it, with all it calls."""
    with warnings.catch_warnings():
        # Of two States that begin alike numba takes one's code for both: right, though it calls that experimental.
        warnings.simplefilter("ignore", NumbaExperimentalFeatureWarning)
        dispatcher.compile(arguments)
    made = dispatcher.overloads[arguments]
    made.library._ensure_finalized()  # noqa: SLF001  # here: what it calls is linked in
    return made.fndesc.llvm_func_name, made.library._final_module  # noqa: SLF001  # LLVM's own, not yet optimised


def _object(entries: Mapping[str, tuple[str, Any]]) -> bytes:
    """One object file in which only the entries can be seen, under their symbols."""
    codegen = cpu_target.target_context.codegen()
    whole = llvm.parse_assembly(str(codegen._create_empty_module("tape")))  # noqa: SLF001  # with numba's data layout
    for _, module in entries.values():
        whole.link_in(module, preserve=True)
    names = {name: symbol for symbol, (name, _) in entries.items()}
    for function in whole.functions:
        if not function.is_declaration:
            function.linkage = "external" if function.name in names else "internal"
            function.name = names.get(function.name, function.name)
    for variable in whole.global_variables:
        if variable.linkage == llvm.Linkage.common:
            variable.linkage = "internal"  # each function's environment, for objects of Python, of which there are none
    whole.verify()
    passes, builder = codegen._module_pass_manager()  # noqa: SLF001  # numba's own order of passes
    passes.add_global_dead_code_eliminate_pass()
    passes.run(whole, builder)
    return bytes(codegen._tm.emit_object(whole))  # noqa: SLF001  # for the processor numba compiles for
