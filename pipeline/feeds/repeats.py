"""Repeats: rows that were there before, known by their identity. One memory for imports, one for live sessions.

An import looks back 65,536 rows of a kind and pays for sorting them with every batch of some ten thousand rows. A live
session takes a few rows at a time and must not: it looks up trades one by one, and keeps the last million identities in a
ring that is searched only when a hole is filled with fetched rows. A trade's number counts within its venue
(Massive and Alpaca number by exchange).

Databento gives trades no number, only that of the venue's message, and one message may hold two equal trades. So a trade
is the n-th of its sort in a run of trades of one message: equal ones that come together are two, one that comes again
behind trades of other messages was there before. Only the latest trade of a venue, sent twice with no other between, is taken
for two.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import numpy as np

from pipeline.block import Block, Numbers
from pipeline.codes import FeedAction, Kind, Origin
from pipeline.normalize.marks import Seen, hashes
from pipeline.units import ABSENT, DAY_NS

_IDENTITY: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.QUOTE: ("bid_nano", "ask_nano", "bid_size_steps", "ask_size_steps", "vendor_seq"),
    Kind.PRINT: ("price_nano", "size_steps", "vendor_seq"),
    Kind.BAR: ("bar_unit", "bar_length", "open_nano", "high_nano", "low_nano", "close_nano", "volume_steps"),
    Kind.STATUS: ("status", "vendor_action", "vendor_reason"),
}
"""What makes two rows of an instrument with one event time the same row."""

_OF_PRINTS: Final = ("trade_id", "corrects_trade_id", "venue")
_NAMES: Final[Mapping[Kind, tuple[str, ...]]] = {
    kind: ("instrument_id", "ts_event_ns", *names, *(_OF_PRINTS if kind is Kind.PRINT else ()))
    for kind, names in _IDENTITY.items()
}
"""All columns that an identity is made of."""

_BACKFILL: Final = bytes([Origin.BACKFILL])

LIVE_WINDOW_ROWS: Final = 1 << 20
"""How many rows of a kind a live session looks back: minutes of the busiest market, 8 MB a kind."""


_LATER_ROWS: Final = 4_096

_RUN_SORTS_MAX: Final = 4_096
"""Sorts of trades counted in one run; more are no message of a venue, and the run begins anew."""


class Shown:
    """What the sources of an import have shown."""

    def __init__(self, source_count: int) -> None:
        self._source_count = source_count
        self._seen = {kind: Seen() for kind in _IDENTITY}

    def meet(self, batch: Sequence[Block]) -> None:
        """Files know of no connections."""

    def repeated(self, block: Block) -> Numbers | None:
        """Which rows were there before; None when nothing can be: one source, and no ids of trades."""
        if block.kind not in _IDENTITY:
            return None
        is_unique = _has_id(block.columns, len(block))
        if self._source_count == 1 and not is_unique.any():
            return None
        identities = _identities(block.kind, block.columns, is_unique)
        return self._seen[block.kind].duplicates(identities, block.number("source"), is_unique)


class Heard:
    """What the feeds of a live session have said: a trade's id names it for good, fetched rows are held against all."""

    def __init__(self, window_rows: int = LIVE_WINDOW_ROWS) -> None:
        self._window_rows = window_rows
        self._trades: set[int] = set()
        self._oldest: deque[int] = deque()
        """The same trades, in the order they came."""
        self._runs = _Runs()
        self._rings = {kind: _Ring(kind, window_rows) for kind in _IDENTITY}

    def meet(self, batch: Sequence[Block]) -> None:
        """The rows come next that are in this batch: where in it connections begin."""
        self._runs.meet(batch)

    def repeated(self, block: Block) -> Numbers | None:
        """Which rows were there before; None when none were."""
        if block.kind not in _IDENTITY:
            return None
        ring = self._rings[block.kind]
        has_fetched = _BACKFILL in block.number("origin").tobytes()
        if not has_fetched and block.kind is not Kind.PRINT:
            ring.add_later(block)
            return None
        is_unique = _has_id(block.columns, len(block))
        identities = _identities(block.kind, block.columns, is_unique, of_days=True)
        found = None
        if block.kind is Kind.PRINT:
            trades, identities, is_named = self._named(block, identities, is_unique)
            found = self._known_trades(trades, is_named)
        if has_fetched:
            is_fetched = block.number("origin") == int(Origin.BACKFILL)
            again = is_fetched & (ring.holds(identities) | _second(identities))
            found = again if found is None else found | again
        ring.add(identities)
        return found

    def _named(self, block: Block, identities: Numbers, is_unique: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """What names each trade as it was sent, what names it in any form, and which of the former are names at all."""
        if is_unique.all():
            return identities, identities, is_unique
        nth = self._runs.nth(block, identities, is_unique)
        identities = np.where(nth > 0, hashes([identities, nth]), identities)
        exact = np.where(is_unique, identities, hashes([identities, block.number("ts_event_ns")]))
        return exact, identities, is_unique | (block.number("vendor_seq") != ABSENT)

    def _known_trades(self, identities: Numbers, is_unique: Numbers) -> Numbers | None:
        trades, oldest = self._trades, self._oldest
        known = []
        for place in np.flatnonzero(is_unique).tolist():
            identity = int(identities[place])
            if identity in trades:
                known.append(place)
            else:
                trades.add(identity)
                oldest.append(identity)
        while len(oldest) > self._window_rows:
            trades.remove(oldest.popleft())
        if not known:
            return None
        found = np.zeros(len(identities), np.bool_)
        found[known] = True
        return found


class _Runs:
    """Trades without a number of their own, by venue: the run of one message that stands last, and what it had so far."""

    def __init__(self) -> None:
        self._runs: dict[tuple[int, int, int], tuple[tuple[int, int, int], Counter[int]]] = {}
        self._connections: Counter[int] = Counter()
        """By source, how many began before this batch."""
        self._begins: list[tuple[int, int]] = []
        """Source and place of those that begin in it."""

    def meet(self, batch: Sequence[Block]) -> None:
        """A run doesn't go on over another connection: that may begin with what was heard already."""
        self._connections.update(source for source, _ in self._begins)
        self._begins = []
        for block in batch:
            if block.kind is Kind.FEED:
                is_new = block.number("action") == FeedAction.CONNECTED
                rows = block.number("source")[is_new], block.number("seq")[is_new]
                self._begins += zip(*(column.tolist() for column in rows), strict=True)

    def nth(self, block: Block, identities: Numbers, is_unique: Numbers) -> Numbers:
        """(n,) int64: how many equal trades stand in front of each in its run; 0 for those with numbers of their own."""
        found = np.zeros(len(block), np.int64)
        rows = np.flatnonzero(~is_unique)
        names = ("source", "venue", "origin", "ts_event_ns", "vendor_seq", "seq")
        columns = [block.number(name)[rows].tolist() for name in names]
        for row, identity, source, venue, origin, *run, place in zip(
            rows.tolist(), identities[rows].tolist(), *columns, strict=True
        ):
            begun = sum(each == source and at < place for each, at in self._begins)
            key = (self._connections[source] + begun, *run)
            known, counts = self._runs.get((source, venue, origin), (None, Counter[int]()))
            if known != key or len(counts) > _RUN_SORTS_MAX:
                counts = Counter()
                self._runs[source, venue, origin] = key, counts
            found[row] = counts[identity]
            counts[identity] += 1
        return found


class _Ring:
    """The last identities, oldest overwritten first. Those of rows that nobody asks for yet are made many at a time."""

    def __init__(self, kind: Kind, rows: int) -> None:
        self._held = np.zeros(rows, np.uint64)
        self._count = 0
        self._kind = kind
        self._chosen = itemgetter(*_NAMES[kind])
        self._later: list[tuple[Numbers, ...]] = []
        self._later_rows = 0

    def add_later(self, block: Block) -> None:
        """Add these rows, but not now."""
        self._later.append(self._chosen(block.columns))
        self._later_rows += len(block)
        if self._later_rows >= _LATER_ROWS:
            self._catch_up()

    def _catch_up(self) -> None:
        if not self._later:
            return
        columns = dict(zip(_NAMES[self._kind], map(np.concatenate, zip(*self._later, strict=True)), strict=True))
        self._add(_identities(self._kind, columns, _has_id(columns, self._later_rows), of_days=True))
        self._later, self._later_rows = [], 0

    def add(self, identities: Numbers) -> None:
        self._catch_up()
        self._add(identities)

    def _add(self, identities: Numbers) -> None:
        identities = identities[-len(self._held) :]
        places = (self._count + np.arange(len(identities))) % len(self._held)
        self._held[places] = identities
        self._count += len(identities)

    def holds(self, identities: Numbers) -> Numbers:
        self._catch_up()
        found: Numbers = np.isin(identities, self._held[: self._count])
        return found


def _second(identities: Numbers) -> Numbers:
    """(n,) bool: which have an equal one in front of them."""
    is_second = np.ones(len(identities), np.bool_)
    is_second[np.unique(identities, return_index=True)[1]] = False
    return is_second


def _has_id(columns: Mapping[str, Any], count: int) -> Numbers:
    """Which rows have an identity of their own."""
    if "trade_id" in columns:
        has_id: Numbers = columns["trade_id"] != ABSENT
        return has_id
    return np.zeros(count, np.bool_)


def _identities(kind: Kind, columns: Mapping[str, Any], is_unique: Numbers, *, of_days: bool = False) -> Numbers:
    """One hash a row. With `of_days` a row that the vendor numbers is of a day, not of a nanosecond.

    Massive tells milliseconds by its socket and nanoseconds by REST; its number is the same in both.
    """
    times = columns["ts_event_ns"]
    if of_days and "vendor_seq" in columns:
        times = np.where(columns["vendor_seq"] != ABSENT, times // DAY_NS, times)
    parts = [times, *(columns[name] for name in _IDENTITY[kind])]
    if kind is Kind.PRINT:
        parts = [np.where(is_unique, 0, part) for part in parts]
        parts += [columns[name] for name in _OF_PRINTS]
    return hashes([columns["instrument_id"], *parts])
