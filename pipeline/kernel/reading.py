"""Reading: what is reached from a context is read, never set, but for the shared State.

A context hands out the engine's own rows. A handler that set one would change what money there is, and no event would
say so. Names are followed: `account = ctx.account`, and arguments of the file's own functions.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.core.strategy import HANDLERS, Strategy

_SETS: Final = frozenset(("setattr", "delattr", "__setattr__", "__delattr__"))
_CONTEXT_PLACE: Final = 3
"""Of a handler's arguments `(s, event, p, ctx)`."""


def set_from_context(tree: ast.Module, names: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Lines of a strategy's file that set what is reached from a context, and what they set."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    reached: dict[str, set[str]] = {name: set() for name in functions}
    for strategy in names.values():
        for handler in _handlers(strategy):
            if handler in functions:
                reached[handler].update(_argument_names(functions[handler].args)[_CONTEXT_PLACE:][:1])
    while [name for name in functions if _spread(functions, reached, name)]:
        pass  # until nothing more is reached
    for name, function in functions.items():
        yield from _set_in(function, reached[name])


def _handlers(strategy: Any) -> Iterator[str]:
    if isinstance(strategy, Strategy):
        yield from (handler.__name__ for name in HANDLERS if (handler := getattr(strategy, name)))


def _argument_names(arguments: ast.arguments) -> list[str]:
    return [each.arg for each in (*arguments.posonlyargs, *arguments.args)]


def _spread(functions: Mapping[str, ast.FunctionDef], reached: dict[str, set[str]], name: str) -> bool:
    """Follow what one function's names are handed on to; whether that was news."""
    before = sum(map(len, reached.values()))
    for node in ast.walk(functions[name]):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and _is_reached(node.value, reached[name]):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            reached[name] |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.For) and _is_reached(node.iter, reached[name]) and isinstance(node.target, ast.Name):
            reached[name].add(node.target.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            given = zip(_argument_names(functions[node.func.id].args), node.args, strict=False)
            pairs = [*given, *((each.arg, each.value) for each in node.keywords)]
            reached[node.func.id] |= {arg for arg, value in pairs if arg and _is_reached(value, reached[name])}
    return sum(map(len, reached.values())) > before


def _set_in(function: ast.FunctionDef, reached: set[str]) -> Iterator[tuple[int, str]]:
    node: Any
    for node in ast.walk(function):
        is_place = isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load)
        if is_place and _is_reached(node, reached):
            yield node.lineno, f"{ast.unparse(node)} is set, which is the engine's"
        elif _is_setter(node) and any(_is_reached(each, reached) for each in node.args):
            yield node.lineno, f"{ast.unparse(node)}: it sets what is the engine's"


def _is_setter(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _SETS


def _is_reached(node: ast.expr | None, reached: set[str]) -> bool:
    """Whether an expression begins with such a name, and does not go by way of the shared State."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Attribute) and node.attr == "shared":
            return False
        node = node.value
    return isinstance(node, ast.Name) and node.id in reached
