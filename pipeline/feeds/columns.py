"""Columns of files as exact integers, whole columns at a time; a row that can't be one says why.

A column of texts is read as decimals; a float column holds the nearest float of some decimal, so it is taken when it
lies within a few float steps of a whole number of units, and refused as too fine otherwise: nothing is rounded away.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.block import Numbers
from pipeline.errors import UnitError
from pipeline.feeds.zones import utc_ns
from pipeline.instruments import steps_from_text
from pipeline.normalize.tables import UNIT_NS
from pipeline.units import ABSENT, INT64_MAX, NANO, TS_MAX_NS, nano_from_text, text_from_nano

_DECIMAL: Final = pa.decimal128(38, 9)
_LARGE_EXPONENT: Final = "[eE][+-]?0*[1-9][0-9]"
"""Of two digits."""
_FLOAT_STEPS_MAX: Final = 4
"""How far, in steps of the float itself, a float may lie from the decimal it stands for: it may have been computed."""

_FEW_ROWS: Final = 4
"""So few are read one by one: halving them further costs more casts than it saves."""

_NOTHING: Final = ["", "nan", "null", "none", "na", "n/a", "nat"]
"""What tables write where there is no number."""


class Exact:
    """One column as int64, ABSENT where there is nothing; `reasons` (n,) says why a row has none, '' where it has."""

    def __init__(self, values: Numbers, reasons: Numbers | None = None) -> None:
        self.values = values
        self.reasons = reasons


def exact_steps(column: Any, step_nano: int, name: str) -> Exact:
    """Numbers in steps of `step_nano` (1 for a price). Raises UnitError for a column that holds no numbers."""
    column = _plain(column)
    if pa.types.is_integer(column.type):
        return _steps_of_integers(column, step_nano)
    if pa.types.is_floating(column.type):
        return _steps_of_floats(column, step_nano, name)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type):
        return _steps_of_texts(column, step_nano, name)
    if pa.types.is_null(column.type):
        return Exact(np.full(len(column), ABSENT, np.int64))
    raise UnitError(f"column {name!r} holds {column.type}, no numbers")


def exact_counts(column: Any, name: str) -> Exact:
    """Whole numbers as they are, for ids and counts."""
    return exact_steps(column, NANO, name)


def exact_times(column: Any, *, unit: str, zone: str, fold: str, name: str) -> Exact:
    """UTC nanoseconds. Raises UnitError when unit or time zone is not known and needed."""
    column = _plain(column)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        is_local = pa.types.is_date(column.type) or column.type.tz is None
        ns = _texts_as_times(column, pa.timestamp("ns", None if is_local else "UTC"), name)
        return _in_range(ns if not is_local else _zoned_column(ns, zone, fold, name), name)
    if pa.types.is_string(column.type) and not unit:
        return _in_range(_times_of_texts(column, zone, fold, name), name)
    if not unit:
        raise UnitError(f"column {name!r} holds numbers: say their unit, one of {', '.join(UNIT_NS)}")
    return _in_range(_times_of_numbers(column, unit, name), name)


def _times_of_numbers(column: Any, unit: str, name: str) -> Exact:
    if unit == "s":
        return exact_steps(column, 1, name)  # a second has as many nanoseconds as a number has nanos
    whole = exact_counts(column, name)
    is_far = (whole.values != ABSENT) & ((whole.values < 0) | (whole.values >= TS_MAX_NS // UNIT_NS[unit]))
    values = np.where((whole.values == ABSENT) | is_far, ABSENT, whole.values * UNIT_NS[unit])
    return Exact(values, _with_reason(whole.reasons, is_far, _range_reason(name)))


def texts(column: Any) -> list[str]:
    """A column as texts, '' where there is nothing, outer spaces cut."""
    column = _plain(column)
    if pa.types.is_boolean(column.type):
        return ["" if value is None else str(value).lower() for value in column.to_pylist()]
    return ["" if value is None else str(value).strip() for value in column.to_pylist()]


def _plain(column: Any) -> Any:
    """One array; bytes as text, with what is no UTF-8 replaced so that it fails as a number."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_large_string(column.type) or pa.types.is_binary(column.type):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:
            return pa.array([value and value.decode("utf-8", "replace") for value in column.to_pylist()], pa.string())
    return column


