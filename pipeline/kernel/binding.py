"""Binding: whether every local name has a value wherever it is read, on every way through a function.

Interpreted a name without one raises; compiled it would be 0. Conditions are not understood: what is assigned under one
`if` has no value under the next one, though it ask the same.
"""

import ast
from collections.abc import Collection, Iterable
from typing import Any

Names = frozenset[str] | None
"""The names that have a value at a place; None where nobody comes."""


def first_unbound(definition: ast.FunctionDef) -> ast.Name | None:
    """The first place that reads a local name which may have no value there; None when there is none."""
    arguments = {node.arg for node in ast.walk(definition.args) if isinstance(node, ast.arg)}
    stored = {
        node.id for node in ast.walk(definition) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    walk = _Walk(stored - arguments)
    walk.through(definition.body, frozenset(arguments))
    return min(walk.unbound, key=lambda node: (node.lineno, node.col_offset), default=None)


class _Walk:
    """A walk along all ways of a function."""

    def __init__(self, locals_: Collection[str]) -> None:
        self.unbound: list[ast.Name] = []
        self._locals = locals_
        self._left: list[list[Names]] = []  # of each loop around: what is bound where a break leaves it

    def through(self, statements: Iterable[ast.stmt], names: Names) -> Names:
        """What is bound behind statements."""
        for statement in statements:
            if names is None:
                return None
            names = self._behind(statement, names)
        return names

    def _behind(self, statement: Any, names: frozenset[str]) -> Names:
        if isinstance(statement, (ast.If, ast.For, ast.While)):
            return self._behind_ways(statement, names)
        if isinstance(statement, ast.AugAssign):
            self._read(statement.target, names, is_changed=True)
        if isinstance(statement, ast.Break):
            self._left[-1].append(names)
        self._read(statement, names)
        ends = isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue))
        return None if ends else names | _stored(statement)

    def _behind_ways(self, statement: Any, names: frozenset[str]) -> Names:
        if isinstance(statement, ast.For):
            return self._behind_for(statement, names)
        if isinstance(statement, ast.While):
            return self._behind_while(statement, names)
        self._read(statement.test, names)
        return _met([self.through(statement.body, names), self.through(statement.orelse, names)])

    def _behind_for(self, loop: ast.For, names: frozenset[str]) -> Names:
        self._read(loop.iter, names)
        inside = names | _stored(loop.target)
        self._left.append([])
        self.through(loop.body, inside)
        left = self._left.pop()
        ended = inside if _is_never_empty(loop.iter) else names
        return _met([self.through(loop.orelse, ended), *left])

    def _behind_while(self, loop: ast.While, names: frozenset[str]) -> Names:
        self._read(loop.test, names)
        self._left.append([])
        self.through(loop.body, names)
        left = self._left.pop()
        is_endless = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
        return _met(left if is_endless else [self.through(loop.orelse, names), *left])

    def _read(self, node: ast.AST, names: frozenset[str], *, is_changed: bool = False) -> None:
        """Note the names in a node that have no value."""
        each: Any
        for each in ast.walk(node):
            is_local = isinstance(each, ast.Name) and each.id in self._locals and each.id not in names
            if is_local and (is_changed or isinstance(each.ctx, ast.Load)):
                self.unbound.append(each)


def _met(ways: Iterable[Names]) -> Names:
    """What is bound where ways meet."""
    open_ways = [names for names in ways if names is not None]
    return frozenset.intersection(*open_ways) if open_ways else None


def _stored(node: ast.AST) -> frozenset[str]:
    return frozenset(
        each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    )


def _is_never_empty(iterated: ast.expr) -> bool:
    """Whether a loop runs at least once: over a range up to a positive number, or over a tuple of something."""
    if isinstance(iterated, ast.Tuple):
        return bool(iterated.elts)
    if not (isinstance(iterated, ast.Call) and ast.unparse(iterated.func) == "range" and len(iterated.args) == 1):
        return False
    count = iterated.args[0]
    return isinstance(count, ast.Constant) and isinstance(count.value, int) and count.value > 0
