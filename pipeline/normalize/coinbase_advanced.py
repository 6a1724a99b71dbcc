"""Coinbase Advanced Trade's messages as events; the older Exchange feed is `normalize.coinbase`.

    l2_data (level2)   best quotes from a book per product: a quote whenever an event changed the best. Dated by its levels;
                       a snapshot's are dated 1970, so the receive time stands in (UNDEFINED_TS)
    ticker             a quote, dated by the message, as long as level2 was not subscribed for the product; else counted
    market_trades      prints, oldest first; the first event holds recent trades from before, marked SNAPSHOT
    candles            vendor's bars of five minutes, once over (`normalize.coinbase_advanced_candles`)
    status             a status when a product stops or starts to be "online", and its definition
    heartbeats         nothing; they tell the server's time, by which candles are over
    subscriptions      nothing; they tell which products have a book
    error              REJECTED with the venue's words
    anything else      counted, and told as IGNORED once a minute at most; so is a field that nobody here knows (`unknown field
                       ticker.events.tickers.xyz`), in the messages that are looked at for it, some of all

`sequence_num` counts all messages of a connection. A jump means that messages are missing: a GAP_OPENED row tells how
many, every book is invalid from there on, and `trouble` asks for a new connection. A message that comes again or late
is counted and left out. The first message of a connection says where counting starts.

Prices are exact in 1e-9. Sizes are coins in steps of 1e-8, the finest that Coinbase trades; a print or ticker whose
number is finer or larger is REJECTED, never rounded (for levels of a book see `normalize.coinbase_advanced_books`).
Products -USDC come under the name of -USD and are one instrument with it.

Not verified against the live venue, but taken from documents: that a trade's `side` is the maker's, so that the
aggressor is the other one; that trades come newest first in a snapshot (either order is put right, by time and id); that
`client_id` may be missing; which words `status` has beside "online" (any other is HALTED).
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from pipeline.block import Blocks
from pipeline.codes import BarBasis, FeedAction, Kind, Mark, Origin, StatusReason, TradingStatus
from pipeline.errors import UnitError
from pipeline.normalize import coinbase_advanced_words as words
from pipeline.normalize.coinbase_advanced_books import Books, Quote
from pipeline.normalize.coinbase_advanced_candles import Bar, Candles, Values
from pipeline.normalize.coinbase_advanced_columns import Tickers, Trades, oldest_first
from pipeline.normalize.coinbase_advanced_history import Page, page_of
from pipeline.normalize.coinbase_advanced_loose import Other, salvaged
from pipeline.normalize.coinbase_advanced_products import Products
from pipeline.normalize.coinbase_advanced_words import CANDLE_NS, MESSAGE, UNREADABLE
from pipeline.normalize.decimals import coin_steps_of, nano_of
from pipeline.normalize.gathering import Gathering, table
from pipeline.normalize.marks import one_bar_marks
from pipeline.normalize.moments import ns_of_text
from pipeline.normalize.text import is_text, no_text
from pipeline.ports import Answer, Message
from pipeline.units import MINUTE_NS, NANO, TsNs, checked_ts

_ONLINE: Final = "online"
_TOLD_EVERY_NS: Final = MINUTE_NS
"""How often it is told how much was left out."""


class CoinbaseMessages:
    """A normaliser of one feed's messages."""

    def __init__(self) -> None:
        self.trouble = ""
        """Why the connection can't be believed any more: a jump of the sequence, a book that can't be read."""
        self._products = Products()
        self._books = Books()
        self._candles = Candles()
        self._statuses: dict[int, str] = {}
        self._with_book: set[str] = set()
        self._next = -1
        self._last_recv_ns = 0
        self._had_jump = False
        self._ignored: dict[str, int] = {}
        self._strange = words.strange_fields()
        self._told_at_ns = 0
        self._quotes: list[Quote] = []
        self._tickers = Tickers(self._products)
        self._trades = Trades(self._products)
        self._readers: dict[type, Callable[[Any, Gathering], None]] = {
            words.BookMessage: self._level2,
            words.TickerMessage: self._ticker,
            words.TradesMessage: self._market_trades,
            words.CandlesMessage: self._candle_message,
            words.StatusMessage: self._status,
            words.HeartbeatsMessage: self._heartbeat,
            words.SubscriptionsMessage: self._subscriptions,
            Other: self._other,
        }

    def expect(self, symbols: Sequence[str], ts_recv_ns: int) -> Blocks:
        """Definitions of new products, as `ports.Expecting` says."""
        rows = Gathering()
        rows.ts_recv_ns = ts_recv_ns
        for symbol in symbols:
            with suppress(UnitError):
                self._products.id_of(symbol, rows)
        return rows.batch()

    def connected(self) -> None:
        """What follows comes from a new connection: books and the sequence begin anew."""
        self.trouble = ""
        self._books.forget()
        self._with_book.clear()
        self._next = -1
        self._told_at_ns = 0
        self._strange.connected()

    def read(self, messages: Sequence[Message]) -> Blocks:
        """The events of these messages in their order."""
        rows = self._begun(Origin.INPUT)
        if messages:
            rows.ts_recv_ns = messages[0].ts_recv_ns
            self._tell_ignored(rows)
        for ts_recv_ns, payload in messages:
            rows.ts_recv_ns = ts_recv_ns
            if not is_text(payload):
                rows.add_feed(FeedAction.REJECTED, no_text(payload))
                continue
            try:
                message = MESSAGE.decode(payload)
            except UNREADABLE as error:
                self._salvage(payload, str(error), rows)
                continue
            if message.sequence_num == self._next or self._is_next(message.sequence_num, rows):
                self._next += 1
                self._last_recv_ns = ts_recv_ns
                self._readers[type(message)](message, rows)
        for what, count in self._strange.met(messages).items():
            self._ignore(what, count)
        return self._batch(rows)

    def read_history(self, answers: Sequence[Answer]) -> Blocks:
        """The events of fetched pages of trades and candles, oldest first, of origin BACKFILL."""
        rows = self._begun(Origin.BACKFILL)
        pages = list[Page]()
        for answer in answers:
            rows.ts_recv_ns = answer.ts_recv_ns
            pages += page_of(answer, rows)
        had = set[tuple[str, str]]()
        for page in sorted(pages, key=lambda page: page.order):
            rows.ts_recv_ns = page.ts_recv_ns
            if isinstance(page.item, words.Candle):
                self._fetched_candle(page.item, rows)
            elif (key := (page.item.product_id, page.item.trade_id)) not in had:  # pages may overlap
                had.add(key)
                self._trades.add([page.item], Mark.NONE, rows)
        return self._batch(rows)

    def _begun(self, origin: Origin) -> Gathering:
        self._quotes, self._tickers, self._trades = [], Tickers(self._products), Trades(self._products)
        return Gathering(origin)

    def _batch(self, rows: Gathering) -> Blocks:
        self.trouble = self._books.trouble
        self._tickers.put(rows)
        self._trades.put(rows)
        _put_quotes(self._quotes, rows)
        return rows.batch()

    def _is_next(self, sequence_num: int, rows: Gathering) -> bool:
        """Whether a message that is not the one expected is to be read all the same: the first, or one behind a jump."""
        if self._next >= 0 and sequence_num < self._next:
            self._ignore("message that came late or again")
            return False
        if self._next >= 0:
            reason = f"sequence {self._next} expected, found {sequence_num}"
            rows.add_feed(
                FeedAction.GAP_OPENED,
                reason,
                count=sequence_num - self._next,
                from_ns=self._last_recv_ns,
                to_ns=rows.ts_recv_ns,
                position=sequence_num,
            )
            self._books.doubt_all(reason, rows)
        elif self._had_jump:
            rows.add_feed(FeedAction.GAP_CLOSED, "a new connection counts from its start", position=sequence_num)
        self._had_jump = self._next >= 0
        self._next = sequence_num
        return True

    def _salvage(self, payload: bytes, why: str, rows: Gathering) -> None:
        """Read what can be read of a message."""
        found = salvaged(payload, why, rows)
        if found is None:
            return
        message = found.message
        if message.sequence_num == self._next or self._is_next(message.sequence_num, rows):
            self._next += 1
            self._last_recv_ns = rows.ts_recv_ns
            for product_id, reason, is_snapshot in found.doubtful:
                self._doubt(product_id, reason, rows, is_snapshot=is_snapshot)
            self._readers[type(message)](message, rows)

    def _doubt(self, product_id: str, reason: str, rows: Gathering, *, is_snapshot: bool) -> None:
        try:
            instrument_id = self._products.id_of(product_id, rows)
        except UnitError:
            self._books.doubt_all(f"an event of no known product: {reason}", rows)
            return
        symbol = self._products.symbol(instrument_id)
        self._books.doubt(instrument_id, symbol, reason, rows, is_snapshot=is_snapshot)

    def _level2(self, message: words.BookMessage, rows: Gathering) -> None:
        for event in message.events:
            product_id = event.product_id
            try:
                instrument_id = self._products.ids.get(product_id) or self._products.id_of(product_id, rows)
                if product_id not in self._with_book:
                    self._with_book |= _spellings(product_id)
                if not self._books.read(event, instrument_id, message.sequence_num, rows, self._quotes):
                    self._ignore("l2_data of a product without a book")
            except UnitError as error:
                self._reject(f"{product_id[:40]}: {error}", message, words.BOOK_MESSAGES, rows)
                self._doubt(product_id, str(error), rows, is_snapshot=event.type == "snapshot")

    def _ticker(self, message: words.TickerMessage, rows: Gathering) -> None:
        event_ns = self._time(message, words.TICKER, rows)
        if event_ns is None:
            return
        for event in message.events:
            mark = Mark.SNAPSHOT if event.type == "snapshot" else Mark.NONE
            tickers = event.tickers
            if self._with_book:
                tickers = [ticker for ticker in tickers if ticker.product_id not in self._with_book]
                self._ignore("ticker of a product with a book", len(event.tickers) - len(tickers))
            self._tickers.add(tickers, event_ns, mark, message.sequence_num, rows)

    def _market_trades(self, message: words.TradesMessage, rows: Gathering) -> None:
        for event in message.events:
            mark = Mark.SNAPSHOT if event.type == "snapshot" else Mark.NONE
            self._trades.add(oldest_first(event.trades), mark, rows)

    def _candle_message(self, message: words.CandlesMessage, rows: Gathering) -> None:
        server_ns = self._time(message, "candles", rows)
        if server_ns is None:
            return
        for event in message.events:
            for candle in sorted(event.candles, key=lambda candle: (len(candle.start), candle.start)):
                try:
                    instrument_id = self._products.id_of(candle.product_id, rows)
                    bars = self._candles.take(
                        instrument_id,
                        _start_ns(candle),
                        _values(candle),
                        server_ns=server_ns,
                        is_snapshot=event.type == "snapshot",
                    )
                    _add_bars(bars, rows)
                except UnitError as error:
                    self._reject(f"{candle.product_id[:40]}: {error}", message, "candles", rows)
        _add_bars(self._candles.over(server_ns), rows)

    def _heartbeat(self, message: words.HeartbeatsMessage, rows: Gathering) -> None:
        server_ns = self._time(message, "heartbeats", rows)
        if server_ns is not None:
            _add_bars(self._candles.over(server_ns), rows)

    def _status(self, message: words.StatusMessage, rows: Gathering) -> None:
        event_ns = self._time(message, "status", rows)
        if event_ns is None:
            return
        for event in message.events:
            mark = Mark.SNAPSHOT if event.type == "snapshot" else Mark.NONE
            for product in event.products:
                try:
                    instrument_id = self._products.describe(product, rows)
                except UnitError as error:
                    self._reject(f"{product.id[:40]}: {error}", message, "status", rows)
                    continue
                if self._statuses.get(instrument_id) != product.status:
                    self._statuses[instrument_id] = product.status
                    is_online = product.status == _ONLINE
                    rows.add(
                        Kind.STATUS,
                        ts_event_ns=event_ns,
                        instrument_id=instrument_id,
                        status=TradingStatus.TRADING if is_online else TradingStatus.HALTED,
                        reason=StatusReason.NONE if is_online else StatusReason.OTHER,
                        marks=mark,
                    )

    def _subscriptions(self, message: words.SubscriptionsMessage, rows: Gathering) -> None:
        del rows
        for event in message.events:
            for product_id in event.subscriptions.get("level2", []):
                self._with_book |= _spellings(product_id)

    def _other(self, message: Other, rows: Gathering) -> None:
        del rows
        self._ignore(f"message of {message.channel}")

    def _fetched_candle(self, candle: words.Candle, rows: Gathering) -> None:
        """A candle of a page: a bar, unless it was told before as it stands."""
        try:
            start_ns, values = _start_ns(candle), _values(candle)
            instrument_id = self._products.id_of(candle.product_id, rows)
        except UnitError as error:
            rows.add_feed(FeedAction.REJECTED, f"{candle.product_id[:40]}: {error}", channel="candles")
            return
        revision = self._candles.told(instrument_id, start_ns, values)
        if revision is not None:
            _add_bars([Bar(instrument_id, start_ns, revision, is_snapshot=False, values=values)], rows)

    def _time(self, message: words.AnyMessage, channel: str, rows: Gathering) -> TsNs | None:
        """When a message was sent; None, and a REJECTED row, when it does not say so."""
        try:
            return ns_of_text(message.timestamp)
        except UnitError as error:
            self._reject(str(error), message, channel, rows)
            return None

    def _reject(self, reason: str, message: words.AnyMessage, channel: str, rows: Gathering) -> None:
        rows.add_feed(FeedAction.REJECTED, reason, channel=channel, position=message.sequence_num)

    def _ignore(self, what: str, count: int = 1) -> None:
        if count:
            self._ignored[what] = self._ignored.get(what, 0) + count

    def _tell_ignored(self, rows: Gathering) -> None:
        """What was left out since the last time, now and then and at the start of a connection."""
        if not self._ignored or rows.ts_recv_ns < self._told_at_ns + _TOLD_EVERY_NS:
            return
        for what, count in sorted(self._ignored.items()):
            rows.add_feed(FeedAction.IGNORED, what, count=count)
        self._ignored.clear()
        self._told_at_ns = rows.ts_recv_ns


