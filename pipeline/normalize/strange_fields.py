"""Strange fields: a canary for what a vendor begins to send and nobody here knows of.

A tolerant reader goes on when a field is new, and nobody learns that there is one. So some messages of each connection, the first
and then one of every so many, are decoded once more, without types, and held against the types that read them. A field that no type
names, and that is not read over on purpose, is told by its path: `Q.xyz`, `ticker.events.tickers.xyz`. Which messages are looked at depends on how
many came on the connection, never on how many were read at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import inspect

from pipeline.ports import Message

FIRST: Final = 20
"""So many messages of a connection are looked at, one and all: what is asked for is answered by then."""

EVERY: Final = 500
"""And one of so many ever after."""

BYTES_MAX: Final = 65_536
"""A larger message, such as a whole book, costs more than it tells: the small ones behind it have the same fields."""

NAMES_MAX: Final = 64
"""Fields of a connection that are kept apart; of more only how often they were met."""

_NAME_LENGTH_MAX: Final = 40
_OTHERS: Final = "others"
_NOTHING: Final[Mapping[str, int]] = {}
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
"""What decoding a stranger's bytes raises; that they can't be read is told where they are read with types."""


class _Fields(NamedTuple):
    """An object and what is in it, by name; None: nobody looks into it."""

    known: "Mapping[str, Shape]"


class _Tagged(NamedTuple):
    """One of several objects, told apart by a field."""

    field: str
    shapes: "Mapping[str, Shape]"


class _Many(NamedTuple):
    """An array of them."""

    each: "Shape"


Shape = _Fields | _Tagged | _Many | None


def shape_of(type_: Any, read_over: Mapping[str, str]) -> Shape:
    """How messages of a type are made up.

    `read_over` are fields that no struct names on purpose: by the path of what they stand in, their names with spaces between.
    """
    return _shape(inspect.type_info(type_), "", read_over)


def _shape(type_: inspect.Type, path: str, read_over: Mapping[str, str]) -> Shape:
    match type_:
        case inspect.StructType():
            return _struct(type_, path or str(type_.tag), read_over)
        case inspect.UnionType():
            tagged = [each for each in type_.types if isinstance(each, inspect.StructType) and each.tag_field]
            if tagged:
                return _Tagged(
                    str(tagged[0].tag_field), {str(each.tag): _shape(each, path, read_over) for each in tagged}
                )
            shapes = (_shape(each, path, read_over) for each in type_.types)
            return next((shape for shape in shapes if shape is not None), None)
        case inspect.ListType() | inspect.VarTupleType():
            each = _shape(type_.item_type, path, read_over)
            return None if each is None else _Many(each)
        case _:
            return None


def _struct(type_: inspect.StructType, path: str, read_over: Mapping[str, str]) -> Shape:
    """One that names no field is a message of which nothing is read."""
    if not type_.fields:
        return None
    known: dict[str, Shape] = dict.fromkeys(read_over.get(path, "").split())
    if type_.tag_field is not None:
        known[type_.tag_field] = None
    for field in type_.fields:
        known[field.encode_name] = _shape(field.type, f"{path}.{field.encode_name}", read_over)
    return _Fields(known)


def strange(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """The paths of fields that are not known, each as often as it is met; `value` is a message decoded without types."""
    match shape:
        case _Many() if isinstance(value, list):
            for each in value:
                yield from strange(each, shape.each, path)
        case _Tagged() if isinstance(value, dict):
            tag = value.get(shape.field)
            if isinstance(tag, str) and tag in shape.shapes:
                yield from strange(value, shape.shapes[tag], path or tag)
        case _Fields() if isinstance(value, dict):
            for name, inner in value.items():
                if name not in shape.known:
                    yield f"{path}.{str(name)[:_NAME_LENGTH_MAX]}"
                elif (known := shape.known[name]) is not None:
                    yield from strange(inner, known, f"{path}.{name}")
        case _:
            pass


class StrangeFields:
    """The canary of one feed. `decode` makes plain values of a message's bytes."""

    def __init__(self, shape: Shape, decode: Callable[[bytes], Any]) -> None:
        self._shape = shape
        self._decode = decode
        self._count = 0
        self._names: set[str] = set()

    def connected(self) -> None:
        """A new connection: its first messages are looked at."""
        self._count = 0
        self._names.clear()

    def met(self, messages: Sequence[Message]) -> Mapping[str, int]:
        """What to tell of the next messages of the connection, and how often it was met in those that were looked at."""
        start, count = self._count, len(messages)
        self._count += count
        looked = range(-(start + 1) % EVERY, count, EVERY)
        if start >= FIRST and not looked:
            return _NOTHING
        met: dict[str, int] = {}
        for place in sorted({*range(min(FIRST - start, count)), *looked}):
            for path in self._look(messages[place].payload):
                what = f"unknown field {self._name(path)}"
                met[what] = met.get(what, 0) + 1
        return met

    def _look(self, payload: bytes) -> Sequence[str]:
        if len(payload) > BYTES_MAX:
            return ()
        try:
            return list(strange(self._decode(payload), self._shape))
        except _UNREADABLE:
            return ()

    def _name(self, path: str) -> str:
        if path not in self._names and len(self._names) >= NAMES_MAX:
            return _OTHERS
        self._names.add(path)
        return path
