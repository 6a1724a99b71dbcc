"""Verdicts: every filter on every instrument at one moment, who passes, how they rank, who nearly passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.block import Numbers
from pipeline.scanner.definition import Definition, Filter, NearMiss, RankKey
from pipeline.scanner.field import View, among

_COMPARE: Final = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(slots=True)
class Table:
    """All instruments at one evaluation, row i of `instrument_id` i.

    values, known_ns    (fields, n), in the order of the definition's fields; texts as numbers of their words
    thresholds, passes  (filters, n); a threshold is the one that counted for this instrument, NaN of texts
    is_looked_at        (n,) bool: it is of a class that the scanner looks at
    rank                (n,) int32, place among those that pass every filter, from 1; 0: it does not
    left                (filters + 1,) how many were looked at, then how many each filter left
    distance            (n,) float64, of near misses how far in all, as parts of the thresholds; inf for all others
    verdict             (n,) int8, scanner_codes.CandidateVerdict, set by the universe
    is_new              (n,) bool: the verdict, or a filter's, is another than at the evaluation before
    failed              places of fields that failed since the evaluation before, from 1; 0: one that is not shown
    """

    evaluation: int
    now_ns: int
    seq: int
    values: Numbers
    known_ns: Numbers
    thresholds: Numbers
    passes: Numbers
    is_looked_at: Numbers
    rank: Numbers
    left: Numbers
    distance: Numbers
    verdict: Numbers
    is_new: Numbers
    failed: tuple[int, ...] = ()

    @property
    def fails(self) -> Numbers:
        """(n,) int: how many filters each failed."""
        failed: Numbers = (~self.passes).sum(axis=0)
        return failed


def judged(view: View, definition: Definition, *, evaluation: int, seq: int) -> Table:
    """The verdict of every filter, before the list is looked at."""
    found = [view.of(name) for name in definition.fields]
    place = {name: number for number, name in enumerate(definition.fields)}
    values = np.array([each.value for each in found]).reshape(len(found), view.rows)
    known_ns = np.array([each.known_ns for each in found]).reshape(len(found), view.rows)
    is_in = view["in_list"]
    shape = (len(definition.filters), view.rows)
    thresholds = np.array([_thresholds(each, is_in) for each in definition.filters]).reshape(shape)
    rows = [values[place[each.field]] for each in definition.filters]
    passes = np.array(
        [
            _passes(view, each, row, limit)
            for each, row, limit in zip(definition.filters, rows, thresholds, strict=True)
        ],
        np.bool_,
    ).reshape(shape)
    is_looked_at = view["is_defined"] & among(view["asset_class"], definition.asset_classes)
    still = np.logical_and.accumulate(np.concatenate([is_looked_at[None], passes]), axis=0)
    keys = [(values[place[key.field]], key) for key in definition.rank]
    return Table(
        evaluation=evaluation,
        now_ns=view.now_ns,
        seq=seq,
        values=values,
        known_ns=known_ns,
        thresholds=thresholds,
        passes=passes,
        is_looked_at=is_looked_at,
        rank=ranked(still[-1], keys),
        left=still.sum(axis=1),
        distance=_distance(definition.filters, definition.near_miss, np.array(rows).reshape(shape), thresholds, passes),
        verdict=np.zeros(view.rows, np.int8),
        is_new=np.zeros(view.rows, np.bool_),
    )


def ranked(mask: Numbers, keys: Sequence[tuple[Numbers, RankKey]]) -> Numbers:
    """(n,) int32: places from 1 of those in the mask, by the first key, then the next; equals by `instrument_id`."""
    ids = np.flatnonzero(mask)
    sorting = [ids]
    for values, key in reversed(keys):
        column = values[ids] if key.is_ascending else -values[ids]
        sorting.append(np.where(np.isnan(column), np.inf, column))
    rank = np.zeros(len(mask), np.int32)
    rank[ids[np.lexsort(sorting)]] = np.arange(1, len(ids) + 1)
    return rank


def nearest(table: Table, limit: int) -> Numbers:
    """The near misses, the nearest first; equals by `instrument_id`."""
    near = np.flatnonzero(np.isfinite(table.distance) & table.is_looked_at)
    return near[np.lexsort((near, table.distance[near]))][:limit]


def _thresholds(filter_: Filter, is_in: Numbers) -> Numbers:
    if filter_.is_text:
        return np.full(len(is_in), np.nan)
    return np.where(is_in, filter_.keep, filter_.threshold)


def _passes(view: View, filter_: Filter, values: Numbers, thresholds: Numbers) -> Numbers:
    if filter_.is_text:
        numbers = [view.facts.number_of(text) for text in filter_.texts]
        passes = np.isin(values, numbers) == (filter_.operator == "in")
    else:
        passes = _COMPARE[filter_.operator](values, thresholds)
    found: Numbers = np.where(np.isnan(values), filter_.passes_absent, passes)
    return found


def _distance(
    filters: Sequence[Filter], near: NearMiss, values: Numbers, thresholds: Numbers, passes: Numbers
) -> Numbers:
    """How far the failed filters are from passing, in all; inf where one is too far, or too many failed, or none did."""
    total = np.zeros(passes.shape[1])
    for place, filter_ in enumerate(filters):
        limit = thresholds[place]
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.abs(values[place] - limit) / np.where(limit == 0, 1.0, np.abs(limit))
        is_far = np.isnan(off) | (off > near.within_pct / 100.0) | filter_.is_text
        total += np.where(passes[place], 0.0, np.where(is_far, np.inf, off))
    failed = (~passes).sum(axis=0)
    return np.where((failed > 0) & (failed <= near.filters_max), total, np.inf)
