"""What is told of Massive's messages besides the market: refusals, and what was left out. As `feed` rows.

What was acknowledged is told by the connection, for every vendor in the same words.
"""

from typing import Any, Final

from pipeline.block import Block
from pipeline.codes import FeedAction, Kind
from pipeline.normalize.massive_words import Status
from pipeline.normalize.rows import TEXT_LENGTH_MAX
from pipeline.units import MINUTE_NS

_FINE: Final = ("connected", "auth_success", "success")
_NAMES_MAX: Final = 64
_EVERY_NS: Final = MINUTE_NS


class Told:
    """The `feed` rows of one reading; what is said again and again becomes one row with a count."""

    def __init__(self, origin: int) -> None:
        self._origin = origin
        self._rows: dict[tuple[int, str, str], dict[str, Any]] = {}

    def add(
        self, action: FeedAction, place: int, ts_recv_ns: int, text: str, channel: str = "", count: int = 1
    ) -> None:
        """Say it, in front of nothing that has a smaller place."""
        text = text[:TEXT_LENGTH_MAX]
        row = self._rows.get((action, channel, text))
        if row is None:
            row = self._row(action, place, ts_recv_ns, text, channel)
            self._rows[action, channel, text] = row
        row["count"] += count

    def status(self, status: Status, place: int, ts_recv_ns: int) -> None:
        """What the vendor said about the connection; a success is not worth a row."""
        if status.status not in _FINE:
            text = f"the vendor says: {status.status[:40]}: {status.message}"
            self.add(FeedAction.REJECTED, place, ts_recv_ns, text, channel="status")

    def _row(self, action: FeedAction, place: int, ts_recv_ns: int, text: str, channel: str) -> dict[str, Any]:
        return {
            "seq": place,
            "ts_event_ns": ts_recv_ns,
            "ts_recv_ns": ts_recv_ns,
            "origin": self._origin,
            "action": action,
            "channel": channel,
            "text": text,
            "count": 0,
        }

    def blocks(self) -> list[Block]:
        """All of it; [] when there was nothing to tell."""
        return [Block.from_rows(Kind.FEED, list(self._rows.values()))] if self._rows else []


class LeftOut:
    """What maps to no event, counted between two tellings."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._told_ns = -_EVERY_NS
        self._is_due = False

    def add(self, what: str, count: int = 1) -> None:
        """Count it; of strangers' words only so many are kept apart."""
        name = what[:40] if what in self._counts or len(self._counts) < _NAMES_MAX else "others"
        self._counts[name] = self._counts.get(name, 0) + count

    def hurry(self) -> None:
        """Tell it at the next occasion."""
        self._is_due = True

    def tell(self, told: Told, place: int, ts_recv_ns: int) -> None:
        """Tell it, when the last time is a minute ago."""
        if not self._counts or (ts_recv_ns - self._told_ns < _EVERY_NS and not self._is_due):
            return
        for what, count in self._counts.items():
            told.add(FeedAction.IGNORED, place, ts_recv_ns, what, count=count)
            place += 1
        self._counts, self._told_ns, self._is_due = {}, ts_recv_ns, False
