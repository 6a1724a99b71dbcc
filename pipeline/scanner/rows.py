"""Rows: what an evaluation leaves on the tape, as blocks: candidates, then changes of the universe, numbered from 1."""

import numpy as np

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import Kind, Origin
from pipeline.scanner.definition import Definition
from pipeline.scanner.universe import Changes
from pipeline.scanner.verdicts import Table
from pipeline.scanner_codes import CandidateVerdict


def candidate_rows(table: Table, definition: Definition, scanner_id: int, *, is_full: bool) -> Block:
    """The funnel, then fields that failed, then each instrument that is written, by id: a row for each filter, one for each field without one.

    Written are picks, near misses and what changed; all that was looked at when the table is to be full.
    """
    written = (table.verdict == CandidateVerdict.PICKED) | (table.verdict == CandidateVerdict.NEAR_MISS) | table.is_new
    ids = np.flatnonzero(table.is_looked_at if is_full else written & table.is_looked_at)
    fields, filters = definition.fields, definition.filters
    shown = [place for place, name in enumerate(fields) if name not in {each.field for each in filters}]
    filtered = [fields.index(each.field) for each in filters]
    place = np.array([*filtered, *shown], np.int64)
    number = np.array([*range(1, len(filters) + 1), *[0] * len(shown)], np.int64)
    size, count = len(place), len(ids)
    value, known_ns = table.values[place][:, ids], table.known_ns[place][:, ids]
    threshold = np.full((size, count), np.nan)
    threshold[: len(filters)] = table.thresholds[:, ids]
    is_passed = np.full((size, count), -1, np.int8)
    is_passed[: len(filters)] = table.passes[:, ids]
    left, failed = len(filters) + 1, table.failed
    first = left + len(failed)
    of_none = [int(CandidateVerdict.COUNTED)] * left + [int(CandidateVerdict.FAILED)] * len(failed)
    return _block(
        Kind.CANDIDATE,
        table,
        first + count * size,
        instrument_id=_behind(np.zeros(first), np.repeat(ids, size)),
        scanner_id=scanner_id,
        evaluation=table.evaluation,
        verdict=_behind(of_none, np.repeat(table.verdict[ids], size)),
        rank=_behind(np.zeros(first), np.repeat(table.rank[ids], size)),
        field_id=_behind([0, *(each + 1 for each in filtered), *failed], np.tile(place + 1, count)),
        filter_id=_behind([*range(left), *[0] * len(failed)], np.tile(number, count)),
        value=np.concatenate([table.left, np.full(len(failed), np.nan), value.T.ravel()]),
        threshold=np.concatenate([np.full(first, np.nan), threshold.T.ravel()]),
        is_passed=_behind(np.full(first, -1), is_passed.T.ravel()),
        known_at_ns=_behind(np.full(first, table.now_ns), known_ns.T.ravel()),
    )


def universe_rows(changes: Changes, *, seq: int, now_ns: int, scanner_id: int, behind: int = 0) -> Block:
    """What came in and what went, numbered behind so many other rows of the same input."""
    count = len(changes.ids)
    return Block.of(
        Kind.UNIVERSE,
        count,
        **_header(seq, now_ns, count, behind),
        instrument_id=changes.ids,
        action=changes.action,
        scanner_id=scanner_id,
        reason=changes.reason,
        rank=changes.rank,
    )


def rows_of(table: Table, changes: Changes, definition: Definition, scanner_id: int, *, is_full: bool) -> Blocks:
    """Everything an evaluation leaves."""
    candidates = candidate_rows(table, definition, scanner_id, is_full=is_full)
    moved = universe_rows(changes, seq=table.seq, now_ns=table.now_ns, scanner_id=scanner_id, behind=len(candidates))
    return [candidates, moved] if len(moved) else [candidates]


def _behind(first: object, then: Numbers) -> Numbers:
    return np.concatenate([np.asarray(first, np.int64), then.astype(np.int64)])


def _block(kind: Kind, table: Table, count: int, **columns: object) -> Block:
    return Block.of(kind, count, **_header(table.seq, table.now_ns, count, 0), **columns)


def _header(seq: int, now_ns: int, count: int, behind: int) -> dict[str, object]:
    """Of derived rows: at session time, caused by the timer."""
    return {
        "seq": seq,
        "ord": np.arange(behind + 1, behind + 1 + count),
        "ts_event_ns": now_ns,
        "ts_recv_ns": now_ns,
        "origin": int(Origin.DERIVED),
        "cause_seq": seq,
        "cause_ord": 0,
    }
