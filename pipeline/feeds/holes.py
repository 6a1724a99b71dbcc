"""Holes: the stretches of each topic in which nothing could be recorded, until history has filled them."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from pipeline.ports import Channel, Topic
from pipeline.units import HOUR_NS, INT64_MAX, MINUTE_NS, SECOND_NS

MARGIN_NS: Final = 2 * SECOND_NS
"""What is asked for beyond both ends of a hole, besides what the vendor's clock is known to differ from ours."""

BEHIND_NS_MAX: Final = HOUR_NS
"""A feed that is delayed tells what was a quarter of an hour ago; what is older than this is old, and tells of no clock."""

REACH_NS: Final[Mapping[Channel, int]] = {
    Channel.PRINTS: MINUTE_NS,
    Channel.BARS_1S: 15 * MINUTE_NS,
    Channel.BARS_1M: 15 * MINUTE_NS,
    Channel.BARS_5M: 15 * MINUTE_NS,
}
"""What is asked for besides in front of a hole: trades of before that were reported in it, and the bars they revised.

Trades are to be reported within ten seconds and some come later; Massive revises its bars for fifteen minutes.
"""


class Hole(NamedTuple):
    """A stretch of a topic that is missing, margins included; UTC nanoseconds, the end exclusive.

    It begins by the vendor's clock, and ends by ours: `Holes.end_ns` tells by the vendor's.
    """

    topic: Topic
    from_ns: int
    to_ns: int


class Holes:
    """The holes of one feed. One opens when a connection is lost, and closes when its topic is acknowledged again.

    `lead_ns` tells how far the vendor's clock is ahead of ours, below 0 where what comes is old, as far as is known by now.
    """

    def __init__(
        self,
        margin_ns: int = MARGIN_NS,
        reach_ns: Mapping[Channel, int] = REACH_NS,
        lead_ns: Callable[[], int] = lambda: 0,
    ) -> None:
        self._margin_ns = margin_ns
        self._reach_ns = reach_ns
        self.lead_ns = lead_ns
        self._since_ns: dict[Topic, int] = {}
        """When a topic was first acknowledged: where its first hole begins, if nothing of it was ever heard."""
        self._open_ns: dict[Topic, int] = {}
        self._closed: dict[Topic, Hole] = {}
        self._failed: set[Topic] = set()

    def open(self, last_ns: Mapping[Topic, int | None], asked_ns: int = INT64_MAX) -> None:
        """Topics are missing from their last event on. One that is not filled yet goes on from where it began.

        `asked_ns` is when those were asked for that were never acknowledged.
        """
        for topic, event_ns in last_ns.items():
            since_ns = self._since_ns.get(topic, asked_ns)
            assert since_ns < INT64_MAX or event_ns is not None
            begins_ns = self.began_ns(since_ns) if event_ns is None else event_ns
            begins_ns -= self._margin_ns + self._reach_ns.get(topic.channel, 0)
            known = self._closed.pop(topic, None)
            if known is not None:
                begins_ns = min(begins_ns, known.from_ns)
            self._open_ns[topic] = min(begins_ns, self._open_ns.get(topic, begins_ns))

    def began_ns(self, our_ns: int) -> int:
        """A moment of our clock where a hole begins, by the vendor's: earlier, where what comes is old."""
        return our_ns + max(-BEHIND_NS_MAX, min(0, self.lead_ns()))

    def end_ns(self, hole: Hole) -> int:
        """Where a hole ends by the vendor's clock: later than by ours, where that is ahead."""
        return hole.to_ns + max(0, self.lead_ns())

    def close(self, topics: Iterable[Topic], to_ns: int) -> None:
        """These flow, or flow again."""
        for topic in topics:
            self._since_ns.setdefault(topic, to_ns)
            if topic in self._open_ns:
                begins_ns = self._open_ns.pop(topic)  # a clock that was set back may show less
                self._closed[topic] = Hole(topic, begins_ns, max(begins_ns, to_ns) + self._margin_ns)

    def flows(self, topic: Topic) -> bool:
        """Whether a topic that is wanted was acknowledged."""
        return topic in self._since_ns

    def forget(self, wanted: AbstractSet[Topic]) -> None:
        """Only these are wanted any longer."""
        for known in (self._since_ns, self._open_ns, self._closed):
            for topic in known.keys() - wanted:
                del known[topic]
        self._failed &= wanted

    def to_fill(self) -> list[Hole]:
        """What can be filled: the holes that are closed, those that begin first in front, those that failed behind."""
        return sorted(self._closed.values(), key=lambda hole: (hole.topic in self._failed, hole.from_ns, hole.topic))

    def filled(self, hole: Hole) -> bool:
        """History has it all; whether it was told before that it could not be filled. A hole that changed meanwhile stays."""
        if self._closed.get(hole.topic) != hole:
            return False
        del self._closed[hole.topic]
        was_told = hole.topic in self._failed
        self._failed.discard(hole.topic)
        return was_told

    def failed(self, hole: Hole) -> bool:
        """History could not be had; whether that is news. It stays a hole to be filled."""
        is_news = hole.topic not in self._failed
        self._failed.add(hole.topic)
        return is_news
