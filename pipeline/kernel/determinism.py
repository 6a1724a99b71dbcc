"""Determinism: what a strategy's file may not hold, at either speed, for it would decide differently the second time.

Only the text is looked at, and of the loaded module what its names are; nothing is compiled, so it costs milliseconds at each
load. Other packages than numpy can't be looked into: they are let pass, and what calls them runs interpreted.
"""

import ast
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pipeline.kernel.members import strange_members
from pipeline.kernel.reading import set_from_context
from pipeline.kernel.rules import RULES, Breach

CLOCKS: Final = frozenset(("time", "sched", "timeit"))
CHANCES: Final = frozenset(("random", "secrets", "uuid"))
PURE: Final = frozenset(
    [
        "__future__",
        "abc",
        "array",
        "bisect",
        "calendar",
        "cmath",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "heapq",
        "itertools",
        "json",
        "math",
        "numbers",
        "operator",
        "re",
        "statistics",
        "string",
        "struct",
        "textwrap",
        "types",
        "typing",
        "zoneinfo",
    ]
)
"""Of the standard library: what only computes. All the rest knows a clock, chance, files, the network or other threads."""

_NOW: Final = frozenset(("now", "today", "utcnow"))
_WORLD: Final = frozenset(("open", "input", "exec", "eval", "compile", "__import__", "globals", "locals", "vars"))
_BY_ADDRESS: Final = frozenset(("hash", "id"))
_MAKES_SETS: Final = frozenset(("set", "frozenset"))
_MAKES_MUTABLE: Final = frozenset(("list", "dict", "set", "bytearray", "deque", "defaultdict", "array"))
_CHANGES: Final = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "extendleft",
        "fill",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
    ]
)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DISPLAYS: Final = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def breaches_of(path: Path, names: Mapping[str, Any]) -> list[Breach]:
    """Every place of a strategy's file that breaks a rule kept at load, by line; `names` are those of the loaded module."""
    tree = ast.parse(path.read_bytes())
    found = {*_of_imports(tree, path), *_Function(path, names, tree).found(_AT_IMPORT)}
    for each in _outermost(tree):
        found |= {*_Function(path, names, each).found()}
    found |= {Breach(str(path), line, "context", what) for line, what in set_from_context(tree, names)}
    found |= {Breach(str(path), line, "member", what) for line, what in strange_members(tree, names)}
    return sorted(found)


