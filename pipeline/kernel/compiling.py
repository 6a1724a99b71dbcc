"""Compiling: a kernel's text as machine code. The only module beneath `build` that loads numba.

numba optimises every function it meets by itself, with all that it calls, and makes machine code of each. Here it only
translates: all functions are linked into one module, which is optimised once, with nothing visible from outside but
its entries. So callees are inlined where they are called from, and a strategy takes half the time.
"""

import linecache
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any, Final, get_type_hints

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types
from numba.core.callconv import RETCODE_USEREXC, CPUCallConv, Status
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext
from numba.core.errors import NumbaExperimentalFeatureWarning
from numba.core.registry import cpu_target

from pipeline.core.strategy import Strategy
from pipeline.kernel.arithmetic import OPTIONS
from pipeline.kernel.groups import call_group
from pipeline.kernel.primitives import door as make_door
from pipeline.kernel.primitives import group_at
from pipeline.kernel.signatures import door_signature, group_type
from pipeline.kernel.source import DOORS, RARE_DOORS, engine_name, engine_text, kernel_text, places_in_loop


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
    opened = {engine_name(door): _door(doors[door], door, namespace) for door in DOORS}
    found = {"call_at": group_at(group_type(call_group(strategies)))}
    kernel = _executed("kernel", kernel_text(strategies), namespace | opened | found)
    with _only_translated():
        entries = {symbol: _translated(kernel["run"], (types.int64,))}
    return _object(entries, places_in_loop(strategies))


def function_object(functions: Sequence[FunctionType], symbol: str) -> bytes:
    """Plain functions as an object file; each may call those before it, the last one is the entry.

    The entry's parameters are `int`, `float`, arrays of float64, of which it is handed the address, and named tuples of these.
    """
    made: dict[str, Any] = {}
    for function in functions:
        names = {**function.__globals__, **made}
        made[function.__name__] = njit(**OPTIONS)(FunctionType(function.__code__, names, function.__name__))
    entry = functions[-1]
    hints = get_type_hints(entry)
    with _only_translated():
        arguments = tuple(_argument(hint) for name, hint in hints.items() if name != "return")
        return _object({symbol: _translated(made[entry.__name__], arguments)})


def _argument(hint: Any) -> Any:
    if hasattr(hint, "_fields"):
        return types.NamedTuple([_argument(each) for each in get_type_hints(hint).values()], hint)
    return {int: types.int64, float: types.float64}.get(hint) or types.CPointer(types.float64)


def _door(symbol: str, door: Any, namespace: dict[str, Any]) -> Any:
    return make_door(symbol, door_signature(namespace, door), is_rare=door in RARE_DOORS)


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
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in _PATCHED]
    with global_compiler_lock:
        for owner, name, instead in _PATCHED:
            setattr(owner, name, instead)
        try:
            yield
        finally:
            for owner, name, before in kept:
                setattr(owner, name, before)


def _bare_call(convention: Any, builder: Any, callee: Any, result: Any, types_: Any, given: Any, **_: Any) -> Any:
    """A call whose failure is one number, with no cause to carry, and whose result is not cleared before."""
    with builder.goto_entry_block():
        place = builder.alloca(convention.get_return_type(result).pointee)
    cause = convention._get_excinfo_argument(builder.function)  # noqa: SLF001  # handed on: nobody writes there
    packed = convention._get_arg_packer(types_).as_arguments(builder, given)  # noqa: SLF001  # as the replaced one does
    code = builder.call(callee, [place, cause, *packed])
    status = convention._get_return_status(builder, code, cause)  # noqa: SLF001  # as the replaced one does
    return status, convention.context.get_returned_value(builder, result, builder.load(place))


def _bare_status(_convention: Any, builder: Any, code: Any, cause: Any) -> Status:
    failed = builder.icmp_signed(">", code, ir.Constant(code.type, 0))
    no = ir.Constant(failed.type, 0)
    return Status(code, builder.not_(failed), no, failed, no, no, failed, cause)


def _fail(convention: Any, builder: Any, *_: Any, **__: Any) -> None:
    """Return that it failed, and nothing about why: the interpreter will find out."""
    convention._return_errcode_raw(builder, RETCODE_USEREXC)  # noqa: SLF001  # how the replaced one ends


def _take_over_layout(library: Any, module: Any) -> None:
    module.data_layout = library.codegen._data_layout  # noqa: SLF001  # what the replaced function does first


def _call_finished(library: Any) -> None:
    library._finalized = True  # noqa: SLF001  # the replaced function would make machine code


_PATCHED: Final[tuple[tuple[Any, str, Any], ...]] = (
    (CPUCodeLibrary, "_optimize_functions", _take_over_layout),
    (CPUCodeLibrary, "_optimize_final_module", lambda _self: None),
    (CPUCodeLibrary, "_finalize_final_module", _call_finished),
    (CPUContext, "get_executable", lambda *_: [].append),
    (CPUContext, "create_cpython_wrapper", lambda *_, **__: None),
    (CPUContext, "create_cfunc_wrapper", lambda *_, **__: None),
    (CPUCallConv, "call_function", _bare_call),
    (CPUCallConv, "_get_return_status", _bare_status),
    (CPUCallConv, "return_user_exc", _fail),
    (CPUCallConv, "return_status_propagate", _fail),
    (cpu_target.target_context, "cached_internal_func", {}),  # of numba's own functions, what is made so is ours alone
)
"""What stands in for numba's own here, each where the other is looked for."""


def _translated(dispatcher: Any, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """A function's name and the module that holds it, with all it calls."""
    with warnings.catch_warnings():
        # Of two States that begin alike numba takes one's code for both: right, though it calls that experimental.
        warnings.simplefilter("ignore", NumbaExperimentalFeatureWarning)
        dispatcher.compile(arguments)
    made = dispatcher.overloads[arguments]
    made.library._ensure_finalized()  # noqa: SLF001  # here: what it calls is linked in
    return made.fndesc.llvm_func_name, made.library._final_module  # noqa: SLF001  # LLVM's own, not yet optimised


def _object(entries: Mapping[str, tuple[str, Any]], told: Mapping[str, tuple[str, ...]] | None = None) -> bytes:
    """One object file in which only the entries can be seen, under their symbols; `told` are attributes by function."""
    codegen = cpu_target.target_context.codegen()
    whole = llvm.parse_assembly(str(codegen._create_empty_module("tape")))  # noqa: SLF001  # with numba's data layout
    for _, module in entries.values():
        whole.link_in(module, preserve=True)
    names = {name: symbol for symbol, (name, _) in entries.items()}
    for function in whole.functions:
        if not function.is_declaration:
            function.linkage = "external" if function.name in names else "internal"
            for attribute in _attributes_of(function.name, told or {}):
                function.add_function_attribute(attribute)
            function.name = names.get(function.name, function.name)
    for variable in whole.global_variables:
        if variable.linkage == llvm.Linkage.common:
            variable.linkage = "internal"  # each function's environment, for objects of Python, of which there are none
    whole.verify()
    passes, builder = codegen._module_pass_manager()  # noqa: SLF001  # numba's own order of passes
    passes.add_global_dead_code_eliminate_pass()
    passes.run(whole, builder)
    return bytes(codegen._tm.emit_object(whole))  # noqa: SLF001  # for the processor numba compiles for


def _attributes_of(mangled: str, told: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What is told of a function, by the name numba made of its own."""
    return next((attributes for name, attributes in told.items() if f"{len(name)}{name}B" in mangled), ())