def _numbers(column: Any, type_: str, absent: float) -> tuple[Numbers, Numbers]:
    """Values as an array, and where there are some."""
    is_there = column.is_valid().to_numpy(zero_copy_only=False)
    return pc.fill_null(column, absent).to_numpy(zero_copy_only=False).astype(type_), is_there


def _steps_of_integers(column: Any, step_nano: int) -> Exact:
    if pa.types.is_uint64(column.type):
        return _steps_of_texts(column.cast(pa.string()), step_nano, "")
    values, is_there = _numbers(column, "i8", 0)
    if step_nano == NANO:
        return Exact(np.where(is_there, values, ABSENT))
    limit = INT64_MAX * step_nano // NANO
    is_far = (values > limit) | (values < -limit)
    scaled = np.where(is_far, 0, values) * (NANO // step_nano)
    return Exact(np.where(is_there & ~is_far, scaled, ABSENT), _with_reason(None, is_far, "number too large"))


def _steps_of_floats(column: Any, step_nano: int, name: str) -> Exact:
    values, is_there = _numbers(column.cast(pa.float64()), "f8", np.nan)
    is_there &= ~np.isnan(values)
    scale = NANO / step_nano
    is_far = is_there & ~(np.abs(values) < 9.2e18 / scale)
    scaled = np.where(is_there & ~is_far, values, 0.0) * scale
    whole = np.rint(scaled)
    is_fine = np.abs(scaled - whole) > _FLOAT_STEPS_MAX * np.spacing(np.abs(scaled))
    reasons = _with_reason(None, is_far, f"{name} is too large")
    reasons = _with_reason(reasons, is_fine, f"{name} is finer than {text_from_nano(step_nano)}, its step")
    return Exact(np.where(is_there & ~is_far & ~is_fine, whole, 0).astype(np.int64) + _absent(~is_there), reasons)


def _absent(rows: Numbers) -> Numbers:
    return np.where(rows, np.int64(ABSENT), np.int64(0))


def _steps_of_texts(column: Any, step_nano: int, name: str) -> Exact:
    column = pc.utf8_trim_whitespace(column)
    is_nothing = pc.is_in(pc.utf8_lower(column), pa.array(_NOTHING))
    column = pc.if_else(is_nothing, pa.scalar(None, pa.string()), column)
    if step_nano == NANO:
        try:
            return _steps_of_integers(column.cast(pa.int64()), NANO)
        except pa.ArrowInvalid:
            pass  # some are no whole numbers: as decimals, then
    if _is_strange(column):
        return _one_by_one(column, _reader_of_steps(step_nano), name)
    try:
        decimals = column.cast(_DECIMAL)
    except pa.ArrowInvalid:
        return _one_by_one(column, _reader_of_steps(step_nano), name)
    is_there = column.is_valid().to_numpy(zero_copy_only=False)
    halves = np.frombuffer(decimals.buffers()[1], np.int64).reshape(-1, 2)[
        decimals.offset : decimals.offset + len(column)
    ]
    nano, high = np.where(is_there, halves[:, 0], 0), np.where(is_there, halves[:, 1], 0)
    fits = (nano >> 63) == high
    if not fits.all() or (step_nano != 1 and (nano % step_nano).any()) or (nano == ABSENT).any():
        return _one_by_one(column, _reader_of_steps(step_nano), name)
    return Exact(np.where(is_there, nano // step_nano, ABSENT))


def _is_strange(column: Any) -> bool:
    """Whether pyarrow's decimals must not see it: a scale beyond their table of powers, as `1e-9999` has, ends the process (arrow 26)."""
    longest = pc.max(pc.binary_length(column)).as_py() or 0
    return longest > _DECIMAL.precision or bool(pc.any(pc.match_substring_regex(column, _LARGE_EXPONENT)).as_py())


def _reader_of_steps(step_nano: int) -> Callable[[str], int]:
    if step_nano == 1:
        return nano_from_text
    return lambda text: steps_from_text(text, step_nano)


def _one_by_one(column: Any, read: Callable[[str], int], name: str) -> Exact:
    """The slow way, for a chunk in which some row can't be read: each row for itself."""
    values = np.full(len(column), ABSENT, np.int64)
    reasons = np.full(len(column), "", object)
    for row, text in enumerate(column.to_pylist()):
        if text is None:
            continue
        try:
            values[row] = read(text)
        except UnitError as error:
            reasons[row] = f"{name}: {error}"
    return Exact(values, reasons if (reasons != "").any() else None)


def _times_of_texts(column: Any, zone: str, fold: str, name: str) -> Exact:
    """ISO texts: with a zone of their own, or local to the zone said."""
    column = pc.utf8_trim_whitespace(column)
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    return _stretch_of_times(column, zone, fold, name)


def _stretch_of_times(column: Any, zone: str, fold: str, name: str) -> Exact:
    try:
        return _texts_as_times(column, pa.timestamp("ns", "UTC"), name)
    except _NoTimesError:
        pass
    try:
        local = _texts_as_times(column, pa.timestamp("ns"), name)
    except _NoTimesError:
        return _times_by_halves(column, zone, fold, name)
    return _zoned_column(local, zone, fold, name)


def _times_by_halves(column: Any, zone: str, fold: str, name: str) -> Exact:
    """The slow way, for a chunk in which some row can't be read: what lies between such rows is still read at once."""
    if len(column) <= _FEW_ROWS:
        return _one_by_one(column, lambda text: _one_time(text, zone, fold, name), name)
    middle = len(column) // 2
    halves = []
    for half in (column[:middle], column[middle:]):
        try:
            halves.append(_stretch_of_times(half, zone, fold, name))
        except UnitError:  # none carries a zone, where others do: what these rows are refused for, not the column
            halves.append(_one_by_one(half, lambda text: _one_time(text, zone, fold, name), name))
    reasons = [np.full(len(half.values), "", object) if half.reasons is None else half.reasons for half in halves]
    is_any = any(half.reasons is not None for half in halves)
    return Exact(np.concatenate([half.values for half in halves]), np.concatenate(reasons) if is_any else None)


class _NoTimesError(UnitError):
    """Some text in the column is no time of the form tried."""


def _one_time(text: str, zone: str, fold: str, name: str) -> int:
    exact = None
    for type_ in (pa.timestamp("ns", "UTC"), pa.timestamp("ns")):
        try:
            exact = _texts_as_times(pa.array([text]), type_, name)
        except _NoTimesError:
            continue
        if type_.tz is None:
            exact = _zoned(exact, zone, fold, name)
    if exact is None:
        is_number = text.replace(".", "", 1).isdecimal()
        hint = f"a number: say its unit, one of {', '.join(UNIT_NS)}" if is_number else "no ISO 8601 time"
        raise UnitError(f"{text[:40]!r} is {hint}")
    if exact.reasons is not None and exact.reasons[0]:
        raise UnitError(exact.reasons[0])
    return int(exact.values[0])


def _texts_as_times(column: Any, type_: Any, name: str) -> Exact:
    try:
        times = column.cast(type_)
    except pa.ArrowInvalid:
        raise _NoTimesError(f"column {name!r} holds something that is no time") from None
    values, is_there = _numbers(times.cast(pa.int64()), "i8", 0)
    return Exact(np.where(is_there, values, ABSENT))


def _zoned(local: Exact, zone: str, fold: str, name: str) -> Exact:
    if not zone:
        raise UnitError(f"times of column {name!r} carry no zone: say it, like tz=UTC or tz=America/New_York")
    ns, reasons = utc_ns(local.values, zone, fold)
    return Exact(ns, reasons)


def _zoned_column(local: Exact, zone: str, fold: str, name: str) -> Exact:
    """The same, with the column's name in each reason."""
    found = _zoned(local, zone, fold, name)
    if found.reasons is None:
        return found
    return Exact(found.values, np.array([reason and f"{name}: {reason}" for reason in found.reasons], object))


def _in_range(times: Exact, name: str) -> Exact:
    is_there = times.values != ABSENT
    is_far = is_there & ((times.values < 0) | (times.values >= TS_MAX_NS))
    reasons = _with_reason(times.reasons, is_far, _range_reason(name))
    return Exact(np.where(is_far, ABSENT, times.values), reasons)


def _range_reason(name: str) -> str:
    return f"{name} is no time between 1970 and 2100: is its unit right?"


def _with_reason(reasons: Numbers | None, rows: Numbers, reason: str) -> Numbers | None:
    if not rows.any():
        return reasons
    found = np.full(len(rows), "", object) if reasons is None else reasons
    found[rows & (found == "")] = reason
    return found
