"""Coinbase's Exchange feed (the legacy one, ws-feed) as events.

    snapshot, l2update     best quotes from a book per product: a quote whenever the best changes
    match                  a print. `side` is the resting order's, so the aggressor is the other one
    last_match             a print too, of the time before the subscription, marked SNAPSHOT; the merge marks it DUPLICATE
                           where the same trade was seen already
    ticker                 its trade is the match's, so it is no print; a quote without sizes, as long as the product has
                           no book; else counted
    subscriptions          SUBSCRIBED

An l2update before its snapshot can't be placed and is counted. Sizes are coins in steps of 1e-8.
"""

from typing import Final

import msgspec

from pipeline.codes import AssetClass, FeedAction, Kind, Mark, Side
from pipeline.errors import UnitError
from pipeline.instruments import COIN_STEP_NANO, Instrument, checked_symbol
from pipeline.normalize.book import Best, Book, Level
from pipeline.normalize.capture import Capture, Count, price_nano, print_row, size_steps
from pipeline.normalize.marks import one_quote_marks
from pipeline.normalize.moments import ns_of_text
from pipeline.normalize.rows import Rows

VENUE: Final = "COINBASE"

_BOOK_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
_AGGRESSOR_BY_RESTING: Final = {"buy": Side.SELL, "sell": Side.BUY}


class Snapshot(msgspec.Struct):
    """A whole book: [price, size] pairs."""

    product_id: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Update(msgspec.Struct):
    """Levels that changed: [side, price, size now]."""

    product_id: str
    changes: list[tuple[str, str, str]]
    time: str


class Match(msgspec.Struct):
    """A trade."""

    product_id: str
    trade_id: Count
    side: str
    size: str
    price: str
    time: str
    sequence: Count


class Ticker(msgspec.Struct):
    """Best prices after a trade; the first one of a quiet product has no time."""

    product_id: str
    sequence: Count
    best_bid: str
    best_ask: str
    time: str = ""


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class _Subscriptions(msgspec.Struct):
    channels: list[_Channel]


class _Frame(msgspec.Struct):
    type: str
    message: str = ""


_FRAME: Final = msgspec.json.Decoder(_Frame)
_SNAPSHOT: Final = msgspec.json.Decoder(Snapshot)
_UPDATE: Final = msgspec.json.Decoder(Update)
_MATCH: Final = msgspec.json.Decoder(Match)
_TICKER: Final = msgspec.json.Decoder(Ticker)
_SUBSCRIPTIONS: Final = msgspec.json.Decoder(_Subscriptions)


class CoinbaseFrames(Capture):
    """A normaliser of frames, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._books: dict[str, Book] = {}
        self._best: dict[str, Best] = {}

    def connected(self) -> None:
        """A new connection: its books start from new snapshots."""
        self._books.clear()
        self._best.clear()

    def read(self, payload: bytes, rows: Rows) -> None:
        """Add the frame's events. Raises UnitError or msgspec.MsgspecError, and then adds nothing."""
        frame = _FRAME.decode(payload)
        match frame.type:
            case "l2update":
                self._update(_UPDATE.decode(payload), rows)
            case "match" | "last_match":
                self._match(_MATCH.decode(payload), frame.type, rows)
            case "ticker":
                self._ticker(_TICKER.decode(payload), rows)
            case "snapshot":
                self._snapshot(_SNAPSHOT.decode(payload), rows)
            case "subscriptions":
                for channel in _SUBSCRIPTIONS.decode(payload).channels:
                    products = " ".join(channel.product_ids)
                    rows.add_feed(
                        FeedAction.SUBSCRIBED, products, channel=channel.name[:40], count=len(channel.product_ids)
                    )
            case "error":
                rows.add_feed(FeedAction.REJECTED, f"the venue says: {frame.message}")
            case other:
                self.ignore(other[:40])

    def _snapshot(self, snapshot: Snapshot, rows: Rows) -> None:
        instrument = _instrument(snapshot.product_id)
        bids = [Level(Side.BUY, price_nano(price), _steps(size)) for price, size in snapshot.bids]
        asks = [Level(Side.SELL, price_nano(price), _steps(size)) for price, size in snapshot.asks]
        book = self._books[instrument.symbol] = Book()
        book.load(bids + asks)
        self._quote(instrument, rows, Mark.SNAPSHOT | Mark.UNDEFINED_TS, ts_event_ns=rows.ts_recv_ns)

    def _update(self, update: Update, rows: Rows) -> None:
        instrument, event_ns = _instrument(update.product_id), ns_of_text(update.time)
        levels = [
            Level(_side(side, _BOOK_SIDES), price_nano(price), _steps(size)) for side, price, size in update.changes
        ]
        book = self._books.get(instrument.symbol)
        if book is None:
            self.ignore("l2update before its snapshot")
            return
        book.change(levels)
        self._quote(instrument, rows, Mark.NONE, ts_event_ns=event_ns)

    def _quote(self, instrument: Instrument, rows: Rows, mark: Mark, ts_event_ns: int) -> None:
        """A quote when the best has changed, or starts anew."""
        best = self._books[instrument.symbol].best()
        if best == self._best.get(instrument.symbol) and not mark & Mark.SNAPSHOT:
            return
        self._best[instrument.symbol] = best
        rows.add(
            Kind.QUOTE,
            instrument_id=self.id_of(instrument, rows),
            ts_event_ns=ts_event_ns,
            marks=mark | one_quote_marks(best.bid_nano, best.ask_nano),
            **best._asdict(),
        )

    def _match(self, match: Match, type_: str, rows: Rows) -> None:
        instrument = _instrument(match.product_id)
        values = print_row(
            match.price,
            match.size,
            COIN_STEP_NANO,
            ts_event_ns=ns_of_text(match.time),
            aggressor=_side(match.side, _AGGRESSOR_BY_RESTING),
            trade_id=match.trade_id,
        )
        mark = Mark.SNAPSHOT if type_ == "last_match" else Mark.NONE
        instrument_id = self.id_of(instrument, rows)
        rows.add(Kind.PRINT, instrument_id=instrument_id, vendor_seq=match.sequence, marks=mark, **values)

    def _ticker(self, ticker: Ticker, rows: Rows) -> None:
        instrument = _instrument(ticker.product_id)
        if instrument.symbol in self._books:
            self.ignore("ticker")
            return
        bid_nano, ask_nano = price_nano(ticker.best_bid), price_nano(ticker.best_ask)
        event_ns = ns_of_text(ticker.time) if ticker.time else rows.ts_recv_ns
        mark = Mark.NONE if ticker.time else Mark.UNDEFINED_TS
        rows.add(
            Kind.QUOTE,
            instrument_id=self.id_of(instrument, rows),
            ts_event_ns=event_ns,
            bid_nano=bid_nano,
            ask_nano=ask_nano,
            marks=mark | one_quote_marks(bid_nano, ask_nano),
            vendor_seq=ticker.sequence,
        )


def _steps(size: str) -> int:
    return size_steps(size, COIN_STEP_NANO)


def _side(text: str, sides: dict[str, Side]) -> Side:
    if text not in sides:
        raise UnitError(f"side {text[:20]!r} is unknown; accepted are {' and '.join(sides)}")
    return sides[text]


def _instrument(product_id: str) -> Instrument:
    symbol = checked_symbol(product_id)
    currency = symbol.rpartition("-")[2] if "-" in symbol else ""
    return Instrument(symbol, VENUE, COIN_STEP_NANO, AssetClass.CRYPTO, currency, calendar="24/7")
