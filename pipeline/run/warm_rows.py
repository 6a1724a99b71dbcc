"""Warm rows: what is asked of a vendor's history for strategies that wait for it, and what of its answer they are given."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Block, Blocks, Numbers, concat, concatenated
from pipeline.codes import BarUnit, Kind, Mark, Origin
from pipeline.core.strategy import Plan
from pipeline.normalize.coarser import can_be_made, coarser
from pipeline.normalize.rows import ranked
from pipeline.ports import Channel
from pipeline.units import DAY_NS, MINUTE_NS, SECOND_NS

REACHES: Final = (3, 90)
"""So many times the time of the bars that are wanted is asked for, and again if they were too few: where nothing trades there is no bar."""

HEARD: Final = (Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS)
"""The kinds that strategies hear of a market."""

_LENGTHS: Final = {
    Channel.BARS_1D: DAY_NS,
    Channel.BARS_5M: 5 * MINUTE_NS,
    Channel.BARS_1M: MINUTE_NS,
    Channel.BARS_1S: SECOND_NS,
}
_UNMARKED: Final = ~(Mark.DUPLICATE | Mark.LATE).value


Sort = tuple[Kind, int]
"""A kind of rows; of bars with their length, else 0."""

BEHIND_NS: Final = 3 * SECOND_NS

NO_SORTS: Final[Mapping[Sort, int]] = MappingProxyType({})
_MS: Final = 1_000_000


class Want(NamedTuple):
    """What a strategy wants first: so many bars, or all of so long a time; bars of these lengths (nanoseconds) in either case."""

    bars: int
    span_ns: int
    lengths: tuple[int, ...]
    channels: frozenset[Channel]
    """Besides bars, the channels whose events it handles, where it wants all of a time."""


def want_of(plan: Plan) -> Want | None:
    """What the strategy of a plan wants; None when it declares no warm-up."""
    strategy = plan.strategy
    if not strategy.warm_up:
        return None
    bars, span_ns = strategy.warm_up_with(plan.params)
    handled = {Channel.QUOTES: strategy.on_quote, Channel.PRINTS: strategy.on_print}
    channels = {channel for channel, handler in handled.items() if handler and span_ns}
    lengths = strategy.bars_by_time if strategy.on_bar else ()
    return Want(bars, span_ns, lengths, frozenset(channels))


def channel_of(length_ns: int, history_of: AbstractSet[Channel]) -> Channel | None:
    """The channel whose history has bars of a length, or of which they can be made; None when there is none."""
    for channel, of_ns in _LENGTHS.items():
        if channel in history_of and (of_ns == length_ns or can_be_made(length_ns, of_ns)):
            return channel
    return None


def asked(wants: Iterable[Want], history_of: AbstractSet[Channel]) -> frozenset[Channel]:
    """The channels of which history is asked for."""
    found: set[Channel] = set()
    for want in wants:
        bars = {channel_of(length, history_of) for length in want.lengths}
        found |= (want.channels & history_of) | {channel for channel in bars if channel is not None}
    return frozenset(found)


def lacking(wants: Iterable[Want], history_of: AbstractSet[Channel]) -> list[str]:
    """What is wanted that this vendor has no history of, in words."""
    found: set[str] = set()
    for want in wants:
        found |= {channel.value for channel in want.channels - history_of}
        found |= {f"bars of {each // SECOND_NS:,} s" for each in want.lengths if channel_of(each, history_of) is None}
    return sorted(found)


def reach_ns(wants: Iterable[Want], reach: int) -> int:
    """How far back is asked for, the time of so many bars taken so many times."""
    back_ns = [max(want.span_ns, (want.bars + 1) * max(want.lengths, default=0) * reach) for want in wants]
    return max(back_ns, default=0)


class Stretch(NamedTuple):
    """Between which moments history is wanted: it was asked for up to `to_ns`, from `from_ns` on; `since_ns` is when the waiting began.

    Bars that end by `bars_until_ns` are given by history, later ones come live, whoever makes them.
    `left` has the event time of the last row that was heard before, by sort of rows: what is behind it was missed.
    """

    from_ns: int
    since_ns: int
    to_ns: int
    left: Mapping[Sort, int] = NO_SORTS

    @property
    def bars_until_ns(self) -> int:
        """Up to when history has every bar that there was: a vendor's is some seconds behind."""
        return self.to_ns - BEHIND_NS

    def is_new(self, sort: Sort, times: Numbers) -> Numbers:
        """(n,) bool: what was not heard before. Vendors tell milliseconds live and nanoseconds later, so milliseconds are compared."""
        new: Numbers = times // _MS > self.left.get(sort, 0) // _MS
        return new


def history(
    wants: Collection[Want], history_of: AbstractSet[Channel], read: Blocks, live: Blocks, when: Stretch
) -> Blocks:
    """What is given of the rows `read` of an instrument: in front of what came live, each bar once."""
    bars = [block for block in read if block.kind is Kind.BAR]
    given = [
        bar
        for length in sorted({each for want in wants for each in want.lengths})
        for bar in _bars(length, wants, channel_of(length, history_of), bars, when)
    ]
    first_ns = {block.kind: int(times[0]) for block in reversed(live) if len(times := _timely(block))}
    for block in read:
        if block.kind in (Kind.QUOTE, Kind.PRINT):
            times = block.number("ts_event_ns")
            is_before = (times >= when.from_ns) & (times < first_ns.get(block.kind, when.to_ns))
            given.append(block.take(is_before & when.is_new((block.kind, 0), times)))
    return [block for block in given if len(block)]


