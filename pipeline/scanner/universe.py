"""Universe: the list, and how it changes: who comes in, who stays for a while, who goes and why, who may not come back yet."""

from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Numbers
from pipeline.scanner.columns import FLAG, MOMENT, Column, Columns
from pipeline.scanner.definition import Definition
from pipeline.scanner.verdicts import Table, nearest
from pipeline.scanner_codes import CandidateVerdict, UniverseAction, UniverseReason
from pipeline.units import ABSENT, NANO

COLUMNS: Final = {
    "in_list": FLAG,
    "ts_added_ns": MOMENT,
    "cool_until_ns": MOMENT,
    "list_rank": Column("i4", 0),
    "verdict": Column("i1", -1),
    "passed": Column("u8", 0),
}


class Changes(NamedTuple):
    """Of the list, in the order in which they are written: what is dropped, then what is added, the best first."""

    ids: Numbers
    action: Numbers
    reason: Numbers
    rank: Numbers


def settle(table: Table, columns: Columns, definition: Definition) -> Changes:
    """Change the list as the table says, and set each verdict in it."""
    now_ns, rank, is_in = table.now_ns, table.rank, columns["in_list"]
    is_ranked = (rank > 0) & (rank <= definition.limit)
    is_kept = now_ns - columns["ts_added_ns"] < definition.retention_s * NANO
    gone = np.flatnonzero(is_in & ~is_ranked & ~is_kept)
    reasons = _reasons(table, gone)
    _drop(columns, gone, now_ns + definition.cool_down_s * NANO)
    room = max(definition.subscriptions_max - int(is_in.sum()), 0)
    may_come = is_ranked & ~is_in & (columns["cool_until_ns"] <= now_ns)
    may_come[gone] = False
    come = np.flatnonzero(may_come)
    come = come[np.argsort(rank[come])][:room]
    is_in[come] = True
    columns["ts_added_ns"][come] = now_ns
    columns["list_rank"][:] = np.where(is_in, rank, 0)
    _pronounce(table, columns, definition)
    return _changes(gone, reasons, come, rank)


def emptied(columns: Columns, rank: Numbers, reason: UniverseReason) -> Changes:
    """Everything in the list dropped, for one reason; nothing cools down."""
    gone = np.flatnonzero(columns["in_list"])
    _drop(columns, gone, ABSENT)
    columns["list_rank"][:] = 0
    columns["verdict"][gone] = CandidateVerdict.DROPPED
    return _changes(gone, np.full(len(gone), reason), gone[:0], rank)


def listed(columns: Columns) -> Numbers:
    """The ids in the list, the best first, those that only stay at its end."""
    ids = np.flatnonzero(columns["in_list"])
    rank = columns["list_rank"][ids]
    return ids[np.lexsort((ids, np.where(rank > 0, rank, np.iinfo(np.int32).max)))]


def _reasons(table: Table, gone: Numbers) -> Numbers:
    """The first filter that failed each, else that others rank before it."""
    if not len(table.passes):
        return np.full(len(gone), int(UniverseReason.OUTRANKED))
    first = np.argmin(table.passes[:, gone], axis=0)
    is_failed = ~table.passes[:, gone].all(axis=0)
    return np.where(is_failed, UniverseReason.FILTER + first + 1, UniverseReason.OUTRANKED)


def _drop(columns: Columns, gone: Numbers, cool_until_ns: int) -> None:
    columns["in_list"][gone] = False
    columns["ts_added_ns"][gone] = ABSENT
    columns["cool_until_ns"][gone] = cool_until_ns


def _pronounce(table: Table, columns: Columns, definition: Definition) -> None:
    """Verdicts: in the list, nearly, would have been, not; and which of them, or of the filters', are new."""
    verdict = np.full(len(table.rank), int(CandidateVerdict.DROPPED), np.int8)
    verdict[table.rank > 0] = CandidateVerdict.NOT_RANKED
    verdict[nearest(table, definition.near_miss.limit)] = CandidateVerdict.NEAR_MISS
    verdict[columns["in_list"]] = CandidateVerdict.PICKED
    bits = np.uint64(1) << np.arange(len(table.passes), dtype=np.uint64)
    passed = (table.passes * bits[:, None]).sum(axis=0, dtype=np.uint64)
    before, is_out = columns["verdict"], int(CandidateVerdict.DROPPED)
    is_moved = (verdict != before) & ~((before < 0) & (verdict == is_out))
    table.is_new = table.is_looked_at & (is_moved | ((verdict != is_out) & (passed != columns["passed"])))
    table.verdict = verdict
    columns["verdict"], columns["passed"] = verdict.copy(), passed


def _changes(gone: Numbers, reasons: Numbers, come: Numbers, rank: Numbers) -> Changes:
    ids = np.concatenate([gone, come])
    return Changes(
        ids,
        np.repeat([int(UniverseAction.DROPPED), int(UniverseAction.ADDED)], [len(gone), len(come)]),
        np.concatenate([reasons, np.full(len(come), int(UniverseReason.RANKED))]),
        rank[ids],
    )
