"""Lateness: whether what a feed sends is old when it comes, though it comes.

A server that can't keep up with us, or a line that is full, delays everything by more and more. Single late reports mean
nothing, trades are reported late on the best of days; so a feed lags when for some time nothing came that was not late.
"""

from typing import Final

LATE_S: Final = 5.0
"""Older than this when it came, an event is late."""

LATE_FOR_S: Final = 10.0
LATE_COUNT_MIN: Final = 10
"""Fewer late events are the late reports of a thin name."""


class Lateness:
    """Of one feed, over all its connections. Times are seconds that only rise."""

    def __init__(self, late_for_s: float = LATE_FOR_S) -> None:
        self.is_lagging = False
        self._late_for_s = late_for_s
        self._since_s = 0.0
        self._late_count = 0

    def judge(self, at_s: float, *, punctual_count: int, late_count: int) -> bool:
        """Whether it began or ceased to lag; counts are of the events that came since the last time."""
        if punctual_count:
            self._late_count = 0
            return self._becomes(is_lagging=self.is_lagging and late_count > punctual_count)
        if late_count and not self._late_count:
            self._since_s = at_s
        self._late_count += late_count
        is_long = at_s - self._since_s >= self._late_for_s
        return self._becomes(is_lagging=self.is_lagging or (self._late_count >= LATE_COUNT_MIN and is_long))

    def _becomes(self, *, is_lagging: bool) -> bool:
        before, self.is_lagging = self.is_lagging, is_lagging
        return before != is_lagging
