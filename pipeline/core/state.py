"""State: flat rows declared as classes, so that they can be hashed, saved, compared and compiled.

A member is a bool, an int, a float, an IntEnum, a nested group, a fixed array, or a fixed number of rows of a group:

    @state
    class Sma:
        values: FloatArray = array(float, "capacity")
        count: int = 0

    @state
    class State:
        phase: Phase = Phase.WATCHING
        sma: Sma = group(capacity="window")

A capacity is a number or a name. In a strategy's State the name is that of a parameter and stands for its upper bound, so
that a sweep never changes the layout; in a group it is what `group(...)` passed down. Memory layouts are in `record.py`.
"""

import inspect
from array import array as _machine_array
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args, get_origin

from pipeline.errors import StrategyError

T = TypeVar("T")

if TYPE_CHECKING:
    FloatArray = _machine_array[float]
    IntArray = _machine_array[int]
else:  # Python 3.11 can't subscript it
    FloatArray = IntArray = _machine_array

Capacity = int | str
SCALARS = (bool, int, float)


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """A fixed array: what it holds, how many, and what it starts with."""

    type: type[float] | type[int]
    capacity: Capacity
    default: float


@dataclass(frozen=True, slots=True)
class GroupOf:
    """A nested group, and the capacities passed down to it; `count` rows of it when given."""

    capacities: Mapping[str, Capacity]
    count: Capacity | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One declared member: `type` is the scalar's, the enum's or the group's; `shape` says how many."""

    name: str
    type: Any
    shape: ArrayOf | GroupOf | None
    default: Any


class StateClass:
    """What every state class carries."""

    __slots__ = ()
    members: ClassVar[tuple[Member, ...]] = ()


def array(type_: type[float] | type[int], capacity: Capacity, default: float = 0) -> Any:
    """A member that holds `capacity` numbers of one type."""
    return ArrayOf(type_, capacity, default)


def group(**capacities: Capacity) -> Any:
    """A nested group with these capacities."""
    return GroupOf(capacities)


def rows(count: Capacity, **capacities: Capacity) -> Any:
    """A member that holds `count` rows of a group (annotated `list[Group]`)."""
    return GroupOf(capacities, count)


def state(cls: type[T]) -> type[T]:
    """The class as a row with fixed members. Raises StrategyError for a member that can't be one."""
    members = tuple(
        _member(cls, name, annotation) for name, annotation in inspect.get_annotations(cls, eval_str=True).items()
    )
    body = {
        "__slots__": tuple(member.name for member in members),
        "__doc__": cls.__doc__,
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "members": members,
    }
    return type(cls.__name__, (StateClass,), body)


def _member(cls: type, name: str, annotation: Any) -> Member:
    default = cls.__dict__.get(name)
    if isinstance(default, ArrayOf):
        return Member(name, default.type, default, default.default)
    if get_origin(annotation) is list and isinstance(default, GroupOf):
        (annotation,) = get_args(annotation)
    if _is_group(annotation):
        return Member(name, annotation, default or GroupOf({}), None)
    if not _is_scalar(annotation):
        raise StrategyError(
            f"{cls.__module__}.{cls.__qualname__}.{name}: {annotation} can't be a state member; "
            "accepted are bool, int, float, an IntEnum, a @state group, array(...) and rows(...)"
        )
    return Member(name, annotation, None, _default_of(annotation) if default is None else default)


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, StateClass)


def _is_scalar(annotation: Any) -> bool:
    return isinstance(annotation, type) and (annotation in SCALARS or issubclass(annotation, IntEnum))


def _default_of(type_: type) -> Any:
    return next(iter(type_)) if issubclass(type_, IntEnum) else type_()
