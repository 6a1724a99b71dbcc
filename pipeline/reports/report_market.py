"""The sections about what surrounds trades: the funnel of scanners, the quality of executions, the health of feeds."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pipeline.reports.metrics import Floats
from pipeline.reports.report_document import Cell, Fact, Facts, Line, Part, Section, Table
from pipeline.reports.report_material import Material
from pipeline.reports.report_numbers import duration, price, said

GAPS_SHOWN: Final = 50

_COSTS: Final = {
    "slippage_bps": "slippage, bps",
    "arrival_cost_bps": "arrival, bps",
    "effective_spread_bps": "effective, bps",
    "realised_spread_bps": "realised, bps",
}
_HEALTH: Final = {
    "its time": (
        ("coverage", "covered", "fraction"),
        ("seconds", "of", "s"),
        ("gap_seconds", "in gaps", "s"),
        ("mute_seconds", "mute", "s"),
        ("lagging_seconds", "behind", "s"),
        ("count_connected", "connected, times", "count"),
        ("count_lost", "lost, times", "count"),
        ("count_gaps", "gaps", "count"),
        ("count_symbol_gaps", "gaps of single symbols", "count"),
    ),
    "how late it was": (
        ("delay_median", "delay, median", "s"),
        ("delay_p99", "delay, 99%", "s"),
        ("delay_max", "delay, longest", "s"),
        ("count_late", "late rows", "count"),
        ("count_slow", "slow, times", "count"),
    ),
    "its rows": (
        ("count_rows", "rows", "count"),
        ("count_backfilled", "fetched for gaps", "count"),
        ("count_out_of_order", "out of order", "count"),
        ("count_duplicates", "duplicates", "count"),
        ("count_crossed", "crossed quotes", "count"),
        ("count_revised", "bars revised", "count"),
        ("count_rejected", "messages rejected", "count"),
        ("count_ignored", "messages ignored", "count"),
    ),
}
"""Of a feed: columns of the view, what they are called here, and as what they are told."""

_WAYS: Final = {
    "seconds_to_hear": "from the venue until it was heard",
    "seconds_to_send": "from the decision until it was sent",
    "seconds_to_acknowledge": "from sending until it was accepted",
    "seconds_to_fill": "from sending until the first execution",
    "seconds_to_end": "from sending until it ended",
}


def funnel_section(material: Material) -> Section:
    """How many instruments each filter left, and what ran without a trade."""
    parts: list[Part] = []
    table = material.rows.table("funnel", "scanner", "filter_id", "filter", "count_shown", "count_left")
    if table is None:
        parts.append(Line("Funnel: not recorded; no scanner was evaluated in these logs."))
    else:
        parts.append(_funnel(table))
    missed = material.rows.table("missed_moves", "symbol", "picked_at", "move_percent", "seconds_to_best")
    if missed is None:
        parts.append(Line("Moves without a trade: none, or not recorded."))
    else:
        parts.append(_missed(missed.to_pylist()))
    return Section("funnel", "Scan funnel", parts)


def _funnel(table: pa.Table) -> Table:
    """A filter a line, in the order in which instruments pass them; means over all evaluations."""
    groups: dict[tuple[str, int, str], list[tuple[int, int]]] = {}
    names = ("scanner", "filter_id", "filter", "count_shown", "count_left")
    for scanner, number, name, shown, left in zip(*(table[each].to_pylist() for each in names), strict=True):
        groups.setdefault((scanner or "", number, name or ""), []).append((shown or 0, left or 0))
    rows = []
    for (scanner, _, name), counts in sorted(groups.items()):
        shown, left = (float(np.mean([count[place] for count in counts])) for place in (0, 1))
        rows.append(
            [
                Cell(scanner),
                Cell(name),
                Cell(f"{len(counts):,}"),
                Cell(f"{shown:,.1f}"),
                Cell(f"{left:,.1f}"),
                Cell(said(left / shown, "fraction") if shown else "-"),
                Cell(f"{max(count[1] for count in counts):,}"),
            ]
        )
    columns = ("scanner", "filter", "evaluations", "shown", "left", "share left", "most left")
    return Table("filters, means of all evaluations", columns, rows, frozenset(range(2, 7)))


def _missed(rows: Sequence[dict[str, Any]]) -> Table:
    def cells(row: dict[str, Any]) -> list[Cell]:
        return [
            Cell(str(row["symbol"] or "")),
            Cell(str(row.get("scanner") or "")),
            Cell(f"{row['picked_at']:%Y-%m-%d %H:%M:%S}" if row["picked_at"] else ""),
            Cell(price(row["picked_price"]) if row.get("picked_price") is not None else ""),
            Cell(price(row["best_price"]) if row.get("best_price") is not None else ""),
            Cell(f"{row['move_percent']:,.2f}%"),
            Cell(duration(row["seconds_to_best"]) if row["seconds_to_best"] is not None else ""),
            Cell(str(row.get("last_gate") or "")),
            Cell(str(row.get("refused_by") or "")),
        ]

    columns = ("symbol", "scanner", "picked, UTC", "at", "best", "move", "after", "last gate", "refused by")
    return Table("moves without a trade, the largest", columns, [cells(row) for row in rows], frozenset({3, 4, 5, 6}))


def execution_section(material: Material) -> Section:
    """What executions cost beside the market, and how long orders took."""
    parts: list[Part] = []
    quality = material.rows.table("execution_quality", "side", "order_type", "fee", *_COSTS)
    fills = material.rows.table("fills", "side", "fee")
    if quality is not None:
        parts.append(_quality(quality))
    elif fills is not None:
        parts += [_fills(fills), Line("What executions cost beside the market: not recorded.")]
    else:
        return Section("execution", "Execution quality", [Line("No order was executed.")])
    latency = material.rows.table("latency", *_WAYS)
    if latency is None:
        parts.append(Line("How long orders took: not recorded."))
    else:
        parts.append(_latency(latency))
    return Section("execution", "Execution quality", parts)


def _quality(table: pa.Table) -> Table:
    """By kind of order and side, and all; costs are means over executions."""
    kinds = [
        f"{kind or 'unknown'} {side or ''}".strip()
        for kind, side in zip(*(table[name].to_pylist() for name in ("order_type", "side")), strict=True)
    ]
    costs = {name: _floats(table, name) for name in _COSTS}
    fees, slippage = _floats(table, "fee"), _floats(table, "slippage")
    labels = np.array(kinds, dtype=np.object_)
    rows = []
    for label in [*sorted(set(kinds)), "all"]:
        chosen = np.full(len(labels), True) if label == "all" else labels == label
        rows.append(
            [
                Cell(label),
                Cell(f"{int(chosen.sum()):,}"),
                *(Cell(_mean(costs[name][chosen])) for name in _COSTS),
                Cell(said(float(np.nansum(slippage[chosen])), "money")),
                Cell(said(float(np.nansum(fees[chosen])), "money")),
            ]
        )
    columns = ("order", "executions", *_COSTS.values(), "slippage", "fees")
    return Table(
        "costs, positive where it cost: means in bps of what was traded, sums in money",
        columns,
        rows,
        frozenset(range(1, len(columns))),
        is_wide=True,
    )


def _fills(table: pa.Table) -> Table:
    sides = np.array([side or "" for side in table["side"].to_pylist()], dtype=np.object_)
    fees = _floats(table, "fee")
    rows = [
        [
            Cell(str(side)),
            Cell(f"{int((sides == side).sum()):,}"),
            Cell(said(float(np.nansum(fees[sides == side])), "money")),
        ]
        for side in sorted(set(sides.tolist()))
    ]
    return Table("executions", ("side", "executions", "fees"), rows, frozenset({1, 2}))


def _latency(table: pa.Table) -> Table:
    rows = []
    for name, words in _WAYS.items():
        values = _floats(table, name)
        known = values[np.isfinite(values)]
        quantiles = (
            [duration(max(float(each), 0.0)) for each in np.quantile(known, (0.5, 0.95, 1.0))]
            if len(known)
            else ["-"] * 3
        )
        rows.append([Cell(words), Cell(f"{len(known):,}"), *map(Cell, quantiles)])
    return Table("how long orders took", ("", "orders", "median", "95%", "longest"), rows, frozenset(range(1, 5)))


def feed_section(material: Material) -> Section:
    """What was not recorded, what was late, what was odd."""
    parts: list[Part] = []
    health = material.rows.table("feed_health", "feed", "coverage", "seconds")
    if health is None:
        parts.append(Line("Health of the feeds as a whole: not recorded."))
    else:
        parts += [facts for row in health.to_pylist() for facts in _health(row)]
    gaps = material.rows.table("gaps", "feed", "from_at", "to_at", "seconds", "text")
    if gaps is None:
        parts.append(Line("No gap was noted."))
    else:
        parts += _gaps(gaps)
    return Section("feeds", "Feed health", parts)


def _health(row: dict[str, Any]) -> list[Facts]:
    """Of one feed: its time, how late it was, its rows."""
    feed = f"{row['feed'] or 'feed'} of {row.get('session') or ''}"
    return [
        Facts(f"{feed}: {title}", [Fact(words, _known(row[name], unit)) for name, words, unit in facts if name in row])
        for title, facts in _HEALTH.items()
    ]


def _gaps(table: pa.Table) -> list[Part]:
    rows = [
        [
            Cell(str(row["feed"] or "")),
            Cell(str(row.get("symbol") or row.get("channel") or "all of it")),
            Cell(f"{row['from_at']:%Y-%m-%d %H:%M:%S}" if row["from_at"] else ""),
            _known(row["seconds"], "s"),
            Cell(str(row["text"] or "")),
        ]
        for row in table.slice(0, GAPS_SHOWN).to_pylist()
    ]
    parts: list[Part] = [Table("gaps", ("feed", "of", "from, UTC", "length", "why"), rows, frozenset({3}))]
    if len(table) > GAPS_SHOWN:
        parts.append(Line(f"{GAPS_SHOWN} of {len(table):,} gaps are shown, the first; all are in the view gaps."))
    return parts


def _known(value: float | None, unit: str) -> Cell:
    return Cell("-", "quiet") if value is None else Cell(said(value, unit))


def _mean(values: Floats) -> str:
    known = values[np.isfinite(values)]
    return f"{known.mean():,.2f}" if len(known) else "-"


def _floats(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(len(table), np.nan)
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)
