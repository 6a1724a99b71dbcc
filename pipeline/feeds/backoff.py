"""Back-off: how long to wait before the next connection, so that a vendor who refuses us is not stormed.

The wait doubles with every connection that failed and is short again only after seconds of data: a server that accepts
a connection, or even a key, and then throws us out has proved nothing (massive 2.9.1 reset there: 6 connections in 20 ms).
Beside it stands a budget by rate, so many connections in so many seconds. None counts over a lifetime: a feed that is
recycled each hour goes on for years.

A vendor that says there are too many of us has given our place to another program, or hasn't cleared away our last connection
yet. The first is a quarrel that nobody wins: each time within an hour we stay away twice as long.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

JITTER: Final = 0.25
"""A wait is spread by a quarter to both sides, so that clients thrown out together don't come back together."""


CROWDED_FLOOR_S: Final = 5.0
"""A vendor's floor from here on says that our place is taken; shorter ones are mere politeness."""

CROWDED_WITHIN_S: Final = 3_600.0
CROWDED_MAX_S: Final = 300.0
"""The longest that we stay away because of it, beyond the vendor's own floor."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long is waited: from `first_s`, doubling, up to `longest_s`, jitter aside.

    `data_s` seconds of data make waits short again. At most `connects_max` connections begin within `window_s` seconds.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    data_s: float = 10.0
    connects_max: int = 10
    window_s: float = 60.0


class Backoff:
    """The waits of one feed. Times are seconds of a clock that only rises; `draw` gives numbers from 0 to below 1."""

    def __init__(self, draw: Callable[[], float], waits: Waits | None = None) -> None:
        self._draw = draw
        self._waits = waits or Waits()
        self._failures = 0
        self._connects: deque[float] = deque(maxlen=self._waits.connects_max)
        self._data_since_s: float | None = None
        self._crowded: deque[float] = deque(maxlen=16)
        """When our place was taken."""

    def connecting(self, now_s: float) -> None:
        """A connection begins; whatever data came before is no data of it."""
        self._connects.append(now_s)
        self._data_since_s = None

    def data(self, now_s: float) -> None:
        """Good events came. Once they come for long enough, waits are short again."""
        if self._data_since_s is None:
            self._data_since_s = now_s
        if now_s - self._data_since_s >= self._waits.data_s:
            self._failures = 0

    def failed(self, now_s: float, floor_s: float = 0.0) -> float:
        """The connection failed or ended: seconds to wait before the next, no fewer than the vendor's floor."""
        # 2.0**63 is no wait any more, and no overflow either
        doubled_s = min(self._waits.first_s * 2.0 ** min(self._failures, 63), self._waits.longest_s)
        self._failures += 1
        jittered_s = doubled_s * (1.0 - JITTER + 2.0 * JITTER * self._draw())
        return max(jittered_s, self._away_s(now_s, floor_s), self._budget_s(now_s))

    def _away_s(self, now_s: float, floor_s: float) -> float:
        """The vendor's floor, or longer where it had to be said again and again."""
        if floor_s < CROWDED_FLOOR_S:
            return floor_s
        while self._crowded and now_s - self._crowded[0] > CROWDED_WITHIN_S:
            self._crowded.popleft()
        self._crowded.append(now_s)
        return max(floor_s, min(floor_s * 2.0 ** (len(self._crowded) - 1), CROWDED_MAX_S))

    def _budget_s(self, now_s: float) -> float:
        """Seconds until one more connection is within the budget."""
        if len(self._connects) < self._waits.connects_max:
            return 0.0
        return self._connects[0] + self._waits.window_s - now_s
