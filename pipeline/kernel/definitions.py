"""Definitions: functions as their files have them, and the error that names a place in one."""

import ast
from collections.abc import Iterator
from types import FunctionType
from typing import Final

from pipeline.errors import StrategyError


class RefusalError(StrategyError):
    """A place that has no meaning in compiled code: `file`, `line`, and `what` stands there."""

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}: line {line}: {what} can't be compiled (docs/dialect.md)")
        self.file = file
        self.line = line
        self.what = what


def statements_of(function: ast.AST) -> Iterator[ast.stmt]:
    """All statements of a function in the order of their lines."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.stmt):
            yield child
            yield from statements_of(child)


def definition_of(function: FunctionType) -> ast.FunctionDef:
    """A function's definition in its file, to be changed by who gets it.

    Raises StrategyError when there is none to be found, as for a lambda.
    """
    code = function.__code__
    place = (function.__name__, code.co_firstlineno)
    found = _parsed.get(code.co_filename, {}).pop(place, None)
    if found is None:
        _parsed[code.co_filename] = _definitions(code.co_filename)
        found = _parsed[code.co_filename].pop(place, None)
    if found is None:
        raise StrategyError(f"{code.co_filename}: line {code.co_firstlineno}: {function.__name__} is no plain function")
    return found


_parsed: Final[dict[str, dict[tuple[str, int], ast.FunctionDef]]] = {}
"""Definitions nobody took yet, by file: most are wanted once, and reading a file again is cheaper than copying trees."""


def _definitions(path: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """By name and by any line on which it may be said to begin."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  # a name as Python keeps it, `<string>` among them
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return {}
    return {
        (node.name, line): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for line in (node.lineno, *(each.lineno for each in node.decorator_list))
    }
