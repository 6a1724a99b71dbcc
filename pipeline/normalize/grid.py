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
    previous = np.concatenate([[before_ns], session_ns[:-1]])
    first = previous // interval_ns + 1
    last = np.minimum(session_ns, previous + quiet_ns) // interval_ns
    counts = np.maximum(last - first + 1, 0)
    rows = np.repeat(np.arange(len(session_ns)), counts)
    nth = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, (first[rows] + nth) * interval_ns
