"""Checking: every place of a strategy that can't be compiled, not only the first, each with its line and rule.

Two look: the translation, which goes on behind what it refuses, and numba, whose complaint about a line of the text is
led back to the line it was made from.
"""

import ast
import re
from collections.abc import Sequence
from types import FunctionType
from typing import Any, Final

from pipeline.core.strategy import HANDLERS, Strategy
from pipeline.errors import StrategyError
from pipeline.kernel.definitions import RefusalError, statements_of
from pipeline.kernel.rules import Breach
from pipeline.kernel.source import kernel_text
from pipeline.kernel.translate import Translator

_RULES: Final = (
    ("form", r"try|with|lambda|a (function|class) inside a function|a comprehension|yield|import|global|nonlocal|del|an f-string|\*|match"),
    ("form", r"@.*|:=|a slice|is .*|in .*|a call (in|that) .*|a tuple of .*|.* as what a loop counts by|.* calls itself,"),
    ("value", r"a list|a dict|a set"),
    ("call", r"a call of .*|sum|print"),
    ("power", r"\*\* .*"),
    ("unbound", r".* no value here"),
    ("size", r".* no int64,"),
    ("argument", r".*argument.*"),
)  # fmt: skip
"""Which rule what was refused breaks, the first that fits; else it is a name."""

_LINE: Final = re.compile(r'File "<kernel>", line (\d+)')
_COLOUR: Final = re.compile("\x1b\\[[0-9;]*m")
_SUFFIX: Final = re.compile(r"__(?:\.\d+)?\b")
"""What makes a name of the text of a local one's."""

_REASONS: Final = (
    r"OneType'>\)\n([^\n]*)",
    r"NumbaTypeError: ([^\n]*)",
    r"(Unknown attribute [^\n]*)",
    r"(Cannot unify [^\n]*)",
    r"TypingError: ([^\n]*)",
)
"""Numba's words for what is wrong, those that say most first."""


def refusals(strategy: Strategy) -> list[Breach]:
    """What the translation of a strategy's handlers, and of all they call, refuses; by file and line."""
    return sorted(set(_translated(strategy).breaches))


class BreachError(StrategyError):
    """What numba will not compile, as a place of a strategy."""

    def __init__(self, breach: Breach) -> None:
        super().__init__(str(breach))
        self.breach = breach


def told_of(strategies: Sequence[Strategy], error: Exception) -> StrategyError:
    """Numba's pages as one line: file and line that they are about, or, where they name none, its own words."""
    words = _COLOUR.sub("", str(error))  # numba colours its words where it can
    for strategy in strategies:
        if breach := _breach_of(strategy, strategies, words):
            return BreachError(breach)
    names = ", ".join(strategy.name for strategy in strategies)
    return StrategyError(f"{names}: it can't be compiled: {_reason(words)}")


def _breach_of(strategy: Strategy, strategies: Sequence[Strategy], words: str) -> Breach | None:
    """The line of a strategy's own file that numba names first, which is the innermost."""
    tree = ast.parse(kernel_text(tuple(strategies)))
    translated = _translated(strategy)
    sources = {name: function for function, name in translated.names.items()}
    own = {handler.__code__.co_filename for name in HANDLERS if (handler := getattr(strategy, name))}
    for number in _LINE.findall(words):
        name, place = _statement_at(tree, int(number))
        if place < len(translated.lines.get(name, ())):
            code = sources[name].__code__
            line = translated.lines[name][place] if place >= 0 else code.co_firstlineno
            if code.co_filename in own:
                return Breach(code.co_filename, line, "type", _reason(words))
    return None


def _reason(words: str) -> str:
    found = next((match for pattern in _REASONS if (match := re.search(pattern, words))), None)
    told = found[1] if found else "a value that has no type that could be compiled"
    return _SUFFIX.sub("", told)


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
    return next((rule for rule, pattern in _RULES if re.fullmatch(pattern, what)), "name")


def _statement_at(tree: ast.Module, line: int) -> tuple[str, int]:
    """The function of a text that a line lies in, and which of its statements it is; -1 above the first."""
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        begins = min(function.lineno, *(each.lineno for each in function.decorator_list), function.lineno)
        if begins <= line <= (function.end_lineno or 0):
            starts = [statement.lineno for statement in statements_of(function)]
            return function.name, max((i for i, start in enumerate(starts) if start <= line), default=-1)
    return "", 0
