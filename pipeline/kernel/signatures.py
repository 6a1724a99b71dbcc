"""Signatures: the types of what the kernel's two modules pass each other, from the layouts alone."""

from types import ModuleType
from typing import Any, Final

from numba import types
from numba.core.typing.templates import signature
from numba.np.numpy_support import from_dtype

from pipeline.codes import Kind
from pipeline.core.chunk import EVENTS, PRICES, SIZES
from pipeline.core.closing import add_print, add_quote, close_due, see_vendor_bar
from pipeline.core.desk import settle
from pipeline.core.tape import KINDS, TAPE_LENGTH, Tape, row_dtype
from pipeline.core.venue import arrive, match_quote
from pipeline.core.world import INSTRUMENT, PERSISTENT, QUEUES, SINGLE, World
from pipeline.kernel.primitives import TableType

_EVENT_OF: Final[dict[Any, Kind]] = {see_vendor_bar: Kind.BAR, add_print: Kind.PRINT, add_quote: Kind.QUOTE}
_ALONE: Final = (arrive, close_due, settle)

DOORS: Final[tuple[Any, ...]] = (*_ALONE, match_quote, *_EVENT_OF)
"""Where a step leaves the strategies' code for the engine's: compiled once, whatever the strategies are."""


def world_type(engine: ModuleType) -> Any:
    """The type of a world, in the classes of the engine's module."""
    tape = [("length", from_dtype(TAPE_LENGTH.dtype))]
    tape += [(name, TableType(from_dtype(row_dtype(kind)))) for name, kind in KINDS.items()]
    assert [name for name, _ in tape] == list(Tape._fields)
    members: dict[str, Any] = {name: from_dtype(record.dtype) for name, record in (PERSISTENT | QUEUES).items()}
    members = {name: made if name in SINGLE else TableType(made) for name, made in members.items()}
    members["tape"] = engine.TapeType(tuple(tape))
    return engine.WorldType(tuple((name, members[name]) for name in World._fields))


def door_signature(engine: ModuleType, door: Any) -> Any:
    """What a door takes: the world, and of some what it is about."""
    world = world_type(engine)
    if door in _ALONE:
        return signature(types.none, world)
    if door is match_quote:
        return signature(types.none, world, from_dtype(INSTRUMENT.dtype))
    return signature(types.none, world, event_type(engine, _EVENT_OF[door]))


def event_type(engine: ModuleType, kind: Kind) -> Any:
    """An event as compiled code passes it: prices and sizes float64, all else int64."""
    made = EVENTS[kind]
    floats = {*PRICES, *SIZES, "vwap"}
    fields = [types.float64 if name in floats else types.int64 for name in made._fields]
    return types.NamedTuple(fields, getattr(engine, f"{made.__module__.replace('.', '_')}_{made.__name__}"))
