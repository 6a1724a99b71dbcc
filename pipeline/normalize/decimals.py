"""Decimals: numbers that vendors write as text, exactly as integers, many at once.

`units` and `instruments` say what a text means and refuse what they can't hold. Here the same is done fast for the texts
that are nearly all: up to 16 characters and under a million. Such a text has no more than 15 digits that count, so the
float64 it reads as is its own: no other text of that length has it. The integer nearest to that float times 1e9 is a
candidate; divided by 1e9 again (one correctly rounded division) it gives the same float exactly when it is the very
number. Whatever is not proved so goes the slow way.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Numbers
from pipeline.errors import UnitError
from pipeline.instruments import COIN_STEP_NANO, steps_from_text
from pipeline.units import ABSENT, NANO, nano_from_text

_LENGTH_MAX: Final = 16
_VALUE_MAX: Final = 1_000_000
"""Below it, nanos have 15 digits at most: as many as a float64 keeps apart."""

_SLOW_LENGTH_MAX: Final = 64
"""No number of int64 nanos needs more characters; longer ones are refused before anybody counts their digits."""

_SINGLE_MAX: Final = 12
"""Up to so many, one by one is faster than numpy."""

_COINS: Final = NANO // COIN_STEP_NANO


class Exact(NamedTuple):
    """A column of texts as integers: (n,) int64, ABSENT where one was refused, and by place why."""

    values: Numbers
    refused: dict[int, str]


def nano_of(text: str) -> int:
    """The exact nanos of a price's text. Raises UnitError as `nano_from_text`.

    >>> nano_of("61837.63000000")
    61837630000000
    """
    return _one(text, NANO, nano_from_text)


def coin_steps_of(text: str) -> int:
    """The exact steps of 1e-8 of a coin's size. Raises UnitError as `steps_from_text`."""
    return _one(text, _COINS, _coin_steps)


def nanos_of(texts: Sequence[str]) -> Exact:
    """A column of prices."""
    return _column(texts, NANO, nano_from_text)


def coin_steps_column(texts: Sequence[str]) -> Exact:
    """A column of coins' sizes."""
    return _column(texts, _COINS, _coin_steps)


_coin_steps = partial(steps_from_text, size_step_nano=COIN_STEP_NANO)


def _one(text: str, per_one: int, slow: Callable[[str], int]) -> int:
    try:
        value = float(text)
    except ValueError:
        return _slow(text, slow)
    if 0.0 <= value < _VALUE_MAX and len(text) <= _LENGTH_MAX:
        count = round(value * per_one)
        if count / per_one == value:
            return count
    return _slow(text, slow)


def _slow(text: str, slow: Callable[[str], int]) -> int:
    if len(text) > _SLOW_LENGTH_MAX:
        raise UnitError(f"{text[:40]!r}... has {len(text)} characters: no number needs so many")
    return slow(text)


def _column(texts: Sequence[str], per_one: int, slow: Callable[[str], int]) -> Exact:
    if len(texts) <= _SINGLE_MAX:
        try:
            return Exact(np.array([_one(text, per_one, slow) for text in texts], np.int64), {})
        except UnitError:
            return _singly(texts, per_one, slow)
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return _singly(texts, per_one, slow)
    with np.errstate(over="ignore", invalid="ignore"):
        counts = np.rint(values * per_one)
        is_sure = counts / per_one == values
    # NaN is never equal to itself, so what is equal has a smallest and a largest
    if is_sure.all() and values.min() >= 0 and values.max() < _VALUE_MAX and max(map(len, texts)) <= _LENGTH_MAX:
        return Exact(counts.astype(np.int64), {})
    return _singly(texts, per_one, slow)


def _singly(texts: Sequence[str], per_one: int, slow: Callable[[str], int]) -> Exact:
    values, refused = np.full(len(texts), ABSENT, np.int64), dict[int, str]()
    for place, text in enumerate(texts):
        try:
            values[place] = _one(text, per_one, slow)
        except UnitError as error:
            refused[place] = str(error)
    return Exact(values, refused)
