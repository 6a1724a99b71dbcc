"""One reading of Massive's events: rows gathered by type, refusals told apart, instruments in front of their first use."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec.json import encode

from pipeline.block import Block, Blocks, Numbers
from pipeline.codes import FeedAction, Kind, Mark, Origin
from pipeline.errors import UnitError
from pipeline.normalize.marks import with_mark
from pipeline.normalize.massive_bars import Revisions
from pipeline.normalize.massive_columns import ids as packed_ids
from pipeline.normalize.massive_rows import Made, Reasons
from pipeline.normalize.massive_snapshots import Seen
from pipeline.normalize.massive_told import LeftOut, Told
from pipeline.normalize.massive_words import instrument_of
from pipeline.normalize.rows import block_of_columns, ranked

Maker = Callable[[list[Any], Numbers], Made]

_STEP = 4
"""Places between two events: an instrument fits in front of its first event."""


class Known:
    """What a feed has learned since it began: instruments, revisions of bars, and what was left out and not told yet."""

    def __init__(self) -> None:
        self.left_out = LeftOut()
        self.revisions: dict[tuple[int, int], Revisions] = {}
        self.ids: dict[str, int] = {}
        """By every spelling that came; two spellings of one symbol (spaces around it) have one id."""
        self.count = 0
        self.snapshots = Seen()


class Reading:
    """The rows of one call. `events` are all of its events in order, `recv_ns` when each was received."""

    def __init__(self, known: Known, events: Sequence[Any], recv_ns: Numbers, origin: Origin) -> None:
        self.told = Told(origin)
        self._known = known
        self._events = events
        self._recv_ns = recv_ns
        self._origin = origin
        self._met: list[dict[str, Any]] = []
        self._blocks: list[Block] = []

    def place(self, at: int) -> int:
        """Where the row of the event at that index goes."""
        return at * _STEP + 2

    def ids_by_symbol(self, symbols: list[str]) -> Numbers:
        """Ids of events' symbols, those met for the first time defined; 0 where it is no symbol."""
        ids = self._known.ids
        found = list(map(ids.get, symbols))
        if None in found:
            for at, event in enumerate(self._events):
                if (symbol := getattr(event, "sym", None)) is not None and symbol not in ids:
                    self.meet(symbol, at)
            found = [ids.get(symbol, 0) for symbol in symbols]
        return packed_ids(found)  # type: ignore[arg-type]  # no None is left

    def meet(self, symbol: str, at: int) -> int:
        """The id of a symbol, which is defined in front of this event when it is new; 0 when it is none."""
        ids = self._known.ids
        if symbol in ids:
            return ids[symbol]
        try:
            instrument = instrument_of(symbol)
        except UnitError:
            return 0
        known = ids.get(instrument.symbol)
        if known is None:
            known = ids[instrument.symbol] = self._known.count = self._known.count + 1
            self._met.append({"instrument_id": known, **self._header(at, self.place(at) - 1), **instrument.row()})
        ids[symbol] = known
        return known

    def _header(self, at: int, place: int) -> dict[str, int]:
        recv_ns = int(self._recv_ns[at])
        return {"seq": place, "ts_event_ns": recv_ns, "ts_recv_ns": recv_ns, "origin": self._origin}

    def take(self, kind: Kind, make: Maker, chosen: list[Any], at: Numbers, ids: Numbers) -> None:
        """The rows of events of one type, which stand at these indices."""
        recv_ns = self._recv_ns if len(at) == len(self._events) else self._recv_ns[at]
        made = make(chosen, recv_ns)
        header = {"seq": at * _STEP + 2, "ts_recv_ns": recv_ns, "instrument_id": ids, "origin": int(self._origin)}
        block = block_of_columns(kind, len(chosen), {**header, **made.columns})
        if made.fractions:
            self._known.left_out.add("fraction of a share", made.fractions)
        is_bad = self._refused(chosen, at, {"no symbol": ids == 0, **made.reasons})
        if is_bad is not None:
            block = block.take(~is_bad)
        if kind is Kind.BAR and len(block):
            block = self._revised(block)
        self._blocks.append(block)

    def _refused(self, chosen: list[Any], at: Numbers, reasons: Reasons) -> Numbers | None:
        """Which events are refused, every one told; None when none is."""
        if not any(map(np.count_nonzero, reasons.values())):
            return None
        is_bad: Numbers = np.logical_or.reduce(list(reasons.values()))
        for row in np.flatnonzero(is_bad).tolist():
            reason = next(reason for reason, mask in reasons.items() if mask[row])
            self.refuse(f"{reason}: {encode(chosen[row]).decode()}", int(at[row]))
        return is_bad

    def refuse(self, text: str, at: int) -> None:
        """Tell that the event at this index can't be read."""
        self.told.add(FeedAction.REJECTED, self.place(at), int(self._recv_ns[at]), text)

    def _revised(self, block: Block) -> Block:
        """Bars with their revisions; one that says nothing new is a duplicate."""
        names = ("instrument_id", "bar_length", "ts_event_ns", "open_nano", "high_nano", "low_nano", "close_nano")
        columns = [block.number(name).tolist() for name in (*names, "volume_steps")]
        counted = [
            self._bars(instrument_id, length_ns).count(start_ns, hash(tuple(content)))
            for instrument_id, length_ns, start_ns, *content in zip(*columns, strict=True)
        ]
        is_same = np.array([same for _, same in counted])
        return block.with_columns(
            revision=np.array([revision for revision, _ in counted], np.int16),
            marks=with_mark(block.number("marks"), is_same, Mark.DUPLICATE),
        )

    def _bars(self, instrument_id: int, length_ns: int) -> Revisions:
        bars = self._known.revisions.get((instrument_id, length_ns))
        if bars is None:
            bars = self._known.revisions[instrument_id, length_ns] = Revisions(length_ns)
        return bars

    def batch(self, *, by_time: bool = False) -> Blocks:
        """All rows in their order, or those of the market by event time, behind the instruments."""
        blocks = _by_time(self._blocks) if by_time else self._blocks
        met = [Block.from_rows(Kind.INSTRUMENT, self._met)] if self._met else []
        if met and by_time:
            met = [met[0].with_columns(seq=met[0].number("seq") - _STEP * (len(self._events) + 1))]
        return ranked([*met, *blocks, *self.told.blocks()])


def places_by_type(events: Sequence[Any]) -> list[tuple[type, Numbers]]:
    """The types of events in the order they first appear, and where each stands."""
    types = list(map(type, events))
    if types and types.count(types[0]) == len(types):
        return [(types[0], np.arange(len(types)))]
    present = list(dict.fromkeys(types))
    return [(wanted, np.array([i for i, type_ in enumerate(types) if type_ is wanted])) for wanted in present]


def _by_time(blocks: list[Block]) -> list[Block]:
    """The same rows, placed by event time; rows of one time stay as they came."""
    if not blocks:
        return []
    times = np.concatenate([block.number("ts_event_ns") for block in blocks])
    places = np.concatenate([block.number("seq") for block in blocks])
    order = np.lexsort((places, times))
    placed = np.empty(len(places), np.int64)
    placed[order] = np.sort(places)
    ends = np.cumsum([len(block) for block in blocks])[:-1]
    return [block.with_columns(seq=seq) for block, seq in zip(blocks, np.split(placed, ends), strict=True)]
