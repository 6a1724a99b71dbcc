"""Columns of Massive's numbers: lists of what was decoded into checked integers, all rows at once.

Each gives the column and a mask of the rows that can't be held exactly; those rows are refused.
"""

from functools import lru_cache
from itertools import starmap
from struct import pack
from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.codes import Mark
from pipeline.hours import Calendar, part_at
from pipeline.normalize.conditions import FORM_T, condition_marks, in_regular_hours
from pipeline.normalize.massive_words import LOT_SHARES, SHARES_FROM_NS, UNSAID
from pipeline.units import ABSENT, DAY_NS, HOUR_NS, NANO

_WHOLE_DAY_NS: Final = 1_793_750_400 * NANO  # 2026-11-04, a Wednesday of trading
_IN_HOURS_NS: Final = _WHOLE_DAY_NS + 16 * HOUR_NS
_OUT_OF_HOURS_NS: Final = _WHOLE_DAY_NS + 8 * HOUR_NS
_BITS_MAX: Final = 62
_VOLUME_ONLY: Final = int(Mark.NO_LAST | Mark.NO_HIGH_LOW)
_TRADE_ID_DIGITS_MAX: Final = 18

_MS: Final = (10**11, 4_102_444_800_000)
_US: Final = (10**14, 4_102_444_800_000_000)
_NS: Final = (10**17, 4_102_444_800_000_000_000)
_UNIT_NS: Final = ((_MS, 1_000_000), (_US, 1_000), (_NS, 1))
"""1973 to 2100 in each unit: no two overlap, and a time outside of all is a wrong unit."""


def integers(values: list[int]) -> Numbers:
    """(n,) int64; packing is three times as fast as asking numpy to look at each."""
    return np.frombuffer(pack(f"{len(values)}q", *values), np.int64)


def floats(values: list[float]) -> Numbers:
    """(n,) float64."""
    return np.frombuffer(pack(f"{len(values)}d", *values), np.float64)


def small(values: list[int]) -> Numbers:
    """(n,) int16."""
    return np.frombuffer(pack(f"{len(values)}h", *values), np.int16)


def ids(values: list[int]) -> Numbers:
    """(n,) int32."""
    return np.frombuffer(pack(f"{len(values)}i", *values), np.int32)


def nanos(values: list[float]) -> tuple[Numbers, Numbers]:
    """Prices (0 to 9.2e9) in 1e-9, and which of them are no whole number of those."""
    prices = floats(values)
    column = np.rint(prices * NANO).astype(np.int64)
    return column, column / NANO != prices


