"""Vocabulary: what translated text is written with: which function stands for what, which forms have no meaning, small pieces."""

import ast
import math
from types import FunctionType
from typing import Any, Final

from pipeline.core import cells, verbs

BUILTINS: Final = frozenset(("bool", "len", "range"))
MATH: Final = frozenset(("isfinite", "isinf", "isnan"))
TWINS: Final = {
    abs: "abs_",
    int: "int_",
    float: "float_",
    round: "round_",
    math.floor: "floor",
    math.ceil: "ceil",
    math.trunc: "int_",
    math.exp: "exp",
    math.log: "log",
    math.sqrt: "sqrt",
}
"""Functions of one number that have a checked twin in `arithmetic`."""

EXTREMES: Final = {max: "max_", min: "min_"}
OPERATORS: Final = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.LShift: "shl",
    ast.RShift: "shr",
}
COMPARISONS: Final = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
INT_MAX: Final = 2**63 - 1
_SMALL: Final = 2**53
"""Below it every integer is a float, so that a compiler compares one written down as Python does."""
DELIVERIES: Final[dict[Any, str]] = {cells.deliver: "deliver", cells.deliver_to_one: "deliver_to_one"}
REFUSED: Final = {
    ast.Try: "try",
    ast.With: "with",
    ast.Lambda: "lambda",
    ast.FunctionDef: "a function inside a function",
    ast.ClassDef: "a class inside a function",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.List: "a list",
    ast.Dict: "a dict",
    ast.Set: "a set",
    ast.Yield: "yield",
    ast.Import: "import",
    ast.ImportFrom: "import",
    ast.Global: "global",
    ast.Nonlocal: "nonlocal",
    ast.Delete: "del",
    ast.JoinedStr: "an f-string",
    ast.Starred: "*",
    ast.Pow: "** (use ipow)",
    ast.Match: "match",
    ast.MatMult: "@",
    ast.NamedExpr: ":=",
    ast.Slice: "a slice",
}


def own(name: str) -> str:
    """A local name as the text has it, where nothing else ends like this."""
    return f"{name}__"


def leaves(target: Any) -> list[Any]:
    """What a target assigns to: the members of a tuple, else itself."""
    return target.elts if isinstance(target, ast.Tuple) else [target]


def is_one_of(value: Any, functions: dict[Any, str]) -> bool:
    """Whether a value is one of these very functions."""
    return any(value is each for each in functions)


def is_written(node: ast.expr) -> bool:
    """Whether a translated expression is a number that is written down."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float))


def is_small(node: ast.expr) -> bool:
    """Whether it is an integer written down that a float holds."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and abs(node.value) <= _SMALL


def assigned(target: Any, value: Any) -> Any:
    """An assignment; to a member or a place of an array by a function that looks at its type.

    The value comes first, as it does in Python: it may be made by a call that moves the target.
    """
    if isinstance(target, ast.Attribute):
        return ast.Expr(call_of("put_member", [value, target.value, ast.Constant(target.attr)]))
    if isinstance(target, ast.Subscript):
        return ast.Expr(call_of("put_item", [value, target.value, target.slice]))
    return ast.Assign([target], value)


def call_of(name: str, arguments: list[Any]) -> ast.Call:
    """A call of a name of the text."""
    return ast.Call(ast.Name(name, ast.Load()), arguments, [])


def handed_to(
    function: FunctionType, arguments: list[Any], keywords: list[ast.keyword]
) -> tuple[list[Any], list[ast.keyword]]:
    """The arguments of a call, as the function in the text takes them.

    A verb takes floats, whatever number stands there: `enter(ctx, side, quantity=5)`. A function of a strategy's own may
    ask whether it was given an integer.
    """
    is_verb = function.__module__ == verbs.__name__
    floats = {name for name, type_ in function.__annotations__.items() if type_ is float and is_verb}
    names = function.__code__.co_varnames
    return (
        [_plain(each, is_float=name in floats) for each, name in zip(arguments, names, strict=False)],
        [ast.keyword(own(each.arg or ""), _plain(each.value, is_float=each.arg in floats)) for each in keywords],
    )


def _plain(value: Any, *, is_float: bool) -> Any:
    """An argument that is a number, as any number: numba would compile the function anew for each one it is called with.

    Where a float is wanted, a small integer written down is one.
    """
    if is_float and is_small(value):
        return number(float(ast.literal_eval(value)))
    is_int = isinstance(value, ast.Constant) and type(value.value) is int
    return call_of("int64", [value]) if is_int else value


def number(value: Any) -> ast.expr:
    """A number as an expression."""
    if isinstance(value, bool):
        return ast.Constant(value)
    if isinstance(value, int):
        return ast.Constant(int(value))
    if math.isnan(value):
        return ast.Name("NAN", ast.Load())
    if math.isinf(value):
        return ast.Name("INF" if value > 0 else "MINUS_INF", ast.Load())
    return ast.Constant(float(value))
