"""Translate: functions and all they call, from their sources, as one flat text that numba can compile.

Names are resolved where a function was defined: constants and enum members become numbers, functions get a name of their
own, named tuples are imported. Arithmetic and comparisons become calls of `arithmetic` and `ordering`; texts of errors go, for a compiled error is only
a sign to reduce that input interpreted. What has no meaning in compiled code is refused with its file and line.
"""

import ast
import builtins
import copy
import math
from collections.abc import Callable
from enum import Enum
from functools import reduce
from types import FunctionType, ModuleType
from typing import Any, Final

from pipeline.core import tables
from pipeline.kernel.binding import first_unbound
from pipeline.kernel.definitions import RefusalError, definition_of, statements_of
from pipeline.kernel.vocabulary import (
    BUILTINS,
    COMPARISONS,
    DELIVERIES,
    EXTREMES,
    INT_MAX,
    MATH,
    OPERATORS,
    REFUSED,
    TWINS,
    assigned,
    call_of,
    handed_to,
    is_one_of,
    is_small,
    is_written,
    leaves,
    number,
    own,
)


class Translator:
    """Gathers functions; `text` is all of them, callees first, but for what `base` gathered before."""

    def __init__(self, base: "Translator | None" = None) -> None:
        self.functions: dict[str, str] = {}
        self.lines: dict[str, list[int]] = {}
        self.tuples: dict[str, Any] = {}
        self._names: dict[FunctionType, str] = {}
        self._base = base
        self._open: list[FunctionType] = []

    def add(self, function: Any) -> str:
        """Translate a function and what it calls; its name in the text. Raises StrategyError with file and line."""
        known = self._base.name_of(function) if self._base else None
        if known:
            return known
        if function not in self._names:
            name = self._free(f"{function.__module__.replace('.', '_')}_{function.__qualname__.replace('.', '_')}")
            self._names[function] = name
            self._open.append(function)
            try:
                self.functions[name] = self.translated(function, name)  # behind its callees
            finally:
                self._open.pop()
        return self._names[function]

    def is_open(self, function: Any) -> bool:
        """Whether a function is being translated: who calls it now calls it from within."""
        return function in self._open

    def _free(self, name: str) -> str:
        """A name nobody has: a file may define two functions under one, and two files may be called alike."""
        taken = {*self._names.values(), *(self._base.functions if self._base else ())}
        while name in taken:
            name += "_again"
        return name

    def translated(self, function: FunctionType, name: str) -> str:
        """The text of a function under its name. Raises RefusalError."""
        return _Body(self, function).text(name)

    def note_lines(self, name: str, made: ast.FunctionDef) -> None:
        """Keep which line of its file each statement of a function came from."""
        self.lines[name] = [getattr(statement, "lineno", 0) for statement in statements_of(made)]

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
        for each in definition.decorator_list:
            if ast.unparse(each) not in ("staticmethod", "property"):
                raise self._refusal(each, f"@{ast.unparse(each)}")
        if unbound := first_unbound(definition):
            self._refuse(unbound, f"{unbound.id}, which may have no value here")
        arguments = self._arguments(given)
        body = [made for line in definition.body for made in self._lines(line)]
        made = ast.FunctionDef(name, arguments, body or [ast.Pass()], [], None)
        self._translator.note_lines(name, made)
        return ast.unparse(ast.fix_missing_locations(made))

    def _arguments(self, given: ast.arguments) -> ast.arguments:
        """Keyword-only ones behind the others, those without a default first."""
        named = sorted(zip(given.kwonlyargs, given.kw_defaults, strict=True), key=lambda pair: pair[1] is not None)
        if given.defaults and any(default is None for _, default in named):
            raise self._refusal(None, "a keyword-only argument without a default behind one with a default")
        return ast.arguments(
            posonlyargs=[],
            args=[ast.arg(own(each.arg)) for each in (*given.posonlyargs, *given.args, *(arg for arg, _ in named))],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=self._defaults(given, [(arg.arg, default) for arg, default in named if default]),
        )

    def _defaults(self, given: ast.arguments, named: list[tuple[str, ast.expr]]) -> list[ast.expr]:
        """What arguments are when they are not given, as it was found when the function was defined."""
        values = (
            *(self._function.__defaults__ or ()),
            *((self._function.__kwdefaults__ or {})[arg] for arg, _ in named),
        )
        nodes = (*given.defaults, *(node for _, node in named))
        if len(values) != len(nodes):
            raise self._refusal(None, "an argument whose default was changed")
        return [self._folded(node, value) for node, value in zip(nodes, values, strict=True)]

    def visit(self, node: ast.AST) -> Any:
        try:
            made = super().visit(node)
        except RefusalError as refusal:
            return self._translator.refused(refusal, node)
        for each in made if isinstance(made, list) else [made]:
            if isinstance(each, ast.stmt) and isinstance(node, ast.stmt):
                ast.copy_location(each, node)
        return made

    def _lines(self, line: ast.stmt) -> list[ast.stmt]:
        """What becomes of one statement."""
        made = self.visit(line)
        return made if isinstance(made, list) else [made] if made is not None else []

    def _refuse(self, node: ast.AST, what: str) -> None:
        """Refuse a place, and go on where the translator does."""
        self._translator.refused(self._refusal(node, what), node)

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
        return assigned(self.visit(node.target), self.visit(node.value))

    def visit_Assign(self, node: ast.Assign) -> Any:
        value, targets = self.visit(node.value), [self.visit(target) for target in node.targets]
        if len(targets) == 1 and not isinstance(targets[0], ast.Tuple):
            return assigned(targets[0], value)
        if all(isinstance(each, ast.Name) for target in targets for each in leaves(target)):
            return ast.Assign(targets, value)
        return self._one_by_one(targets, value)

    def _one_by_one(self, targets: list[Any], value: Any) -> list[ast.stmt]:
        """Several targets, members among them: first what they are given, then each by itself."""
        made: list[ast.stmt] = [ast.Assign([ast.Name(own("given"), ast.Store())], value)]
        for target in targets:
            read = ast.Name(own("given"), ast.Load())
            if not isinstance(target, ast.Tuple):
                made.append(assigned(target, read))
                continue
            if any(isinstance(leaf, ast.Tuple) for leaf in target.elts):
                raise self._refusal(target, "a tuple of tuples as a target")
            names = [own(f"given_{i}") for i in range(len(target.elts))]
            made.append(ast.Assign([ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())], read))
            made += [assigned(leaf, ast.Name(name, ast.Load())) for leaf, name in zip(target.elts, names, strict=True)]
        return made

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        if any(isinstance(each, ast.Call) for each in ast.walk(node.target)):
            raise self._refusal(node, f"a call in {ast.unparse(node.target)}, which is evaluated twice,")
        if self._calls(node.value) and any(isinstance(each, ast.Subscript) for each in ast.walk(node.target)):
            raise self._refusal(node, f"a call that may move {ast.unparse(node.target)}")
        read: Any = ast.parse(ast.unparse(node.target), mode="eval").body
        for each in ast.walk(read):
            ast.copy_location(each, node)
        value = self.visit(ast.copy_location(ast.BinOp(read, node.op, node.value), node))
        return assigned(self.visit(node.target), value)

    def visit_For(self, node: ast.For) -> Any:
        if not all(isinstance(each, ast.Name) for each in leaves(node.target)):
            raise self._refusal(node, f"{ast.unparse(node.target)} as what a loop counts by")
        return self.generic_visit(node)

    # Expressions.

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        if type(node.op) in REFUSED:
            raise self._refusal(node, REFUSED[type(node.op)])
        left, right = self.visit(node.left), self.visit(node.right)
        name = OPERATORS.get(type(node.op))
        if name is None:
            return ast.BinOp(left, node.op, right)
        return call_of(name, [left, right])

    def visit_Compare(self, node: ast.Compare) -> Any:
        if any(self._calls(each) for each in node.comparators[:-1]):
            raise self._refusal(node, "a call in the middle of a chain of comparisons")
        values = [node.left, *node.comparators]
        signs = zip(node.ops, values, node.comparators, strict=False)
        told = [self._compared(node, sign, left, right) for sign, left, right in signs]
        return told[0] if len(told) == 1 else ast.BoolOp(ast.And(), told)

    def _compared(self, node: ast.Compare, sign: ast.cmpop, left: ast.expr, right: ast.expr) -> Any:
        if isinstance(sign, (ast.Is, ast.IsNot)):
            raise self._refusal(node, "is (use ==)")
        if isinstance(sign, (ast.In, ast.NotIn)):
            return self._among(node, sign, left, right)
        first, second = self.visit(copy.deepcopy(left)), self.visit(copy.deepcopy(right))
        if is_small(first) or is_small(second):
            return ast.Compare(first, [sign], [second])
        return call_of(COMPARISONS[type(sign)], [first, second])

    def _among(self, node: ast.Compare, sign: ast.cmpop, left: ast.expr, right: ast.expr) -> Any:
        """Whether a number is one of some: numbers written down, or integers, for a NaN is among those it is the same object as."""
        values = self.visit(copy.deepcopy(right))
        if not isinstance(values, ast.Tuple):
            raise self._refusal(node, f"in {ast.unparse(right)}, which is no tuple written down,")
        if self._calls(left) or self._calls(right):
            raise self._refusal(node, "a call in a question for in")
        first = self.visit(copy.deepcopy(left))
        told: list[ast.expr] = [call_of("eq" if is_written(each) else "same", [first, each]) for each in values.elts]
        found = ast.BoolOp(ast.Or(), [ast.Constant(False), *told])
        return found if isinstance(sign, ast.In) else ast.UnaryOp(ast.Not(), found)

    def _calls(self, node: ast.expr) -> bool:
        """Whether an expression calls a function that may change something."""
        return any(
            isinstance(each, ast.Call) and isinstance(self._static(each.func), FunctionType) for each in ast.walk(node)
        )

    def visit_Constant(self, node: ast.Constant) -> Any:
        self._check_size(node, node.value)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.USub) and not isinstance(operand, ast.Constant):
            return call_of("neg", [operand])
        return ast.UnaryOp(node.op, operand)

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id in self._locals:
            return ast.Name(own(node.id), node.ctx)
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
        if isinstance(called, FunctionType) and called in DELIVERIES:
            return self._delivery(node, DELIVERIES[called])
        arguments = [self.visit(each) for each in node.args]
        keywords = [ast.keyword(each.arg, self.visit(each.value)) for each in node.keywords]
        if isinstance(called, type) and hasattr(called, "_fields"):
            return self._made_tuple(node, called, arguments, keywords)
        if isinstance(called, FunctionType):
            arguments, keywords = handed_to(called, arguments, keywords)
        elif is_one_of(called, EXTREMES):
            return self._extreme(node, EXTREMES[called], arguments)
        elif is_one_of(called, TWINS) and (len(arguments) != 1 or keywords):
            raise self._refusal(node, f"a call of {ast.unparse(node.func)} with more than one number")
        name = self._callable(node, called)
        if not name:
            raise self._refusal(node, f"a call of {ast.unparse(node.func)}")
        return ast.Call(ast.parse(name, mode="eval").body, arguments, keywords)

    def generic_visit(self, node: ast.AST) -> Any:
        if type(node) in REFUSED:
            raise self._refusal(node, REFUSED[type(node)])
        return super().generic_visit(node)

    def _extreme(self, node: ast.Call, name: str, arguments: list[Any]) -> Any:
        """`max` or `min`, two by two."""
        if len(arguments) < 2 or node.keywords:  # it takes two
            raise self._refusal(node, f"a call of {ast.unparse(node.func)} but with two numbers or more")
        return reduce(lambda made, each: call_of(name, [made, each]), arguments)

    def _delivery(self, node: ast.Call, name: str) -> ast.Call:
        """`deliver(world, cells, "on_quote", ...)` becomes the function written for that handler."""
        world, cells_, handler, *rest = node.args
        assert isinstance(handler, ast.Constant)
        assert isinstance(handler.value, str)
        return call_of(f"{name}_{handler.value}", [self.visit(each) for each in (world, cells_, *rest)])

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
        return call_of(self._translator.add_tuple(made), arguments)

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
        for each in value if isinstance(value, tuple) else (value,):
            self._check_size(node, each)
        if isinstance(value, (bool, int, float)):
            return number(value)
        if isinstance(value, tuple) and all(isinstance(each, (bool, int, float)) for each in value):
            return ast.Tuple([number(each) for each in value], ast.Load())
        name = self._callable(node, value)
        if not name:
            raise self._refusal(node, ast.unparse(node))
        return ast.parse(name, mode="eval").body

    def _callable(self, node: ast.AST, value: Any) -> str:
        """What a function is called in the text; '' for what is none that may be called."""
        if isinstance(value, FunctionType):
            if self._translator.is_open(value):
                raise self._refusal(node, f"{value.__name__}, which calls itself,")
            return "claim" if value is tables.claim else self._translator.add(value)
        name = getattr(value, "__name__", "")
        if name in BUILTINS and value is getattr(builtins, name):
            return str(name)
        if name in MATH and value is getattr(math, name):
            return f"math.{name}"
        return TWINS[value] if is_one_of(value, TWINS) else ""

    def _check_size(self, node: ast.AST, value: Any) -> None:
        if isinstance(value, int) and not -INT_MAX - 1 <= value <= INT_MAX:
            raise self._refusal(node, f"{value}, which is no int64,")

    def _refusal(self, node: Any, what: str) -> RefusalError:
        code = self._function.__code__
        return RefusalError(code.co_filename, getattr(node, "lineno", code.co_firstlineno), what)


_UNKNOWN: Final = object()
