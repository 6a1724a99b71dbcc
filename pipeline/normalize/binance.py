"""Binance's stream frames as events: spot, USD-margined and coin-margined futures.

Frames do not name their market. Coin-margined messages name a pair (`ps`); futures' carry what spot's lack (a time in
bookTicker, `X` in trades, `pu` in depth). A kline belongs to the market of the messages before it, spot at first.

    bookTicker     a quote; a price or size of 0 is an empty side. Spot's carries no time: the receive time stands in
    trade          a print; `m` says the buyer was resting, so the seller took
    aggTrade       a print, when the capture holds no single trades (it sums them up); else counted
    kline          a vendor's bar once it closed (`x`); the many before that are counted: they are no facts yet
    depth          best quotes from a book, when the capture holds no bookTicker; else counted

What a capture holds is told by its first frames (`held`). Sizes are coins in steps of 1e-8; contracts of coin-margined
futures are whole. Their value per contract depends on the price (an inverse contract): `multiplier` is 1 all the same.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from pipeline.codes import AssetClass, BarBasis, Kind, Mark, Side
from pipeline.errors import UnitError
from pipeline.instruments import COIN_STEP_NANO, WHOLE_STEP_NANO, Instrument, checked_symbol
from pipeline.normalize.binance_depth import DepthBook, Diff, Snapshot
from pipeline.normalize.capture import Capture, Count, ns_of_ms, price_nano, print_row, side_of_quote, size_steps
from pipeline.normalize.marks import one_bar_marks, one_quote_marks
from pipeline.normalize.rows import Rows
from pipeline.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

SPOT_VENUE: Final = "BINANCE"
USD_MARGINED_VENUE: Final = "BINANCE.USDM"
COIN_MARGINED_VENUE: Final = "BINANCE.COINM"

_QUOTE_COINS: Final = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "BTC", "ETH", "BNB", "EUR", "GBP", "TRY", "BRL", "USD")
_UNIT_NS: Final = {"s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS, "w": 7 * DAY_NS}


class BookTicker(msgspec.Struct):
    """Best bid (b, B) and offer (a, A) with their sizes; u is the update."""

    u: Count
    s: str
    b: str
    B: str
    a: str
    A: str
    T: Count | None = None
    ps: str = ""


class Trade(msgspec.Struct):
    """One trade t, or for aggTrade the sum a of some; T is when it happened."""

    s: str
    p: str
    q: str
    T: Count
    m: bool
    t: Count | None = None
    a: Count | None = None
    X: str = ""
    ps: str = ""


class Kline(msgspec.Struct):
    """A bar from t to T, its last millisecond; n trades; q the quote volume; x: closed."""

    t: Count
    T: Count
    i: str
    o: str
    h: str
    low: str = msgspec.field(name="l")
    c: str
    v: str
    q: str
    n: Count
    x: bool


class KlineFrame(msgspec.Struct):
    """The message around a bar."""

    s: str
    k: Kline
    ps: str = ""


class _Frame(msgspec.Struct):
    """The envelope of a combined stream, the bare message, or the REST answer."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    e: str = ""
    last_update_id: Count | None = msgspec.field(name="lastUpdateId", default=None)


_FRAME: Final = msgspec.json.Decoder(_Frame)
_BOOK_TICKER: Final = msgspec.json.Decoder(BookTicker)
_TRADE: Final = msgspec.json.Decoder(Trade)
_KLINE: Final = msgspec.json.Decoder(KlineFrame)
_DIFF: Final = msgspec.json.Decoder(Diff)
_SNAPSHOT: Final = msgspec.json.Decoder(Snapshot)


def held(payloads: Iterable[bytes]) -> frozenset[str]:
    """Which of `bookTicker` and `trade` streams these frames belong to."""
    streams = (("bookTicker", b'@bookTicker"'), ("trade", b'@trade"'))
    payloads = list(payloads)
    return frozenset(name for name, mark in streams if any(mark in payload for payload in payloads))


