"""Coinbase's messages that can't be read whole: an unknown channel, an error, a good message with a bad event in it."""

from typing import Final, NamedTuple

import msgspec

from pipeline.codes import FeedAction
from pipeline.normalize import coinbase_advanced_words as words
from pipeline.normalize.coinbase_advanced_words import LOOSE, UNREADABLE, AnyMessage, Loose
from pipeline.normalize.gathering import Gathering

_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SHOWN: Final = 80
"""How much of a message that can't be read is shown."""


class Other(msgspec.Struct, gc=False):
    """A message of a channel that nobody here reads; it takes its place in the sequence."""

    sequence_num: int
    channel: str


class DoubtfulBook(NamedTuple):
    """A product whose book an unreadable event spoke of."""

    product_id: str
    reason: str
    is_snapshot: bool


class Salvage(NamedTuple):
    """What is left of a message, and the books that can't be believed because of the rest."""

    message: AnyMessage | Other
    doubtful: list[DoubtfulBook]


class _Part(NamedTuple):
    """How a channel's messages are made up: message, event, the list in an event, what is in it."""

    message: type
    event: type
    items: str = ""
    item: type = object


_PARTS: Final = {
    words.BOOK_MESSAGES: _Part(words.BookMessage, words.BookEvent),
    "ticker": _Part(words.TickerMessage, words.TickerEvent, "tickers", words.Ticker),
    "market_trades": _Part(words.TradesMessage, words.TradesEvent, "trades", words.Trade),
    "candles": _Part(words.CandlesMessage, words.CandlesEvent, "candles", words.Candle),
    "status": _Part(words.StatusMessage, words.StatusEvent, "products", words.Product),
    "heartbeats": _Part(words.HeartbeatsMessage, words.Heartbeat),
    "subscriptions": _Part(words.SubscriptionsMessage, words.SubscriptionsEvent),
}


def salvaged(payload: bytes, why: str, rows: Gathering) -> Salvage | None:
    """What can be read of a message; REJECTED rows tell of the rest. None when nothing can, or it is an error."""
    try:
        loose = LOOSE.decode(payload)
    except UNREADABLE as error:
        rows.add_feed(FeedAction.REJECTED, f"{error}: {payload[:_SHOWN]!r}")
        return None
    if loose.type == "error":
        rows.add_feed(FeedAction.REJECTED, f"the venue says: {loose.message}")
    elif loose.sequence_num is None or not loose.channel:
        rows.add_feed(FeedAction.REJECTED, f"{why}: {payload[:_SHOWN]!r}")
    elif loose.channel not in _PARTS:
        return Salvage(Other(loose.sequence_num, loose.channel[:40]), [])
    else:
        return _good_events(loose, rows)
    return None


def _good_events(loose: Loose, rows: Gathering) -> Salvage:
    part, doubtful, events = _PARTS[loose.channel], list[DoubtfulBook](), list[object]()
    for raw in loose.events:
        try:
            events.append(msgspec.json.decode(raw, type=part.event))
        except UNREADABLE as error:
            if part.items and (event := _good_items(raw, part, loose, rows)) is not None:
                events.append(event)
                continue
            _reject(str(error), loose, rows)
            if part.message is words.BookMessage:
                doubtful.append(_doubtful(raw, str(error)))
    message = part.message(timestamp=loose.timestamp, sequence_num=loose.sequence_num, events=events)
    return Salvage(message, doubtful)


def _good_items(raw: msgspec.Raw, part: _Part, loose: Loose, rows: Gathering) -> object | None:
    """The event with those of its items that can be read; None when it is no such event at all."""
    try:
        fields = _OBJECT.decode(raw)
        raws = _RAWS.decode(fields[part.items])
        type_ = msgspec.json.decode(fields["type"], type=words.Kind)
    except (*UNREADABLE, KeyError):
        return None
    items = list[object]()
    for each in raws:
        try:
            items.append(msgspec.json.decode(each, type=part.item))
        except UNREADABLE as error:
            _reject(str(error), loose, rows)
    return part.event(type=type_, **{part.items: items})  # type: ignore[no-any-return]  # a struct of this channel


def _doubtful(raw: msgspec.Raw, reason: str) -> DoubtfulBook:
    try:
        fields = _OBJECT.decode(raw)
        product_id = msgspec.json.decode(fields["product_id"], type=str)
        return DoubtfulBook(product_id, reason, fields.get("type") == b'"snapshot"')
    except (*UNREADABLE, KeyError):
        return DoubtfulBook("", reason, is_snapshot=False)


def _reject(reason: str, loose: Loose, rows: Gathering) -> None:
    rows.add_feed(FeedAction.REJECTED, reason, channel=loose.channel, position=loose.sequence_num)
