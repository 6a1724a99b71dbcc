"""Arithmetic: integers that never wrap in silence, and what Python's own functions do at the edges.

An operation on integers raises OverflowError where Python's would pass 64 bits: the input is then reduced interpreted,
where the true number decides.
"""

import math
from typing import Any, Final

from llvmlite import ir
from numba import njit, types
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic, overload

OPTIONS: Final = {"boundscheck": True, "error_model": "python", "nogil": True}
"""How everything is compiled."""

EXACT_INT_MAX: Final = 2**53
"""Up to here every integer is a float64."""


def is_int(type_: Any) -> bool:
    """Whether a type counts: an integer or a bool, as a literal too."""
    return isinstance(type_, (types.Integer, types.Boolean, types.IntegerLiteral, types.BooleanLiteral))


def is_number(type_: Any) -> bool:
    """Whether a type counts or measures."""
    return is_int(type_) or isinstance(type_, types.Float)


def _only_numbers(sign: str, *given: Any) -> None:
    if not all(map(is_number, given)):
        raise NumbaTypeError(f"{sign} of {' and '.join(str(types.unliteral(each)) for each in given)}: only of numbers")


def _checked(name: str) -> Any:
    """An intrinsic for `a name b`: checked on integers, plain on floats."""
    exact = {"add": "sadd", "sub": "ssub", "mul": "smul"}[name]
    plain = {"add": "fadd", "sub": "fsub", "mul": "fmul"}[name]

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, right = (
            context.cast(builder, arg, given, signature.return_type)
            for arg, given in zip(args, signature.args, strict=True)
        )
        if signature.return_type == types.float64:
            return getattr(builder, plain)(left, right)
        both = getattr(builder, f"{exact}_with_overflow")(left, right)
        with builder.if_then(builder.extract_value(both, 1), likely=False):
            context.call_conv.return_user_exc(builder, OverflowError, ())
        return builder.extract_value(both, 0)

    def typed(_context: Any, left: Any, right: Any) -> Any:
        _only_numbers(name, left, right)
        made = types.int64 if is_int(left) and is_int(right) else types.float64
        return made(types.unliteral(left), types.unliteral(right)), build

    return intrinsic(typed)


add = _checked("add")
sub = _checked("sub")
mul = _checked("mul")


@intrinsic
def div(_context: Any, left: Any, right: Any) -> Any:
    """`left / right`; of two integers only where both are exact as float64."""
    _only_numbers("div", left, right)
    both = is_int(left) and is_int(right)

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if both:
            for arg, given in zip(args, signature.args, strict=True):
                wide = context.cast(builder, arg, given, types.int64)
                limit = ir.Constant(wide.type, EXACT_INT_MAX)
                is_far = builder.icmp_unsigned(">", builder.add(wide, limit), ir.Constant(wide.type, 2 * EXACT_INT_MAX))
                with builder.if_then(is_far, likely=False):
                    context.call_conv.return_user_exc(builder, OverflowError, ())
        top, bottom = (
            context.cast(builder, arg, given, types.float64) for arg, given in zip(args, signature.args, strict=True)
        )
        is_zero = builder.fcmp_ordered("==", bottom, ir.Constant(bottom.type, 0.0))
        with builder.if_then(is_zero, likely=False):
            context.call_conv.return_user_exc(builder, ZeroDivisionError, ())
        return builder.fdiv(top, bottom)

    return types.float64(types.unliteral(left), types.unliteral(right)), build


@intrinsic
def neg(_context: Any, value: Any) -> Any:
    """`-value`."""
    _only_numbers("minus", value)
    made = types.int64 if is_int(value) else types.float64

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = context.cast(builder, args[0], signature.args[0], made)
        if made == types.float64:
            return builder.fneg(given)
        both = builder.ssub_with_overflow(ir.Constant(given.type, 0), given)
        with builder.if_then(builder.extract_value(both, 1), likely=False):
            context.call_conv.return_user_exc(builder, OverflowError, ())
        return builder.extract_value(both, 0)

    return made(types.unliteral(value)), build


@intrinsic
def float_(_context: Any, value: Any) -> Any:
    """`float(value)`, of a bool too."""
    _only_numbers("float", value)

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.cast(builder, args[0], signature.args[0], types.float64)

    return types.float64(types.unliteral(value)), build