def gathered(live: Iterable[Block]) -> Blocks:
    """What came live in many pieces in few."""
    alike: dict[tuple[Kind, int, tuple[str, ...]], list[Block]] = {}
    for block in live:
        key = block.kind, int(block.number("origin")[0]), tuple(block.columns)
        alike.setdefault(key, []).append(block)
    return [concatenated(parts) for parts in alike.values()]


def _timely(block: Block) -> Numbers:
    """When what came live happened, without what was reported late."""
    times: Numbers = block.number("ts_event_ns")
    return times[block.number("marks") & Mark.LATE == 0] if "marks" in block.columns else times


def _bars(length: int, wants: Collection[Want], channel: Channel | None, read: Blocks, when: Stretch) -> Blocks:
    """The bars of a length that are over: as many as are wanted, or of so long, and none that was heard."""
    if channel is None or not read:
        return []
    (block,) = concat(read)
    is_of = (block.number("bar_unit") == BarUnit.TIME) & (block.number("bar_length") == _LENGTHS[channel])
    bars = block.take(is_of)
    bars = bars.take(np.argsort(bars.number("ts_event_ns"), kind="stable"))
    bars = bars.take(np.diff(bars.number("ts_event_ns"), append=0) != 0)  # of one that was revised the last
    if _LENGTHS[channel] != length:
        bars = coarser(bars, length)
    ends_ns = bars.number("ts_event_ns") + length
    bars = bars.take((ends_ns <= when.bars_until_ns) & when.is_new((Kind.BAR, length), bars.number("ts_event_ns")))
    of_length = [want for want in wants if length in want.lengths]
    span_ns, count = max(want.span_ns for want in of_length), max(want.bars for want in of_length)
    is_within = bars.number("ts_event_ns") + length > when.since_ns - span_ns
    is_last = np.arange(len(bars)) >= len(bars) - count
    return [bars.take(is_within | is_last).with_columns(revision=np.zeros(int((is_within | is_last).sum()), np.int32))]


def is_short(wants: Iterable[Want], history_of: AbstractSet[Channel], given: Blocks) -> bool:
    """Whether somebody wants more bars than there are, of a length that there is history of."""
    counts: dict[int, int] = {}
    for block in given:
        if block.kind is Kind.BAR:
            for length, count in zip(*np.unique(block.number("bar_length"), return_counts=True), strict=True):
                counts[int(length)] = counts.get(int(length), 0) + int(count)
    return any(
        channel_of(length, history_of) is not None and counts.get(length, 0) < want.bars
        for want in wants
        for length in want.lengths
    )


def heard(given: Blocks, live: Blocks) -> Blocks:
    """History by time, behind it what came live in the order it came; of origin WARMUP, ranked from 1."""
    placed: Blocks = []
    rank = 0
    for block in given:
        placed.append(_as_warm_up(block))
    times = [_told_ns(block) for block in placed]
    order = np.argsort(np.concatenate(times), kind="stable") if times else np.zeros(0, np.int64)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    for i, block in enumerate(placed):
        placed[i] = block.with_columns(seq=ranks[rank : rank + len(block)])
        rank += len(block)
    rest = _without(live, given)
    seqs = sorted({(seq, ord_) for block in rest for seq, ord_ in _places(block)})
    place = {each: rank + count for count, each in enumerate(seqs, 1)}
    for block in rest:
        seq = np.array([place[each] for each in _places(block)], np.int64)
        placed.append(_as_warm_up(block).with_columns(seq=seq))
    return ranked(placed)


def _places(block: Block) -> list[tuple[int, int]]:
    return list(zip(block.number("seq").tolist(), block.number("ord").tolist(), strict=True))


def _told_ns(block: Block) -> Numbers:
    """When each row would have been told: a bar when it was over."""
    times = block.number("ts_event_ns")
    return times + block.number("bar_length") if block.kind is Kind.BAR else times


def _as_warm_up(block: Block) -> Block:
    """A whole block, as an input of origin WARMUP, without marks that were made for another place."""
    whole = Block.of(block.kind, len(block), **block.columns)
    none = np.zeros(len(block), np.int32)
    marks = {"marks": whole.number("marks") & _UNMARKED} if "marks" in whole.columns else {}
    origin = np.full(len(block), int(Origin.WARMUP), np.int8)
    return whole.with_columns(origin=origin, ord=none, cause_seq=none.astype(np.int64), cause_ord=none, **marks)


def _without(blocks: Blocks, others: Blocks) -> Blocks:
    """The rows without bars that are among the others."""
    had = {bar for block in others if block.kind is Kind.BAR for bar in _bar_names(block)}
    left = [
        block.take(np.array([bar not in had for bar in _bar_names(block)], np.bool_))
        if block.kind is Kind.BAR
        else block
        for block in blocks
    ]
    return [block for block in left if len(block)]


def _bar_names(block: Block) -> list[tuple[int, int, int]]:
    names = ("bar_unit", "bar_length", "ts_event_ns")
    return list(zip(*(block.number(name).tolist() for name in names), strict=True))
