"""Massive's messages decoded. What can't be read is told apart, and costs its neighbours nothing."""

from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec.json import Decoder

from pipeline.normalize.massive_words import EVENT, Event
from pipeline.normalize.rows import TEXT_LENGTH_MAX

_REFUSED_MAX: Final = 50
"""So many refusals of one message are told one by one."""

_PARTS: Final = Decoder(list[msgspec.Raw])
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What a decoder makes of a stranger's bytes."""

T = TypeVar("T")


class Refused(NamedTuple):
    """Something that can't be read, and why."""

    text: str


class Unknown(NamedTuple):
    """An event of a type that is not known here."""

    ev: str


class _Named(msgspec.Struct):
    ev: str


_NAMED: Final = Decoder(_Named)
_KNOWN: Final = frozenset(str(type_.__struct_config__.tag) for type_ in Event.__args__)


def one_by_one(payload: bytes | msgspec.Raw, decoder: Decoder[Any]) -> list[Any]:
    """The elements of an array, each by itself. Never raises."""
    try:
        parts = _PARTS.decode(payload)
    except UNREADABLE as error:
        return [Refused(f"a message can't be read: {error}: {_words(payload)}")]
    events = [_one(part, decoder) for part in parts]
    refused = [place for place, event in enumerate(events) if type(event) is Refused]
    for place in refused[_REFUSED_MAX:]:
        events[place] = Refused("more of the same message can't be read")
    return events


def _one(part: msgspec.Raw, decoder: Decoder[T]) -> T | Refused | Unknown:
    try:
        return decoder.decode(part)
    except UNREADABLE as error:
        if decoder is EVENT and (name := _name(part)) and name not in _KNOWN:
            return Unknown(name[:40])
        return Refused(f"{error}: {_words(part)}")


def _name(part: msgspec.Raw) -> str:
    try:
        return _NAMED.decode(part).ev
    except UNREADABLE:
        return ""


def _words(payload: bytes | msgspec.Raw) -> str:
    return bytes(payload)[:TEXT_LENGTH_MAX].decode("ascii", "backslashreplace")
