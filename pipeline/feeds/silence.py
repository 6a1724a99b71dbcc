"""Silence: connections that are open and say nothing, or nothing that can be believed.

A socket that answers pings may be mute for hours. How long a channel may be silent is the vendor's number, and counts
only while its market is open. A mute channel is told, and after some patience the connection is made anew; if that
doesn't help, the next patience is twice as long, so a holiday (unknown here) costs some connections, not thousands.
Times are seconds of a clock that only rises.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from pipeline.codes import AssetClass
from pipeline.hours import Calendar, DayPart, calendar_of, days_at, new_york_offset_ns, part_at
from pipeline.ports import Channel
from pipeline.units import DAY_NS

PATIENCE_S: Final = 20.0
PATIENCE_MAX_S: Final = 1_800.0
NONSENSE_S: Final = 10.0
_SATURDAY: Final = 5


class Change(NamedTuple):
    """A channel fell silent, or was heard again; `silent_s` is how long it said nothing."""

    channel: Channel
    is_mute: bool
    silent_s: float


class Silence:
    """Which channels of a feed are mute, over all its connections."""

    def __init__(self, quiet_s: Mapping[Channel, float], patience_s: float = PATIENCE_S) -> None:
        self._quiet_s = quiet_s
        self._patience_s = patience_s
        self._fruitless = 0
        self._heard_s: dict[Channel, float] = {}
        """Of each channel watched, when it was last heard, or began to count."""
        self._mute_since_s: dict[Channel, float] = {}

    def connected(self) -> None:
        """A new connection: every channel has its whole time again; a mute one stays mute until it is heard."""
        self._heard_s.clear()

    def judge(
        self, at_s: float, *, heard: AbstractSet[Channel], watched: AbstractSet[Channel], is_open: bool
    ) -> list[Change]:
        """What changed: `heard` since the last time, `watched` are the channels that should speak while the market is open."""
        changes = [self._again(channel, at_s) for channel in sorted(heard & self._mute_since_s.keys())]
        for channel in self._heard_s.keys() - watched:
            del self._heard_s[channel]
        for channel in sorted(self._quiet_s.keys() & watched):
            since_s = self._heard_s.setdefault(channel, at_s)
            if channel in heard or not is_open:
                self._heard_s[channel] = at_s
            elif channel not in self._mute_since_s and at_s - since_s > self._quiet_s[channel]:
                self._mute_since_s[channel] = since_s
                changes.append(Change(channel, is_mute=True, silent_s=at_s - since_s))
        return changes

    def _again(self, channel: Channel, at_s: float) -> Change:
        self._fruitless = 0
        return Change(channel, is_mute=False, silent_s=at_s - self._mute_since_s.pop(channel))

    def is_hopeless(self, at_s: float) -> Channel | None:
        """The channel that was mute for longer than patience lasts; the connection is to be made anew then."""
        patience_s = min(self._patience_s * 2.0 ** min(self._fruitless, 32), PATIENCE_MAX_S)
        for channel in sorted(self._mute_since_s.keys() & self._heard_s.keys()):
            if at_s - self._heard_s[channel] > self._quiet_s[channel] + patience_s:
                self._fruitless += 1
                return channel
        return None


class Nonsense:
    """Whether messages flow and none of them is any good: a connection that is as good as mute."""

    def __init__(self, nonsense_s: float = NONSENSE_S) -> None:
        self._nonsense_s = nonsense_s
        self._since_s: float | None = None

    def judge(self, at_s: float, *, good_count: int, bad_count: int) -> bool:
        """Whether there was nothing but refused messages for too long; counts are those since the last time."""
        if good_count:
            self._since_s = None
        elif bad_count and self._since_s is None:
            self._since_s = at_s
        return bool(bad_count) and self._since_s is not None and at_s - self._since_s >= self._nonsense_s


def is_market_open(calendar_name: str, ts_ns: int) -> bool:
    """Whether a feed should speak: American shares from 4:00 to 20:00 New York on weekdays, 24/7 always.

    Holidays and early closes are not known here, as in `hours`.
    """
    return _is_in(calendar_name, ts_ns, frozenset(DayPart) - {DayPart.NIGHT})


def is_market_busy(calendar_name: str, ts_ns: int) -> bool:
    """Whether most of what is listed has quotes: American shares from 9:30 to 16:00 New York on weekdays, 24/7 always."""
    return _is_in(calendar_name, ts_ns, frozenset({DayPart.REGULAR}))


def _is_in(calendar_name: str, ts_ns: int, parts: AbstractSet[DayPart]) -> bool:
    calendar = calendar_of(calendar_name, AssetClass.OTHER)
    if calendar == Calendar.ALWAYS:
        return True
    return part_at(calendar, ts_ns).part in parts and _weekday(calendar, ts_ns) < _SATURDAY


def _weekday(calendar: Calendar, ts_ns: int) -> int:
    """Of the trading day, which is named after the day it ends on; Monday is 0. 1970 began on a Thursday."""
    last_ns = days_at(calendar, ts_ns, 1).until_ns - 1
    return ((last_ns + new_york_offset_ns(last_ns)) // DAY_NS + 3) % 7
