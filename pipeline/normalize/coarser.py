"""Coarser: bars by the clock made of shorter ones, as a vendor would make them that has no bars of that length."""

from typing import Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.units import HOUR_NS

_NONE: Final = 0


def can_be_made(length_ns: int, of_ns: int) -> bool:
    """Whether bars of a length can be made of shorter ones: they cut an hour evenly, so that every market's day begins with one."""
    return length_ns > of_ns and length_ns % of_ns == 0 and HOUR_NS % length_ns == 0


def coarser(bars: Block, length_ns: int) -> Block:
    """Bars of `length_ns` of one instrument's bars of one length, oldest first; of which none is missing but where nothing traded."""
    start = bars.number("ts_event_ns") // length_ns * length_ns
    first = np.flatnonzero(np.diff(start, prepend=start[0] - 1)) if len(bars) else np.zeros(0, np.int64)
    last = np.append(first[1:], len(bars)) - 1
    if not len(first):
        return bars
    volume = np.add.reduceat(bars.number("volume_steps"), first)
    return bars.take(last).with_columns(
        ts_event_ns=start[first],
        ts_close_ns=start[first] + length_ns,
        bar_length=np.full(len(first), length_ns),
        open_nano=bars.number("open_nano")[first],
        high_nano=np.maximum.reduceat(bars.number("high_nano"), first),
        low_nano=np.minimum.reduceat(bars.number("low_nano"), first),
        volume_steps=volume,
        trade_count=_counted(bars.number("trade_count"), first),
        vwap=_weighted(bars, first, volume),
    )


def _counted(counts: Numbers, first: Numbers) -> Numbers:
    """Trades of each; what none of the shorter ones tells stays untold."""
    is_told = np.minimum.reduceat(counts, first) >= _NONE
    summed: Numbers = np.where(is_told, np.add.reduceat(np.maximum(counts, _NONE), first), counts[first])
    return summed


def _weighted(bars: Block, first: Numbers, volume: Numbers) -> Numbers:
    """The price by volume; NaN where the shorter ones tell none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        weighted: Numbers = np.add.reduceat(bars.number("vwap") * bars.number("volume_steps"), first) / volume
    return weighted
