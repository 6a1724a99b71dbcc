"""Binance's depth streams as best quotes, for captures that hold no bookTicker.

The rules are the vendor's ("How to manage a local order book correctly"): a snapshot is a REST answer with
`lastUpdateId` L; diffs with u <= L are dropped; the first diff used covers L + 1; each next one continues where the last
ended (spot: U = u + 1 of the one before; futures: pu = u of the one before). A break makes the book invalid until the
next snapshot, and is told.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec

from pipeline.codes import FeedAction, Kind, Mark, Side
from pipeline.normalize.book import Best, Book, Level
from pipeline.normalize.capture import Count, price_nano, size_steps
from pipeline.normalize.marks import one_quote_marks
from pipeline.normalize.rows import Rows

_WAITING_MAX: Final = 1_000
"""Diffs kept for a snapshot on its way: a hundred seconds of them; older ones fall out, and the snapshot tells a gap."""

Levels = list[tuple[str, str]]


class Diff(msgspec.Struct):
    """A change of the book; U to u are the updates it covers."""

    s: str
    U: Count
    u: Count
    b: Levels
    a: Levels
    E: Count
    T: Count | None = None
    pu: Count | None = None
    ps: str = ""


class Snapshot(msgspec.Struct):
    """The REST answer; spot's does not name its symbol."""

    last_update_id: Count = msgspec.field(name="lastUpdateId")
    bids: Levels
    asks: Levels
    symbol: str = ""
    pair: str = ""


class DepthBook:
    """The book of one instrument: invalid until a snapshot and diffs meet."""

    def __init__(self, instrument_id: int, size_step_nano: int) -> None:
        self._instrument_id = instrument_id
        self._size_step_nano = size_step_nano
        self._book = Book()
        self._last_update_id: int | None = None
        self._is_first = False
        self._had_gap = False
        self._waiting: deque[tuple[Diff, list[Level]]] = deque(maxlen=_WAITING_MAX)
        self._best = Best()

    def snapshot(self, message: Snapshot, rows: Rows) -> None:
        """Start from a snapshot, with the diffs that came before it. Raises UnitError."""
        levels = self._levels(message.bids, message.asks)
        self._book.load(levels)
        self._last_update_id, self._is_first = message.last_update_id, True
        if self._had_gap:
            rows.add_feed(
                FeedAction.GAP_CLOSED, "book loaded from a snapshot", channel="depth", instrument_id=self._instrument_id
            )
            self._had_gap = False
        waiting, self._waiting = list(self._waiting), deque(maxlen=_WAITING_MAX)
        for diff, changes in waiting:
            self._apply(diff, changes, rows)
        self._quote(rows, rows.ts_recv_ns, message.last_update_id, Mark.SNAPSHOT | Mark.UNDEFINED_TS)

    def diff(self, message: Diff, event_ns: int, rows: Rows) -> None:
        """Apply a diff, or keep it until there is a snapshot. Raises UnitError."""
        changes = self._levels(message.b, message.a)
        self._apply(message, changes, rows)
        self._quote(rows, event_ns, message.u, Mark.NONE)

    def _levels(self, bids: Levels, asks: Levels) -> list[Level]:
        def levels(side: Side, texts: Iterable[tuple[str, str]]) -> list[Level]:
            return [Level(side, price_nano(price), size_steps(size, self._size_step_nano)) for price, size in texts]

        return levels(Side.BUY, bids) + levels(Side.SELL, asks)

    def _apply(self, diff: Diff, changes: list[Level], rows: Rows) -> None:
        last = self._last_update_id
        if last is None:
            self._waiting.append((diff, changes))
            return
        if diff.u <= last:
            return
        if self._is_first:
            continues = diff.U <= last + 1  # noqa: SIM300 - U is the vendor's word, no constant
        else:
            continues = diff.pu == last if diff.pu is not None else last + 1 == diff.U
        if not continues:
            text = f"update {last + 1} expected, found {diff.U}"
            rows.add_feed(FeedAction.GAP_OPENED, text, channel="depth", instrument_id=self._instrument_id)
            self._last_update_id, self._had_gap, self._best = None, True, Best()
            self._waiting.append((diff, changes))
            return
        self._book.change(changes)
        self._last_update_id, self._is_first = diff.u, False

    def _quote(self, rows: Rows, event_ns: int, vendor_seq: int, mark: Mark) -> None:
        """A quote when the best has changed, and the book is valid."""
        best = self._book.best()
        if self._last_update_id is None or best == self._best:
            return
        self._best = best
        rows.add(
            Kind.QUOTE,
            ts_event_ns=event_ns,
            instrument_id=self._instrument_id,
            marks=mark | one_quote_marks(best.bid_nano, best.ask_nano),
            vendor_seq=vendor_seq,
            **best._asdict(),
        )
