"""Streams: what two recordings hold of one instrument, beside each other: ticks that only one of them has, and their order.

A tick is the same in both when its kind, its event time and what it says are the same; equal ones go with each other in
their order. Receive times are how each recorder heard of it, and no part of what a tick is.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import Kind, Origin

_SAYS: Final = {
    Kind.QUOTE: ("bid_nano", "ask_nano", "bid_size_steps", "ask_size_steps"),
    Kind.PRINT: ("price_nano", "size_steps", "corrects_trade_id"),
    Kind.BAR: ("bar_length", "open_nano", "high_nano", "low_nano", "close_nano", "volume_steps"),
    Kind.STATUS: ("status", "limit_down_nano", "limit_up_nano", "is_short_restricted"),
}
KINDS: Final = tuple(_SAYS)
"""The kinds that are ticks."""

COLUMNS: Final = ("instrument_id", "origin", "ts_event_ns", "ts_recv_ns", *dict.fromkeys(sum(_SAYS.values(), ())))
"""The columns that are looked at."""

_WIDTH: Final = 2 + max(map(len, _SAYS.values()))


class Stream(NamedTuple):
    """Ticks of one instrument in the order in which they were recorded.

    says                (n, k) int64: kind, event time, and what the tick says
    seq, ts_recv_ns     (n,) int64
    """

    says: Numbers
    seq: Numbers
    ts_recv_ns: Numbers

    @property
    def ts_event_ns(self) -> Numbers:
        """(n,) int64."""
        times: Numbers = self.says[:, 1]
        return times


class Apart(NamedTuple):
    """What two streams of an instrument do not share.

    only_a, only_b      (n,) bool over each stream: ticks that the other one does not have
    displaced           (n,) bool over a: ticks that both have, but on another side of another such tick
    later_ns            (n,) int64 over a: how much later than a b received the tick; 0 for those that b does not have
    """

    a: Stream
    b: Stream
    only_a: Numbers
    only_b: Numbers
    displaced: Numbers
    later_ns: Numbers


def stream_of(blocks: Sequence[Block], instrument_id: int) -> Stream:
    """The ticks of an instrument out of blocks of any kinds; fetched afterwards, or to warm up, is not what was heard."""
    parts = [(block, mask) for block in blocks if block.kind in _SAYS and (mask := _heard(block, instrument_id)).any()]
    if not parts:
        return Stream(np.zeros((0, _WIDTH), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
    seq = np.concatenate([block.number("seq")[mask] for block, mask in parts])
    recv = np.concatenate([block.number("ts_recv_ns")[mask] for block, mask in parts])
    says = np.concatenate([_says(block, mask) for block, mask in parts])
    order = np.argsort(seq, kind="stable")
    return Stream(says[order], seq[order], recv[order])


def apart(a: Stream, b: Stream) -> Apart:
    """Compare two streams tick by tick; O(n log n)."""
    count = len(a.seq)
    group = _groups(np.concatenate([a.says, b.says]))
    nth = np.concatenate([_nth(group[:count]), _nth(group[count:])])
    _, key = np.unique(group * (int(nth.max(initial=0)) + 1) + nth, return_inverse=True)
    place_in_b = np.full(int(key.max(initial=-1)) + 1, -1)
    place_in_b[key[count:]] = np.arange(len(b.seq))
    partner = place_in_b[key[:count]]
    is_common = partner >= 0
    only_b = np.ones(len(b.seq), np.bool_)
    only_b[partner[is_common]] = False
    displaced = np.zeros(count, np.bool_)
    shared = partner[is_common]
    last_before, first_behind = np.maximum.accumulate(shared), np.minimum.accumulate(shared[::-1])[::-1]
    displaced[is_common] = (shared < last_before) | (shared > first_behind)
    later = np.zeros(count, np.int64)
    later[is_common] = b.ts_recv_ns[shared] - a.ts_recv_ns[is_common]
    return Apart(a, b, ~is_common, only_b, displaced, later)


def _heard(block: Block, instrument_id: int) -> Numbers:
    mask: Numbers = (block.number("instrument_id") == instrument_id) & (block.number("origin") == int(Origin.INPUT))
    return mask


def _says(block: Block, mask: Numbers) -> Numbers:
    rows = np.zeros((int(mask.sum()), _WIDTH), np.int64)
    rows[:, 0], rows[:, 1] = int(block.kind), block.number("ts_event_ns")[mask]
    for place, name in enumerate(_SAYS[block.kind], 2):
        rows[:, place] = block.number(name)[mask]
    return rows


def _groups(says: Numbers) -> Numbers:
    """(n,) int64: a number for each row that rows with the same values share."""
    columns = [column for column in says.T if len(column) and (column != column[0]).any()]
    if not columns:
        return np.zeros(len(says), np.int64)
    order = np.lexsort(columns)
    is_new = np.zeros(len(says), np.bool_)
    for column in columns:
        is_new[1:] |= np.diff(column[order]) != 0
    group = np.empty(len(says), np.int64)
    group[order] = np.cumsum(is_new)
    return group


def _nth(group: Numbers) -> Numbers:
    """(n,) how many equals stand in front of each."""
    order = np.argsort(group, kind="stable")
    ranked = group[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(ranked)])
    nth = np.empty(len(group), np.int64)
    nth[order] = np.arange(len(group)) - np.repeat(starts, lengths)
    return nth