def _of_imports(tree: ast.Module, path: Path) -> Iterator[Breach]:
    """Modules that know more than numbers; what only type checkers import is not looked at."""
    for node in _walked_but_types(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        for module in modules:
            if rule := _rule_of(module):
                yield Breach(str(path), node.lineno, rule, f"import of {module}")  # type: ignore[attr-defined]  # an import has a line


def _rule_of(module: str) -> str:
    top = module.partition(".")[0]
    if top in CLOCKS:
        return "clock"
    if top in CHANCES or f"{module}.".startswith("numpy.random."):
        return "chance"
    return "outside" if top in sys.stdlib_module_names and top not in PURE else ""


def _walked_but_types(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).rpartition(".")[2] == "TYPE_CHECKING":
            continue
        yield child
        yield from _walked_but_types(child)


def _outermost(tree: ast.AST) -> Iterator[Any]:
    """The functions of a file, those inside of others left to them."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, _FUNCTIONS):
            yield child
        else:
            yield from _outermost(child)


_AT_IMPORT: Final = frozenset(("clock", "chance", "outside"))
"""What holds for the lines of a module too: they make its constants, which are kept with the log as text alone."""


Told = tuple[str, str] | None
"""A rule, and what breaks it."""


class _Function:
    """One function with all inside of it, or a module."""

    def __init__(self, path: Path, names: Mapping[str, Any], node: Any) -> None:
        self._path = path
        self._names = names
        self._node = node
        self._locals = frozenset[str]() if isinstance(node, ast.Module) else _bound_in(node)

    def found(self, rules: Collection[str] = RULES) -> Iterator[Breach]:
        behind_in = {
            id(each) for node in ast.walk(self._node) if isinstance(node, ast.Compare) for each in _tested(node)
        }
        for node in ast.walk(self._node):
            told = self._told(node, is_tested=id(node) in behind_in)
            if told and told[0] in rules:
                yield Breach(str(self._path), _line_of(node), *told)

    def _told(self, node: ast.AST, *, is_tested: bool) -> Told:
        """The rule that a node breaks, and what it is."""
        if isinstance(node, ast.Call):
            return self._of_builtin(node, is_tested=is_tested) or self._of_method(node)
        return _of_declaration(node) or self._of_member(node) or self._of_set(node, is_tested=is_tested)

    def _of_member(self, node: ast.AST) -> Told:
        if not isinstance(node, (ast.Attribute, ast.Subscript)):
            return None
        if isinstance(node, ast.Attribute) and node.attr == "phase" and not isinstance(node.ctx, ast.Load):
            return "phase", f"{ast.unparse(node)} is set, and no transition written"
        if not isinstance(node.ctx, ast.Load) and self._is_module_level(node):
            return "memory", f"{ast.unparse(node)} is changed, which is no State"
        return ("chance", ast.unparse(node)) if self._value_name(node) == "numpy.random" else None

    def _of_set(self, node: ast.AST, *, is_tested: bool) -> Told:
        if isinstance(node, (ast.Set, ast.SetComp)) and not is_tested:
            return "order", f"{ast.unparse(node)}: a set, whose order is that of hashes"
        if isinstance(node, (ast.For, ast.comprehension)) and isinstance(self._value(node.iter), (set, frozenset)):
            return "order", f"a loop over {ast.unparse(node.iter)}, a set, whose order is that of hashes"
        return None

    def _of_builtin(self, node: ast.Call, *, is_tested: bool) -> Told:
        name = self._builtin(node.func)
        if name in _WORLD:
            return "outside", f"a call of {name}"
        if name in _BY_ADDRESS:
            return "order", f"a call of {name}, which differs from process to process"
        if name in _MAKES_SETS and not is_tested:
            return "order", f"a call of {name}: a set's order is that of hashes"
        return ("memory", "a call of next: what is next is remembered by no State") if name == "next" else None

    def _of_method(self, node: ast.Call) -> Told:
        if not isinstance(node.func, ast.Attribute):
            return None
        owner = node.func.value
        if node.func.attr in _NOW and self._value_name(owner).startswith("datetime"):
            return "clock", f"a call of {ast.unparse(node.func)}"
        is_rows = self._is_module_level(node.func) and not isinstance(self._value(owner), (ModuleType, type))
        if node.func.attr in _CHANGES and is_rows:
            return "memory", f"a call of {ast.unparse(node.func)}: {ast.unparse(owner)} is no State"
        return None

    def _is_module_level(self, node: ast.expr) -> bool:
        """Whether what an expression begins with is a name of the module."""
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        return isinstance(node, ast.Name) and node.id not in self._locals and node.id in self._names

    def _builtin(self, node: ast.expr) -> str:
        is_one = isinstance(node, ast.Name) and node.id not in self._locals and node.id not in self._names
        return node.id if is_one and isinstance(node, ast.Name) else ""

    def _value(self, node: ast.expr) -> Any:
        """What an expression of names is, None where that is not known."""
        if isinstance(node, ast.Name):
            return None if node.id in self._locals else self._names.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            return None if owner is None else getattr(owner, node.attr, None)
        return None

    def _value_name(self, node: ast.expr) -> str:
        """Where a module or class that an expression names comes from."""
        value = self._value(node)
        if isinstance(value, type):
            return f"{value.__module__}.{value.__qualname__}"
        return str(getattr(value, "__name__", ""))


def _of_declaration(node: ast.AST) -> Told:
    """What makes names that outlive a call."""
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return "memory", f"{type(node).__name__.lower()} {', '.join(node.names)}"
    if isinstance(node, ast.arguments) and (default := _mutable_default(node)):
        return "memory", f"the default {ast.unparse(default)} is one for all calls"
    return None


def _mutable_default(node: ast.arguments) -> ast.expr | None:
    for default in (*node.defaults, *node.kw_defaults):
        is_made = isinstance(default, ast.Call) and ast.unparse(default.func).rpartition(".")[2] in _MAKES_MUTABLE
        if default is not None and (isinstance(default, _DISPLAYS) or is_made):
            return default
    return None


def _line_of(node: ast.AST) -> int:
    """The line of a node, or of what stands for it."""
    if isinstance(node, ast.arguments):
        node = _mutable_default(node) or node
    elif isinstance(node, ast.comprehension):
        node = node.iter
    return getattr(node, "lineno", 1)


def _tested(node: ast.Compare) -> Iterator[ast.expr]:
    """What stands behind `in`."""
    for operator, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operator, (ast.In, ast.NotIn)):
            yield right


def _bound_in(function: Any) -> frozenset[str]:
    """Names that are a function's own, or those of functions inside of it."""
    own = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    own |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    declared = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    return frozenset(own - declared)
