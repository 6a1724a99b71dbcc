"""Blotter: round trips and what surrounds one of them: its fills, the tape around it, why it was made, what was said of it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import pyarrow as pa

from dashboards.charts import Band, Level, Point
from dashboards.data import Door
from dashboards.figures import of_log, session_id
from pipeline.log.manifest import Manifest
from pipeline.reports.explain_chain import Step
from pipeline.run.explaining import Explainer
from pipeline.run.notes import remark
from pipeline.units import NANO

_ALL: Final = """
select strategy_id || '.' || instrument_id || '.' || trade_number as trade, *
from trades
where session = $session and run is not distinct from $run
    and (len($symbols) = 0 or list_contains($symbols, symbol))
    and (len($strategies) = 0 or list_contains($strategies, strategy))
    and ($side is null or side = $side)
    and case $came_to when 'won' then profit > 0 when 'lost' then profit <= 0 when 'open' then not is_closed else true end
order by opened_at_ns, entry_seq, entry_ord
"""
_CHOICES: Final = """
select list(distinct symbol order by symbol) as symbols, list(distinct strategy order by strategy) as strategies, count(*) as total
from trades where session = $session and run is not distinct from $run
"""
_FILLS: Final = """
select ts_event_ns, ts_event, seq, ord, order_id, fill_id, side, quantity, price, fee
from fills
where session = $session and run is not distinct from $run and strategy_id = $strategy and instrument_id = $instrument
    and (seq > $entry_seq or (seq = $entry_seq and ord >= $entry_ord))
    and ($exit_seq is null or seq < $exit_seq or (seq = $exit_seq and ord <= $exit_ord))
order by seq, ord
"""
_QUALITY: Final = """
select * from execution_quality
where session = $session and run is not distinct from $run and strategy_id = $strategy and instrument_id = $instrument
    and (seq > $entry_seq or (seq = $entry_seq and ord >= $entry_ord))
    and ($exit_seq is null or seq < $exit_seq or (seq = $exit_seq and ord <= $exit_ord))
order by seq, ord
"""
_EXECUTIONS: Final = """
select * from execution_quality where session = $session and run is not distinct from $run order by seq, ord
"""
_AROUND: Final = """
with ticks as (
    select seq, ord, ts_event, ts_recv, 'quote' as what, bid, bid_size, ask, ask_size, null::double as price, null::double as size, marks
    from quotes where session = $session and instrument_id = $instrument
    union all
    select seq, ord, ts_event, ts_recv, 'print', null, null, null, null, price, size, marks
    from prints where session = $session and instrument_id = $instrument
    union all
    select seq, ord, ts_event, ts_recv, 'our ' || side, null, null, null, null, price, quantity, ''
    from fills where session = $session and run is not distinct from $run and instrument_id = $instrument
        and strategy_id = $strategy
)
(select * from ticks where seq <= $seq order by seq desc, ord desc limit $count)
union all
(select * from ticks where seq > $seq order by seq, ord limit $count)
order by seq, ord
"""
_NOTES: Final = """
select noted_at, tag, text, about_seq from notes
where session = $session and about_seq between $entry_seq and coalesce($exit_seq, $entry_seq) order by noted_at
"""


class Filter(NamedTuple):
    """Which trades."""

    symbols: Sequence[str] = ()
    strategies: Sequence[str] = ()
    side: str | None = None
    came_to: str | None = None
    """won, lost, open."""


class Choices(NamedTuple):
    """What there is to choose from."""

    symbols: Sequence[str]
    strategies: Sequence[str]
    total: int


def choices(door: Door, log: Manifest) -> Choices:
    """Symbols and strategies that traded, and how many trades there are."""
    (row,) = door.rows(_CHOICES, [log.id], of_log(log)).to_pylist()
    return Choices(row["symbols"] or [], row["strategies"] or [], row["total"])


def trades(door: Door, log: Manifest, wanted: Filter) -> pa.Table:
    """Round trips of exactly this log, by the time of their entry; `trade` names each within it."""
    given = {
        "symbols": list(wanted.symbols),
        "strategies": list(wanted.strategies),
        "side": wanted.side,
        "came_to": wanted.came_to,
    }
    return door.rows(_ALL, [log.id], of_log(log) | given)


def fills(door: Door, log: Manifest, trade: Mapping[str, Any]) -> pa.Table:
    """The executions of a trade."""
    return door.rows(_FILLS, [log.id], of_log(log) | _trade(trade))


def quality(door: Door, log: Manifest, trade: Mapping[str, Any]) -> pa.Table:
    """The executions of a trade with the market when each was decided, sent, acknowledged and filled."""
    return door.rows(_QUALITY, [log.id], of_log(log) | _trade(trade))


def executions(door: Door, log: Manifest) -> pa.Table:
    """All executions of a log, as `quality` has those of a trade."""
    return door.rows(_EXECUTIONS, [log.id], of_log(log))


def around(door: Door, log: Manifest, trade: Mapping[str, Any], seq: int, count: int = 40) -> pa.Table:
    """Quotes, prints and our own executions, so many up to an input and so many behind it."""
    asked = {"instrument": trade["instrument_id"], "strategy": trade["strategy_id"], "seq": seq, "count": count}
    return door.rows(_AROUND, [log.id], of_log(log) | asked)


def notes(door: Door, log: Manifest, trade: Mapping[str, Any]) -> pa.Table:
    """What was remarked about it."""
    given = {"session": session_id(log), "entry_seq": trade["entry_seq"], "exit_seq": trade["exit_seq"]}
    return door.rows(_NOTES, [log.id], given)


def note(door: Door, log: Manifest, trade: Mapping[str, Any], text: str, tag: str) -> str:
    """Remark on a trade, durably; a sentence that says where it stands. Raises TapeError when it can't be written."""
    about = (int(trade["entry_seq"]), int(trade["entry_ord"]))
    return remark(door.store, session_id(log), text, tag=tag, now_ns=time.time_ns(), about=about)


