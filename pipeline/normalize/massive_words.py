"""The words of Massive (until 2025 Polygon.io): its messages and its answers as typed structs, for both directions.

Field names are those of the socket; REST says the same in longer ones, so a struct of REST has the socket's attributes
under its own spelling. What is not needed is not named here, and is read over. A default means that it wasn't said.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder, decode

from pipeline.codes import AssetClass
from pipeline.instruments import WHOLE_STEP_NANO, Instrument, checked_symbol
from pipeline.normalize.strange_fields import StrangeFields, shape_of
from pipeline.ports import Channel, Topic
from pipeline.units import ABSENT, INT64_MAX, MINUTE_NS, NANO, SECOND_NS

VENUE: Final = "MASSIVE"

PREFIXES: Final = {
    Channel.QUOTES: "Q",
    Channel.PRINTS: "T",
    Channel.BARS_1S: "A",
    Channel.BARS_1M: "AM",
    Channel.STATUSES: "LULD",
}
"""What Massive calls our channels."""

CHANNELS: Final[Mapping[str, Channel]] = {prefix: channel for channel, prefix in PREFIXES.items()}

BAR_NS: Final[Mapping[Channel, int]] = {Channel.BARS_1S: SECOND_NS, Channel.BARS_1M: MINUTE_NS}

SHARES_FROM_NS: Final = 1_762_146_000 * NANO
"""2025-11-03T00:00 in New York: quote sizes are shares from here on, and were round lots before."""

LOT_SHARES: Final = 100
"""Shares of a round lot, before they depended on the price. The few shares with smaller lots are not known here."""

Count = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Small = Annotated[int, Meta(ge=0, le=2**15 - 1)]
Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Price = Annotated[float, Meta(ge=0, lt=2**23)]
"""From 2**23 on, floats lie further apart than 1e-9: which nano was meant can't be told."""
Shares = Annotated[float, Meta(ge=0, le=9e15)]
"""Sizes come as JSON numbers, whole as a rule: a float holds those exactly up to 2**53."""
Displayed = Annotated[int, Meta(ge=0, le=2**53)]

UNSAID: Final = -1.0
"""A size that wasn't said."""


class Status(Struct, tag_field="ev", tag="status", gc=False):
    """A word about the connection."""

    status: str = ""
    message: str = ""


class Quote(Struct, tag_field="ev", tag="Q", gc=False, omit_defaults=True):
    """The best bid and offer of all exchanges."""

    sym: str
    bx: Small = 0
    bp: Price = 0.0
    bs: Displayed = 0
    ax: Small = 0
    ap: Price = 0.0
    as_: Displayed = field(default=0, name="as")
    c: Small = 0
    t: Count = 0
    q: Count = ABSENT


class Trade(Struct, tag_field="ev", tag="T", gc=False, omit_defaults=True):
    """A trade: `i` its id, unique for an exchange; `s` whole shares, `ds` the size as text with its fraction."""

    sym: str
    p: Price
    x: Small = 0
    i: str = ""
    s: Shares = UNSAID
    ds: str | None = ""
    c: tuple[Number, ...] | None = ()
    e: Count = 0
    t: Count = 0
    q: Count = ABSENT


class _Bar(Struct, gc=False, omit_defaults=True):
    sym: str
    o: Price
    h: Price
    low: Price = field(name="l")
    c: Price
    v: Shares = UNSAID
    vw: Price | None = None
    s: Count = 0
    e: Count = 0


class SecondBar(_Bar, tag_field="ev", tag="A", gc=False):
    """A bar of a second: `s` its start, `e` its end."""


class MinuteBar(_Bar, tag_field="ev", tag="AM", gc=False):
    """A bar of a minute."""


class Bands(Struct, tag_field="ev", tag="LULD", gc=False, omit_defaults=True):
    """Limit-up limit-down bands of a share, which is called `T` here and nowhere else."""

    sym: str = field(name="T")
    h: Price = 0.0
    low: Price = field(default=0.0, name="l")
    i: tuple[Number, ...] | None = ()
    t: Count = 0
    q: Count = ABSENT


class Imbalance(Struct, tag_field="ev", tag="NOI", gc=False):
    """The imbalance of an auction: no event of ours."""


class FairValue(Struct, tag_field="ev", tag="FMV", gc=False):
    """A price the vendor derives, which nobody traded at: no event of ours."""


