"""Playing: where a replay on the page stands, and what may be seen from there: nothing that came behind that input.

A place is the `seq` of an input; time is what our clock said when it came. Rows are read up to the place and no further, so a
candle that is not over is drawn as far as it had come.
"""

from typing import Any, Final

import pyarrow as pa

from dashboards.data import Door
from dashboards.figures import of_log, session_id
from pipeline.log.manifest import Manifest

_EVENTS: Final = """
with events as (
    select session, instrument_id, seq, ts_recv_ns from quotes
    union all
    select session, instrument_id, seq, ts_recv_ns from prints
    union all
    select session, instrument_id, seq, ts_recv_ns from bars where origin <> 'derived'
    union all
    select session, instrument_id, seq, ts_recv_ns from statuses
)
select max(seq) as last_seq, max(ts_recv_ns) as last_ns, min(seq) as first_seq
from events
where session = $session and ts_recv_ns <= $ts_ns and seq between $from_seq and $to_seq
    and ($instrument is null or instrument_id = $instrument)
"""
_NEXT_DECISION: Final = """
with decisions as (
    select session, run, instrument_id, seq from transitions
    union all
    select session, run, instrument_id, seq from intents
    union all
    select session, run, instrument_id, seq from fills
)
select min(seq) as seq from decisions
where session = $session and run is not distinct from $run and instrument_id = $instrument and seq > $seq
"""
_NEXT_HALT: Final = """
select min(from_seq) as seq from intermediate.int_halts
where session = $session and instrument_id = $instrument and from_seq > $seq
"""
_NEXT: Final = {"decision": _NEXT_DECISION, "halt": _NEXT_HALT}
_TOLD: Final = """
with told as (
    select session, run, seq, ord, ts_recv, strategy, symbol, 'is ' || to_phase as what from transitions
    union all
    select session, run, seq, ord, ts_recv, strategy, symbol,
        case action when 'none' then printf('is held back by %s: %.6g, limit %.6g', gate, gate_value, gate_threshold)
            else 'wishes to ' || action || ' ' || side end
    from intents
    union all
    select session, run, seq, ord, ts_recv, strategy, symbol, printf('%s %.10g at %.10g', side, quantity, price) from fills
    union all
    select session, run, seq, ord, ts_recv, strategy, symbol, coalesce(text, message) from messages
)
select * from told
where session = $session and run is not distinct from $run and seq <= $seq
order by seq desc, ord desc
limit 200
"""
_PHASES: Final = """
select strategy, symbol, arg_max(to_phase, seq) as phase, max(seq) as seq from transitions
where session = $session and run is not distinct from $run and seq <= $seq
group by all
order by symbol, strategy
"""
_FILLS: Final = """
select ts_event_ns, side, quantity, price from fills
where session = $session and run is not distinct from $run and instrument_id = $instrument and seq <= $seq
order by seq, ord
"""
_QUOTE: Final = """
select bid_size, bid, ask, ask_size, ts_recv from quotes
where session = $session and instrument_id = $instrument and seq <= $seq
order by seq desc limit 1
"""


def place_at(door: Door, log: Manifest, ts_ns: int) -> int:
    """The last input that had come by a moment; 0: none."""
    return _events(door, log, "last_seq", ts_ns=ts_ns) or 0


def first_place(door: Door, log: Manifest, instrument_id: int, ts_ns: int) -> int:
    """Where an instrument's first decision lies behind a moment; the last input by then where it has none."""
    place = place_at(door, log, ts_ns)
    return next_place(door, log, "decision", instrument_id, place) or place


def moment_of(door: Door, log: Manifest, seq: int) -> int | None:
    """When an input came, ns UTC; None before the first."""
    return _events(door, log, "last_ns", to_seq=seq)


def next_place(door: Door, log: Manifest, what: str, instrument_id: int, seq: int) -> int | None:
    """The next `event`, `decision` or `halt` of an instrument behind a place; None when there is none."""
    if what == "event":
        return _events(door, log, "first_seq", from_seq=seq + 1, instrument=instrument_id)
    of = of_log(log) if what == "decision" else {"session": session_id(log)}
    return _number(door.rows(_NEXT[what], [log.id], of | {"instrument": instrument_id, "seq": seq}), "seq")


def told(door: Door, log: Manifest, seq: int) -> pa.Table:
    """What strategies did and said up to a place, the latest first."""
    return door.rows(_TOLD, [log.id], of_log(log) | {"seq": seq})


def phases(door: Door, log: Manifest, seq: int) -> pa.Table:
    """In which phase each strategy was of each symbol."""
    return door.rows(_PHASES, [log.id], of_log(log) | {"seq": seq})


def fills(door: Door, log: Manifest, instrument_id: int, seq: int) -> pa.Table:
    """Executions of an instrument up to a place."""
    return door.rows(_FILLS, [log.id], of_log(log) | {"instrument": instrument_id, "seq": seq})


def quote(door: Door, log: Manifest, instrument_id: int, seq: int) -> pa.Table:
    """The quote that stood."""
    return door.rows(_QUOTE, [log.id], {"session": session_id(log), "instrument": instrument_id, "seq": seq})


def _events(door: Door, log: Manifest, name: str, **given: int) -> int | None:
    every: dict[str, Any] = {"ts_ns": 2**62, "from_seq": 0, "to_seq": 2**62, "instrument": None}
    return _number(door.rows(_EVENTS, [log.id], {"session": session_id(log)} | every | given), name)


def _number(rows: pa.Table, name: str) -> int | None:
    value = rows[name][0].as_py() if len(rows) else None
    return None if value is None else int(value)
