"""Figures: statements that make few points of many rows. How fine a chart is follows from how wide it is, not from the log."""

from typing import Any, Final

import pyarrow as pa

from dashboards.charts import Band
from dashboards.data import Door
from pipeline.log.manifest import Manifest
from pipeline.units import NANO

POINTS_MAX: Final = 2_000
"""More than a window has pixels says nothing."""

STEPS_S: Final = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 4 * 3600, 24 * 3600)
"""How long a candle or a bucket may be."""

_ZONES: Final = {"shares": "America/New_York", "futures": "America/Chicago"}

_ACTIVITY: Final = """
select ts_recv_ns // $step_ns * $step_ns // 1000000000 as time, count(*)::double as value
from (
    select session, ts_recv_ns from quotes
    union all
    select session, ts_recv_ns from prints
    union all
    select session, ts_recv_ns from bars where origin <> 'derived'
)
where session = $session
group by time
order by time
"""

_GAPS: Final = """
select from_ns, to_ns, feed, channel, symbol from gaps where session = $session and seq <= $until_seq order by from_ns
"""

_SILENCES: Final = """
select action, ts_recv_ns, feed from feed_events
where session = $session and seq <= $until_seq and action in ('mute', 'heard') order by seq
"""


def session_id(log: Manifest) -> str:
    """The session whose inputs a log has: a run's parent."""
    return log.parents[0] if log.what == "run" else log.id


def of_log(log: Manifest) -> dict[str, Any]:
    """What a statement over a log's own rows is given: `session`, and `run`, null of what a session decided itself."""
    return {"session": session_id(log), "run": log.id if log.what == "run" else None}


def lacking(door: Door, log: Manifest) -> str:
    """Why nothing can be known of what a log's decisions were made over: a sentence without its dot; '' where it is there."""
    session = session_id(log)
    if any(each.id == session for each in door.logs()):
        return ""
    why = "can't be read" if session in door.store.unreadable() else "is not in this store any more"
    return f"{log.id} was made over {session}, which {why}: its market rows and feeds are not known"


def zone_of(door: Door, log: Manifest) -> str:
    """By whose clock a log is told: that of the exchange, UTC for what never closes."""
    rows = door.rows("select hours from intermediate.int_instruments where session = $session limit 1",
                     [log.id], {"session": session_id(log)})  # fmt: skip
    return _ZONES.get(rows["hours"][0].as_py(), "UTC") if len(rows) else "UTC"


def step_for(seconds: float, points_max: int = POINTS_MAX) -> int:
    """The shortest step with which so many seconds are so few points.

    >>> step_for(9000, 2000), step_for(600, 2000)
    (5, 1)
    """
    return next((step for step in STEPS_S if seconds / step <= points_max), STEPS_S[-1])


def activity(door: Door, log: Manifest) -> tuple[pa.Table, int]:
    """How many market rows came in each step, by our clock, and how long a step is in s."""
    seconds = (log.last_ts_ns - log.first_ts_ns) / NANO
    step = step_for(seconds, 400)
    return door.rows(_ACTIVITY, [log.id], {"step_ns": step * NANO, "session": session_id(log)}), step


def holes(door: Door, log: Manifest, until_seq: int = 2**62) -> list[Band]:
    """Stretches that were not recorded, and those in which a feed was mute, as far as was known at an input."""
    given = {"session": session_id(log), "until_seq": until_seq}
    end_s = log.last_ts_ns / NANO
    bands = []
    for row in door.rows(_GAPS, [log.id], given).to_pylist():
        what = " ".join(filter(None, (row["feed"], row["channel"], row["symbol"])))
        to_s = end_s if row["to_ns"] is None else row["to_ns"] / NANO
        bands.append(Band(row["from_ns"] / NANO, to_s, "gap", what))
    mute: dict[str, float] = {}
    for row in door.rows(_SILENCES, [log.id], given).to_pylist():
        if row["action"] == "mute":
            mute.setdefault(row["feed"], row["ts_recv_ns"] / NANO)
        elif (from_s := mute.pop(row["feed"], None)) is not None:
            bands.append(Band(from_s, row["ts_recv_ns"] / NANO, "mute", row["feed"]))
    return bands + [Band(from_s, end_s, "mute", feed) for feed, from_s in mute.items()]