class LaunchpadValue(Struct, tag_field="ev", tag="LV", gc=False):
    """A value of the vendor's: no event of ours."""


Event = Status | Quote | Trade | SecondBar | MinuteBar | Bands | Imbalance | FairValue | LaunchpadValue

EVENTS: Final = Decoder(list[Event])
EVENT: Final = Decoder(Event)

_BAR_READ_OVER: Final = "av op a z otc dv dav"
READ_OVER: Final = {"Q": "i z", "T": "z trfi trft", "A": _BAR_READ_OVER, "AM": _BAR_READ_OVER, "LULD": "z"}
"""Fields of the documentation that nobody here reads, as `shape_of` takes them."""

_SHAPE: Final = shape_of(list[Event], READ_OVER)


def strange_fields() -> StrangeFields:
    """The canary of one feed."""
    return StrangeFields(_SHAPE, decode)


class PastQuote(Struct, gc=False, omit_defaults=True):
    """A quote of `/v3/quotes/{symbol}`; times are nanoseconds."""

    bx: Small = field(default=0, name="bid_exchange")
    bp: Price = field(default=0.0, name="bid_price")
    bs: Displayed = field(default=0, name="bid_size")
    ax: Small = field(default=0, name="ask_exchange")
    ap: Price = field(default=0.0, name="ask_price")
    as_: Displayed = field(default=0, name="ask_size")
    c: tuple[Small, ...] | None = field(default=(), name="conditions")
    t: Count = field(default=0, name="sip_timestamp")
    q: Count = field(default=ABSENT, name="sequence_number")


class PastTrade(Struct, gc=False, omit_defaults=True):
    """A trade of `/v3/trades/{symbol}`; times are nanoseconds."""

    p: Price = field(name="price")
    x: Small = field(default=0, name="exchange")
    i: str = field(default="", name="id")
    s: Shares = field(default=UNSAID, name="size")
    ds: str | None = field(default="", name="decimal_size")
    c: tuple[Number, ...] | None = field(default=(), name="conditions")
    e: Count = field(default=0, name="correction")
    t: Count = field(default=0, name="sip_timestamp")
    q: Count = field(default=ABSENT, name="sequence_number")


class PastBar(Struct, gc=False, omit_defaults=True):
    """A bar of `/v2/aggs/ticker/{symbol}/range/...`: `t` its start in milliseconds, `n` its trades."""

    o: Price
    h: Price
    low: Price = field(name="l")
    c: Price
    v: Shares = UNSAID
    vw: Price | None = None
    t: Count = 0
    n: Count = ABSENT


Past = PastQuote | PastTrade | PastBar


class PastDecoder(NamedTuple):
    """How what a page of history is made of is decoded: all of it, or one."""

    page: Decoder[Any]
    one: Decoder[Any]


def _decoder(past: type) -> PastDecoder:
    return PastDecoder(Decoder(list[past]), Decoder(past))  # type: ignore[valid-type]  # msgspec takes types as values


PAST: Final[Mapping[Channel, PastDecoder]] = {
    Channel.QUOTES: _decoder(PastQuote),
    Channel.PRINTS: _decoder(PastTrade),
    Channel.BARS_1S: _decoder(PastBar),
    Channel.BARS_1M: _decoder(PastBar),
}
"""Of what there is history."""


class Page(Struct):
    """A page of an answer; `next_url` is where the next one is, '' when there is none."""

    results: Raw = Raw(b"[]")
    next_url: str = ""
    status: str = ""
    error: str = ""
    message: str = ""


PAGE: Final = Decoder(Page)


def topic_of(text: str) -> Topic | None:
    """The topic of `T.AAPL`; None when it is no channel of ours."""
    prefix, dot, symbol = text.strip().partition(".")
    channel = CHANNELS.get(prefix)
    return Topic(channel, symbol) if dot and symbol and channel is not None else None


def text_of(topic: Topic) -> str:
    """A topic as Massive spells it."""
    return f"{PREFIXES[topic.channel]}.{topic.symbol}"


def instrument_of(symbol: str) -> Instrument:
    """The share of that symbol, whose small letters mean something (BACpB). Raises UnitError when it is none."""
    return Instrument(
        checked_symbol(symbol, upper=False), VENUE, WHOLE_STEP_NANO, AssetClass.EQUITY, "USD", calendar="XNYS"
    )
