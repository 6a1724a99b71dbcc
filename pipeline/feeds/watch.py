"""Watch: looks at one connection once a second, by what the core made of its messages.

What the core has not read yet is no silence: a channel is judged as of the last look but one when all that had come by
then was read. (A client that judged by its own backlog cut off a stream of which 5 030 records waited in its queue.)
"""

from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from pipeline.codes import FeedAction
from pipeline.feeds.facts import Fact, naming
from pipeline.feeds.line import Line
from pipeline.feeds.silence import Change, Nonsense, is_market_busy, is_market_open
from pipeline.ports import Channel, Topic
from pipeline.units import NANO, SECOND_NS

APART_S: Final = 1.0
"""A vendor's clock that is ahead of ours by this is told of: ours is wrong then, and tokens that are dated by it may be refused."""

SLOW_AGAIN_S: Final = 10.0
"""How often it is told that a socket was not read."""


_SELDOM: Final = frozenset((Channel.STATUSES, Channel.HEARTBEATS))
"""What may be silent of a symbol for years."""

_NO_SYMBOLS: Final = frozenset(("", "*"))


class _Mark(NamedTuple):
    """A moment, and how many messages had come by then."""

    at_s: float
    message_count: int


class Watch:
    """Over one connection of a line; `connection` is its number."""

    def __init__(self, line: Line, connection: int, now_s: float) -> None:
        self._line = line
        self._connection = connection
        self._mark = _Mark(now_s, line.message_count)
        self._judged_count = line.message_count
        self._good_count = line.progress.good_count
        self._live_count = line.progress.live_count
        self._timed = line.progress.punctual_count, line.progress.late_count
        self._bad_count = line.progress.bad_count
        self._by_channel = dict(line.progress.count_by_channel)
        self._nonsense = Nonsense(line.times.nonsense_s)
        self._slow_count = 0
        self._slow_from_ns = 0
        self._slow_due_s = now_s

    def not_read(self) -> None:
        """The inbox is full, so the socket is not read."""
        if not self._slow_count:
            self._slow_from_ns = self._line.clock.now_ns()
        self._slow_count += 1

    def tell_slow(self, now_s: float) -> None:
        """Tell how often the socket was not read."""
        if self._slow_count and now_s >= self._slow_due_s:
            now_ns = self._line.clock.now_ns()
            text = "inbox full, so the socket was not read"
            self._line.tell(
                FeedAction.SLOW, from_ns=self._slow_from_ns, to_ns=now_ns, count=self._slow_count, text=text
            )
            self._slow_count = 0
            self._slow_due_s = now_s + SLOW_AGAIN_S

    def look(self, now_s: float, sent: AbstractSet[Topic]) -> str:
        """Why the connection is to be made anew, '' as long as it does well; `sent` is what the vendor says it sends."""
        self.tell_slow(now_s)
        line, mark = self._line, self._mark
        if line.progress.message_count < mark.message_count:
            return ""
        self._mark = _Mark(now_s, line.message_count)
        self._tell_apart()
        self._tell_lag(mark.at_s)
        good_count, bad_count, heard = self._news(mark)
        if line.progress.live_count != self._live_count:
            self._live_count = line.progress.live_count
            line.backoff.data(mark.at_s)
        self._tell_unheard(mark.at_s, sent)
        is_open, watched = is_market_open(line.vendor.calendar, line.clock.now_ns()), {topic.channel for topic in sent}
        for change in line.silence.judge(mark.at_s, heard=heard, watched=watched, is_open=is_open):
            self._tell(change)
        if self._nonsense.judge(mark.at_s, good_count=good_count, bad_count=bad_count):
            return "messages flow, but none of them could be read"
        hopeless = line.silence.is_hopeless(mark.at_s)
        return "" if hopeless is None else f"mute: nothing on {hopeless}"

    def _tell_unheard(self, at_s: float, sent: AbstractSet[Topic]) -> None:
        line, now_ns = self._line, self._line.clock.now_ns()
        symbols = frozenset(topic.symbol for topic in sent if topic.channel not in _SELDOM) - _NO_SYMBOLS
        is_busy = is_market_busy(line.vendor.calendar, now_ns)
        if due := line.unheard.judge(at_s, symbols, is_open=is_busy, is_heard=line.is_heard):
            why = f": nothing came in {line.times.unheard_s:g} s of market hours"
            line.tell_all(naming(due, Fact(now_ns, FeedAction.UNHEARD), why))

    def _tell_apart(self) -> None:
        """Tell once that the clocks are apart."""
        line = self._line
        lead_s = line.lead_ns() / NANO / line.clock.rate
        if lead_s >= APART_S and not line.is_apart_told:
            line.is_apart_told = True
            text = f"the vendor's clock is ahead of ours by {lead_s:,.1f} s: set ours right"
            line.tell(FeedAction.CLOCKS_APART, count=int(lead_s * 1_000), text=text)

    def _tell_lag(self, at_s: float) -> None:
        """Tell when what comes is old, and when it is so no longer."""
        line, progress = self._line, self._line.progress
        counts = progress.punctual_count, progress.late_count
        punctual_count, late_count = (now - before for now, before in zip(counts, self._timed, strict=True))
        self._timed = counts
        if line.lateness.judge(at_s, punctual_count=punctual_count, late_count=late_count):
            lag_s = max(0.0, progress.lag_ns / NANO / line.clock.rate)
            action = FeedAction.LAGGING if line.lateness.is_lagging else FeedAction.CAUGHT_UP
            line.tell(action, count=int(lag_s * 1_000), text=f"what comes is {lag_s:,.1f} s old")

    def _news(self, mark: _Mark) -> tuple[int, int, frozenset[Channel]]:
        """Good and refused events since the last time, and the channels they came on."""
        progress = self._line.progress
        good_count, bad_count, by_channel = progress.good_count, progress.bad_count, dict(progress.count_by_channel)
        heard = {channel for channel, count in by_channel.items() if count != self._by_channel[channel]}
        if mark.message_count != self._judged_count:
            heard.add(Channel.HEARTBEATS)  # any message is a sign of life
        news = good_count - self._good_count, bad_count - self._bad_count, frozenset(heard)
        self._judged_count = mark.message_count
        self._good_count, self._bad_count, self._by_channel = good_count, bad_count, by_channel
        return news if progress.connection == self._connection else (0, 0, frozenset())

    def _tell(self, change: Change) -> None:
        now_ns = self._line.clock.now_ns()
        self._line.tell(
            FeedAction.MUTE if change.is_mute else FeedAction.HEARD,
            channel=change.channel.value,
            from_ns=now_ns - round(change.silent_s * SECOND_NS),
            to_ns=now_ns,
        )
