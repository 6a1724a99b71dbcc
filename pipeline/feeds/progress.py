"""Progress: what the core thread has made of a feed's messages so far. It writes, the socket thread reads; nobody waits.

Only the core knows what a message holds; only the socket thread can act when nothing good comes any more. So counts
that only rise stand between them.
"""

from typing import Final

import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import BarUnit, FeedAction, Kind, Mark, Origin
from pipeline.events import MARKET
from pipeline.ports import Channel, Topic
from pipeline.units import DAY_NS, MINUTE_NS, SECOND_NS

_CHANNEL_BY_KIND: Final = {Kind.QUOTE: Channel.QUOTES, Kind.PRINT: Channel.PRINTS, Kind.STATUS: Channel.STATUSES}
LEAD_NS_MAX: Final = DAY_NS
"""Further ahead of us no clock is: there the event's time is wrong."""

_CHANNEL_BY_LENGTH: Final = {
    SECOND_NS: Channel.BARS_1S,
    MINUTE_NS: Channel.BARS_1M,
    5 * MINUTE_NS: Channel.BARS_5M,
    DAY_NS: Channel.BARS_1D,
}
_SNAPSHOT: Final = int(Mark.SNAPSHOT)
_UNDEFINED_TS: Final = int(Mark.UNDEFINED_TS)
_INPUT: Final = int(Origin.INPUT)
"""As numbers: a column compares with a member of an enum six times slower."""

_NO_TIMES: Final = np.zeros(0, np.int64)


class Progress:
    """Counts of one feed, over all its connections; each is written by the core thread alone.

    `connection` is the number of the connection whose messages are being read, from its CONNECTED fact; `late_ns` is how
    old a quote or print may be when it comes.
    """

    def __init__(self, late_ns: int = DAY_NS) -> None:
        self._late_ns = late_ns
        self.connection = 0
        self.message_count = 0
        """Messages read."""
        self.good_count = 0
        """Events they held."""
        self.live_count = 0
        """Times that something new was among them: neither a snapshot, which a server gives to whoever comes, nor a replay."""
        self.bad_count = 0
        """Messages, or events of them, that were refused."""
        self.count_by_channel = dict.fromkeys(Channel, 0)
        """How many batches held something of a channel, snapshots aside."""
        self.lead_ns: int | None = None
        """How far ahead of our clock an event was when it came, of all the one that was furthest; below 0 where clocks agree.

        None before the first. Quotes and prints count; bars are dated by their beginning.
        """
        self.punctual_count = 0
        self.late_count = 0
        """Quotes and prints that came soon, and those that were old when they came; what was asked for again is neither."""
        self.lag_ns = 0
        """How old the youngest of the last ones was."""
        self.reached_ns = 0
        """Up to when the stream has come, by the vendor's clock: of all quotes and prints the latest event time."""
        self._ids: dict[str, int] = {}
        self._last_ns: dict[Channel, Numbers] = {}

    def add(self, message_count: int, batch: Blocks) -> None:
        """So many messages were read, and this is what they held."""
        self.meet(batch)
        for block in batch:
            if block.kind is Kind.FEED:
                self.bad_count += int(np.count_nonzero(block.number("action") == FeedAction.REJECTED))
            elif block.kind is not Kind.INSTRUMENT:
                self._add_events(block)
        self.message_count += message_count

    def meet(self, batch: Blocks) -> None:
        """Learn the instruments that are defined here: by a message, ahead of any, or by history."""
        for block in batch:
            if block.kind is Kind.INSTRUMENT:
                self._ids.update(zip(block.text("symbol"), block.number("instrument_id").tolist(), strict=True))

    def _add_events(self, block: Block) -> None:
        self.good_count += len(block)
        if block.kind not in MARKET:
            return
        is_told = (block.number("marks") & _SNAPSHOT) == 0
        is_live = is_told & (block.number("origin") == _INPUT)
        self.live_count += bool(is_live.any())
        if block.kind is Kind.BAR:
            self._add_bars(block, is_told)
            return
        self._heard(_CHANNEL_BY_KIND[block.kind], block, is_told)
        is_dated = is_live & ((block.number("marks") & _UNDEFINED_TS) == 0)
        if block.kind is not Kind.STATUS and is_dated.any():
            event_ns = block.number("ts_event_ns")[is_dated]
            self._timed(event_ns, event_ns - block.number("ts_recv_ns")[is_dated])

    def _timed(self, event_ns: Numbers, leads_ns: Numbers) -> None:
        """Quotes or prints of these times came, so far ahead of our clock."""
        self.reached_ns = max(self.reached_ns, int(event_ns.max()))
        late_count = int(np.count_nonzero(leads_ns < -self._late_ns))
        self.late_count += late_count
        self.punctual_count += len(leads_ns) - late_count
        self.lag_ns = -int(leads_ns.max())
        furthest_ns = int(leads_ns.max())
        if furthest_ns > LEAD_NS_MAX:
            leads_ns = leads_ns[leads_ns <= LEAD_NS_MAX]
            if not len(leads_ns):
                return
            furthest_ns = int(leads_ns.max())
        if self.lead_ns is None or furthest_ns > self.lead_ns:
            self.lead_ns = furthest_ns

    def _add_bars(self, block: Block, is_told: Numbers) -> None:
        lengths = np.where(block.number("bar_unit") == BarUnit.TIME, block.number("bar_length"), 0)
        for length in np.unique(lengths).tolist():
            if length in _CHANNEL_BY_LENGTH:
                is_this = lengths == length
                self._heard(_CHANNEL_BY_LENGTH[length], block.take(is_this), is_told[is_this])

    def _heard(self, channel: Channel, block: Block, is_told: Numbers) -> None:
        self.count_by_channel[channel] += bool(is_told.any())
        ids = block.number("instrument_id")
        # One that claims to be of a time to come would begin a hole behind its end.
        times = np.minimum(block.number("ts_event_ns"), block.number("ts_recv_ns"))
        try:
            self._last_ns[channel][ids] = times  # of several rows of an instrument the last one stays
        except (KeyError, IndexError):  # seldom, and to look for the highest id takes as long as to write the times
            known = self._last_ns.get(channel, _NO_TIMES)
            grown = np.zeros(2 * int(ids.max()) + 64, np.int64)
            grown[: len(known)] = known
            grown[ids] = times
            self._last_ns[channel] = grown

    def last_event_ns(self, topic: Topic) -> int | None:
        """When the venue made the last event of a topic that was read, by the order they came; None when there was none.

        A late report may set it back: what is asked for again from there on is known by its identity, nothing is missed.
        """
        last_ns = self._last_ns.get(topic.channel)
        id_ = self._ids.get(topic.symbol)
        if last_ns is None or id_ is None or id_ >= len(last_ns):
            return None
        return int(last_ns[id_]) or None
