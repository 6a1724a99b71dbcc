"""Columns of what Alpaca writes: times, prices and letters of many messages at once, as exact integers.

Whatever is no time or no price becomes ABSENT, for the caller to refuse.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from msgspec import Raw

from pipeline.block import Numbers
from pipeline.units import ABSENT, NANO, SECOND_NS, TS_MAX_NS, iso_from_ns

_TEXT_BYTES: Final = 31
"""`2021-02-22T15:51:45.335689322Z` has 30; the one behind it shows that a text went on."""

_FRACTION: Final = slice(20, 29)
_FRACTION_NS: Final = 10 ** np.arange(8, -1, -1)
_MINUTE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:", re.ASCII)
_FLOATS: Final = msgspec.json.Decoder(list[float])
_ZERO, _DOT, _Z = ord("0"), ord("."), ord("Z")

_STAMP: Final = np.dtype([("head", ">u2"), ("stamp", ">u8")])
_STAMP_HEAD: Final = 0xD7FF
"""MessagePack's fixext 8 of type -1: nanoseconds in the upper 30 bits, seconds in the lower 34."""

_NO_STAMP: Final = bytes(10)
_NANO_MAX: Final = 2.0**23 * NANO
"""From 8,388,608 on, doubles lie further apart than nanos, so that one would stand for several."""


def ns_of_texts(texts: Sequence[str]) -> Numbers:
    """(n,) int64: nanoseconds of RFC 3339 texts in UTC, with a fraction of up to nine digits or none; ABSENT for any other."""
    found = _of_one_minute(texts)
    return _of_any_minute(texts) if found is None else found


def ns_of_text(text: str) -> int:
    """Nanoseconds of one such text; ABSENT for any other."""
    found: int = ns_of_texts([text])[0].item()
    return found


def _of_one_minute(texts: Sequence[str]) -> Numbers | None:
    """The same for times of one minute, as live ones are, None for others: the seconds read as one list of JSON numbers.

    A 1 in front keeps their zeros, and a double of 100 to 160 still tells the nanosecond. What is no plain number, or makes
    other than one number a text, is left to the long way.
    """
    start = texts[0][:17]
    minute_ns, joined = _minute_ns(start), "\n".join(texts)
    if minute_ns < 0 or joined.count(start) != len(texts) or max(map(len, texts)) >= _TEXT_BYTES or joined[-1] != "Z":
        return None
    numbers = joined[:-1].replace(start, "1").replace("Z\n", ",").encode("ascii", "replace")
    if numbers.translate(None, b"0123456789.,"):
        return None
    try:
        seconds = np.array(_FLOATS.decode(b"[%b]" % numbers))
    except msgspec.DecodeError:
        return None
    if len(seconds) != len(texts) or not (seconds.min() >= 100 and seconds.max() < 160):
        return None
    return np.rint(seconds * 1e9).astype(np.int64) + (minute_ns - 100 * SECOND_NS)


def _of_any_minute(texts: Sequence[str]) -> Numbers:
    try:
        letters = np.array(texts, f"S{_TEXT_BYTES}").view(np.uint8).reshape(len(texts), _TEXT_BYTES)
    except UnicodeEncodeError:
        return _of_any_minute([text if text.isascii() else "" for text in texts])
    digits = letters[:, _FRACTION] - np.uint8(_ZERO)  # wraps around below '0'
    is_digit = digits < 10
    count = is_digit.sum(axis=1)
    length = (letters != 0).sum(axis=1)
    end = np.where(letters[:, 19] == _DOT, 20 + count, 19)
    # the Z ends the text and stands behind all the digits there are, so nothing else is in it
    is_time = (letters[np.arange(len(texts)), end] == _Z) & (length == end + 1) & (end != 20)
    second = letters[:, 17] * np.int64(10) + letters[:, 18] - 11 * _ZERO
    is_time &= (second >= 0) & (second < 60) & (letters[:, 18] - np.uint8(_ZERO) < 10)
    nanos = np.where(is_digit, digits, 0) @ _FRACTION_NS
    minutes = _minutes_ns(np.ascontiguousarray(letters[:, :17]))
    return _times(minutes + second * SECOND_NS + nanos, is_time & (minutes >= 0))


