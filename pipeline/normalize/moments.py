"""Moments: times that vendors write as text like 2021-04-17T16:43:37.075687Z, as nanoseconds."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.errors import UnitError
from pipeline.normalize.decimals import Exact
from pipeline.units import ABSENT, NANO, SECOND_NS, TsNs, checked_ts

_TO_THE_MINUTE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:", re.ASCII)
_WHOLE_LENGTH: Final = 20
"""2021-04-17T16:43:37Z"""
_SECONDS_LENGTH_MAX: Final = 12
"""37.075687123"""
_SINGLE_MAX: Final = 12
"""Up to so many, one by one is faster than numpy."""
_LENGTH_MAX: Final = 30
"""With nine digits behind the second."""


def ns_of_text(text: str) -> TsNs:
    """Nanoseconds of such a time in UTC, with up to nine digits behind the second. Raises UnitError.

    >>> ns_of_text("2021-04-17T16:43:37.075687Z")
    1618677817075687000
    """
    digits = text[17:19] + text[20:-1]
    length = len(text)
    if (
        not _WHOLE_LENGTH <= length <= _LENGTH_MAX
        or text[-1] != "Z"
        or (length > _WHOLE_LENGTH and text[19] != ".")
        or not (digits.isdecimal() and digits.isascii())
        or digits >= "6"
    ):
        raise UnitError(_problem(text))
    return TsNs(_minute_ns(text[:17]) + int(digits.ljust(11, "0")))


def ns_of_texts(texts: Sequence[str]) -> Exact:
    """A column of such times."""
    if len(texts) > _SINGLE_MAX and (found := _within_a_minute(texts)) is not None:
        return Exact(found, {})
    try:
        return Exact(np.fromiter(map(ns_of_text, texts), np.int64, len(texts)), {})
    except UnitError:
        pass
    values, refused = np.full(len(texts), ABSENT, np.int64), dict[int, str]()
    for place, text in enumerate(texts):
        try:
            values[place] = ns_of_text(text)
        except UnitError as error:
            refused[place] = str(error)
    return Exact(values, refused)


def _within_a_minute(texts: Sequence[str]) -> Numbers | None:
    """The same for times of one minute, as messages that came together have; None when there is the least doubt.

    Seconds to nine digits have eleven digits at most, fewer than a float64 keeps apart: the nearest integer is theirs.
    """
    minutes = {text[:17] for text in texts}
    seconds = [text[17:-1] for text in texts]
    ends_well = {text[-1:] for text in texts} == {"Z"} and {text[2:3] for text in seconds} == {"."}
    if len(minutes) > 1 or not ends_well or max(map(len, seconds)) > _SECONDS_LENGTH_MAX:
        return None
    try:
        if "".join(seconds).encode().translate(None, b"0123456789."):
            return None
        values = np.fromiter(map(float, seconds), np.float64, len(seconds))
        return None if values.max() >= 60 else np.rint(values * NANO).astype(np.int64) + _minute_ns(minutes.pop())
    except (UnitError, ValueError):
        return None


def text_of_ns(ts_ns: int) -> str:
    """The text of such a time, with all nine digits.

    >>> text_of_ns(1618677817075687000)
    '2021-04-17T16:43:37.075687000Z'
    """
    seconds, nanos = divmod(ts_ns, NANO)
    return f"{_second_text(seconds)}.{nanos:09d}Z"


@lru_cache(256)
def _second_text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


@lru_cache(256)
def _minute_ns(text: str) -> TsNs:
    """Nanoseconds at the start of a minute, `2021-04-17T16:43:`. Raises UnitError."""
    if not _TO_THE_MINUTE.fullmatch(text):
        raise UnitError(_problem(text))
    try:
        minute = datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
    except ValueError:
        raise UnitError(_problem(text)) from None
    return checked_ts(int(minute.timestamp()) * SECOND_NS)


def _problem(text: str) -> str:
    return f"time {text[:40]!r} is not like 2021-04-17T16:43:37.075687Z"
