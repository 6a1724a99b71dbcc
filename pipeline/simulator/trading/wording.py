"""Wording: what the brokers' APIs have in common: bodies, moments and numbers as text."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from pipeline.errors import TheirsError, UnitError
from pipeline.normalize.moments import ns_of_text
from pipeline.simulator.venue import HttpAnswer
from pipeline.units import NANO, nano_from_text

T = TypeVar("T")

_HEADERS: Final = {"Content-Type": "application/json; charset=UTF-8"}


class WordingError(TheirsError):
    """A request that can't be read; the text says what of it."""


def answer(status: int, body: object) -> HttpAnswer:
    """An answer in JSON."""
    return HttpAnswer(status, msgspec.json.encode(body), _HEADERS)


def object_of(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises WordingError."""
    return said_in(body, dict[str, Any])


def said_in(body: bytes, type_: type[T]) -> T:
    """What stands in the JSON of a stranger. Raises WordingError."""
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise WordingError("request body format is invalid") from None


def nano_of(said: Mapping[str, Any], name: str) -> int:
    """The number under a name, as nanos. Raises WordingError."""
    try:
        return nano_from_text(str(said.get(name)))
    except UnitError:
        raise WordingError(f"{name} is required and must be a number") from None


def moment_ns(text: str | None, otherwise_ns: int) -> int:
    """Nanoseconds of RFC 3339, with Z or an offset. Raises WordingError."""
    if not text:
        return otherwise_ns
    try:
        return ns_of_text(text)
    except UnitError:
        pass
    try:
        since = datetime.fromisoformat(text).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise WordingError(f"invalid time {text[:40]}") from None
    return (since.days * 86_400 + since.seconds) * NANO + since.microseconds * 1_000