def _minutes_ns(letters: Numbers) -> Numbers:
    """(n,) int64: nanoseconds of `2021-02-22T15:51:`, -1 for any other text."""
    texts, which = np.unique(letters.view("S17").ravel(), return_inverse=True)
    found: Numbers = np.array([_minute_ns(text.decode()) for text in texts.tolist()], np.int64)[which]
    return found


@lru_cache(4_096)
def _minute_ns(text: str) -> int:
    if not _MINUTE.fullmatch(text):
        return -1
    try:
        ts_ns = int(datetime.fromisoformat(text[:16]).replace(tzinfo=UTC).timestamp()) * SECOND_NS
    except ValueError:
        return -1
    return ts_ns if 0 <= ts_ns < TS_MAX_NS else -1


def ns_of_stamps(stamps: Sequence[Raw]) -> Numbers:
    """(n,) int64: nanoseconds of MessagePack's Timestamp extension, as it stands in the message; ABSENT for anything else."""
    joined = b"".join(stamps)
    if set(map(len, stamps)) != {len(_NO_STAMP)}:
        joined = b"".join([_of_eight_bytes(bytes(stamp)) for stamp in stamps])
    found = np.frombuffer(joined, _STAMP)
    stamp = found["stamp"].astype(np.uint64)
    nanos = (stamp >> np.uint64(34)).astype(np.int64)
    seconds = (stamp & np.uint64(2**34 - 1)).astype(np.int64)
    in_range = seconds < TS_MAX_NS // NANO
    return _times(
        np.where(in_range, seconds, 0) * NANO + nanos, (found["head"] == _STAMP_HEAD) & (nanos < NANO) & in_range
    )


def _of_eight_bytes(stamp: bytes) -> bytes:
    """The same time as fixext 8: whole seconds come in four bytes, times after 2514 or before 1970 in twelve."""
    if len(stamp) == 10:
        return stamp
    if len(stamp) == 6 and stamp[:2] == b"\xd6\xff":
        return stamp_of(int.from_bytes(stamp[2:]) * NANO)
    if len(stamp) == 15 and stamp[:3] == b"\xc7\x0c\xff":
        nanos, seconds = int.from_bytes(stamp[3:7]), int.from_bytes(stamp[7:], signed=True)
        if nanos < NANO and 0 <= seconds < 2**34:
            return stamp_of(seconds * NANO + nanos)
    return _NO_STAMP


def stamp_of(ts_ns: int) -> bytes:
    """A time as MessagePack's Timestamp extension of eight bytes."""
    seconds, nanos = divmod(ts_ns, NANO)
    return b"\xd7\xff" + ((nanos << 34) | seconds).to_bytes(8)


def text_of_ns(ts_ns: int) -> str:
    """A time as RFC 3339 with as many digits as it needs.

    >>> text_of_ns(1614009104208000000)
    '2021-02-22T15:51:44.208Z'
    """
    return iso_from_ns(ts_ns)[:-1].rstrip("0").rstrip(".") + "Z"


def _times(ts_ns: Numbers, is_time: Numbers) -> Numbers:
    """The times between 1970 and 2100, ABSENT in place of all others."""
    is_time = is_time & (ts_ns >= 0) & (ts_ns < TS_MAX_NS)
    return ts_ns if bool(is_time.all()) else np.where(is_time, ts_ns, ABSENT)


def nano_of_floats(prices: Numbers) -> Numbers:
    """Int64 of the same shape: the nanos whose nearest float is the price; ABSENT where there are none, or less than none."""
    with np.errstate(over="ignore", invalid="ignore"):
        nano = np.rint(prices * 1e9)
        is_exact = (nano / 1e9 == prices) & (nano >= 0) & (nano < _NANO_MAX)
    if is_exact.all():
        return nano.astype(np.int64)
    return np.where(is_exact, np.where(is_exact, nano, 0).astype(np.int64), ABSENT)
