"""Market: what an instrument did in a stretch of time, as few rows as a chart has room for: candles, spreads, halts, hours."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa

from dashboards.charts import Band
from dashboards.data import Door
from dashboards.figures import holes, of_log, session_id
from dashboards.indicated import PREMARKET_MINUTE
from pipeline.hours import CLOSE_MINUTE, OPEN_MINUTE
from pipeline.log.manifest import Manifest
from pipeline.units import NANO

DAY_S: Final = 86_400
AFTER_MINUTE: Final = 1200
_SHARES: Final = "America/New_York"

_PRINTS: Final = """
with rows as (
    select
        ts_event_ns // $step_ns * ($step_ns // 1000000000) as time, (ts_event_ns, seq) as place, price, size,
        not contains(marks, 'no_last') as is_last,
        not contains(marks, 'no_high_low') as is_extreme,
        not contains(marks, 'no_volume') as is_volume
    from prints
    where session = $session and instrument_id = $instrument and ts_event_ns >= $from_ns and ts_event_ns < $to_ns
        and seq <= $until_seq and not regexp_matches(marks, 'duplicate|cancel|correction')
),
candles as (
    select
        time,
        arg_min(price, place) filter (is_last) as open,
        max(price) filter (is_extreme) as high,
        min(price) filter (is_extreme) as low,
        arg_max(price, place) filter (is_last) as close,
        coalesce(sum(size) filter (is_volume), 0)::double as volume,
        sum(price * size) filter (is_volume) / nullif(sum(size) filter (is_volume), 0) as vwap
    from rows
    group by time
)
select time, open, greatest(high, open, close) as high, least(low, open, close) as low, close, volume, vwap
from candles
where open is not null
order by time
"""
_QUOTES: Final = """
with rows as (
    select
        ts_event_ns // $step_ns * ($step_ns // 1000000000) as time, (ts_event_ns, seq) as place,
        (bid + ask) / 2 as middle
    from quotes
    where session = $session and instrument_id = $instrument and ts_event_ns >= $from_ns and ts_event_ns < $to_ns
        and seq <= $until_seq and bid > 0 and ask >= bid
)
select
    time, arg_min(middle, place) as open, max(middle) as high, min(middle) as low, arg_max(middle, place) as close,
    0.0::double as volume, null::double as vwap
from rows
group by time
order by time
"""
_BARS: Final = """
with latest as (
    select ts_event_ns, open, high, low, close, volume
    from bars
    where session = $session and instrument_id = $instrument and ts_event_ns >= $from_ns and ts_event_ns < $to_ns
        and seq <= $until_seq and bar_unit = 'time'
        and bar_length = (
            select min(bar_length) from bars
            where session = $session and instrument_id = $instrument and bar_unit = 'time'
        )
    qualify row_number() over (partition by ts_event_ns order by revision desc, seq desc, ord desc) = 1
),
candles as (
    select
        ts_event_ns // $step_ns * ($step_ns // 1000000000) as time, arg_min(open, ts_event_ns) as open, max(high) as high,
        min(low) as low, arg_max(close, ts_event_ns) as close, sum(volume)::double as volume,
        sum((high + low + close) / 3 * volume) / nullif(sum(volume), 0) as vwap
    from latest
    group by time
)
select * from candles order by time
"""
_SPREADS: Final = """
select
    ts_event_ns // $step_ns * ($step_ns // 1000000000) as time,
    arg_max(bid, (ts_event_ns, seq)) as low, arg_max(ask, (ts_event_ns, seq)) as high,
    arg_max(bid_size, (ts_event_ns, seq)) as bid_size, arg_max(ask_size, (ts_event_ns, seq)) as ask_size
from quotes
where session = $session and instrument_id = $instrument and ts_event_ns >= $from_ns and ts_event_ns < $to_ns
    and seq <= $until_seq and bid > 0 and ask >= bid
group by time
order by time
"""
_SHOWN: Final = """
select
    ts_event_ns // $step_ns * ($step_ns // 1000000000) as time, strategy, output, arg_max(value, (seq, ord)) as value
from indicators
where session = $session and run is not distinct from $run and instrument_id = $instrument
    and ts_event_ns >= $from_ns and ts_event_ns < $to_ns and seq <= $until_seq and isfinite(value)
