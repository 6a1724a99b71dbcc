"""Coinbase's level2 as best quotes: a book per product, believed from its snapshot on until something is missing.

Where a level can't be read the whole book is in doubt: no quotes come of it until a new connection brings a new snapshot.
A snapshot that can't be read twice in a row is left alone, for a third connection would bring the same.

A size that has more than eight digits behind the point, or is too large for 64 bits of them, stands in the book as
ABSENT and is told as REJECTED: its price is still the best one.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

import numpy as np

from pipeline.codes import FeedAction, Mark
from pipeline.errors import UnitError
from pipeline.normalize.book import Book
from pipeline.normalize.coinbase_advanced_words import BookEvent, Level
from pipeline.normalize.decimals import coin_steps_column, coin_steps_of, nano_of, nanos_of
from pipeline.normalize.gathering import Gathering
from pipeline.normalize.marks import one_quote_marks
from pipeline.normalize.moments import ns_of_text
from pipeline.units import ABSENT

CHANNEL: Final = "level2"

# prices come again and again, and so do the sizes that people and programs like
_price_nano = lru_cache(32_768)(nano_of)
_size_steps = lru_cache(32_768)(coin_steps_of)
_NOTHING: Final = ((ABSENT, ABSENT), (ABSENT, ABSENT))


_Best = tuple[tuple[int, int], tuple[int, int]]

Quote = tuple[int, ...]
"""Place, receive time, event time, instrument, bid, ask, their sizes, marks, sequence."""


class Books:
    """The books of a connection, by instrument id. `trouble` says why the connection should be renewed."""

    def __init__(self) -> None:
        self.trouble = ""
        self._books: dict[int, Book] = {}
        self._best: dict[int, _Best] = {}
        self._had_gap: set[int] = set()
        self._refused: set[int] = set()

    def forget(self) -> None:
        """A new connection: books start from new snapshots."""
        self.trouble = ""
        self._books.clear()
        self._best.clear()

    def doubt_all(self, reason: str, rows: Gathering) -> None:
        """Messages are missing: whose they were nobody knows."""
        for instrument_id in sorted(self._books):
            self._doubt(instrument_id, reason, rows)
        self.trouble = reason

    def doubt(self, instrument_id: int, symbol: str, reason: str, rows: Gathering, *, is_snapshot: bool) -> None:
        """A message about this book can't be read."""
        self._doubt(instrument_id, reason, rows)
        if not (is_snapshot and instrument_id in self._refused):
            self.trouble = f"{symbol}: {reason}"
        if is_snapshot:
            self._refused.add(instrument_id)

    def read(
        self, event: BookEvent, instrument_id: int, sequence_num: int, rows: Gathering, quotes: list[Quote]
    ) -> bool:
        """Take an event over; a quote when the best has changed. False when there is no book to change.

        Raises UnitError when the book can't be believed any more.
        """
        if event.type == "snapshot":
            book = self._books[instrument_id] = _loaded(event.updates, rows)
            self._refused.discard(instrument_id)
            if instrument_id in self._had_gap:
                self._had_gap.discard(instrument_id)
                text = "book loaded from a snapshot"
                rows.add_feed(FeedAction.GAP_CLOSED, text, channel=CHANNEL, instrument_id=instrument_id)
            mark, event_ns = Mark.SNAPSHOT | Mark.UNDEFINED_TS, rows.ts_recv_ns
        else:
            found = self._books.get(instrument_id)
            if found is None:
                return False
            book = found
            _change(book, event.updates, rows)
            mark, event_ns = Mark.NONE, 0
        bid, ask = best = book.bids.best(), book.asks.best()
        if best == self._best.get(instrument_id, _NOTHING) and (not mark or best == _NOTHING):
            return True
        self._best[instrument_id] = best
        if not mark:
            event_ns = _event_ns(event.updates, rows)
            if not event_ns:
                mark, event_ns = Mark.UNDEFINED_TS, rows.ts_recv_ns
        if bid[0] >= ask[0] or bid[0] == ABSENT:
            mark |= one_quote_marks(bid[0], ask[0])
        rows.place += 1
        quotes.append(
            (
                rows.place,
                rows.ts_recv_ns,
                event_ns,
                instrument_id,
                bid[0],
                ask[0],
                bid[1],
                ask[1],
                int(mark),
                sequence_num,
            )
        )
        return True

    def _doubt(self, instrument_id: int, reason: str, rows: Gathering) -> None:
        self._books.pop(instrument_id, None)
        self._best.pop(instrument_id, None)
        if instrument_id not in self._had_gap:
            self._had_gap.add(instrument_id)
            rows.add_feed(FeedAction.GAP_OPENED, reason, channel=CHANNEL, instrument_id=instrument_id)


def _change(book: Book, updates: list[Level], rows: Gathering) -> None:
    bids, asks = book.bids.change, book.asks.change
    try:
        for level in updates:
            (bids if level.side == "bid" else asks)(_price_nano(level.price_level), _size_steps(level.new_quantity))
    except UnitError:  # levels are absolute: what was taken over already is only taken over again
        for level in updates:
            size_steps = _size_in_doubt(level, rows.add_feed)
            (bids if level.side == "bid" else asks)(nano_of(level.price_level), size_steps)


def _loaded(updates: list[Level], rows: Gathering) -> Book:
    """A book of all these levels, whole columns at a time."""
    prices, sizes = (
        nanos_of([level.price_level for level in updates]),
        coin_steps_column([level.new_quantity for level in updates]),
    )
    for place in prices.refused:
        raise UnitError(prices.refused[place])
    for place in sizes.refused:
        sizes.values[place] = _size_in_doubt(updates[place], rows.add_feed)
    is_bid = np.fromiter((level.side == "bid" for level in updates), np.bool_, len(updates))
    book = Book()
    for side, is_its in ((book.bids, is_bid), (book.asks, ~is_bid)):
        there = is_its & (sizes.values != 0)
        side.load(dict(zip(prices.values[there].tolist(), sizes.values[there].tolist(), strict=True)))
    return book


def _size_in_doubt(level: Level, add_feed: Callable[..., None]) -> int:
    """The size, or ABSENT when it is a number that no steps can hold. Raises UnitError when it is no size at all."""
    try:
        return coin_steps_of(level.new_quantity)
    except UnitError as error:
        if not _is_size(level.new_quantity):
            raise
        add_feed(FeedAction.REJECTED, f"{level.side} at {level.price_level[:40]}: {error}", channel=CHANNEL)
        return ABSENT


def _is_size(text: str) -> bool:
    try:
        size = Decimal(text)
    except InvalidOperation:
        return False
    return size.is_finite() and size > 0


def _event_ns(updates: list[Level], rows: Gathering) -> int:
    """The latest time of these levels; 0 where there is none."""
    times = {level.event_time for level in updates}
    try:
        return max(map(ns_of_text, times), default=0)
    except UnitError as error:
        rows.add_feed(FeedAction.REJECTED, f"{error}; the receive time stands in", channel=CHANNEL)
        return 0