def explained(door: Door, log: Manifest, order_id: int) -> pa.Table:
    """Why there was an order and what became of it: a row for each step, what belongs to a step set in beneath it."""
    rows = [row for steps in explainer(door, log).order(order_id).chains for row in told_steps(steps)]
    return pa.Table.from_pylist(rows, _STEPS)


_STEPS = pa.schema(
    [
        ("ts", pa.timestamp("ns", "UTC")),
        ("seq", pa.int64()),
        ("ord", pa.int64()),
        ("kind", pa.string()),
        ("says", pa.string()),
    ]
)


def told_steps(steps: Sequence[Step], depth: int = 0) -> Iterator[dict[str, Any]]:
    """Steps as rows, what belongs to a step set in beneath it."""
    for place, step in enumerate(steps):
        indent = "\N{NO-BREAK SPACE}" * 3 * (depth + (place if depth == 0 else 0))
        role = "" if not step.role or step.says.startswith(step.role) else f"{step.role}: "
        is_there = step.kind != "missing"
        yield {
            "ts": step.ts_ns if is_there else None,
            "seq": step.seq,
            "ord": step.ord,
            "kind": step.kind,
            "says": f"{indent}{role}{step.says}",
        }
        yield from told_steps(step.beside, depth + place + 2 if depth == 0 else depth + 1)


def explainer(door: Door, log: Manifest) -> Explainer:
    """Who answers why; kept for a log that is not written any more."""
    return _kept_explainer(door, log.id, log.chain_head) if log.is_closed else Explainer(door.store, log.id)


@lru_cache(maxsize=4)
def _kept_explainer(door: Door, id_: str, _chain_head: str) -> Explainer:
    return Explainer(door.store, id_)


def points(rows: pa.Table) -> list[Point]:
    """Fills as marks on a chart."""
    return [Point(row["ts_event_ns"] / NANO, row["side"], row["quantity"], row["price"]) for row in rows.to_pylist()]


def levels(trade: Mapping[str, Any]) -> list[Level]:
    """Stop and target as dashed lines, where it had them."""
    told = [("stop_price", "stop", "down"), ("target_price", "target", "up")]
    return [Level(trade[name], title, colour) for name, title, colour in told if trade[name] is not None]  # type: ignore[arg-type]


def held(trade: Mapping[str, Any], end_ns: int) -> Band:
    """While it was open."""
    return Band(trade["opened_at_ns"] / NANO, (trade["closed_at_ns"] or end_ns) / NANO, "held")


def _trade(trade: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: trade[name] for name in ("entry_seq", "entry_ord", "exit_seq", "exit_ord")}
    if not trade["is_closed"]:
        told |= {"exit_seq": None, "exit_ord": None}
    return told | {"strategy": trade["strategy_id"], "instrument": trade["instrument_id"]}
