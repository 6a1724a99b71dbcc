"""Reading: what is reached from a context is read, never set, but for the shared State.

A context hands out the engine's own rows. A handler that set one would change what money there is, and no event would
say so. Names are followed: `account = ctx.account`, arguments of the file's own functions, and what these give back.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.core.context import Context
from pipeline.core.strategy import HANDLERS, Strategy

_SETS: Final = frozenset(("setattr", "delattr", "__setattr__", "__delattr__"))
_FREE: Final = {"shared"} | {name for name, member in vars(Context).items() if isinstance(member, property)}
"""What a context hands out that is the strategy's own, or a number."""

_CONTEXT_PLACE: Final = 3
"""Of a handler's arguments `(s, event, p, ctx)`."""


def set_from_context(tree: ast.Module, names: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Lines of a strategy's file that set what is reached from a context, and what they set."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    reached = _Reached(functions)
    for strategy in names.values():
        for handler in _handlers(strategy):
            if handler in functions:
                reached.names[handler].update(_argument_names(functions[handler].args)[_CONTEXT_PLACE:][:1])
    while [name for name in functions if reached.spread(name)]:
        pass  # until nothing more is reached
    for name in functions:
        yield from reached.set_in(name)


def _handlers(strategy: Any) -> Iterator[str]:
    if isinstance(strategy, Strategy):
        yield from (handler.__name__ for name in HANDLERS if (handler := getattr(strategy, name)))


def _argument_names(arguments: ast.arguments) -> list[str]:
    return [each.arg for each in (*arguments.posonlyargs, *arguments.args)]


class _Reached:
    """Which names of each function stand for what a context hands out, and which functions give such a thing back."""

    def __init__(self, functions: Mapping[str, ast.FunctionDef]) -> None:
        self.names: dict[str, set[str]] = {name: set() for name in functions}
        self._functions = functions
        self._giving: set[str] = set()

    def spread(self, name: str) -> bool:
        """Follow what one function's names are handed on to; whether that was news."""
        before = self._count()
        for node in ast.walk(self._functions[name]):
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    self._bind(name, target, node.value)
            elif isinstance(node, ast.For):
                self._bind(name, node.target, node.iter)
            elif isinstance(node, ast.Return) and self.has(name, node.value):
                self._giving.add(name)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self._functions:
                self._hand_on(name, node, node.func.id)
        return self._count() > before

    def set_in(self, name: str) -> Iterator[tuple[int, str]]:
        """The lines of a function that set such a thing, and what they set."""
        node: Any
        for node in ast.walk(self._functions[name]):
            is_place = isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load)
            if is_place and self.has(name, node.value):
                yield node.lineno, f"{ast.unparse(node)} is set, which is the engine's"
            elif _is_setter(node) and any(self.has(name, each) for each in node.args):
                yield node.lineno, f"{ast.unparse(node)}: it sets what is the engine's"

    def has(self, name: str, node: ast.expr | None) -> bool:
        """Whether an expression of a function may be such a thing: no number, and not by way of the shared State."""
        if isinstance(node, ast.Attribute):
            return node.attr not in _FREE and self.has(name, node.value)
        if isinstance(node, ast.Call):
            return isinstance(node.func, ast.Name) and node.func.id in self._giving
        if isinstance(node, ast.Name):
            return node.id in self.names[name]
        return any(self.has(name, each) for each in _may_be(node))

    def _bind(self, name: str, target: ast.expr, value: ast.expr | None) -> None:
        """What is given such a thing is one; of tuples, place by place where both are written down."""
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for place, given in zip(target.elts, value.elts, strict=True):
                self._bind(name, place, given)
        elif isinstance(target, ast.Tuple):
            for place in target.elts:
                self._bind(name, place, value)
        elif isinstance(target, ast.Name) and self.has(name, value):
            self.names[name].add(target.id)

    def _hand_on(self, name: str, call: ast.Call, called: str) -> None:
        given = zip(_argument_names(self._functions[called].args), call.args, strict=False)
        pairs = [*given, *((each.arg, each.value) for each in call.keywords)]
        self.names[called] |= {arg for arg, value in pairs if arg and self.has(name, value)}

    def _count(self) -> int:
        return sum(map(len, self.names.values())) + len(self._giving)


def _may_be(node: ast.expr | None) -> list[ast.expr]:
    """What an expression may come to, or may be a part of."""
    match node:
        case ast.Subscript(value=value) | ast.NamedExpr(value=value):
            return [value]
        case ast.IfExp(body=body, orelse=orelse):
            return [body, orelse]
        case ast.BoolOp(values=values) | ast.Tuple(elts=values):
            return values
    return []


def _is_setter(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _SETS
