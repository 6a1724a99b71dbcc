"""The timer grid of an import: whole steps of session time, as a live recorder's clock would have ticked them.

The timer at T stands before the first row received at or after T. Closed periods have no timers: `quiet_ns` after the
last row the grid stops, and the next row starts it again, so the first timer after a pause is the first whole step
behind that row.
"""

from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.units import MINUTE_NS, SECOND_NS

INTERVAL_NS: Final = SECOND_NS
QUIET_NS: Final = 15 * MINUTE_NS


def timers(session_ns: Numbers, before_ns: int, *, interval_ns: int, quiet_ns: int) -> tuple[Numbers, Numbers]:
    """The timers due among rows: for each, the row it stands before, and its time.

        session_ns    (n,) int64, session time at each row, never falling
        before_ns     session time in front of these rows; for the first rows of a session their own first time
        returns       (k,) indexes into the rows, (k,) int64 times, both rising

    >>> timers(np.array([100, 250]), 100, interval_ns=100, quiet_ns=1000)
    (array([1]), array([200]))
    """
    steps = session_ns // interval_ns
    steps_before = np.concatenate([[before_ns // interval_ns], steps[:-1]])
    due = np.flatnonzero(steps > steps_before)
    previous = np.where(due > 0, session_ns[due - 1], before_ns)
    first = steps_before[due] + 1
    last = np.minimum(steps[due], (previous + quiet_ns) // interval_ns)
    counts = np.maximum(last - first + 1, 0)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(due, counts), (np.repeat(first, counts) + nth) * interval_ns
