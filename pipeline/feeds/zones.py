"""Local times as UTC, with the two hours a year that clocks make difficult.

When clocks go back, an hour of local times happens twice; when they go forward, one never happens. `fold` says what
becomes of a time that happened twice: `refuse` (the row is rejected), `first` (before the change) or `second`. A time
that never happened is always refused.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.block import Numbers
from pipeline.errors import UnitError
from pipeline.units import ABSENT, MINUTE_NS, NANO, TS_MAX_NS

_QUARTER_NS: Final = 15 * MINUTE_NS
"""Since 1972 all zones have changed their clocks on a quarter of an hour."""


def zone_named(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises UnitError for any other."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UnitError(f"time zone {name[:40]!r} is unknown; accepted are IANA names like America/New_York") from None


def utc_ns(local_ns: Numbers, zone: str, fold: str) -> tuple[Numbers, Numbers | None]:
    """UTC nanoseconds of wall clock times (nanoseconds as if they were UTC), ABSENT where refused or absent.

    Returns (n,) int64 and, when some are refused, (n,) reasons, '' where there is none. Raises UnitError for an unknown zone.
    """
    info = zone_named(zone)
    is_there = (local_ns >= 0) & (local_ns < TS_MAX_NS)
    quarters, index = np.unique(np.where(is_there, local_ns, 0) // _QUARTER_NS, return_inverse=True)
    before, after = _offsets(quarters, info)
    first, second = before[index], after[index]
    # clocks went back when the offset before the change is the larger one, forward when it is the smaller one
    is_twice, is_never = is_there & (first > second), is_there & (first < second)
    utc = local_ns - np.where(is_twice & (fold == "second"), second, first)
    is_refused = is_never | (is_twice if fold == "refuse" else np.zeros_like(is_twice))
    values = np.where(is_refused | (local_ns == ABSENT), ABSENT, np.where(is_there, utc, local_ns))
    if not is_refused.any():
        return values, None
    reasons = np.full(len(local_ns), "", object)
    reasons[is_never] = f"a local time that never was: clocks went forward in {zone}"
    if fold == "refuse":
        reasons[is_twice] = f"a local time that was twice: clocks went back in {zone}; say fold=first or fold=second"
    return values, reasons


def _offsets(quarters: Numbers, info: ZoneInfo) -> tuple[Numbers, Numbers]:
    """Offsets from UTC in ns at each quarter of an hour of wall clock time, as before and as after a change there."""
    offsets = np.empty((2, len(quarters)), np.int64)
    epoch = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=info)
    for place, quarter in enumerate(quarters.tolist()):
        local = epoch + timedelta(minutes=15 * quarter)
        for fold in (0, 1):
            offset = local.replace(fold=fold).utcoffset()
            assert offset is not None
            offsets[fold, place] = round(offset.total_seconds()) * NANO
    return offsets[0], offsets[1]
