"""Translate: functions and all they call, from their sources, as one flat text that numba can compile.

Names are resolved where a function was defined: constants and enum members become numbers, functions get a name of their
own, named tuples are imported. Arithmetic becomes calls of `arithmetic`; texts of errors go, for a compiled error is only
a sign to reduce that input interpreted. What has no meaning in compiled code is refused with its file and line.
"""

import ast
import builtins
import math
from collections.abc import Callable
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any, Final

from pipeline.core import cells, tables
from pipeline.errors import StrategyError

_BUILTINS: Final = frozenset(("abs", "bool", "len", "max", "min", "range"))
_MATH: Final = frozenset(("exp", "isfinite", "isinf", "isnan", "log", "sqrt"))
_OWN: Final = {
    int: "int_",
    float: "float_",
    round: "round_",
    math.floor: "floor",
    math.ceil: "ceil",
    math.trunc: "int_",
}
"""Functions that have a checked twin in `arithmetic`."""

_OPERATORS: Final = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_DELIVERIES: Final[dict[Any, str]] = {cells.deliver: "deliver", cells.deliver_to_one: "deliver_to_one"}
_REFUSED: Final = {
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
}


class RefusalError(StrategyError):
    """A place that has no meaning in compiled code: `file`, `line`, and `what` stands there."""

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}: line {line}: {what} can't be compiled (docs/dialect.md)")
        self.file = file
        self.line = line
        self.what = what


class Translator:
    """Gathers functions; `text` is all of them, callees first, but for what `base` gathered before."""

    def __init__(self, base: "Translator | None" = None) -> None:
        self.functions: dict[str, str] = {}
        self.tuples: dict[str, Any] = {}
        self._names: dict[FunctionType, str] = {}
        self._base = base

    def add(self, function: Any) -> str:
        """Translate a function and what it calls; its name in the text. Raises StrategyError with file and line."""
        known = self._base.name_of(function) if self._base else None
        if known:
            return known
        if function not in self._names:
            name = f"{function.__module__.replace('.', '_')}_{function.__qualname__.replace('.', '_')}"
            self._names[function] = name
            self.functions[name] = self.translated(function, name)  # behind its callees
        return self._names[function]

    def translated(self, function: FunctionType, name: str) -> str:
        """The text of a function under its name. Raises RefusalError."""
        return _Body(self, function).text(name)

    def refused(self, refusal: RefusalError, _node: ast.AST) -> Any:
        """What stands in a place that was refused: here nothing can."""
        raise refusal

    def name_of(self, function: Any) -> str | None:
        """Its name in the text, if it is there."""
        return self._names.get(function)

    def add_tuple(self, made: Any) -> str:
        """A named tuple's name in the text."""
        name = f"{made.__module__.replace('.', '_')}_{made.__name__}"
        if not (self._base and name in self._base.tuples):
            self.tuples[name] = made
        return name

    def text(self, decorate: Callable[[str], str]) -> str:
        """The named tuples and the functions; `decorate` gives the line that stands above a function."""
        tuples = [_tuple_text(name, made) for name, made in self.tuples.items()]
        return "\n".join([*tuples, *(f"{decorate(name)}\n{text}\n" for name, text in self.functions.items())])


def _tuple_text(name: str, made: Any) -> str:
    return f"{name} = namedtuple({name!r}, {list(made._fields)!r})\n"


