"""Timeframes: how long a bar is, in words: 5s, 1m, 65m@session, 500t, 10000v, 1M$, 0.05r."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pipeline.codes import BarUnit
from pipeline.errors import UnitError
from pipeline.hours import DayPart
from pipeline.units import DAY_NS, HOUR_NS, INT64_MAX, MINUTE_NS, NANO, SECOND_NS, text_from_nano

SESSION_UNITS: Final = BarUnit.SESSION_TIME.value
"""What is added to a unit that counts within the parts of a day."""

DAYS_MAX: Final = 1_000

_TIMES_NS: Final = {"d": DAY_NS, "h": HOUR_NS, "m": MINUTE_NS, "s": SECOND_NS}
_COUNTED: Final = {"t": BarUnit.TICKS, "v": BarUnit.VOLUME, "$": BarUnit.DOLLARS, "r": BarUnit.RANGE}
_THOUSANDS: Final = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}
_WORD: Final = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)([KMB]?)([smhdtv$r])(?:@(\w+))?", re.ASCII)

_EVERY_PART: Final = sum(1 << part for part in DayPart)
_PARTS: Final = {
    "session": _EVERY_PART,
    "premarket": 1 << DayPart.PREMARKET,
    "regular": 1 << DayPart.REGULAR,
    "afterhours": 1 << DayPart.AFTER_HOURS,
}
"""By the word behind @, the parts of the day in which bars are wanted: bit k is part k."""

ACCEPTED: Final = (
    "a number and s, m, h, d (time), t (ticks), v (volume), $ (dollars) or r (range), "
    f"then @{', @'.join(_PARTS)} or nothing, like 65m@regular, 500t, 1M$"
)


@dataclass(frozen=True, slots=True)
class Timeframe:
    """The length of a bar.

    `length` counts nanoseconds of time, ticks, or nanos of volume, dollars or price, by `unit` (TIME to RANGE). `parts`
    are the parts of the day in which such bars are wanted, each counting from its own start; 0: by the clock.
    """

    unit: BarUnit
    length: int
    parts: int = 0

    @property
    def bar_unit(self) -> BarUnit:
        """The unit as a bar names it."""
        return BarUnit(self.unit + SESSION_UNITS) if self.parts else self.unit

    def __str__(self) -> str:
        """The word that names it; that of the whole session for several of its parts."""
        hours = next(
            (f"@{name}" for name, parts in _PARTS.items() if parts == self.parts), "@session" if self.parts else ""
        )
        return f"{_length_text(self.unit, self.length)}{hours}"


def timeframe_of(text: str) -> Timeframe:
    """The timeframe a word names. Raises UnitError with what is accepted.

    >>> str(timeframe_of("3900s@regular"))
    '65m@regular'
    """
    match = _WORD.fullmatch(text.strip())
    if match is None or (match[4] and match[4] not in _PARTS):
        raise UnitError(f"bars {text[:40]!r}: accepted is {ACCEPTED}")
    number = Decimal(match[1]) * _THOUSANDS[match[2]]
    if match[3] in _TIMES_NS:
        if match[2]:
            raise UnitError(f"bars {text[:40]!r}: K, M and B are for ticks, volume and dollars; a minute is 1m")
        return _of_time(text, number * _TIMES_NS[match[3]], _PARTS.get(match[4] or "", 0))
    unit = _COUNTED[match[3]]
    length = number * (1 if unit == BarUnit.TICKS else NANO)
    if length != int(length) or not 0 < length <= INT64_MAX:
        raise UnitError(f"bars {text[:40]!r}: accepted are whole ticks, and anything else from 1e-9 to 9.2e9")
    return Timeframe(unit, int(length), _PARTS.get(match[4] or "", 0))


def _of_time(text: str, length: Decimal, parts: int) -> Timeframe:
    length_ns = int(length)
    if length <= 0 or length % SECOND_NS or length > DAYS_MAX * DAY_NS:
        raise UnitError(f"bars {text[:40]!r}: accepted are whole seconds, up to {DAYS_MAX} days")
    if length_ns > DAY_NS and (parts or length_ns % DAY_NS):
        raise UnitError(f"bars {text[:40]!r}: what is longer than a day counts whole days, without @")
    return Timeframe(BarUnit.TIME, length_ns, parts)


def _length_text(unit: BarUnit, length: int) -> str:
    if unit == BarUnit.TIME:
        letter, unit_ns = next((letter, ns) for letter, ns in _TIMES_NS.items() if length % ns == 0)
        return f"{length // unit_ns}{letter}"
    letter = next(letter for letter, counted in _COUNTED.items() if counted == unit)
    nano = length * NANO if unit == BarUnit.TICKS else length
    million = 1_000_000 * NANO
    return f"{nano // million}M{letter}" if nano % million == 0 else f"{text_from_nano(nano)}{letter}"
