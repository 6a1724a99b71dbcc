"""Unheard: symbols that a vendor says it sends and of which nothing ever came.

A thin name may be silent for long, so this is worth knowing and no alarm: it is told once, after some time in which its
market was open for everybody. A name that was changed, or is halted for days, is found by it.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

UNHEARD_S: Final = 300.0
LOOK_EVERY_S: Final = 5.0
"""Thousands of symbols may wait: they are looked through no more often, and never again once they were heard."""


class Unheard:
    """Of one feed, over all its connections. Times are seconds that only rise."""

    def __init__(self, unheard_s: float = UNHEARD_S) -> None:
        self._unheard_s = unheard_s
        self._look_every_s = min(LOOK_EVERY_S, unheard_s)
        self._open_s = 0.0
        """For how long the market was open and looked at."""
        self._looked_s: float | None = None
        self._since_s: dict[str, float] = {}
        """Of those that wait to be heard, how long it had been open when they were sent first."""
        self._settled: set[str] = set()
        """Those that were heard, and those that were told of."""

    def connected(self) -> None:
        """A new connection: what passed before it counts for nobody."""
        self._looked_s = None

    def judge(
        self, at_s: float, sent: AbstractSet[str], *, is_open: bool, is_heard: Callable[[str], bool]
    ) -> list[str]:
        """The symbols to be told of, of those that are sent; [] as a rule."""
        if self._looked_s is not None and at_s - self._looked_s < self._look_every_s:
            return []
        if self._looked_s is not None and is_open:
            self._open_s += at_s - self._looked_s
        self._looked_s = at_s
        for symbol in self._since_s.keys() - sent:
            del self._since_s[symbol]
        for symbol in sent - self._settled - self._since_s.keys():
            self._since_s[symbol] = self._open_s
        heard = set(filter(is_heard, self._since_s))
        due = {symbol for symbol, since_s in self._since_s.items() if self._open_s - since_s >= self._unheard_s}
        for symbol in heard | due:
            del self._since_s[symbol]
        self._settled |= heard | due
        return sorted(due - heard)
