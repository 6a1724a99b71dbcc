"""Scans: what a scanner saw and picked, evaluation by evaluation, and why a symbol was not traded by then."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from dashboards.blotter import explainer, told_steps
from dashboards.data import Door
from dashboards.figures import session_id
from pipeline.errors import NotFoundError
from pipeline.log.manifest import Manifest

_EVALUATIONS: Final = """
select scanner, evaluation, min(epoch_ns(ts_event)) as at_ns, max(seq) as seq
from funnel
where session = $session and run is not distinct from $run
group by all
order by scanner, evaluation
"""
_FUNNEL: Final = """
select filter_id, filter, count_shown, count_removed, count_left, count_left / nullif(count_shown, 0) as share_left
from funnel
where session = $session and run is not distinct from $run and scanner = $scanner and evaluation = $evaluation
order by filter_id
"""
_LEFT: Final = """
select
    min(epoch_ns(ts_event) // 1000000000) as time, filter, filter_id, arg_min(count_left, evaluation)::double as value
from (
    select *, ntile($points) over (partition by filter_id order by evaluation) as part
    from funnel
    where session = $session and run is not distinct from $run and scanner = $scanner
)
group by filter, filter_id, part
order by filter_id, time
"""
_CANDIDATES: Final = """
with latest as (
    select *
    from candidates
    where session = $session and run is not distinct from $run and scanner = $scanner and evaluation <= $evaluation
        and verdict <> 'failed'
    qualify row_number() over (partition by instrument_id, field_id, filter_id order by evaluation desc) = 1
)
select
    symbol,
    instrument_id,
    arg_max(verdict, evaluation) as verdict,
    nullif(arg_max(rank, evaluation), 0) as rank,
    map_from_entries(list({k: field, v: value} order by field_id) filter (field is not null)) as shown,
    list(filter order by filter_id) filter (is_passed = false) as refused,
    max(evaluation) as evaluation
from (select * from latest qualify row_number() over (partition by instrument_id, field_id order by evaluation desc, filter_id desc) = 1)
group by symbol, instrument_id
order by case arg_max(verdict, evaluation) when 'picked' then 0 when 'not_ranked' then 1 when 'near_miss' then 2 else 3 end, rank nulls last, symbol
"""
_FILTERS: Final = """
select filter, field, unit, value, threshold, is_passed, known_at, source, evaluation
from candidates
where session = $session and run is not distinct from $run and scanner = $scanner and evaluation <= $evaluation
    and instrument_id = $instrument
qualify row_number() over (partition by field_id, filter_id order by evaluation desc) = 1
order by filter_id = 0, filter_id, field_id
"""
_CHANGES: Final = """
select ts_event, symbol, action, reason, filter, nullif(rank, 0) as rank, seconds_in_list
from universe_changes
where session = $session and run is not distinct from $run and scanner = $scanner and seq <= $seq
order by seq desc, ord desc
limit 500
"""
_MISSED: Final = """
select * from missed_moves
where session = $session and run is not distinct from $run and (scanner is null or scanner = $scanner)
order by move_percent desc
"""


class Evaluation(NamedTuple):
    """One look of a scanner at all instruments."""

    number: int
    at_ns: int
    seq: int


def evaluations(door: Door, log: Manifest) -> dict[str, list[Evaluation]]:
    """All of them, by the scanner's name; none of a log without a scanner."""
    found: dict[str, list[Evaluation]] = {}
    for row in door.rows(_EVALUATIONS, [log.id], _log(log)).to_pylist():
        found.setdefault(row["scanner"] or "", []).append(Evaluation(row["evaluation"], row["at_ns"], row["seq"]))
    return found


def funnel(door: Door, log: Manifest, scanner: str, at: Evaluation) -> pa.Table:
    """How many instruments each filter was shown and left."""
    return door.rows(_FUNNEL, [log.id], _at(log, scanner, at))


def left(door: Door, log: Manifest, scanner: str, points: int) -> pa.Table:
    """How many each filter left over time, of so many evaluations at most."""
    return door.rows(_LEFT, [log.id], _log(log) | {"scanner": scanner, "points": points})


def candidates(door: Door, log: Manifest, scanner: str, at: Evaluation) -> pa.Table:
    """A row for each instrument as the scanner saw it last by then, a column for each field."""
    rows = door.rows(_CANDIDATES, [log.id], _at(log, scanner, at)).to_pylist()
    fields = dict.fromkeys(field for row in rows for field, _ in row["shown"] or ())
    told = [
        {
            "symbol": row["symbol"],
            "instrument_id": row["instrument_id"],
            "verdict": row["verdict"],
            "rank": row["rank"],
            "refused": ", ".join(name for name in row["refused"] or () if name),
            **{f"field {name}": dict(row["shown"] or ()).get(name) for name in fields},
        }
        for row in rows
    ]
    return pa.Table.from_pylist(told)


def filters(door: Door, log: Manifest, scanner: str, at: Evaluation, instrument_id: int) -> pa.Table:
    """Value, limit and verdict of each filter and field of one instrument, and when the value was known."""
    return door.rows(_FILTERS, [log.id], _at(log, scanner, at) | {"instrument": instrument_id})


def changes(door: Door, log: Manifest, scanner: str, at: Evaluation) -> pa.Table:
    """Who came into the list and went by then, the latest first."""
    return door.rows(_CHANGES, [log.id], _log(log) | {"scanner": scanner, "seq": at.seq})


def missed(door: Door, log: Manifest, scanner: str) -> pa.Table:
    """Who was in the list and ran without a trade, the furthest first."""
    return door.rows(_MISSED, [log.id], _log(log) | {"scanner": scanner})


def why_not(door: Door, log: Manifest, symbol: str, at: Evaluation) -> pa.Table:
    """What kept strategies from a symbol by then: their phase, gates, risk rules and rivals, a row each."""
    try:
        found = explainer(door, log).why_not(symbol, at.at_ns)
    except NotFoundError as error:
        return pa.table({"strategy": [""], "says": [str(error)]})
    rows: list[Mapping[str, Any]] = []
    for each in found.strategies:
        waited = "" if each.findings else "; it wished nothing, and no gate refused"
        rows.append({"strategy": each.strategy, "says": f"in phase {each.phase or '-'}{waited}"})
        rows += [{"strategy": each.strategy, "says": says} for says in _said(each.findings)]
    return pa.Table.from_pylist(rows, pa.schema([("strategy", pa.string()), ("says", pa.string())]))


def _said(steps: Sequence[Any]) -> Iterator[str]:
    return (row["says"] for step in steps for row in told_steps([step]))


def _log(log: Manifest) -> dict[str, Any]:
    return {"session": session_id(log), "run": log.id if log.what == "run" else None}


def _at(log: Manifest, scanner: str, at: Evaluation) -> dict[str, Any]:
    return _log(log) | {"scanner": scanner, "evaluation": at.number}
