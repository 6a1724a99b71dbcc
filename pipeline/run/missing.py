"""Missing: since when each feed of a session was not recorded, as its own rows tell. What goes on with the session begins there."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.block import Blocks
from pipeline.codes import FeedAction, Kind
from pipeline.feeds.facts import NO_HISTORY, WITHDRAWN
from pipeline.units import ABSENT


class Since(NamedTuple):
    """Up to when a feed was recorded, and up to when nothing of it is missing: a hole before that may not be filled yet."""

    missing_ns: int
    unfilled_ns: int


def missing_in(batches: Iterable[Blocks], feed_count: int, last_ns: int) -> Sequence[Since]:
    """Of each feed of a session, in their order; `last_ns` is when its last row came: none is missing from later on."""
    feeds = [_Feed() for _ in range(feed_count)]
    for batch in batches:
        for block in batch:
            if block.kind is Kind.FEED:
                for row in block.rows():
                    if 0 < row["source"] <= feed_count:
                        feeds[row["source"] - 1].add(row["action"], row["channel"], row["from_ns"], row["text"])
    return [feed.since(last_ns) for feed in feeds]


class _Feed:
    """The holes of one feed that stand open."""

    def __init__(self) -> None:
        self._gap_ns: int | None = None
        """Where the first hole begins that is not filled."""
        self._is_closed = False
        """Whether it was recorded again since."""
        self._topics: dict[tuple[str, str], int] = {}
        """Where those begin that history could not fill, or that the vendor opened, by channel and symbol."""

    def add(self, action: int, channel: str, from_ns: int, text: str) -> None:
        """One row of what happened to the feed."""
        match action:
            case FeedAction.GAP_OPENED if channel and (NO_HISTORY in text or text.endswith(WITHDRAWN)):
                for symbol in text.partition(":")[0].split(" "):
                    self._topics[channel, symbol] = min(from_ns, self._topics.get((channel, symbol), from_ns))
            case FeedAction.GAP_OPENED if not channel and from_ns != ABSENT:
                self._gap_ns = from_ns if self._gap_ns is None else min(from_ns, self._gap_ns)
                self._is_closed = False
            case FeedAction.GAP_CLOSED if channel:
                for symbol in text.split(" "):
                    self._topics.pop((channel, symbol), None)
            case FeedAction.GAP_CLOSED:
                self._is_closed = True
            case FeedAction.BACKFILLED if self._is_closed:
                self._gap_ns = None

    def since(self, last_ns: int) -> Since:
        """Where the next hole of this feed begins."""
        gap_ns = last_ns if self._gap_ns is None else min(self._gap_ns, last_ns)
        return Since(last_ns if self._is_closed else gap_ns, min([gap_ns, *self._topics.values()]))
