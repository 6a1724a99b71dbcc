"""Unifying: a name has one type on every way through a function, or the function is refused.

Where an integer and a float meet, numba goes on with a float of both: beyond 2^53 that is another number, and of integers
the interpreter's arithmetic is exact. A function that gives nothing at one of its ends is refused too.
"""

from collections.abc import Iterator
from typing import Any, Final

from numba.core import ir, types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.errors import NumbaTypeError
from numba.core.typed_passes import InlineOverloads, NopythonTypeInference
from numba.core.untyped_passes import InlineClosureLikes

from pipeline.kernel.arithmetic import is_int


@register_pass(mutates_CFG=False, analysis_only=True)
class OneType(AnalysisPass):
    """Looks at every assignment behind the inference of types."""

    _name = "one_type"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Nothing is changed. Raises NumbaTypeError."""
        if isinstance(state.return_type, types.Optional):
            raise NumbaTypeError(f"None at one end and {state.return_type.type} at another", state.func_ir.loc)
        for line, given, made in _meetings(state):
            if _is_widened(given, made):
                raise NumbaTypeError(f"an integer here, a float on another way to the same place: {given}", line)
        return False


def _meetings(state: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(where, what it was, what it is) of every value that goes from one name to another."""
    for block in state.func_ir.blocks.values():
        for each in block.body:
            if not isinstance(each, ir.Assign):
                continue
            made = state.typemap[each.target.name]
            if isinstance(each.value, ir.Var):
                yield each.loc, state.typemap[each.value.name], made
            elif isinstance(each.value, ir.Expr) and each.value.op == "cast":  # what is returned
                yield each.loc, state.typemap[each.value.value.name], made
            elif isinstance(each.value, ir.Expr) and each.value.op == "phi":
                yield from (
                    (var.loc, state.typemap[var.name], made)
                    for var in each.value.incoming_values
                    if isinstance(var, ir.Var)
                )


def _is_widened(given: Any, made: Any) -> bool:
    """Whether an integer becomes a float, or one in a tuple does."""
    if isinstance(given, types.BaseTuple) and isinstance(made, types.BaseTuple):
        return any(_is_widened(one, other) for one, other in zip(given, made, strict=True))
    return is_int(given) and isinstance(made, types.Float)


_NEEDLESS: Final = (InlineClosureLikes, InlineOverloads)
"""Passes over what no text has: a tenth of the time that compiling takes."""


class OneTypeCompiler(CompilerBase):
    """numba's own, with that look, without those passes."""

    def define_pipelines(self) -> list[Any]:
        """The one way a function goes."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [each for each in passes.passes if each[0] not in _NEEDLESS]
        passes.add_pass_after(OneType, NopythonTypeInference)
        passes.finalize()
        return [passes]
