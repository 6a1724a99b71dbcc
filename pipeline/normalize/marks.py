"""Marks: what is odd about a market row, found in columns. A row is kept and marked, never dropped silently."""

from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.codes import Mark
from pipeline.normalize.rows import constant
from pipeline.units import ABSENT

DUPLICATE_WINDOW_ROWS: Final = 65_536
"""How many rows of its kind back an equal row is still recognised: what bounds the memory."""


def quote_marks(bid_nano: Numbers, ask_nano: Numbers) -> Numbers:
    """(n,) int32: crossed, locked or one-sided, from best bids and asks.

    Absent is the smallest integer, so only a row with bid >= ask, or without a bid, needs a closer look.
    """
    odd = (bid_nano >= ask_nano) | (bid_nano == ABSENT)
    if not np.count_nonzero(odd):
        return constant("i4", 0, len(odd))
    has_bid, has_ask = bid_nano != ABSENT, ask_nano != ABSENT
    both = has_bid & has_ask
    marks = np.where(both & (bid_nano > ask_nano), Mark.CROSSED, 0)
    marks |= np.where(both & (bid_nano == ask_nano), Mark.LOCKED, 0)
    marks |= np.where(has_bid != has_ask, Mark.ONE_SIDED, 0)
    return marks.astype(np.int32)


def one_quote_marks(bid_nano: int, ask_nano: int) -> Mark:
    """The same for one quote."""
    if ABSENT in (bid_nano, ask_nano):
        return Mark.NONE if bid_nano == ask_nano else Mark.ONE_SIDED
    if bid_nano < ask_nano:
        return Mark.NONE
    return Mark.LOCKED if bid_nano == ask_nano else Mark.CROSSED


def bar_marks(open_nano: Numbers, high_nano: Numbers, low_nano: Numbers, close_nano: Numbers) -> Numbers:
    """(n,) int32: untrusted where open or close lies outside low to high, which no trading makes, or is absent."""
    inner_low, inner_high = np.minimum(open_nano, close_nano), np.maximum(open_nano, close_nano)
    odd = (low_nano > inner_low) | (high_nano < inner_high)
    return np.where(odd, np.int32(Mark.UNTRUSTED), np.int32(0))


def one_bar_marks(open_nano: int, high_nano: int, low_nano: int, close_nano: int) -> Mark:
    """The same for one bar."""
    is_possible = low_nano <= min(open_nano, close_nano) and max(open_nano, close_nano) <= high_nano
    return Mark.NONE if is_possible else Mark.UNTRUSTED


def with_mark(marks: Numbers, rows: Numbers, mark: Mark) -> Numbers:
    """The marks with one more where `rows` (a mask) says so; the same array when it says so nowhere."""
    return marks | np.where(rows, np.int32(mark), np.int32(0)) if np.count_nonzero(rows) else marks


class Seen:
    """The last rows of one kind, so that a second showing of the same row is recognised.

    Two rows are the same when their identity (a 64-bit hash of it) is equal and they stand no more than
    `window_rows` apart. A row with an identity of its own (a trade id) is a duplicate whoever brings it again.
    Without one, two equal rows of one source are two events: only another source brings duplicates.
    At this window a pair of different rows with one hash comes up once in some 10^10 windows.
    """

    def __init__(self, window_rows: int = DUPLICATE_WINDOW_ROWS) -> None:
        self._window_rows = window_rows
        self._hashes: Numbers = np.empty(0, np.uint64)
        self._owners: Numbers = np.empty(0, np.int16)
        self._rows: Numbers = np.empty(0, np.int64)
        self._count = 0

    def duplicates(self, hashes: Numbers, sources: Numbers, is_unique: Numbers) -> Numbers:
        """(n,) bool: which rows are a second showing; these rows are remembered.

        hashes      (n,) uint64, the identities, in the order of the rows
        sources     (n,) int16, who brought them
        is_unique   (n,) bool, whether the identity names one event and no other
        """
        old_count, new_count = len(self._hashes), len(hashes)
        every = np.concatenate([self._hashes, hashes])
        owners = np.concatenate([self._owners, sources])
        rows = np.concatenate([self._rows, np.arange(self._count, self._count + new_count)])
        order = np.argsort(every, kind="stable")
        starts = np.ones(len(every), np.bool_)
        starts[1:] = every[order][1:] != every[order][:-1]
        starts[1:] |= rows[order][1:] - rows[order][:-1] > self._window_rows
        owners[order] = owners[order][np.flatnonzero(starts)][np.cumsum(starts) - 1]
        repeated = np.empty(len(every), np.bool_)
        repeated[order] = ~starts
        self._count += new_count
        kept = slice(max(0, len(every) - self._window_rows), None)
        self._hashes, self._owners, self._rows = every[kept], owners[kept], rows[kept]
        found: Numbers = repeated[old_count:] & (is_unique | (owners[old_count:] != sources))
        return found


def hashes(columns: list[Numbers]) -> Numbers:
    """(n,) uint64: one hash a row over integer columns, the same on every platform (multiply and shift of splitmix64)."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed ^= column.astype(np.int64).view(np.uint64)
        mixed += np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(30)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed
