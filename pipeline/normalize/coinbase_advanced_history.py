"""Coinbase's pages of history: trades and candles, newest first, taken apart so that they can be put in order."""

from typing import NamedTuple

import msgspec

from pipeline.codes import FeedAction
from pipeline.errors import UnitError
from pipeline.normalize.coinbase_advanced_words import UNREADABLE, Candle, CandlesPage, Trade, TradesPage
from pipeline.normalize.gathering import Gathering
from pipeline.normalize.moments import ns_of_text
from pipeline.ports import Answer, Channel
from pipeline.units import NANO


class Page(NamedTuple):
    """A trade or candle of a page: by what it is ordered, when the page came."""

    order: tuple[int, int, str]
    ts_recv_ns: int
    item: Trade | Candle


def page_of(answer: Answer, rows: Gathering) -> list[Page]:
    """The items of an answer in any order; REJECTED rows tell of those that can't be read."""
    try:
        if answer.topic.channel is Channel.PRINTS:
            raws = msgspec.json.decode(answer.payload, type=TradesPage).trades
        else:
            raws = msgspec.json.decode(answer.payload, type=CandlesPage).candles
    except UNREADABLE as error:
        text = f"history of {answer.topic.symbol[:40]}: {error}: {answer.payload[:80]!r}"
        rows.add_feed(FeedAction.REJECTED, text, channel=answer.topic.channel)
        return []
    pages = list[Page]()
    for raw in raws:
        try:
            pages.append(_page(raw, answer))
        except (*UNREADABLE, UnitError) as error:
            rows.add_feed(FeedAction.REJECTED, f"history: {error}", channel=answer.topic.channel)
    return pages


def _page(raw: msgspec.Raw, answer: Answer) -> Page:
    if answer.topic.channel is Channel.PRINTS:
        trade = msgspec.json.decode(raw, type=Trade)
        return Page((ns_of_text(trade.time), len(trade.trade_id), trade.trade_id), answer.ts_recv_ns, trade)
    candle = msgspec.json.decode(raw, type=Candle)
    candle.product_id = candle.product_id or answer.topic.symbol
    if not (candle.start.isdecimal() and candle.start.isascii() and len(candle.start) <= 12):
        raise UnitError(f"start {candle.start[:40]!r} is no count of seconds")
    return Page((int(candle.start) * NANO, 0, candle.product_id), answer.ts_recv_ns, candle)