group by time, strategy, output
order by strategy, output, time
"""
_HALTS: Final = """
select from_ns, case when to_seq <= $until_seq then to_ns end as to_ns, reason from intermediate.int_halts
where session = $session and instrument_id = $instrument and from_seq <= $until_seq order by from_ns
"""
_INSTRUMENTS: Final = """
select instrument_id, symbol, venue, hours from intermediate.int_instruments
where session = $session order by symbol, instrument_id
"""
_DEALT: Final = """
select instrument_id from fills where session = $session and run is not distinct from $run
group by all order by count(*) desc, instrument_id
"""

_EMPTY: Final = pa.table({"time": pa.array([], pa.int64())})


class Stretch(NamedTuple):
    """What of an instrument is looked at, ns UTC; `until_seq` is the last input that may be seen."""

    instrument_id: int
    from_ns: int
    to_ns: int
    until_seq: int = 2**62

    def given(self, session: str, step_s: int) -> dict[str, Any]:
        """The values of a statement."""
        return {
            "session": session,
            "instrument": self.instrument_id,
            "from_ns": self.from_ns,
            "to_ns": self.to_ns,
            "until_seq": self.until_seq,
            "step_ns": step_s * NANO,
        }


class Candles(NamedTuple):
    """Rows (time in s UTC, open, high, low, close, volume, vwap) and what they are made of."""

    rows: pa.Table
    source: str
    step_s: int


def session_of(door: Door, log: Manifest) -> Manifest:
    """The session whose inputs a log has; of a session itself. Raises NotFoundError when it is gone."""
    return door.store.session_of(log)


def instruments(door: Door, log: Manifest) -> dict[int, Mapping[str, Any]]:
    """Symbol, venue and hours of each instrument, by its number, in the order of their symbols."""
    rows = door.rows(_INSTRUMENTS, [log.id], {"session": session_id(log)}).to_pylist()
    return {row["instrument_id"]: row for row in rows}


def names(known: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """What each instrument is called on a page: its symbol, with its venue where another one has the same.

    >>> names({1: {"symbol": "SPY", "venue": "A"}, 2: {"symbol": "SPY", "venue": "B"}, 3: {"symbol": "QQQ", "venue": "A"}})
    {1: 'SPY A', 2: 'SPY B', 3: 'QQQ'}
    """
    count = Counter(row["symbol"] for row in known.values())
    return {
        number: f"{row['symbol']} {row['venue']}" if count[row["symbol"]] > 1 else row["symbol"]
        for number, row in known.items()
    }


def busiest(door: Door, log: Manifest, known: Mapping[int, Mapping[str, Any]]) -> int:
    """The instrument that was dealt in most often, else the first."""
    dealt: list[int] = door.rows(_DEALT, [log.id], of_log(log))["instrument_id"].to_pylist()
    return next((number for number in dealt if number in known), next(iter(known)))


def candles(door: Door, log: Manifest, stretch: Stretch, step_s: int) -> Candles:
    """Of prints, else of quotes' middles, else of the shortest bars there are; as the marks of a row allow it to move them."""
    made = Candles(_EMPTY, "nothing", step_s)
    for source, query in (("prints", _PRINTS), ("middles of quotes", _QUOTES), ("bars", _BARS)):
        made = Candles(door.rows(query, [log.id], stretch.given(session_id(log), step_s)), source, step_s)
        if len(made.rows):
            break
    return made


def spreads(door: Door, log: Manifest, stretch: Stretch, step_s: int) -> pa.Table:
    """The best bid (low) and offer (high), and their sizes, at the end of each step in which one came."""
    return door.rows(_SPREADS, [log.id], stretch.given(session_id(log), step_s))


def day_of(zone: str, from_ns: int, to_ns: int) -> tuple[int, int]:
    """The days by a clock that a stretch touches, as one stretch, ns UTC."""
    first, last = (_local(zone, ns).date() for ns in (from_ns, to_ns))
    return _at(zone, first, 0), _at(zone, last + timedelta(days=1), 0)


def hours_bands(zone: str, hours: str, from_ns: int, to_ns: int) -> list[Band]:
    """Premarket and after hours of shares that lie in a stretch; of what has no such hours none."""
    if hours != "shares":
        return []
    bands = []
    day = _local(zone, from_ns).date()
    while _at(_SHARES, day, 0) < to_ns:
        for kind, first, last in (
            ("premarket", PREMARKET_MINUTE, OPEN_MINUTE),
            ("after_hours", CLOSE_MINUTE, AFTER_MINUTE),
        ):
            begin, end = max(_at(_SHARES, day, first), from_ns), min(_at(_SHARES, day, last), to_ns)
            if begin < end:
                bands.append(Band(begin / NANO, end / NANO, kind, kind.replace("_", " ")))
        day += timedelta(days=1)
    return bands


def shown(door: Door, log: Manifest, stretch: Stretch, step_s: int) -> pa.Table:
    """What the log's strategies showed of an instrument, its last value in each step: time in s UTC, strategy, output, value."""
    return door.rows(_SHOWN, [log.id], stretch.given(session_id(log), step_s) | of_log(log))


def interruptions(door: Door, log: Manifest, stretch: Stretch) -> list[Band]:
    """Halts of the instrument, and holes of the recording, in a stretch."""
    bands = []
    given = {"session": session_id(log), "instrument": stretch.instrument_id, "until_seq": stretch.until_seq}
    for row in door.rows(_HALTS, [log.id], given).to_pylist():
        to_ns = stretch.to_ns if row["to_ns"] is None else min(row["to_ns"], stretch.to_ns)
        bands.append(Band(row["from_ns"] / NANO, to_ns / NANO, "halt", f"halt {row['reason'] or ''}".strip()))
    seen = [*bands, *holes(door, log, stretch.until_seq)]
    from_s, to_s = stretch.from_ns / NANO, stretch.to_ns / NANO
    return [
        band._replace(from_s=max(band.from_s, from_s), to_s=min(band.to_s, to_s))
        for band in seen
        if band.from_s < to_s and band.to_s > from_s
    ]


def clock(zone: str, ns: int) -> str:
    """A moment by a clock, to the second."""
    return f"{_local(zone, ns):%Y-%m-%d %H:%M:%S}"


def _local(zone: str, ns: int) -> datetime:
    return datetime.fromtimestamp(ns / NANO, ZoneInfo(zone))


def _at(zone: str, day: date, minute: int) -> int:
    """A minute of a day by a clock, ns UTC."""
    moment = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=ZoneInfo(zone))
    return int(moment.timestamp()) * NANO
