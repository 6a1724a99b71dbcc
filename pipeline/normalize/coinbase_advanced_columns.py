"""Coinbase's tickers and trades, gathered over many messages and turned into columns at once."""

from typing import Final, TypeVar

import numpy as np

from pipeline.block import Numbers
from pipeline.codes import FeedAction, Kind, Mark, Side
from pipeline.errors import UnitError
from pipeline.normalize.coinbase_advanced_products import Products
from pipeline.normalize.coinbase_advanced_words import TICKER, Ticker, Trade
from pipeline.normalize.decimals import Exact, coin_steps_column, nanos_of
from pipeline.normalize.gathering import Gathering, spread
from pipeline.normalize.marks import quote_marks
from pipeline.normalize.moments import ns_of_text, ns_of_texts
from pipeline.units import ABSENT, INT64_MAX

_AGGRESSOR_BY_MAKER: Final = {"BUY": int(Side.SELL), "SELL": int(Side.BUY)}
_Named = TypeVar("_Named", Ticker, Trade)


class Tickers:
    """Tickers that are to be quotes."""

    def __init__(self, products: Products) -> None:
        self._products = products
        self._heads: list[tuple[int, ...]] = []
        self._ids: list[int] = []
        self._tickers: list[Ticker] = []

    def add(self, tickers: list[Ticker], event_ns: int, mark: Mark, sequence_num: int, rows: Gathering) -> None:
        """The tickers of one event; those of no possible product leave a REJECTED row."""
        tickers, found = _with_ids(tickers, self._products, TICKER, rows)
        self._heads.append((rows.place + 1, len(tickers), rows.ts_recv_ns, event_ns, int(mark), sequence_num))
        rows.place += len(tickers)
        self._ids += found
        self._tickers += tickers

    def put(self, rows: Gathering) -> None:
        """All of them as rows."""
        tickers = self._tickers
        if not tickers:
            return
        places, recv_ns, event_ns, marks, sequence = spread(self._heads)
        bids, asks = _halves(nanos_of([t.best_bid or "0" for t in tickers] + [t.best_ask or "0" for t in tickers]))
        bid_sizes, ask_sizes = _halves(
            coin_steps_column(
                [t.best_bid_quantity or "0" for t in tickers] + [t.best_ask_quantity or "0" for t in tickers]
            )
        )
        bid, bid_size = _side(bids.values, bid_sizes.values)
        ask, ask_size = _side(asks.values, ask_sizes.values)
        rows.add_columns(
            Kind.QUOTE,
            places,
            {
                "ts_recv_ns": recv_ns,
                "ts_event_ns": event_ns,
                "instrument_id": np.array(self._ids, np.int32),
                "bid_nano": bid,
                "ask_nano": ask,
                "bid_size_steps": bid_size,
                "ask_size_steps": ask_size,
                "marks": marks.astype(np.int32) | quote_marks(bid, ask),
                "vendor_seq": sequence,
            },
            bids.refused | asks.refused | bid_sizes.refused | ask_sizes.refused,
        )


class Trades:
    """Trades that are to be prints."""

    def __init__(self, products: Products) -> None:
        self._products = products
        self._heads: list[tuple[int, ...]] = []
        self._ids: list[int] = []
        self._trades: list[Trade] = []

    def add(self, trades: list[Trade], mark: Mark, rows: Gathering) -> None:
        """The trades of one event, in their order; those of no possible product leave a REJECTED row."""
        trades, found = _with_ids(trades, self._products, "market_trades", rows)
        self._heads.append((rows.place + 1, len(trades), rows.ts_recv_ns, int(mark)))
        rows.place += len(trades)
        self._ids += found
        self._trades += trades

    def put(self, rows: Gathering) -> None:
        """All of them as rows."""
        trades = self._trades
        if not trades:
            return
        places, recv_ns, marks = spread(self._heads)
        times, ids = ns_of_texts([t.time for t in trades]), _numbers([t.trade_id for t in trades])
        prices, sizes = nanos_of([t.price for t in trades]), coin_steps_column([t.size for t in trades])
        rows.add_columns(
            Kind.PRINT,
            places,
            {
                "ts_recv_ns": recv_ns,
                "ts_event_ns": times.values,
                "instrument_id": np.array(self._ids, np.int32),
                "price_nano": prices.values,
                "size_steps": sizes.values,
                "aggressor": np.array([_AGGRESSOR_BY_MAKER[t.side] for t in trades], np.int8),
                "marks": marks.astype(np.int32),
                "trade_id": ids.values,
            },
            times.refused | ids.refused | prices.refused | sizes.refused,
        )


def _with_ids(items: list[_Named], products: Products, channel: str, rows: Gathering) -> tuple[list[_Named], list[int]]:
    """What is of a possible product, and the products' numbers; the rest leaves a REJECTED row."""
    ids = products.ids
    try:
        return items, [ids[item.product_id] for item in items]
    except KeyError:
        pass
    kept, found = list[_Named](), list[int]()
    for item in items:
        try:
            found.append(products.id_of(item.product_id, rows))
            kept.append(item)
        except UnitError as error:
            rows.add_feed(FeedAction.REJECTED, str(error), channel=channel)
    return kept, found


def oldest_first(trades: list[Trade]) -> list[Trade]:
    """The trades of one event, turned round when the newest stands in front."""
    if len(trades) < 2:
        return trades
    first, last = trades[0], trades[-1]
    return trades[::-1] if _age(first) > _age(last) else trades


def _age(trade: Trade) -> tuple[int, int, str]:
    """What rises from trade to trade; 0 for a time that is none."""
    try:
        return ns_of_text(trade.time), len(trade.trade_id), trade.trade_id
    except UnitError:
        return 0, len(trade.trade_id), trade.trade_id


def _halves(column: Exact) -> tuple[Exact, Exact]:
    """The two columns of which one was made."""
    half = len(column.values) // 2
    values, refused = column
    first = {place: reason for place, reason in refused.items() if place < half}
    second = {place - half: reason for place, reason in refused.items() if place >= half}
    return Exact(values[:half], first), Exact(values[half:], second)


def _side(price: Numbers, size: Numbers) -> tuple[Numbers, Numbers]:
    """Price and size of one side; a price of 0 is an empty side, a size of 0 one that was not said."""
    if price.all() and size.all():
        return price, size
    there = price != 0
    return np.where(there, price, ABSENT), np.where(there & (size != 0), size, ABSENT)


def _numbers(texts: list[str]) -> Exact:
    """Ids as integers."""
    joined = "".join(texts)
    if all(texts) and joined.isdecimal() and joined.isascii() and max(map(len, texts)) <= 18:
        return Exact(np.fromiter(map(int, texts), np.int64, len(texts)), {})
    values, refused = np.full(len(texts), ABSENT, np.int64), dict[int, str]()
    for place, text in enumerate(texts):
        is_number = text.isdecimal() and text.isascii() and len(text) <= 19 and int(text) <= INT64_MAX
        if is_number:
            values[place] = int(text)
        else:
            refused[place] = f"trade id {text[:40]!r} is no number"
    return Exact(values, refused)
