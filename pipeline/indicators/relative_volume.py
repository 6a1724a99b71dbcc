"""Relative volume by time of day: today's volume so far over what it usually is by now.

A day is cut into buckets, and the volume gathered by the end of each is kept for the last `days` sessions. Today's is
compared with their average at the end of the bucket that runs, so it reads low until that bucket is over: with bars as
long as the buckets it is exact. A session that was joined late counts as a whole one: warm up from an open.
"""

from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import FloatArray, array, group, rows, state
from pipeline.hours import CLOSE_MINUTE, OPEN_MINUTE
from pipeline.indicators.indicator import Indicator
from pipeline.indicators.trading_day import minute_param, minutes_until, trading_time, zone_param


@state
class Profile:
    """A day's volume at the end of each bucket."""

    gathered: FloatArray = array(float, "buckets")


@state
class RelativeVolume:
    """`value` is `volume` over `usual`; the first `filled` of `past` hold the last sessions, the oldest goes first."""

    past: list[Profile] = rows("days", buckets="buckets")
    today: Profile = group(buckets="buckets")
    next_index: int
    filled: int
    day: int = -1
    bucket: int
    bucket_count: int
    volume: float
    usual: float = NAN
    value: float = NAN


def update(
    relative: RelativeVolume,
    ts_event_ns: int,
    volume: float,
    days: int,
    bucket_minutes: int,
    first_minute: int,
    last_minute: int,
    zone: int,
) -> None:
    """Fold one print, or a bar by its start; what lies outside the session moves nothing.

    What comes late counts into the bucket that runs while its day is the latest, and not any more afterwards.
    """
    day, minute = trading_time(ts_event_ns, first_minute, zone)
    session_minutes = minutes_until(first_minute, last_minute)
    if day < relative.day or minute >= session_minutes or not 0.0 <= volume < INF:
        return
    if day > relative.day:
        if relative.day >= 0:
            keep(relative, days)
        begin(relative, day, (session_minutes + bucket_minutes - 1) // bucket_minutes)
    if minute // bucket_minutes > relative.bucket:
        move_to(relative, minute // bucket_minutes)
    relative.volume += volume
    relative.today.gathered[relative.bucket] = relative.volume
    if relative.usual > 0.0:
        relative.value = relative.volume / relative.usual


def keep(relative: RelativeVolume, days: int) -> None:
    """Put the day that is over among the past ones, over the oldest when there are `days` of them."""
    move_to(relative, relative.bucket_count - 1)
    for i in range(relative.bucket_count):
        relative.past[relative.next_index].gathered[i] = relative.today.gathered[i]
    relative.next_index = relative.next_index + 1 if relative.next_index + 1 < days else 0
    if relative.filled < days:
        relative.filled += 1


def begin(relative: RelativeVolume, day: int, bucket_count: int) -> None:
    """A new day with nothing in it."""
    relative.day = day
    relative.bucket_count = bucket_count
    relative.bucket = 0
    relative.volume = 0.0
    relative.value = NAN
    for i in range(bucket_count):
        relative.today.gathered[i] = 0.0
    relative.usual = usual_volume(relative)


def move_to(relative: RelativeVolume, bucket: int) -> None:
    """Go on to a later bucket; what was gathered stands through those that had no volume."""
    for i in range(relative.bucket + 1, bucket + 1):
        relative.today.gathered[i] = relative.volume
    relative.bucket = bucket
    relative.usual = usual_volume(relative)


def usual_volume(relative: RelativeVolume) -> float:
    """The past days' average at the end of the bucket that runs; NaN of none."""
    total = 0.0
    for i in range(relative.filled):
        total += relative.past[i].gathered[relative.bucket]
    return total / relative.filled if relative.filled > 0 else NAN


def ready(
    relative: RelativeVolume, days: int, _bucket_minutes: int, _first_minute: int, _last_minute: int, _zone: int
) -> bool:
    """Whether `days` sessions went before."""
    return relative.filled >= days


def reset(relative: RelativeVolume) -> None:
    """As new."""
    for i in range(relative.bucket_count):
        relative.today.gathered[i] = 0.0
        for k in range(relative.filled):
            relative.past[k].gathered[i] = 0.0
    relative.next_index = 0
    relative.filled = 0
    relative.day = -1
    relative.bucket = 0
    relative.bucket_count = 0
    relative.volume = 0.0
    relative.usual = NAN
    relative.value = NAN


@params
class Params:
    """What may be set."""

    days: int = param(20, low=1, high=100, help="sessions that make the average")
    bucket_minutes: int = param(5, low=1, high=1_440, help="length of a bucket")
    first_minute: int = minute_param(OPEN_MINUTE, "where a session begins: 570 is 9:30")
    last_minute: int = minute_param(CLOSE_MINUTE, "where it ends, exclusive: 960 is 16:00, 961 lets the auction in")
    zone: int = zone_param()


INDICATOR = Indicator(
    name="relative_volume",
    title="Relative volume by time of day",
    State=RelativeVolume,
    Params=Params,
    inputs=("ts_event_ns", "volume"),
    values=("value", "volume", "usual"),
    update=update,
    ready=ready,
    reset=reset,
    warm_up=lambda p: p.days + 1,
    capacity=lambda p: {
        "days": p.days,
        "buckets": -(-minutes_until(p.first_minute, p.last_minute) // p.bucket_minutes),
    },
    convention="volume since the session began over its average by the same minute; a value from the second session on",
)
