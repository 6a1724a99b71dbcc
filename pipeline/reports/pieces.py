"""Pieces: columns with a number for each of very many paths, of which no more than a piece is in memory at once.

Up to PIECE numbers a column is an array like any other. Longer ones lie in a file without a name, which is gone with whoever
made it; it is written and read through a mapping whose pages are given back behind each piece. What is told of a column,
the quantiles too, is exact, and of one that is in memory the same as numpy has it.
"""

import mmap
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Keys = np.ndarray[Any, np.dtype[np.uint64]]

PIECE: Final = 262_144
"""Numbers of a column that are looked at at once: 2 MiB."""

_SORTED_MAX: Final = 4
"""Pieces of which one column is taken into memory to be sorted: that is faster than counting."""

_DIGIT_BITS: Final = 16
_DIGITS: Final = 64 // _DIGIT_BITS
_SIGN: Final = np.uint64(1 << 63)


def columns(count: int, length: int, folder: Path | None = None) -> list[Floats]:
    """So many columns of this length, all 0; long ones in a file in `folder`, else where such files are kept. Raises OSError."""
    if length <= PIECE:
        return [np.zeros(length) for _ in range(count)]
    size = count * length * 8
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a disk that is full says so here, and not as a signal later
        mapping = mmap.mmap(file.fileno(), size)
    return [np.frombuffer(mapping, np.float64, length, place * length * 8) for place in range(count)]


def let_go(column: Floats) -> None:
    """Give back the pages of a column's file that are in memory: what was written stays written."""
    holder: Any = column
    while holder is not None and not isinstance(holder, mmap.mmap):
        holder = holder.obj if isinstance(holder, memoryview) else getattr(holder, "base", None)
    if holder is not None:
        holder.madvise(mmap.MADV_DONTNEED)


def pieces(column: Floats) -> Iterator[Floats]:
    """The column, piece by piece."""
    for start in range(0, len(column), PIECE):
        yield column[start : start + PIECE]
        if len(column) > PIECE:
            let_go(column)


def total(column: Floats, of: Callable[[Floats], Any] = lambda piece: piece) -> float:
    """The sum of what a function makes of the numbers of each piece: how many are true, where it asks something."""
    return float(sum(of(piece).sum() for piece in pieces(column)))


def mean(column: Floats) -> float:
    """The mean; of a long column the sums of its pieces by their count."""
    return total(column) / len(column)


def deviation(column: Floats) -> float:
    """The standard deviation, by n."""
    middle = mean(column)
    return float(np.sqrt(total(column, lambda piece: (piece - middle) ** 2) / len(column)))


def quantiles(column: Floats, at: Sequence[float]) -> tuple[float, ...]:
    """What `numpy.quantile` says, between two numbers on the line that joins them; none may be NaN."""
    if len(column) <= _SORTED_MAX * PIECE:
        found_at_once = tuple(np.quantile(column, at).tolist())
        let_go(column)
        return found_at_once
    places = [share * (len(column) - 1) for share in at]
    ranks = sorted({rank for place in places for rank in (int(place), min(int(place) + 1, len(column) - 1))})
    found = dict(zip(ranks, ranked(column, ranks), strict=True))
    pairs = [(found[int(place)], found[min(int(place) + 1, len(column) - 1)], place % 1.0) for place in places]
    return tuple(float(np.quantile([low, high], between)) for low, high, between in pairs)


def ranked(column: Floats, ranks: Sequence[int]) -> list[float]:
    """The numbers that would stand at these places, from 0, were the column sorted: counted digit by digit, nothing is moved."""
    begins, rests = [0] * len(ranks), list(ranks)
    for digit in range(_DIGITS):
        counts = _counts(column, digit, set(begins))
        for place, begin in enumerate(begins):
            until = np.cumsum(counts[begin])
            found = int(np.searchsorted(until, rests[place], "right"))
            rests[place] -= int(until[found - 1]) if found else 0
            begins[place] = begin << _DIGIT_BITS | found
    return [float(number) for number in _numbers(np.array(begins, dtype=np.uint64))]


def _counts(column: Floats, digit: int, begins: set[int]) -> dict[int, Any]:
    """Of the numbers whose digits begin so, how many have each next digit."""
    counts: dict[int, Any] = {begin: np.zeros(1 << _DIGIT_BITS, dtype=np.int64) for begin in begins}
    for piece in pieces(column):
        keys = _keys(piece) >> np.uint64(64 - (digit + 1) * _DIGIT_BITS)
        for begin in begins:
            chosen = keys[keys >> np.uint64(_DIGIT_BITS) == begin] & np.uint64((1 << _DIGIT_BITS) - 1)
            counts[begin] += np.bincount(chosen.astype(np.int64), minlength=1 << _DIGIT_BITS)
    return counts


def _keys(piece: Floats) -> Keys:
    """Whole numbers in the order of the numbers: those below 0 have all bits turned, the others their sign."""
    bits: Keys = np.ascontiguousarray(piece).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _numbers(keys: Keys) -> Floats:
    bits: Keys = np.where(keys & _SIGN, keys & ~_SIGN, ~keys)
    return bits.view(np.float64)
