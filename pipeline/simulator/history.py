"""History: what has been served so far, for those who ask by REST. Nobody gets a row that the socket has not come to."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from pipeline.block import Block, Blocks, Numbers, concat
from pipeline.codes import BarBasis, BarUnit, Kind
from pipeline.ports import Channel, Topic
from pipeline.simulator.served import Portion, Tape
from pipeline.simulator.snapshots import Standing
from pipeline.units import DAY_NS, MINUTE_NS, SECOND_NS

_KINDS: Final[Mapping[Channel, Kind]] = {
    Channel.QUOTES: Kind.QUOTE,
    Channel.PRINTS: Kind.PRINT,
    Channel.STATUSES: Kind.STATUS,
}
_BAR_NS: Final[Mapping[Channel, int]] = {
    Channel.BARS_1S: SECOND_NS,
    Channel.BARS_1M: MINUTE_NS,
    Channel.BARS_5M: 5 * MINUTE_NS,
    Channel.BARS_1D: DAY_NS,
}


class _Kept(NamedTuple):
    """Where a portion's rows of a kind stand on the tape, and between which event times they lie, both included."""

    first_seq: int
    last_seq: int
    first_ns: int
    last_ns: int


class ServedHistory:
    """The rows of a tape up to the last one served."""

    def __init__(self, tape: Tape) -> None:
        self.last_seq = 0
        """The last row served; what stands behind it is not known to anybody yet."""
        self._tape = tape
        self._kept: dict[Kind, list[_Kept]] = {}
        self._standing = Standing(dict(tape.symbols))
        self._standing_seq = 0
        self._ids: dict[str, list[int]] = {}
        for id_, symbol in tape.symbols.items():
            self._ids.setdefault(symbol, []).append(id_)

    def reached(self, portion: Portion) -> None:
        """Serving has come to this portion; its rows are known one by one, as `last_seq` moves on."""
        for block in portion.blocks:
            seq, ts_ns = block.number("seq"), block.number("ts_event_ns")
            self._kept.setdefault(block.kind, []).append(
                _Kept(int(seq[0]), int(seq[-1]), int(ts_ns.min()), int(ts_ns.max()))
            )

    def rows(self, topic: Topic, from_ns: int, to_ns: int, rows_max: int) -> Blocks:
        """The oldest `rows_max` rows of a topic by event time, from a moment until another, exclusive.

        Of a bar that was revised only its latest form so far. [] when there is none.
        """
        kind = Kind.BAR if topic.channel in _BAR_NS else _KINDS.get(topic.channel)
        ids = self._ids.get(topic.symbol, [])
        if kind is None or not ids:
            return []
        parts = [
            block.take(rows)
            for block in self._served(kind, from_ns, to_ns)
            if (rows := _wanted(block, topic, ids, from_ns, to_ns)).any()
        ]
        if not parts:
            return []
        found = concat(parts)[0]
        found = found.take(np.argsort(found.number("ts_event_ns"), kind="stable"))
        if kind is Kind.BAR:
            found = _latest(found)
        return [found.slice(0, rows_max)]

    def standing(self) -> Standing:
        """How all shares stand as of the last row served."""
        for kind in (Kind.QUOTE, Kind.PRINT):
            for kept in self._kept.get(kind, []):
                first, last = max(kept.first_seq, self._standing_seq + 1), min(kept.last_seq, self.last_seq)
                if first <= last:
                    self._standing.take(self._tape.again(kind, first, last))
        self._standing_seq = self.last_seq
        return self._standing

    def _served(self, kind: Kind, from_ns: int, to_ns: int) -> Iterator[Block]:
        for kept in self._kept.get(kind, []):
            if kept.first_seq <= self.last_seq and kept.first_ns < to_ns and kept.last_ns >= from_ns:
                yield from self._tape.again(kind, kept.first_seq, min(kept.last_seq, self.last_seq))


def _wanted(block: Block, topic: Topic, ids: list[int], from_ns: int, to_ns: int) -> Numbers:
    """(n,) bool: the rows of a topic between two moments."""
    ts_ns = block.number("ts_event_ns")
    rows: Numbers = np.isin(block.number("instrument_id"), ids) & (ts_ns >= from_ns) & (ts_ns < to_ns)
    if block.kind is Kind.BAR:
        rows &= (block.number("bar_unit") == BarUnit.TIME) & (block.number("bar_length") == _BAR_NS[topic.channel])
        rows &= block.number("basis") == BarBasis.VENDOR
    return rows


def _latest(bars: Block) -> Block:
    """Bars in the order of their starts, each in its last form."""
    starts = bars.number("ts_event_ns")
    is_last = np.ones(len(starts), np.bool_)
    is_last[:-1] = starts[1:] != starts[:-1]
    return bars.take(is_last)
