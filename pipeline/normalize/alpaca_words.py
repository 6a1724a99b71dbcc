"""Alpaca's words: the messages of its market data stream v2 and the pages of its REST, typed, the same in both directions.

Written as its documentation of the stream (docs.alpaca.markets, Real-time Stock Data) and its client alpaca-py 0.44 have
them. The letters are the wire's: `S` symbol, `t` time, `x` exchange, `p` price, `s` size, `c` conditions, `z` tape, `i` id.
A time is of whatever the encoding has: RFC 3339 text in JSON, in MessagePack the Timestamp extension, kept as its bytes,
because msgspec would round it to microseconds.

Unknown fields are ignored, and only what a row can't be without is required. Sizes are whole: a fractional one is refused.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import astuple

from pipeline.normalize.capture import Count
from pipeline.normalize.strange_fields import StrangeFields, shape_of
from pipeline.normalize.text import is_text
from pipeline.ports import Channel
from pipeline.units import ABSENT, INT64_MAX

TIME = TypeVar("TIME")

Letter = Annotated[str, Meta(max_length=1)]
"""One letter, or none."""

Size = Annotated[int, Meta(ge=0, le=10**15)]
"""Shares, or round lots; with this bound a hundred of them fit an int64."""

Id = Annotated[int, Meta(ge=ABSENT + 1, le=INT64_MAX)]
"""A trade's number: unique for a symbol on an exchange, negative ones included, in no order."""

Conditions = tuple[str, ...] | None


class Encoding(StrEnum):
    """How messages are written; the client's handshake chooses it."""

    JSON = "json"
    MSGPACK = "msgpack"


CONTENT_TYPE: Final = "application/msgpack"
"""What the header Content-Type of the handshake says to get MessagePack."""


class Quote(Struct, Generic[TIME], tag_field="T", tag="q", gc=False):
    """The best bid and offer; a price of 0: nobody."""

    t: TIME
    S: str = ""
    bx: Letter = ""
    bp: float = 0.0
    bs: Size = 0
    ax: Letter = ""
    ap: float = 0.0
    as_: Size = field(default=0, name="as")
    c: Conditions = None


class Trade(Struct, Generic[TIME], tag_field="T", tag="t", gc=False):
    """A trade; `u` is said by REST only: canceled, incorrect or corrected."""

    t: TIME
    p: float
    s: Size
    S: str = ""
    x: Letter = ""
    c: Conditions = None
    z: str = ""
    i: Id = ABSENT
    u: str = ""


class Correction(Struct, Generic[TIME], tag_field="T", tag="c", gc=False):
    """A trade (`oi`, `op`, `os`, `oc`) that is replaced by another (`ci`, `cp`, `cs`, `cc`)."""

    t: TIME
    S: str
    oi: Id
    cp: float
    cs: Size
    x: Letter = ""
    op: float = 0.0
    os: Size = 0
    oc: Conditions = None
    ci: Id = ABSENT
    cc: Conditions = None
    z: str = ""


class Cancel(Struct, Generic[TIME], tag_field="T", tag="x", gc=False):
    """A trade that is taken back; `a` is C (cancel) or E (error)."""

    t: TIME
    S: str
    i: Id
    p: float
    s: Size
    x: Letter = ""
    a: str = ""
    z: str = ""


class Bar(Struct, Generic[TIME], tag_field="T", tag="b", gc=False):
    """A minute by its start: open, high, low, close, volume, trades, volume-weighted average price."""

    t: TIME
    o: float
    h: float
    l: float  # noqa: E741 - the wire's letter
    c: float
    S: str = ""
    v: Size = 0
    n: Count | None = None
    vw: float | None = None


class UpdatedBar(Bar[TIME], Generic[TIME], tag="u"):
    """A minute again, because of late trades."""


class DailyBar(Bar[TIME], Generic[TIME], tag="d"):
    """The day so far, or all of it."""


class Status(Struct, Generic[TIME], tag_field="T", tag="s", gc=False):
    """A change of trading: code and words of the status and of its reason."""

    t: TIME
    S: str
    sc: str
    sm: str = ""
    rc: str = ""
    rm: str = ""
    z: str = ""


class Bands(Struct, Generic[TIME], tag_field="T", tag="l", gc=False):
    """Limit-up limit-down price bands; 0: none."""

    t: TIME
    S: str
    u: float = 0.0
    d: float = 0.0
    i: str = ""
    z: str = ""


class Success(Struct, tag_field="T", tag="success"):
    """`connected` or `authenticated`."""

    msg: str = ""


class Refusal(Struct, tag_field="T", tag="error"):
    """What the server won't do, by its number."""

    code: int = 0
    msg: str = ""


class Subscription(Struct, tag_field="T", tag="subscription", rename="camel"):
    """All that the connection is subscribed to now."""

    trades: list[str] = []
    quotes: list[str] = []
    bars: list[str] = []
    updated_bars: list[str] = []
    daily_bars: list[str] = []
    statuses: list[str] = []
    lulds: list[str] = []
    corrections: list[str] = []
    cancel_errors: list[str] = []

    def by_channel(self) -> dict[str, list[str]]:
        """The symbols of each channel that has any, by its name on the wire."""
        names = self.__struct_encode_fields__
        return {name: symbols for name, symbols in zip(names, astuple(self), strict=True) if symbols}


