"""Signatures: the numba types of what compiled code is handed and of what its two parts pass each other."""

from typing import Any, Final

from numba import types
from numba.core.typing.templates import signature
from numba.np.numpy_support import from_dtype

from pipeline.codes import Kind
from pipeline.core.chunk import EVENTS, PRICES, SIZES
from pipeline.core.closing import add_middle, add_print, see_vendor_bar
from pipeline.core.queueing import match_print
from pipeline.core.venue import match_quote
from pipeline.core.world import INSTRUMENT
from pipeline.kernel.groups import WORLD, Form, Group, Member
from pipeline.kernel.primitives import ColumnType, GroupType, PartType, TableType

_EVENT_OF: Final[dict[Any, Kind]] = {see_vendor_bar: Kind.BAR, add_print: Kind.PRINT, match_print: Kind.PRINT}


def group_type(group: Group) -> Any:
    """The type of a group."""
    return GroupType(_members(group))


def _members(group: Group) -> tuple[tuple[str, Any], ...]:
    return tuple((member.name, _member_type(member)) for member in group.members)


def _member_type(member: Member) -> Any:
    if member.form is Form.GROUP:
        return group_type(member.what)
    if member.form is Form.PART:
        return PartType(_members(member.what))
    if member.form is Form.COUNT:
        return types.int64
    made = from_dtype(member.what)
    if member.form is Form.NUMBER:
        return made
    return {Form.ROW: made, Form.TABLE: TableType(made), Form.COLUMN: ColumnType(made)}[member.form]


def door_signature(namespace: dict[str, Any], door: Any) -> Any:
    """What a door takes: the world, and of some what it is about. `namespace` is that of the engine's text."""
    world = group_type(WORLD)
    if door is match_quote:
        return signature(types.none, world, from_dtype(INSTRUMENT.dtype))
    if door is add_middle:
        return signature(types.none, world, *[types.int64] * 4)
    if door in _EVENT_OF:
        return signature(types.none, world, event_type(namespace, _EVENT_OF[door]))
    return signature(types.none, world)


def event_type(namespace: dict[str, Any], kind: Kind) -> Any:
    """An event as compiled code passes it: prices and sizes float64, all else int64."""
    made = EVENTS[kind]
    floats = {*PRICES, *SIZES, "vwap"}
    fields = [types.float64 if name in floats else types.int64 for name in made._fields]
    return types.NamedTuple(fields, namespace[f"{made.__module__.replace('.', '_')}_{made.__name__}"])
