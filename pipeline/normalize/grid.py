"""The timer grid of an import: whole steps of session time, as a live recorder's clock would have ticked them.

The timer at T stands before the first row received at or after T. Closed periods have no timers: `quiet_ns` after the
last row the grid stops, and the next row starts it again, so the first timer after a pause is the first whole step
behind that row.
"""

from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.errors import ConfigError
from pipeline.units import MINUTE_NS, SECOND_NS

INTERVAL_NS: Final = SECOND_NS
QUIET_NS: Final = 15 * MINUTE_NS


INTERVAL_NS_MIN: Final = 1_000_000
TIMERS_OF_A_GAP_MAX: Final = 1_000_000
"""More timers than this after one row are no grid but a mistake in its settings."""


def check_grid(interval_ns: int, quiet_ns: int) -> None:
    """Raises ConfigError for a grid finer than a millisecond, or with over a million timers in one gap."""
    if interval_ns < INTERVAL_NS_MIN:
        raise ConfigError(f"timer interval {interval_ns} ns; accepted are 1 ms and more")
    if quiet_ns // interval_ns > TIMERS_OF_A_GAP_MAX:
        raise ConfigError(
            f"timers every {interval_ns} ns until {quiet_ns} ns after the last row are over a million in one gap; "
            "say a longer interval or a shorter quiet period"
        )


def pieces(session_ns: Numbers, before_ns: int, *, interval_ns: int, quiet_ns: int, timers_max: int) -> list[int]:
    """Where to cut rows, from 0 to their number, so that no piece has many more timers than `timers_max`.

    The arguments are those of `timers`. A piece has at most those of one gap more.
    """
    gaps = np.diff(session_ns, prepend=before_ns)
    bounds = np.cumsum(np.minimum(gaps, quiet_ns) // interval_ns + 1) // timers_max
    return [0, *(np.flatnonzero(np.diff(bounds)) + 1).tolist(), len(session_ns)]


def timers(session_ns: Numbers, before_ns: int, *, interval_ns: int, quiet_ns: int) -> tuple[Numbers, Numbers]:
    """The timers due among rows: for each, the row it stands before, and its time.

        session_ns    (n,) int64, session time at each row, never falling
        before_ns     session time in front of these rows; for the first rows of a session their own first time
        returns       (k,) indexes into the rows, (k,) int64 times, both rising

    >>> timers(np.array([100, 250]), 100, interval_ns=100, quiet_ns=1000)
    (array([1]), array([200]))
    """
    assert interval_ns > 0
    steps = session_ns // interval_ns
    steps_before = np.concatenate([[before_ns // interval_ns], steps[:-1]])
    due = np.flatnonzero(steps > steps_before)
    previous = np.where(due > 0, session_ns[due - 1], before_ns)
    first = steps_before[due] + 1
    last = np.minimum(steps[due], (previous + quiet_ns) // interval_ns)
    counts = np.maximum(last - first + 1, 0)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(due, counts), (np.repeat(first, counts) + nth) * interval_ns
