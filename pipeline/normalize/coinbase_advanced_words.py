"""Coinbase Advanced Trade's words: what its messages and pages are made of, for those who read and those who write them.

Numbers are text but for counts. Fields that nobody reads are left out: a reader that meets more of them goes on.
"""

from typing import Annotated, Final, Literal

import msgspec

from pipeline.instruments import checked_symbol
from pipeline.normalize.strange_fields import StrangeFields, shape_of
from pipeline.ports import Channel
from pipeline.units import INT64_MAX, MINUTE_NS

VENUE: Final = "COINBASE"

CANDLE_NS: Final = 5 * MINUTE_NS
"""The only length that the candles channel has."""

BOOK_MESSAGES: Final = "l2_data"
"""What the messages of the channel subscribed to as level2 are called."""

CHANNEL_WORDS: Final = {
    Channel.QUOTES: "level2",
    Channel.PRINTS: "market_trades",
    Channel.BARS_5M: "candles",
    Channel.STATUSES: "status",
    Channel.HEARTBEATS: "heartbeats",
}
"""By our word, theirs to subscribe with; quotes may come from `ticker` instead."""

TICKER: Final = "ticker"

Count = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
Kind = Literal["snapshot", "update"]


class Level(msgspec.Struct, gc=False):
    """What stands at a price now; a quantity of 0 takes the level away."""

    side: Literal["bid", "offer"]
    event_time: str
    price_level: str
    new_quantity: str


class BookEvent(msgspec.Struct, gc=False):
    """Levels of one product: all of them, or those that changed."""

    type: Kind
    product_id: str
    updates: list[Level]


class Ticker(msgspec.Struct, gc=False, omit_defaults=True):
    """Best prices, after a trade; ticker_batch comes without them."""

    product_id: str
    price: str = ""
    best_bid: str = ""
    best_bid_quantity: str = ""
    best_ask: str = ""
    best_ask_quantity: str = ""


class TickerEvent(msgspec.Struct, gc=False):
    """Tickers."""

    type: Kind
    tickers: list[Ticker]


class Trade(msgspec.Struct, gc=False):
    """A trade."""

    trade_id: str
    product_id: str
    price: str
    size: str
    side: Literal["BUY", "SELL"]
    time: str


class TradesEvent(msgspec.Struct, gc=False):
    """Trades."""

    type: Kind
    trades: list[Trade]


class Candle(msgspec.Struct, gc=False):
    """Five minutes; `start` counts seconds. A page of history names no product."""

    start: str
    high: str
    low: str
    open: str
    close: str
    volume: str
    product_id: str = ""


class CandlesEvent(msgspec.Struct, gc=False):
    """Candles."""

    type: Kind
    candles: list[Candle]


class Product(msgspec.Struct, gc=False, omit_defaults=True):
    """What is said of a product's state."""

    id: str
    status: str
    quote_currency: str = ""
    quote_increment: str = ""
    product_type: str = ""
    status_message: str = ""


class StatusEvent(msgspec.Struct, gc=False):
    """Products."""

    type: Kind
    products: list[Product]


class Heartbeat(msgspec.Struct, gc=False):
    """One a second."""

    heartbeat_counter: Count
    current_time: str = ""


class SubscriptionsEvent(msgspec.Struct, gc=False):
    """All that the connection is subscribed to, by channel."""

    subscriptions: dict[str, list[str]]


class _Envelope(msgspec.Struct, gc=False, tag_field="channel"):
    """What stands around the events of a channel; `client_id`, where it is sent, is empty."""

    timestamp: str
    sequence_num: Count


class BookMessage(_Envelope, tag=BOOK_MESSAGES, gc=False):
    """Of the channel subscribed to as level2."""

    events: list[BookEvent]


class TickerMessage(_Envelope, tag=TICKER, gc=False):
    """Of ticker."""

    events: list[TickerEvent]


class TradesMessage(_Envelope, tag="market_trades", gc=False):
    """Of market_trades."""

    events: list[TradesEvent]


class CandlesMessage(_Envelope, tag="candles", gc=False):
    """Of candles."""

    events: list[CandlesEvent]


class StatusMessage(_Envelope, tag="status", gc=False):
    """Of status."""

    events: list[StatusEvent]


class HeartbeatsMessage(_Envelope, tag="heartbeats", gc=False):
    """Of heartbeats."""

    events: list[Heartbeat]


class SubscriptionsMessage(_Envelope, tag="subscriptions", gc=False):
    """The answer to a subscribe or unsubscribe."""

    events: list[SubscriptionsEvent]


AnyMessage = (
    BookMessage
    | TickerMessage
    | TradesMessage
    | CandlesMessage
    | StatusMessage
    | HeartbeatsMessage
    | SubscriptionsMessage
)

MESSAGE: Final = msgspec.json.Decoder(AnyMessage)

_CHANNELS_HEARD: Final = (BOOK_MESSAGES, TICKER, "market_trades", "candles", "status", "heartbeats", "subscriptions")
READ_OVER: Final = dict.fromkeys(_CHANNELS_HEARD, "client_id") | {
    "ticker.events.tickers": "type volume_24_h low_24_h high_24_h low_52_w high_52_w price_percent_chg_24_h",
    "status.events.products": "base_currency base_increment display_name min_market_funds",
}
"""Fields of the documentation that nobody here reads, as `shape_of` takes them."""

_SHAPE: Final = shape_of(AnyMessage, READ_OVER)


def strange_fields() -> StrangeFields:
    """The canary of one feed."""
    return StrangeFields(_SHAPE, msgspec.json.decode)


class Loose(msgspec.Struct, gc=False):
    """Any message, read as far as it can be; an error has nothing but `type` and `message`."""

    channel: str = ""
    type: str = ""
    message: str = ""
    timestamp: str = ""
    sequence_num: Count | None = None
    events: list[msgspec.Raw] = []


LOOSE: Final = msgspec.json.Decoder(Loose)

UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What reading hostile bytes raises."""


class TradesPage(msgspec.Struct, gc=False):
    """A page of trades, newest first."""

    trades: list[msgspec.Raw]


class CandlesPage(msgspec.Struct, gc=False):
    """A page of candles, newest first."""

    candles: list[msgspec.Raw]


class Subscribe(msgspec.Struct, omit_defaults=True):
    """What a client says: one channel a message."""

    type: Literal["subscribe", "unsubscribe"]
    channel: str
    product_ids: list[str] = []
    jwt: str = ""


def symbol_of(product_id: str) -> str:
    """The name under which a product's market data come: those of -USDC come under -USD. Raises UnitError.

    >>> symbol_of("BTC-USDC")
    'BTC-USD'
    """
    symbol = checked_symbol(product_id)
    return symbol[:-1] if symbol.endswith("-USDC") else symbol
