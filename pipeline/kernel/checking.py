"""Checking: every place of a strategy that can't be compiled, not only the first, each with its line and rule.

Two look: the translation, which goes on behind what it refuses, and numba, whose complaint about a line of the text is
led back to the line it was made from.
"""

import ast
import re
from collections.abc import Iterator
from types import FunctionType
from typing import Any, Final

from pipeline.core.strategy import HANDLERS, Strategy
from pipeline.errors import StrategyError
from pipeline.kernel.rules import Breach
from pipeline.kernel.source import kernel_text
from pipeline.kernel.translate import RefusalError, Translator, definition_of

_FORMS: Final = frozenset(
    ("try", "with", "lambda", "a function inside a function", "a class inside a function", "a comprehension", "yield", "import",
     "global", "nonlocal", "del", "an f-string", "*", "match")
)  # fmt: skip
_VALUES: Final = frozenset(("a list", "a dict", "a set"))
_LINE: Final = re.compile(r'File "<kernel>", line (\d+)')
_REASONS: Final = (
    r"NumbaTypeError: ([^\n]*)",
    r"(Unknown attribute [^\n]*)",
    r"(Cannot unify [^\n]*)",
    r"TypingError: ([^\n]*)",
)
"""Numba's words for what is wrong, those that say most first."""


def refusals(strategy: Strategy) -> list[Breach]:
    """What the translation of a strategy's handlers, and of all they call, refuses; by file and line."""
    return sorted(set(_translated(strategy).breaches))


def breach_of(strategy: Strategy, error: StrategyError) -> Breach | None:
    """The strategy's line that numba's complaint is about; None when it names none of its lines."""
    text = kernel_text((strategy,))
    lines = [int(number) for number in _LINE.findall(str(error))]
    sources = {name: function for function, name in _translated(strategy).names.items()}
    for line in lines:
        name, place = _statement_at(ast.parse(text), line)
        if name in sources:
            code = sources[name].__code__
            return Breach(code.co_filename, _lines_of(definition_of(sources[name]))[place], "type", _reason(str(error)))
    return None


def _reason(words: str) -> str:
    found = next((match for pattern in _REASONS if (match := re.search(pattern, words))), None)
    return found[1] if found else "a value that has no type that could be compiled"


class _Patient(Translator):
    """Goes on behind what it refuses; that counts as the number 0."""

    def __init__(self) -> None:
        super().__init__()
        self.breaches: list[Breach] = []
        self.names = self._names

    def translated(self, function: FunctionType, name: str) -> str:
        try:
            return super().translated(function, name)
        except RefusalError as refusal:  # of the function as a whole
            self._note(refusal)
        return ""

    def refused(self, refusal: RefusalError, node: ast.AST) -> Any:
        self._note(refusal)
        return ast.Constant(0) if isinstance(node, ast.expr) else None

    def _note(self, refusal: RefusalError) -> None:
        self.breaches.append(Breach(refusal.file, refusal.line, _rule_of(refusal.what), refusal.what))


def _translated(strategy: Strategy) -> _Patient:
    translator = _Patient()
    for name in HANDLERS:
        handler = getattr(strategy, name)
        if isinstance(handler, FunctionType):
            try:
                translator.add(handler)
            except StrategyError as error:  # no plain function: its definition is not to be found
                code = handler.__code__
                translator.breaches.append(
                    Breach(code.co_filename, code.co_firstlineno, "form", str(error).rpartition(": ")[2])
                )
    return translator


def _rule_of(what: str) -> str:
    if what in _FORMS:
        return "form"
    if what in _VALUES:
        return "value"
    if what.startswith("a call of ") or what in ("sum", "print"):
        return "call"
    if what.startswith("**"):
        return "power"
    return "argument" if "argument" in what else "name"


def _statement_at(tree: ast.Module, line: int) -> tuple[str, int]:
    """The function of a text that a line lies in, and which of its statements it is."""
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.lineno <= line <= (function.end_lineno or 0):
            starts = [statement.lineno for statement in _statements(function)]
            return function.name, max((i for i, start in enumerate(starts) if start <= line), default=0)
    return "", 0


def _lines_of(definition: ast.FunctionDef) -> list[int]:
    """The lines of the statements that the translation keeps, each as one."""
    kept = [
        statement.lineno
        for statement in _statements(definition)
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        and not (isinstance(statement, ast.AnnAssign) and statement.value is None)
    ]
    return kept or [definition.lineno]


def _statements(function: ast.AST) -> Iterator[ast.stmt]:
    """All statements of a function in the order of their lines."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.stmt):
            yield child
            yield from _statements(child)