class Asked(Struct, rename="camel"):
    """What a client says: `auth` with its key, `subscribe` or `unsubscribe` with symbols by channel."""

    action: str
    key: str = ""
    secret: str = ""
    trades: list[str] | None = None
    quotes: list[str] | None = None
    bars: list[str] | None = None
    updated_bars: list[str] | None = None
    daily_bars: list[str] | None = None
    statuses: list[str] | None = None
    lulds: list[str] | None = None

    def symbols(self, channel: str) -> list[str]:
        """Those it names for a channel, by the channel's name on the wire."""
        return dict(zip(self.__struct_encode_fields__, astuple(self), strict=True)).get(channel) or []


class Head(Struct):
    """What sort of message it is."""

    T: str = ""


class Unread(Struct):
    """In the place of an event that can't be read: why."""

    text: str


Event = (
    Quote[str]
    | Trade[str]
    | Bar[str]
    | UpdatedBar[str]
    | DailyBar[str]
    | Status[str]
    | Bands[str]
    | Correction[str]
    | Cancel[str]
    | Success
    | Refusal
    | Subscription
)
_STAMP: Final = (
    Quote[Raw]
    | Trade[Raw]
    | Bar[Raw]
    | UpdatedBar[Raw]
    | DailyBar[Raw]
    | Status[Raw]
    | Bands[Raw]
    | Correction[Raw]
    | Cancel[Raw]
    | Success
    | Refusal
    | Subscription
)

WIRE_CHANNELS: Final[Mapping[Channel, tuple[str, ...]]] = {
    Channel.PRINTS: ("trades",),
    Channel.QUOTES: ("quotes",),
    Channel.BARS_1M: ("bars", "updatedBars"),
    Channel.BARS_1D: ("dailyBars",),
    Channel.STATUSES: ("statuses", "lulds"),
}
"""What a channel of ours is on the wire: all of these."""

WORDS: Final = frozenset(("q", "t", "b", "u", "d", "s", "l", "c", "x", "success", "error", "subscription"))
"""Types of message that are read."""

UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What decoding hostile bytes raises."""


def _text_only(decode: Callable[[bytes], list[Any]]) -> Callable[[bytes], list[Any]]:
    """A decoder that takes nothing but text. It raises msgspec.DecodeError besides."""

    def decoded(payload: bytes) -> list[Any]:
        if not is_text(payload):
            raise msgspec.DecodeError("it is no text")
        return decode(payload)

    return decoded


class Reader:
    """Decoders of one encoding. Each raises one of UNREADABLE."""

    def __init__(self, encoding: Encoding) -> None:
        library: Any = msgspec.json if encoding is Encoding.JSON else msgspec.msgpack
        one: Any = Event if encoding is Encoding.JSON else _STAMP
        checked = _text_only if encoding is Encoding.JSON else lambda decode: decode
        self.message: Callable[[bytes], list[Any]] = checked(library.Decoder(list[one]).decode)
        self.parts: Callable[[bytes], list[Raw]] = checked(library.Decoder(list[Raw]).decode)
        self.event: Callable[[Any], Any] = library.Decoder(one).decode
        self.head: Callable[[Any], Head] = library.Decoder(Head).decode
        self.asked: Callable[[bytes], Asked] = library.Decoder(Asked).decode
        self.control: Callable[[bytes], list[Success | Refusal | Subscription]] = library.Decoder(
            list[Success | Refusal | Subscription]
        ).decode


_DATA_HEADS: Final = {Encoding.JSON: b'"T":"', Encoding.MSGPACK: b"\xa1T\xa1"}
_LOOK_BYTES: Final = 12
_CONTROL: Final = (b"success", b"error", b"subscription")


def is_control(payload: bytes, encoding: Encoding) -> bool:
    """Whether a message is no market data: these begin with `T`, and their type is one letter.

    Anything that begins otherwise is looked through for the words of control messages.
    """
    place = payload.find(_DATA_HEADS[encoding], 0, _LOOK_BYTES)
    if place >= 0 and (encoding is Encoding.MSGPACK or payload[place + 6 : place + 7] == b'"'):
        return False
    return any(word in payload for word in _CONTROL)


READ_OVER: Final = {"t": "r", "q": "r z"}
"""Fields of the documentation that nobody here reads, as `shape_of` takes them."""

_SHAPE: Final = shape_of(list[Event], READ_OVER)
"""Of both encodings: they differ in what a time is, not in what there is."""


def strange_fields(encoding: Encoding) -> StrangeFields:
    """The canary of one feed."""
    return StrangeFields(_SHAPE, msgspec.json.decode if encoding is Encoding.JSON else msgspec.msgpack.decode)


READERS: Final = {encoding: Reader(encoding) for encoding in Encoding}
WRITERS: Final[dict[Encoding, Callable[[Any], bytes]]] = {
    Encoding.JSON: msgspec.json.Encoder().encode,
    Encoding.MSGPACK: msgspec.msgpack.Encoder().encode,
}
