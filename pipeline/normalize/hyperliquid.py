"""Hyperliquid's frames as events: each `l2Book` is a whole book, so its tops are a quote; `trades` are prints.

Perpetuals, counted in coins of 1e-8; `side` is the aggressor's: B bought, A sold.
"""

from typing import Final

import msgspec

from pipeline.codes import AssetClass, Kind, Side
from pipeline.errors import UnitError
from pipeline.instruments import COIN_STEP_NANO, Instrument, checked_symbol
from pipeline.normalize.capture import Capture, Count, ns_of_ms, print_row, side_of_quote
from pipeline.normalize.marks import one_quote_marks
from pipeline.normalize.rows import Rows
from pipeline.units import ABSENT

VENUE: Final = "HYPERLIQUID"

_SIDES: Final = {"A": Side.SELL, "B": Side.BUY}


class PriceLevel(msgspec.Struct):
    """n orders of together sz at px."""

    px: str
    sz: str


class L2Book(msgspec.Struct):
    """Bids and asks, best first."""

    coin: str
    levels: tuple[list[PriceLevel], list[PriceLevel]]
    time: Count


class Trade(msgspec.Struct):
    """One trade, numbered tid."""

    coin: str
    px: str
    sz: str
    side: str
    tid: Count
    time: Count


class _Frame(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


_FRAME: Final = msgspec.json.Decoder(_Frame)
_BOOK: Final = msgspec.json.Decoder(L2Book)
_TRADES: Final = msgspec.json.Decoder(list[Trade])


class HyperliquidFrames(Capture):
    """A normaliser of frames, one after the other."""

    def read(self, payload: bytes, rows: Rows) -> None:
        """Add the frame's events. Raises UnitError or msgspec.MsgspecError, and then adds nothing."""
        frame = _FRAME.decode(payload)
        if frame.channel == "l2Book":
            self._book(_BOOK.decode(frame.data), rows)
        elif frame.channel == "trades":
            self._trades(_TRADES.decode(frame.data), rows)
        else:
            self.ignore(frame.channel[:40])

    def _book(self, book: L2Book, rows: Rows) -> None:
        instrument, event_ns = _instrument(book.coin), ns_of_ms(book.time)
        bids, asks = book.levels
        bid_nano, bid_size = _best(bids)
        ask_nano, ask_size = _best(asks)
        rows.add(
            Kind.QUOTE,
            instrument_id=self.id_of(instrument, rows),
            ts_event_ns=event_ns,
            bid_nano=bid_nano,
            ask_nano=ask_nano,
            bid_size_steps=bid_size,
            ask_size_steps=ask_size,
            marks=one_quote_marks(bid_nano, ask_nano),
        )

    def _trades(self, trades: list[Trade], rows: Rows) -> None:
        prints = [(_instrument(trade.coin), _print(trade)) for trade in trades]
        for instrument, values in prints:
            rows.add(Kind.PRINT, instrument_id=self.id_of(instrument, rows), **values)


def _best(levels: list[PriceLevel]) -> tuple[int, int]:
    return side_of_quote(levels[0].px, levels[0].sz, COIN_STEP_NANO) if levels else (ABSENT, ABSENT)


def _print(trade: Trade) -> dict[str, int]:
    if trade.side not in _SIDES:
        raise UnitError(f"side {trade.side[:20]!r} is unknown; accepted are A and B")
    side, event_ns = _SIDES[trade.side], ns_of_ms(trade.time)
    return print_row(trade.px, trade.sz, COIN_STEP_NANO, ts_event_ns=event_ns, aggressor=side, trade_id=trade.tid)


def _instrument(coin: str) -> Instrument:
    # coins of builders' markets differ by case (kPEPE)
    symbol = checked_symbol(coin, upper=False)
    return Instrument(symbol, VENUE, COIN_STEP_NANO, AssetClass.CRYPTO_PERPETUAL, "USD", calendar="24/7")
