"""Members: what handlers read or set of State, parameters, event and context that none of them has, with the nearest it has.

Types are followed by name: from a handler's arguments through plain assignments, nested groups and rows, and arguments of the
file's own functions. A name that may stand for anything else is left alone, so nothing is called misspelt that may be right.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pipeline.core.context import VERBS, Context
from pipeline.core.market import Bar, FeedNotice, Fill, Instrument, OrderUpdate, Print, Quote, Status, Timer
from pipeline.core.state import GroupOf, StateClass
from pipeline.core.strategy import HANDLERS, Strategy
from pipeline.names import nearest

_EVENTS: Final[Mapping[str, type[Any]]] = {
    "on_start": Instrument,
    "on_bar": Bar,
    "on_quote": Quote,
    "on_print": Print,
    "on_status": Status,
    "on_order": OrderUpdate,
    "on_fill": Fill,
    "on_timer": Timer,
    "on_feed": FeedNotice,
}
_NAMES_SHOWN: Final = 12


class _Rows(NamedTuple):
    """So many rows of a group."""

    of: type[Any]


class _Shared(NamedTuple):
    """The context of a strategy whose shared State is this."""

    state: type[Any] | None


Type = type[Any] | _Rows | _Shared | None
"""What a name stands for; None: nobody knows."""


def strange_members(tree: ast.Module, names: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Lines of a strategy's file that ask for a member that is not there, and which; `names` are those of the loaded module."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    followed = _Followed(functions)
    for strategy in names.values():
        if isinstance(strategy, Strategy):
            followed.hand_over(strategy)
    while [name for name in functions if followed.spread(name)]:
        pass  # until nothing more is known
    for name, function in functions.items():
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and (told := followed.told(name, node)):
                yield node.lineno, told


class _Followed:
    """What the names of each function stand for."""

    def __init__(self, functions: Mapping[str, ast.FunctionDef]) -> None:
        self._functions = functions
        self._types: dict[str, dict[str, set[Type]]] = {name: {} for name in functions}

    def hand_over(self, strategy: Strategy) -> None:
        """Each handler is given State, event, parameters and context."""
        for name in HANDLERS:
            handler = getattr(strategy, name)
            if handler is not None and handler.__name__ in self._functions:
                given: list[Type] = [strategy.State, _EVENTS[name], strategy.Params, _Shared(strategy.shared)]
                arguments = _arguments(self._functions[handler.__name__])
                for argument, type_ in zip(arguments, given, strict=False):
                    self._add(handler.__name__, argument, {type_})

    def spread(self, name: str) -> bool:
        """Follow what one function's names are given and handed on to; whether that was news."""
        before = self._count()
        given: set[int] = set()
        for node in ast.walk(self._functions[name]):
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                given |= self._give(name, node.targets[0], self._of(name, node.value))
            elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
                given |= self._give(name, node.target, self._of(name, node.value))
            elif isinstance(node, ast.For):
                rows = self._of(name, node.iter)
                given |= self._give(name, node.target, {each.of if isinstance(each, _Rows) else None for each in rows})
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self._functions:
                self._hand_on(name, node, node.func.id)
        for node in ast.walk(self._functions[name]):
            is_set = isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
            if is_set and id(node) not in given:
                self._add(name, node.id, {None})  # type: ignore[attr-defined]  # a name has an id
            elif isinstance(node, ast.arg) and node.arg not in _arguments(self._functions[name]):
                self._add(name, node.arg, {None})
        return self._count() > before

    def told(self, name: str, node: ast.Attribute) -> str:
        """What is wrong with a member; '' when it is there or nobody knows."""
        types = self._of(name, node.value)
        if len(types) != 1:
            return ""
        (type_,) = types
        if type_ is None or isinstance(type_, _Rows) or node.attr.startswith("_"):
            return ""
        owner = Context if isinstance(type_, _Shared) else type_
        members = _members(owner)
        if node.attr in members:
            return ""
        called = f"{ast.unparse(node)}: {owner.__name__} has no {node.attr!r}"
        if owner is Context and node.attr in VERBS.split(", "):
            return f"{called}; write {node.attr}(ctx, ...)"
        near = nearest(node.attr, members)
        return f"{called}; {f'did you mean {near!r}?' if near else f'it has {_listed(members)}'}"

    def _of(self, name: str, node: ast.expr | None) -> set[Type]:
        if isinstance(node, ast.Name):
            return self._types[name].get(node.id, {None})
        if isinstance(node, ast.Attribute):
            return {_member(each, node.attr) for each in self._of(name, node.value)}
        if isinstance(node, ast.Subscript):
            return {each.of if isinstance(each, _Rows) else None for each in self._of(name, node.value)}
        return {None}

    def _give(self, name: str, target: ast.expr, types: set[Type]) -> set[int]:
        """A name is given something; which node that was."""
        if not isinstance(target, ast.Name):
            return set()
        self._add(name, target.id, types)
        return {id(target)}

    def _hand_on(self, name: str, call: ast.Call, called: str) -> None:
        given = zip(_arguments(self._functions[called]), call.args, strict=False)
        for argument, value in [*given, *((each.arg, each.value) for each in call.keywords)]:
            if argument:
                self._add(called, argument, self._of(name, value))

    def _add(self, name: str, local: str, types: set[Type]) -> None:
        self._types[name].setdefault(local, set()).update(types)

    def _count(self) -> int:
        return sum(len(types) for known in self._types.values() for types in known.values())


def _member(type_: Type, name: str) -> Type:
    """What a member is, where it is a group, rows of one, or the shared State."""
    if isinstance(type_, _Shared):
        return type_.state if name == "shared" else None
    if not isinstance(type_, type) or not issubclass(type_, StateClass):
        return None
    for member in type_.members:
        if member.name == name and isinstance(member.type, type) and issubclass(member.type, StateClass):
            is_rows = isinstance(member.shape, GroupOf) and member.shape.count is not None
            return _Rows(member.type) if is_rows else member.type
    return None


def _members(owner: type[Any]) -> list[str]:
    if issubclass(owner, StateClass):
        return [member.name for member in owner.members]
    if owner is Context:
        return [name for name in vars(Context) if not name.startswith("_")]
    return list(owner._fields)  # parameters and events are named tuples


def _listed(members: list[str]) -> str:
    more = f" and {len(members) - _NAMES_SHOWN} more" if len(members) > _NAMES_SHOWN else ""
    return (", ".join(members[:_NAMES_SHOWN]) or "none") + more


def _arguments(function: ast.FunctionDef) -> list[str]:
    return [each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