def _to_int(name: str) -> Any:
    """An intrinsic that makes an int64 of a float by a rule of LLVM's; what fits none raises."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = context.cast(builder, args[0], signature.args[0], signature.args[0])
        if is_int(signature.args[0]):
            return context.cast(builder, given, signature.args[0], types.int64)
        rounded = builder.call(builder.module.declare_intrinsic(f"llvm.{name}", [given.type]), [given])
        size = ir.Constant(given.type, float(2**63))
        fits = builder.and_(
            builder.fcmp_ordered("<", rounded, size), builder.fcmp_ordered(">=", rounded, builder.fneg(size))
        )
        with builder.if_then(builder.not_(fits), likely=False):
            context.call_conv.return_user_exc(builder, OverflowError, ())
        return builder.fptosi(rounded, ir.IntType(64))

    def typed(_context: Any, value: Any) -> Any:
        _only_numbers(name, value)
        return types.int64(types.unliteral(value)), build

    return intrinsic(typed)


int_ = _to_int("trunc")
round_ = _to_int("rint")
floor = _to_int("floor")
ceil = _to_int("ceil")


@intrinsic
def abs_(_context: Any, value: Any) -> Any:
    """`abs(value)`."""
    _only_numbers("abs", value)
    made = types.int64 if is_int(value) else types.float64

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = context.cast(builder, args[0], signature.args[0], made)
        if made == types.float64:
            return builder.call(builder.module.declare_intrinsic("llvm.fabs", [given.type]), [given])
        both = builder.ssub_with_overflow(ir.Constant(given.type, 0), given)
        is_below = builder.icmp_signed("<", given, ir.Constant(given.type, 0))
        with builder.if_then(builder.and_(is_below, builder.extract_value(both, 1)), likely=False):
            context.call_conv.return_user_exc(builder, OverflowError, ())
        return builder.select(is_below, builder.extract_value(both, 0), given)

    return made(types.unliteral(value)), build


# numba compares the signatures of an overload and of what it gives, annotations included: these have none.


def floordiv(left: Any, right: Any) -> Any:
    """`left // right`."""
    return left // right


@overload(floordiv, jit_options=OPTIONS)
def _floordiv(left, right):  # noqa: ANN001, ANN202  # as said above
    if is_int(left) and is_int(right):
        return lambda left, right: neg(left) if right == -1 else int_(left) // int_(right)
    return lambda left, right: float_(left) // float_(right)


def mod(left: Any, right: Any) -> Any:
    """`left % right`."""
    return left % right


@overload(mod, jit_options=OPTIONS)
def _mod(left, right):  # noqa: ANN001, ANN202  # as said above
    if is_int(left) and is_int(right):
        return lambda left, right: 0 if right == -1 else int_(left) % int_(right)
    return lambda left, right: float_(left) % float_(right)


_SHIFT_MAX: Final = 63


def shl(left: Any, right: Any) -> Any:
    """`left << right`."""
    return left << right


@overload(shl, jit_options=OPTIONS)
def _shl(left, right):  # noqa: ANN001, ANN202  # as said above
    _only_ints("<<", left, right)

    def shifted(left, right):  # noqa: ANN001, ANN202  # as said above
        given, places = int_(left), int_(right)
        if places < 0 or places > _SHIFT_MAX:
            raise OverflowError  # or Python's ValueError
        made = given << places
        if made >> places != given:
            raise OverflowError
        return made

    return shifted


def shr(left: Any, right: Any) -> Any:
    """`left >> right`."""
    return left >> right


@overload(shr, jit_options=OPTIONS)
def _shr(left, right):  # noqa: ANN001, ANN202  # as said above
    _only_ints(">>", left, right)

    def shifted(left, right):  # noqa: ANN001, ANN202  # as said above
        places = int_(right)
        if places < 0:
            raise ValueError
        return int_(left) >> min(places, _SHIFT_MAX)

    return shifted


def _only_ints(sign: str, left: Any, right: Any) -> None:
    if not (is_int(left) and is_int(right)):
        raise NumbaTypeError(f"{types.unliteral(left)} {sign} {types.unliteral(right)}: only integers are shifted")


@njit(**OPTIONS)
def log(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # compiled for what it is called with
    """`math.log(x)`, which has none at and below 0."""
    if x <= 0:
        raise ValueError
    return math.log(float_(x))


@njit(**OPTIONS)
def sqrt(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as `log`
    """`math.sqrt(x)`, which has none below 0."""
    if x < 0:
        raise ValueError
    return math.sqrt(float_(x))


@njit(**OPTIONS)
def exp(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as `log`
    """`math.exp(x)`, which passes the largest float above 709."""
    made = math.exp(float_(x))
    if math.isinf(made) and not math.isinf(float_(x)):
        raise OverflowError
    return made
