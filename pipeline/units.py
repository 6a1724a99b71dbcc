"""Units: integers that measure something, and the few exact ways in and out of them.

Prices are int64 in 1e-9 of the quote currency (`_nano`), sizes int64 in steps of the instrument's
`size_step_nano` (`_steps`), times int64 UTC nanoseconds (`_ns`). Absent is `ABSENT` (the smallest int64)
in integer columns and NaN in float columns; SQL views turn both into NULL.
"""

import math
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, NewType

from pipeline.errors import UnitError

TsNs = NewType("TsNs", int)
PriceNano = NewType("PriceNano", int)
SizeSteps = NewType("SizeSteps", int)
InstrumentId = NewType("InstrumentId", int)
Seq = NewType("Seq", int)

NANO: Final = 1_000_000_000
"""How many nanos make one: of a second, of a dollar, of a share."""

ABSENT: Final = -(2**63)
"""No value, in an int64 column."""

INT64_MAX: Final = 2**63 - 1

SECOND_NS: Final = NANO
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS

TS_MIN_NS: Final = 0
"""1970-01-01: no market event is older; a smaller time is a vendor's mistake, not a time."""

TS_MAX_NS: Final = 4_102_444_800 * NANO
"""2100-01-01, exclusive: a larger time is a wrong unit or a vendor's sentinel."""

_EXPONENT_MAX: Final = 18
"""Decimal exponents outside +-18 can't be an int64 of nanos; refusing them early bounds the work."""


_TEXT_LENGTH_MAX: Final = 1_000
"""Longer texts of numbers are hostile, and Python refuses to read beyond 4,300 digits."""


def nano_from_text(text: str) -> int:
    """The exact nanos a decimal text names.

    Raises UnitError when the text is no finite number, is finer than 1e-9 or does not fit an int64.

    >>> nano_from_text("61837.63000000")
    61837630000000
    """
    if len(text) > _TEXT_LENGTH_MAX:
        raise UnitError(f"{text[:40]!r}... has {len(text)} characters; no number needs more than {_TEXT_LENGTH_MAX}")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise UnitError(f"{text[:40]!r} is not a decimal number") from None
    if not number.is_finite() or (number and abs(number.adjusted()) > _EXPONENT_MAX):
        raise UnitError(f"{text[:40]!r} is not a finite number between 1e-9 and 9.2e9")
    if not number:
        return 0  # with whatever exponent: `0e999999999` is no power to work out
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # finite, so no 'n', 'N' or 'F'
    shift = exponent + 9
    magnitude = int("".join(map(str, digits)))
    if shift < 0:
        magnitude, rest = divmod(magnitude, int(10**-shift))
        if rest:
            raise UnitError(f"{text[:40]!r} is finer than 1e-9")
    else:
        magnitude *= int(10**shift)
    if magnitude > INT64_MAX:
        raise UnitError(f"{text[:40]!r} is larger than 9.2e9")
    return -magnitude if sign else magnitude


def text_from_nano(nano: int) -> str:
    """The shortest decimal text that names exactly these nanos; '' when absent.

    >>> text_from_nano(61837630000000)
    '61837.63'
    """
    if nano == ABSENT:
        return ""
    whole, rest = divmod(abs(nano), NANO)
    sign = "-" if nano < 0 else ""
    return f"{sign}{whole}.{rest:09d}".rstrip("0").rstrip(".") if rest else f"{sign}{whole}"


def float_from_nano(nano: int) -> float:
    """The nearest float64 to these nanos (one division); NaN when absent."""
    return math.nan if nano == ABSENT else nano / NANO


def nano_from_float(value: float) -> int:
    """The nanos nearest to a float, ties to even; ABSENT for NaN.

    Raises UnitError when the value is infinite or does not fit an int64.
    """
    if math.isnan(value):
        return ABSENT
    scaled = value * NANO
    if not -9.2e18 < scaled < 9.2e18:
        raise UnitError(f"{value!r} is not a price: larger than 9.2e9")
    return round(scaled)


def ns_from_seconds_text(text: str) -> TsNs:
    """Nanoseconds of a decimal count of seconds since 1970, exactly.

    Raises UnitError when it is no number, finer than a nanosecond, or outside 1970 to 2100.
    """
    return checked_ts(nano_from_text(text))


def checked_ts(ts_ns: int) -> TsNs:
    """The same time, when it lies between 1970 and 2100. Raises UnitError otherwise."""
    if not TS_MIN_NS <= ts_ns < TS_MAX_NS:
        raise UnitError(f"{ts_ns} ns is not a time between 1970 and 2100: is its unit right?")
    return TsNs(ts_ns)


def iso_from_ns(ts_ns: int) -> str:
    """UTC text with all nine digits, or '' when absent.

    >>> iso_from_ns(1723161253937085768)
    '2024-08-08T23:54:13.937085768Z'
    """
    if ts_ns == ABSENT:
        return ""
    seconds, nanos = divmod(ts_ns, NANO)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