class BinanceFrames(Capture):
    """A normaliser of frames, one after the other; what the capture holds decides what depth and aggTrade become."""

    def __init__(self, held: frozenset[str]) -> None:
        super().__init__()
        self._held = held
        self._is_futures = False
        self._instruments: dict[tuple[str, str, bool], Instrument] = {}
        self._books: dict[str, DepthBook] = {}

    def read(self, payload: bytes, rows: Rows) -> None:
        """Add the frame's events. Raises UnitError or msgspec.MsgspecError, and then adds nothing."""
        frame = _FRAME.decode(payload)
        if frame.last_update_id is not None:
            self._snapshot(_SNAPSHOT.decode(payload), rows)
            return
        message = bytes(frame.data) or payload
        kind = frame.stream.partition("@")[2].partition("@")[0] if frame.stream else frame.e
        match kind:
            case "bookTicker":
                self._book_ticker(_BOOK_TICKER.decode(message), rows)
            case "trade" | "aggTrade":
                self._trade(_TRADE.decode(message), kind, rows)
            case "depth" | "depthUpdate":
                self._diff(_DIFF.decode(message), rows)
            case _ if kind.startswith("kline"):
                self._kline(_KLINE.decode(message), rows)
            case _:
                self.ignore(kind[:40] or "no stream")

    def _instrument(self, symbol: str, pair: str, *, is_futures: bool | None = None) -> Instrument:
        if is_futures is not None:
            self._is_futures = is_futures
        key = (symbol, pair, self._is_futures)
        if key not in self._instruments:
            self._instruments[key] = _instrument(*key)
        return self._instruments[key]

    def _book_ticker(self, ticker: BookTicker, rows: Rows) -> None:
        instrument = self._instrument(ticker.s, ticker.ps, is_futures=ticker.T is not None)
        bid_nano, bid_size = side_of_quote(ticker.b, ticker.B, instrument.size_step_nano)
        ask_nano, ask_size = side_of_quote(ticker.a, ticker.A, instrument.size_step_nano)
        event_ns = rows.ts_recv_ns if ticker.T is None else ns_of_ms(ticker.T)
        mark = Mark.UNDEFINED_TS if ticker.T is None else Mark.NONE
        rows.add(
            Kind.QUOTE,
            instrument_id=self.id_of(instrument, rows),
            ts_event_ns=event_ns,
            bid_nano=bid_nano,
            ask_nano=ask_nano,
            bid_size_steps=bid_size,
            ask_size_steps=ask_size,
            marks=mark | one_quote_marks(bid_nano, ask_nano),
            vendor_seq=ticker.u,
        )

    def _trade(self, trade: Trade, kind: str, rows: Rows) -> None:
        if kind == "aggTrade" and "trade" in self._held:
            self.ignore("aggTrade")
            return
        trade_id = trade.t if kind == "trade" else trade.a
        if trade_id is None:
            raise UnitError(f"a {kind} without its number")
        instrument = self._instrument(trade.s, trade.ps, is_futures=bool(trade.X))
        values = print_row(
            trade.p,
            trade.q,
            instrument.size_step_nano,
            ts_event_ns=ns_of_ms(trade.T),
            aggressor=Side.SELL if trade.m else Side.BUY,
            trade_id=trade_id,
        )
        rows.add(Kind.PRINT, instrument_id=self.id_of(instrument, rows), **values)

    def _kline(self, frame: KlineFrame, rows: Rows) -> None:
        bar = frame.k
        if not bar.x:
            self.ignore("kline not closed yet")
            return
        instrument = self._instrument(frame.s, frame.ps)
        length_ns = _length_ns(bar.i)
        volume_steps = size_steps(bar.v, instrument.size_step_nano)
        prices = [price_nano(text) for text in (bar.o, bar.h, bar.low, bar.c)]
        values: dict[str, Any] = {
            "ts_event_ns": ns_of_ms(bar.t),
            "bar_length": length_ns,
            "ts_close_ns": ns_of_ms(bar.t) + length_ns,
            **dict(zip(("open_nano", "high_nano", "low_nano", "close_nano"), prices, strict=True)),
            "volume_steps": volume_steps,
            "trade_count": bar.n,
            "basis": BarBasis.VENDOR,
            "marks": one_bar_marks(*prices),
        }
        rows.add(Kind.BAR, instrument_id=self.id_of(instrument, rows), **values)

    def _diff(self, diff: Diff, rows: Rows) -> None:
        if "bookTicker" in self._held:
            self.ignore("depth")
            return
        event_ns = ns_of_ms(diff.E if diff.T is None else diff.T)
        instrument = self._instrument(diff.s, diff.ps, is_futures=diff.pu is not None)
        self._book(instrument, rows).diff(diff, event_ns, rows)

    def _snapshot(self, snapshot: Snapshot, rows: Rows) -> None:
        """Spot's snapshot names no symbol: it belongs to the only one there is, or to nobody."""
        if "bookTicker" in self._held:
            self.ignore("depth snapshot")
        elif snapshot.symbol:
            self._book(self._instrument(snapshot.symbol, snapshot.pair), rows).snapshot(snapshot, rows)
        elif len(self._books) == 1:
            next(iter(self._books.values())).snapshot(snapshot, rows)
        else:
            self.ignore("depth snapshot of no known symbol")

    def _book(self, instrument: Instrument, rows: Rows) -> DepthBook:
        if instrument.symbol not in self._books:
            self._books[instrument.symbol] = DepthBook(self.id_of(instrument, rows), instrument.size_step_nano)
        return self._books[instrument.symbol]


def _instrument(symbol: str, pair: str, is_futures: bool) -> Instrument:  # noqa: FBT001 - the key of a table
    symbol = checked_symbol(symbol)
    derivative = AssetClass.FUTURE if symbol.rpartition("_")[2].isdecimal() else AssetClass.CRYPTO_PERPETUAL
    if pair:
        return Instrument(symbol, COIN_MARGINED_VENUE, WHOLE_STEP_NANO, derivative, "USD", calendar="24/7")
    currency = next((coin for coin in _QUOTE_COINS if symbol.endswith(coin)), "")
    venue, asset_class = (USD_MARGINED_VENUE, derivative) if is_futures else (SPOT_VENUE, AssetClass.CRYPTO)
    return Instrument(symbol, venue, COIN_STEP_NANO, asset_class, currency, calendar="24/7")


def _length_ns(interval: str) -> int:
    unit_ns, count = _UNIT_NS.get(interval[-1:]), interval[:-1]
    if unit_ns is None or not (count.isascii() and count.isdecimal()) or not 0 < len(count) < 4:
        raise UnitError(f"interval {interval[:10]!r} is unknown; accepted are counts of s, m, h, d and w")
    return int(count) * unit_ns
