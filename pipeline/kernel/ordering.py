"""Ordering: comparisons as Python makes them, an integer against a float by their exact values.

A compiler would make a float of the integer first: beyond 2^53 two different numbers become equal, and times in
nanoseconds are far beyond.
"""

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic

from pipeline.kernel.arithmetic import is_int, is_number

_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_BIT: Final = ir.IntType(1)
_WORD: Final = ir.IntType(64)


def _comparison(sign: str) -> Any:
    """An intrinsic for `a sign b` of numbers."""

    def typed(_context: Any, left: Any, right: Any) -> Any:
        if not (is_number(left) and is_number(right)):
            raise NumbaTypeError(f"{types.unliteral(left)} {sign} {types.unliteral(right)}: only numbers are compared")
        return types.boolean(types.unliteral(left), types.unliteral(right)), _compared(sign)

    return intrinsic(typed)


def _compared(sign: str) -> Callable[..., Any]:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = [types.int64 if is_int(given) else types.float64 for given in signature.args]
        left, right = (
            context.cast(builder, arg, given, made) for arg, given, made in zip(args, signature.args, wide, strict=True)
        )
        if wide == [types.int64, types.int64]:
            return builder.icmp_signed(sign, left, right)
        if wide == [types.float64, types.float64]:
            return (builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered)(sign, left, right)
        if wide == [types.int64, types.float64]:
            return _mixed(builder, sign, left, right)
        return _mixed(builder, _MIRRORED[sign], right, left)

    return build


def _mixed(builder: Any, sign: str, whole: Any, number: Any) -> Any:
    """An int64 against a float64. Where the integer, rounded to a float, differs from it, so does the integer, to the same side."""
    if sign in ("!=", ">="):
        opposite = {"!=": "==", ">=": "<"}[sign]
        differs = builder.not_(_mixed(builder, opposite, whole, number))
        return differs if sign == "!=" else builder.and_(differs, builder.fcmp_ordered("ord", number, number))
    rounded = builder.sitofp(whole, number.type)
    to_int = builder.module.declare_intrinsic(
        "llvm.fptosi.sat", [_WORD, number.type], ir.FunctionType(_WORD, [number.type])
    )
    exact = builder.icmp_signed(sign, whole, builder.call(to_int, [number]))
    is_beyond = builder.fcmp_ordered(">=", number, ir.Constant(number.type, float(2**63)))
    met = builder.select(is_beyond, ir.Constant(_BIT, int(sign in ("<", "<="))), exact)
    is_met = builder.and_(builder.fcmp_ordered("==", rounded, number), met)
    return is_met if sign == "==" else builder.or_(builder.fcmp_ordered(sign[0], rounded, number), is_met)


eq = _comparison("==")
ne = _comparison("!=")
lt = _comparison("<")
le = _comparison("<=")
gt = _comparison(">")
ge = _comparison(">=")


@intrinsic
def same(_context: Any, left: Any, right: Any) -> Any:
    """`left == right` of integers alone."""
    if not (is_int(left) and is_int(right)):
        raise NumbaTypeError(f"{types.unliteral(left)} in a tuple with a {types.unliteral(right)}: a NaN may be in it")
    return types.boolean(types.unliteral(left), types.unliteral(right)), _compared("==")


def _extreme(name: str, sign: str) -> Any:
    """An intrinsic for `max(a, b)` or `min(a, b)`: the first, unless the second is beyond it."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, right = (
            context.cast(builder, arg, given, signature.return_type)
            for arg, given in zip(args, signature.args, strict=True)
        )
        is_whole = signature.return_type == types.int64
        is_second = (builder.icmp_signed if is_whole else builder.fcmp_ordered)(sign, right, left)
        return builder.select(is_second, right, left)

    def typed(_context: Any, left: Any, right: Any) -> Any:
        if not (is_number(left) and is_number(right)) or is_int(left) != is_int(right):
            given = f"{types.unliteral(left)} and {types.unliteral(right)}"
            raise NumbaTypeError(f"{name} of {given}: its type would be that of the larger or smaller one")
        made = types.int64 if is_int(left) else types.float64
        return made(types.unliteral(left), types.unliteral(right)), build

    return intrinsic(typed)


max_ = _extreme("max", ">")
min_ = _extreme("min", "<")
