"""Ignored: what a live normaliser leaves out, counted, and told now and then."""

from typing import Any, Final

from pipeline.codes import FeedAction

_EVERY: Final = 1_000
_WORDS_MAX: Final = 64
_OTHERS: Final = "others"


class Ignored:
    """Counts by what was left out. Each is told the first time, then after a thousand more; `all_due` tells the rest."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._is_due: set[str] = set()

    def note(self, what: str, count: int = 1) -> None:
        """One more of these was left out."""
        if what not in self._counts:
            if len(self._counts) >= _WORDS_MAX:
                what = _OTHERS
            self._is_due.add(what)
        self._counts[what] = self._counts.get(what, 0) + count
        if self._counts[what] >= _EVERY:
            self._is_due.add(what)

    def all_due(self) -> None:
        """Tell everything that was not told yet."""
        self._is_due |= {what for what, count in self._counts.items() if count}

    def due(self) -> list[dict[str, Any]]:
        """Payloads of the IGNORED rows that are due, in the order of what was first met; they are told with this."""
        told = [what for what in self._counts if what in self._is_due]
        rows = [{"action": FeedAction.IGNORED, "count": self._counts[what], "text": what} for what in told]
        self._counts |= dict.fromkeys(told, 0)
        self._is_due.clear()
        return rows