def times_ns(values: list[int], ts_recv_ns: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Times by their magnitude; which are in no unit's range; which weren't said, so that the receive time stands in."""
    column = integers(values)
    unsaid = column == 0
    if _are_within(column, _MS):
        return column * 1_000_000, unsaid, unsaid
    times, is_known = np.where(unsaid, ts_recv_ns, 0), unsaid
    for (low, high), unit_ns in _UNIT_NS:
        of_unit = (low <= column) & (column < high)
        times = np.where(of_unit, column * unit_ns, times)
        is_known = is_known | of_unit
    return times, ~is_known, unsaid


def _are_within(column: Numbers, bounds: tuple[int, int]) -> bool:
    return bool(column.min() >= bounds[0]) and bool(column.max() < bounds[1])


def displayed(values: list[int], ts_event_ns: Numbers) -> Numbers:
    """Sizes of quotes in shares: before 2025-11-03 they came in round lots."""
    column = integers(values)
    if ts_event_ns.min() >= SHARES_FROM_NS:
        return column
    return np.where(ts_event_ns < SHARES_FROM_NS, column * LOT_SHARES, column)


def traded(whole: list[float], exact: list[str | None]) -> tuple[Numbers, Numbers, int]:
    """Whole shares traded; where the two sizes contradict each other; how many had a fraction of a share besides.

    The vendor's whole number is taken as it is given. Without one the text is, when it names whole shares.
    """
    sizes = floats(whole)
    unsaid = sizes == UNSAID
    if not any(exact):
        return sizes.astype(np.int64), unsaid | (np.floor(sizes) != sizes), 0
    with_fraction = _with_fractions(whole, exact)
    sizes = np.where(unsaid, with_fraction, sizes)
    is_wrong = (np.floor(sizes) != sizes) | (sizes < 0) | ~(np.abs(with_fraction - sizes) < 1)
    fractions = int(np.count_nonzero(~is_wrong & (with_fraction != sizes)))
    return np.where(is_wrong, 0, sizes).astype(np.int64), is_wrong, fractions


def _with_fractions(whole: list[float], exact: list[str | None]) -> Numbers:
    try:
        return floats(list(map(float, exact)))  # type: ignore[arg-type]  # None is what the except is for
    except (TypeError, ValueError):
        return floats(list(starmap(_exact, zip(exact, whole, strict=True))))


def _exact(text: str | None, whole: float) -> float:
    """A size with its fraction, not a number when it is none."""
    if not text:
        return whole
    try:
        return float(text)
    except ValueError:
        return float("nan")


def volumes(values: list[float]) -> Numbers:
    """(n,) int64: whole shares of bars; absent where there is a fraction, which a whole number can't say."""
    column = floats(values)
    is_whole = (column >= 0) & (np.floor(column) == column)
    return np.where(is_whole, column, 0).astype(np.int64) + np.where(is_whole, 0, ABSENT)


def trade_ids(texts: list[str]) -> Numbers:
    """(n,) int64: ids that are decimal numbers; absent for the others."""
    joined = "".join(texts)
    if joined.isdecimal() and joined.isascii() and len(max(texts, key=len)) <= _TRADE_ID_DIGITS_MAX and "" not in texts:
        return integers(list(map(int, texts)))
    return integers([_trade_id(text) for text in texts])


def _trade_id(text: str) -> int:
    is_number = text.isdecimal() and text.isascii() and len(text) <= _TRADE_ID_DIGITS_MAX
    return int(text) if is_number else ABSENT


def conditions(codes: list[tuple[int, ...] | None], ts_event_ns: Numbers) -> tuple[Numbers, Numbers]:
    """Sale conditions as the bits of `print.conditions`, and the marks of what such prints must not move."""
    bits, outside, inside = map(list, zip(*map(_meaning, codes), strict=True))
    column, marks = integers(bits), integers(outside).astype(np.int32)
    if inside != outside:
        is_regular = _in_regular_hours(ts_event_ns) & (column >> FORM_T & 1 != 0)
        marks = np.where(is_regular, integers(inside).astype(np.int32), marks)
    return column, marks


@lru_cache(4_096)
def _meaning(codes: tuple[int, ...] | None) -> tuple[int, int, int]:
    """Bits, and marks outside and inside of regular hours. A condition that has no bit leaves volume only."""
    bits, unknown = 0, 0
    for code in codes or ():
        if code <= _BITS_MAX:
            bits |= 1 << code
        else:
            unknown = _VOLUME_ONLY
    outside, inside = condition_marks(np.array([bits, bits]), np.array([_OUT_OF_HOURS_NS, _IN_HOURS_NS])).tolist()
    return bits, outside | unknown, inside | unknown


def _in_regular_hours(ts_ns: Numbers) -> Numbers:
    """As `in_regular_hours`, by a look at what is usual: all rows of one day."""
    day = int(ts_ns[0]) // DAY_NS
    if not _are_within(ts_ns, (day * DAY_NS, (day + 1) * DAY_NS)):
        return in_regular_hours(ts_ns)
    from_ns, until_ns = _session(day)
    return (from_ns <= ts_ns) & (ts_ns < until_ns)


@lru_cache(64)
def _session(day: int) -> tuple[int, int]:
    session = part_at(Calendar.SHARES, day * DAY_NS + 16 * HOUR_NS)
    return session.from_ns, session.until_ns
