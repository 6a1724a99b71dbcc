"""Config: what people write on the command line, read once into exact numbers."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.errors import ConfigError, UnitError
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS, NANO, SECOND_NS, checked_ts, nano_from_text

_UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": SECOND_NS,
    "m": MINUTE_NS,
    "h": HOUR_NS,
    "d": DAY_NS,
}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)")
_DAY_OR_MOMENT: Final = re.compile(
    r"(?:(\d{4}-\d{2}-\d{2})[T ])?(\d{2}:\d{2}(?::\d{2})?)(\.\d{1,9})?(?:(Z|[+-]\d{2}:\d{2})| +([A-Za-z][\w/+-]*))?",
    re.ASCII,
)


def duration_ns(text: str) -> int:
    """Nanoseconds of a duration. Raises ConfigError.

    >>> duration_ns("1.5s")
    1500000000
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"duration {text!r}: write a number and one of {', '.join(_UNITS_NS)}, e.g. 250ms")
    try:
        nano = nano_from_text(match[1]) * _UNITS_NS[match[2]]
    except UnitError as error:
        raise ConfigError(f"duration {text!r}: {error}") from None
    if nano % NANO:
        raise ConfigError(f"duration {text!r} is finer than a nanosecond")
    return nano // NANO


def moment_ns(text: str, *, day_ns: int, zone: tzinfo = UTC) -> int:
    """UTC nanoseconds of a moment: a date and time, or a time on the day, by this zone's clocks, that `day_ns` lies in.

    An offset (`Z`, `-05:00`) or a zone's name (`16:00 UTC`) takes the zone's place. Raises ConfigError, also for a local time that never was or was twice.

    >>> moment_ns("09:31:07.250", day_ns=0)
    34267250000000
    """
    match = _DAY_OR_MOMENT.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"moment {text!r}: write 09:31, 09:31:07.250, 2026-11-04T09:31:07, or with a zone or an offset behind it: "
            "09:31 UTC, 2026-11-04T09:31:07Z"
        )
    clocks = zone_named(match[5]) if match[5] else zone
    if match[4]:
        try:
            clocks = datetime.fromisoformat(f"2000-01-01T00:00{match[4]}").tzinfo or UTC
        except ValueError:
            raise ConfigError(f"moment {text!r}: {match[4]} is no offset; accepted is less than a day") from None
    day = match[1] or f"{datetime.fromtimestamp(day_ns // NANO, clocks):%Y-%m-%d}"
    try:
        local = datetime.fromisoformat(f"{day}T{match[2]}").replace(tzinfo=clocks)
        _refuse_doubtful(local)
        return checked_ts(int(local.timestamp()) * NANO + nano_from_text(f"0{match[3] or ''}"))
    except (ValueError, UnitError) as error:
        raise ConfigError(f"moment {text!r}: {error}") from None


def zone_named(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises ConfigError for any other."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"time zone {name[:40]!r} is unknown; accepted are IANA names like America/New_York"
        ) from None


def _refuse_doubtful(local: datetime) -> None:
    """Raises ValueError for a wall clock time that clocks skipped or showed twice."""
    if local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError(f"a local time that never was: clocks went forward in {local.tzinfo}")
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise ValueError(f"a local time that was twice: clocks went back in {local.tzinfo}; write its offset")