def _put_quotes(quotes: list[Quote], rows: Gathering) -> None:
    if quotes:
        places, recv_ns, event_ns, ids, bid, ask, bid_size, ask_size, marks, sequence = table(quotes)
        rows.add_columns(
            Kind.QUOTE,
            places,
            {
                "ts_recv_ns": recv_ns,
                "ts_event_ns": event_ns,
                "instrument_id": ids.astype("i4"),
                "bid_nano": bid,
                "ask_nano": ask,
                "bid_size_steps": bid_size,
                "ask_size_steps": ask_size,
                "marks": marks.astype("i4"),
                "vendor_seq": sequence,
            },
            {},
        )


def _add_bars(bars: Iterable[Bar], rows: Gathering) -> None:
    for instrument_id, start_ns, revision, is_snapshot, values in bars:
        prices = values[:4]
        rows.add(
            Kind.BAR,
            ts_event_ns=start_ns,
            instrument_id=instrument_id,
            bar_length=CANDLE_NS,
            ts_close_ns=start_ns + CANDLE_NS,
            revision=revision,
            basis=BarBasis.VENDOR,
            marks=(Mark.SNAPSHOT if is_snapshot else Mark.NONE) | one_bar_marks(*prices),
            **values._asdict(),
        )


def _start_ns(candle: words.Candle) -> TsNs:
    text = candle.start
    if not (text.isdecimal() and text.isascii() and len(text) <= 12):
        raise UnitError(f"start {text[:40]!r} is no count of seconds")
    start_ns = checked_ts(int(text) * NANO)
    if start_ns % CANDLE_NS:
        raise UnitError(f"start {text!r} is no multiple of 300 seconds")
    return start_ns


def _values(candle: words.Candle) -> Values:
    return Values(
        nano_of(candle.open),
        nano_of(candle.high),
        nano_of(candle.low),
        nano_of(candle.close),
        coin_steps_of(candle.volume),
    )


def _spellings(product_id: str) -> set[str]:
    """Under which names the market data of a product may come."""
    symbol = product_id.removesuffix("C") if product_id.endswith("-USDC") else product_id
    return {symbol, f"{symbol}C"} if symbol.endswith("-USD") else {symbol}