class _Body(ast.NodeTransformer):
    """One function. `_globals` is where its names live."""

    def __init__(self, translator: Translator, function: FunctionType) -> None:
        self._translator = translator
        self._function = function
        self._globals = function.__globals__
        code = function.__code__
        self._locals = frozenset(code.co_varnames)
        if code.co_freevars or code.co_cellvars:
            raise self._refusal(None, f"{code.co_freevars or code.co_cellvars}: a name from around the function")

    def text(self, name: str) -> str:
        """The function under another name."""
        definition = definition_of(self._function)
        given = definition.args
        if given.vararg or given.kwarg:
            raise self._refusal(definition, "*arguments")
        arguments = self._arguments(given)
        body = [made for line in definition.body if (made := self.visit(line)) is not None]
        made = ast.FunctionDef(name, arguments, body or [ast.Pass()], [], None)
        return ast.unparse(ast.fix_missing_locations(made))

    def _arguments(self, given: ast.arguments) -> ast.arguments:
        """Keyword-only ones behind the others, those without a default first."""
        named = sorted(zip(given.kwonlyargs, given.kw_defaults, strict=True), key=lambda pair: pair[1] is not None)
        if given.defaults and any(default is None for _, default in named):
            raise self._refusal(None, "a keyword-only argument without a default behind one with a default")
        return ast.arguments(
            posonlyargs=[],
            args=[ast.arg(each.arg) for each in (*given.posonlyargs, *given.args, *(arg for arg, _ in named))],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[self.visit(each) for each in (*given.defaults, *(default for _, default in named if default))],
        )

    def visit(self, node: ast.AST) -> Any:
        try:
            return super().visit(node)
        except RefusalError as refusal:
            return self._translator.refused(refusal, node)

    # Statements.

    def visit_Expr(self, node: ast.Expr) -> Any:  # ast's names
        if isinstance(node.value, ast.Constant):
            return None  # a docstring
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> Any:
        return ast.Assert(self.visit(node.test), None)

    def visit_Raise(self, _node: ast.Raise) -> Any:
        return ast.Raise(ast.Name("ValueError", ast.Load()), None)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return None
        return ast.Assign([self.visit(node.target)], self.visit(node.value))

    def visit_Assign(self, node: ast.Assign) -> Any:
        value, targets = self.visit(node.value), [self.visit(target) for target in node.targets]
        if len(targets) == 1:
            return _assigned(targets[0], value)
        return ast.Assign(targets, value)

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        read: Any = ast.parse(ast.unparse(node.target), mode="eval").body
        ast.copy_location(read, node)
        value = self.visit(ast.copy_location(ast.BinOp(read, node.op, node.value), node))
        return _assigned(self.visit(node.target), value)

    # Expressions.

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        if type(node.op) in _REFUSED:
            raise self._refusal(node, _REFUSED[type(node.op)])
        left, right = self.visit(node.left), self.visit(node.right)
        name = _OPERATORS.get(type(node.op))
        if name is None:
            return ast.BinOp(left, node.op, right)
        return _call(name, [left, right])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.USub) and not isinstance(operand, ast.Constant):
            return _call("neg", [operand])
        return ast.UnaryOp(node.op, operand)

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id in self._locals:
            return node
        return self._folded(node, self._value(node, node.id))

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        found = self._static(node)
        if found is not _UNKNOWN:
            return self._folded(node, found)
        return ast.Attribute(self.visit(node.value), node.attr, node.ctx)

    def visit_Call(self, node: ast.Call) -> Any:
        called = self._static(node.func)
        if called is _UNKNOWN:
            raise self._refusal(node, f"a call of {ast.unparse(node.func)}")
        if isinstance(called, FunctionType) and called in _DELIVERIES:
            return self._delivery(node, _DELIVERIES[called])
        arguments = [self.visit(each) for each in node.args]
        keywords = [ast.keyword(each.arg, self.visit(each.value)) for each in node.keywords]
        if isinstance(called, type) and hasattr(called, "_fields"):
            return self._made_tuple(node, called, arguments, keywords)
        if isinstance(called, FunctionType):
            arguments = [_plain(each) for each in arguments]
            keywords = [ast.keyword(each.arg, _plain(each.value)) for each in keywords]
        name = self._callable(called)
        if not name:
            raise self._refusal(node, f"a call of {ast.unparse(node.func)}")
        return ast.Call(ast.parse(name, mode="eval").body, arguments, keywords)

    def generic_visit(self, node: ast.AST) -> Any:
        if type(node) in _REFUSED:
            raise self._refusal(node, _REFUSED[type(node)])
        return super().generic_visit(node)

    def _delivery(self, node: ast.Call, name: str) -> ast.Call:
        """`deliver(world, cells, "on_quote", ...)` becomes the function written for that handler."""
        world, cells_, handler, *rest = node.args
        assert isinstance(handler, ast.Constant)
        assert isinstance(handler.value, str)
        return _call(f"{name}_{handler.value}", [self.visit(each) for each in (world, cells_, *rest)])

    def _made_tuple(self, node: ast.Call, made: Any, arguments: list[Any], keywords: list[ast.keyword]) -> ast.Call:
        """A named tuple, all its members in their order."""
        given = {each.arg: each.value for each in keywords}
        for field in made._fields[len(arguments) :]:
            if field in given:
                arguments.append(given[field])
            elif field in made._field_defaults:
                arguments.append(self._folded(node, made._field_defaults[field]))
            else:
                raise self._refusal(node, f"{made.__name__} without {field}")
        return _call(self._translator.add_tuple(made), arguments)

    # Names.

    def _static(self, node: ast.expr) -> Any:
        """What an expression of names is, where that is known before anything runs."""
        if isinstance(node, ast.Name):
            return _UNKNOWN if node.id in self._locals else self._value(node, node.id)
        if isinstance(node, ast.Attribute):
            owner = self._static(node.value)
            if owner is _UNKNOWN:
                return _UNKNOWN
            if not isinstance(owner, (ModuleType, type, Enum)) or not hasattr(owner, node.attr):
                raise self._refusal(node, f"{ast.unparse(node)}")
            return getattr(owner, node.attr)
        return _UNKNOWN

    def _value(self, node: ast.expr, name: str) -> Any:
        if name in self._globals:
            return self._globals[name]
        if hasattr(builtins, name):
            return getattr(builtins, name)
        raise self._refusal(node, f"{name!s}, which is not defined")

    def _folded(self, node: ast.expr, value: Any) -> Any:
        """A value as an expression."""
        if isinstance(value, (bool, int, float)):
            return _number(value)
        if isinstance(value, tuple) and all(isinstance(each, (bool, int, float)) for each in value):
            return ast.Tuple([_number(each) for each in value], ast.Load())
        name = self._callable(value)
        if not name:
            raise self._refusal(node, ast.unparse(node))
        return ast.parse(name, mode="eval").body

    def _callable(self, value: Any) -> str:
        """What a function is called in the text; '' for what is none that may be called."""
        if isinstance(value, FunctionType):
            return "claim" if value is tables.claim else self._translator.add(value)
        name = getattr(value, "__name__", "")
        if name in _BUILTINS and value is getattr(builtins, name):
            return str(name)
        if name in _MATH and value is getattr(math, name):
            return f"math.{name}"
        return next((own for function, own in _OWN.items() if value is function), "")

    def _refusal(self, node: Any, what: str) -> RefusalError:
        code = self._function.__code__
        return RefusalError(code.co_filename, getattr(node, "lineno", code.co_firstlineno), what)


_UNKNOWN: Final = object()


def _assigned(target: Any, value: Any) -> Any:
    """An assignment; to a member by a function that looks at its type."""
    if isinstance(target, ast.Attribute):
        return ast.Expr(_call("put_member", [target.value, ast.Constant(target.attr), value]))
    return ast.Assign([target], value)


def _call(name: str, arguments: list[Any]) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), arguments, [])


def _plain(value: Any) -> Any:
    """An argument that is a number, as any number: numba would compile the function anew for each one it is called with."""
    is_int = isinstance(value, ast.Constant) and type(value.value) is int
    return _call("int64", [value]) if is_int else value


def _number(value: Any) -> ast.expr:
    if isinstance(value, bool):
        return ast.Constant(value)
    if isinstance(value, int):
        return ast.Constant(int(value))
    if math.isnan(value):
        return ast.Name("NAN", ast.Load())
    if math.isinf(value):
        return ast.Name("INF" if value > 0 else "MINUS_INF", ast.Load())
    return ast.Constant(float(value))


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
