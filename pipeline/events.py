"""Events: one layout a kind.

Every row starts with the same header. `(seq, ord)` is its place: inputs have `ord` 0 and a `seq` dense from 1;
a derived row carries the `seq` of the input being reduced and `ord` 1, 2, 3... in dispatch order.
Columns are never null: an absent integer is `ABSENT` where the field says so, an absent float NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cached_property
from typing import Final

from pipeline import codes
from pipeline.codes import Kind
from pipeline.errors import SchemaError
from pipeline.units import ABSENT

Codes = type[IntEnum | IntFlag]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a layout.

    `type` is one of i1, i2, i4, i8, f8 (numpy's names), str, bytes; `absent` the value that means "there is none" (None: always there);
    `codes` the closed set an integer is drawn from.
    """

    name: str
    type: str
    doc: str
    absent: int | float | str | bytes | None = None
    codes: Codes | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether every value takes the same bytes."""
        return self.type not in ("str", "bytes")

    @property
    def default(self) -> int | float | str | bytes:
        """What stands in the column when nobody sets it."""
        if self.absent is not None:
            return self.absent
        empty: dict[str, int | float | str | bytes] = {"str": "", "bytes": b"", "f8": 0.0}
        return empty.get(self.type, 0)


@dataclass(frozen=True)
class Layout:
    """The columns of one kind, header included, in their order on disk."""

    kind: Kind
    version: int
    grain: str
    fields: tuple[Field, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def is_fixed(self) -> bool:
        """Whether all columns are numbers."""
        return all(field.is_fixed for field in self.fields)

    @cached_property
    def payload(self) -> tuple[Field, ...]:
        """The fields after the common header."""
        return self.fields[len(HEADER) :]

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError."""
        return FIELD_BY_NAME[self.kind][name]


def _price(name: str, doc: str) -> Field:
    return Field(name, "i8", f"{doc}; 1e-9 of the quote currency", ABSENT)


def _size(name: str, doc: str) -> Field:
    return Field(name, "i8", f"{doc}; steps of the instrument's size_step_nano", ABSENT)


def _time(name: str, doc: str) -> Field:
    return Field(name, "i8", f"{doc}; UTC nanoseconds", ABSENT)


def _code(name: str, codes_: Codes, doc: str, type_: str = "i1") -> Field:
    return Field(name, type_, doc, codes=codes_)


_STRATEGY: Final = Field(
    "strategy_id", "i2", "position of the strategy in the run's list, from 1; 0: the engine itself"
)
_MARKS: Final = _code("marks", codes.Mark, "what is odd about the row", "i4")

HEADER: Final = (
    Field("seq", "i8", "number of the input, dense from 1; a derived row carries its input's"),
    Field("ord", "i4", "0 for inputs; 1, 2, 3... for what the engine derived from the input, in dispatch order"),
    Field(
        "ts_event_ns",
        "i8",
        "UTC nanoseconds when the venue says it happened; for a bar its start; for a derived row the session time",
    ),
    Field(
        "ts_recv_ns",
        "i8",
        "UTC nanoseconds when the feed's capture received it; for a derived row the session time of its input",
    ),
    Field("instrument_id", "i4", "number given by the session's `instrument` event, dense from 1; 0: none"),
    Field("source", "i2", "number given by the session's `feed` event DECLARED, from 1; 0: Tapeworks itself"),
    _code("origin", codes.Origin, "input, backfill, warm-up or derived"),
    Field("cause_seq", "i8", "`seq` of the event that caused this one; 0: none (an input)"),
    Field("cause_ord", "i4", "`ord` of the event that caused this one"),
)


def _layout(kind: Kind, grain: str, *fields: Field, version: int = 1) -> Layout:
    return Layout(kind, version, grain, HEADER + fields)


_LAYOUTS: Final = (
    _layout(
        Kind.INSTRUMENT,
        "one row when the session meets an instrument, and again when its definition changes",
        Field("symbol", "str", "the venue's name for it, upper case"),
        Field("venue", "str", "dataset or exchange that names it, e.g. XNAS.ITCH, BINANCE"),
        _code("asset_class", codes.AssetClass, "equity, future, crypto..."),
        Field("currency", "str", "quote currency, ISO 4217 or the coin's code"),
        Field("tick_nano", "i8", "smallest price step; 1e-9 of the quote currency", ABSENT),
        Field("tick_below_one_nano", "i8", "smallest price step under a price of 1; 1e-9", ABSENT),
        Field("size_step_nano", "i8", "what one step of size is; 1e-9 of a share, contract or coin"),
        Field("lot_steps", "i8", "round lot; steps", ABSENT),
        Field("multiplier_nano", "i8", "value of a price move of 1 for a size of 1; 1e-9 of the quote currency"),
        _time("expires_ns", "last moment it trades"),
        Field("vendor_id", "i8", "the vendor's own number for it", ABSENT),
        Field("calendar", "str", "trading hours: XNYS, CMES, 24/7; empty: not known"),
    ),
    _layout(
        Kind.QUOTE,
        "one row per change of the best bid or offer",
        _price("bid_nano", "best bid"),
        _price("ask_nano", "best ask"),
        _size("bid_size_steps", "size displayed at the bid"),
        _size("ask_size_steps", "size displayed at the ask"),
        Field("bid_venue", "i2", "the vendor's number of the bidding venue; 0: not given"),
        Field("ask_venue", "i2", "the vendor's number of the offering venue; 0: not given"),
        Field("condition", "i2", "the vendor's quote condition code; 0: regular or not given"),
        _MARKS,
        Field("vendor_seq", "i8", "the vendor's sequence number", ABSENT),
    ),
    _layout(
        Kind.PRINT,
        "one row per trade on the tape",
        _price("price_nano", "price traded"),
        _size("size_steps", "size traded"),
        _code("aggressor", codes.Side, "side that took liquidity; NONE: the venue did not say"),
        Field("venue", "i2", "the vendor's number of the venue; 0: not given"),
        Field("conditions", "i8", "bit k is set when the vendor's sale condition k (0 to 62) applies"),
        _MARKS,
        Field("trade_id", "i8", "the venue's number of the trade", ABSENT),
        Field("corrects_trade_id", "i8", "the trade that a cancel or correction speaks of", ABSENT),
        Field("vendor_seq", "i8", "the vendor's sequence number", ABSENT),
    ),
    _layout(
        Kind.BAR,
        "one row per bar closed, and one more per revision",
        _code("bar_unit", codes.BarUnit, "what the length counts"),
        Field("bar_length", "i8", "nanoseconds, ticks, steps, nano-dollars or nanos of range, by bar_unit"),
        _time("ts_close_ns", "end of the bar, exclusive"),
        _price("open_nano", "first price"),
        _price("high_nano", "highest price"),
        _price("low_nano", "lowest price"),
        _price("close_nano", "last price"),
        _size("volume_steps", "size traded"),
        Field("trade_count", "i8", "prints that made it (quotes, when made of quotes)", ABSENT),
        Field("vwap", "f8", "volume-weighted average price; quote currency", float("nan")),
        Field("revision", "i2", "0 when first closed, then 1, 2, 3..."),
        _code("basis", codes.BarBasis, "what it was made of"),
        _MARKS,
    ),
    _layout(
        Kind.STATUS,
        "one row per change of trading state, price bands or short-sale rule",
        _code("status", codes.TradingStatus, "state from here on"),
        _code("reason", codes.StatusReason, "why it changed"),
        _price("limit_down_nano", "lower price band"),
        _price("limit_up_nano", "upper price band"),
        Field("is_short_restricted", "i1", "1: short-sale restriction on, 0: off, -1: not said", -1),
        Field("is_quoting", "i1", "1: quotes are accepted, 0: not, -1: not said", -1),
        _MARKS,
        Field("vendor_action", "i4", "the vendor's own action code", ABSENT // 2**32),
        Field("vendor_reason", "i4", "the vendor's own reason code", ABSENT // 2**32),
    ),
    _layout(
        Kind.FEED,
        "one row per thing that happened to a feed",
        _code("action", codes.FeedAction, "what happened"),
        Field("channel", "str", "stream, schema or channel it concerns; empty: the whole feed"),
        _time("from_ns", "start of the stretch concerned"),
        _time("to_ns", "end of the stretch concerned, exclusive"),
        Field("count", "i8", "how many messages or rows", ABSENT),
        Field("position", "i8", "row, line or byte in the source", ABSENT),
        Field("code", "i4", "the vendor's or the socket's code", ABSENT // 2**32),
        Field("text", "str", "the feed's name, or what is to be said"),
    ),
    _layout(
        Kind.RAW,
        "one row per message as received, when raw capture is on",
        Field("channel", "str", "stream it came on"),
        Field("payload", "bytes", "the bytes as received"),
    ),
    _layout(
        Kind.SESSION,
        "one row per thing that happened to the session itself",
        _code("action", codes.SessionAction, "what happened"),
        Field("key", "str", "name of the setting, source file or strategy"),
        Field("text", "str", "its value, JSON where it is structured"),
    ),
    _layout(Kind.TIMER, "one row per tick of the grid", Field("interval_ns", "i8", "step of the grid; nanoseconds")),
    _layout(
        Kind.NOTE,
        "one row per remark of a person",
        Field("session", "str", "session the remark is about, in the store's notes log; empty: this one"),
        Field("about_seq", "i8", "`seq` it is about; 0: none"),
        Field("about_ord", "i4", "`ord` it is about"),
        Field("tag", "str", "one word to find it by"),
        Field("text", "str", "the remark"),
    ),
    _layout(
        Kind.ACCOUNT,
        "one row per statement about cash, a position or a limit of an account",
        _code("action", codes.AccountAction, "what is stated"),
        Field("account", "str", "name of the account"),
        Field("currency", "str", "currency of cash and cost"),
        Field("cash_nano", "i8", "cash; 1e-9 of the currency", ABSENT),
        Field("buying_power_nano", "i8", "buying power; 1e-9 of the currency", ABSENT),
        _size("quantity_steps", "position, signed"),
        _price("average_nano", "average entry price of the position"),
        Field("text", "str", "reason, or the broker's words"),
    ),
    _layout(
        Kind.REQUEST,
        "one row per request of the operator",
        _code("action", codes.RequestAction, "what is asked"),
        Field("target", "str", "symbol or strategy; empty: all"),
        Field("text", "str", "reason or remark"),
    ),
    _layout(
        Kind.CANDIDATE,
        "one row per field or filter of an instrument in one evaluation of a scanner",
        Field("scanner_id", "i2", "position of the scanner in the run's list, from 1"),
        Field("evaluation", "i8", "number of the evaluation, from 1"),
        _code("verdict", codes.CandidateVerdict, "what became of the instrument"),
        Field("rank", "i4", "place in the ranking, from 1; 0: none"),
        Field("field_id", "i2", "number of the field in the scanner's definition"),
        Field("value", "f8", "value of the field", float("nan")),
        Field("filter_id", "i2", "number of the filter that used it; 0: shown only"),
        Field("threshold", "f8", "the filter's limit", float("nan")),
        Field("is_passed", "i1", "1: the filter let it pass, 0: not, -1: no filter", -1),
        _time("known_at_ns", "when the value became known"),
    ),
    _layout(
        Kind.UNIVERSE,
        "one row per instrument added to or dropped from what is traded",
        _code("action", codes.UniverseAction, "added or dropped"),
        Field("scanner_id", "i2", "position of the scanner in the run's list; 0: the operator"),
        Field("reason", "i2", "the scanner's reason code"),
        Field("rank", "i4", "place in the ranking, from 1; 0: none"),
    ),
    _layout(
        Kind.REFERENCE,
        "one row per fact about an instrument that is not a market event",
        Field("field", "str", "float_shares, previous_close, shares_outstanding, split_ratio..."),
        Field("value", "f8", "its value; unit by field", float("nan")),
        Field("text", "str", "its value, when it is text"),
        _time("known_at_ns", "when it became known to us"),
        _time("as_of_ns", "the moment it describes"),
        Field("provider", "str", "who says so"),
    ),
    _layout(
        Kind.INDICATOR,
        "one row per value shown",
        _STRATEGY,
        Field("output_id", "i2", "number of the output in the strategy's list"),
        Field("value", "f8", "the value", float("nan")),
    ),
    _layout(
        Kind.TRANSITION,
        "one row per move of a strategy's phase",
        _STRATEGY,
        Field("from_phase", "i2", "phase left"),
        Field("to_phase", "i2", "phase entered"),
        Field("reason", "i2", "code of the strategy's reason"),
    ),
    _layout(
        Kind.INTENT,
        "one row per wish of a strategy, and one per change of the gate that refuses",
        _STRATEGY,
        _code("action", codes.IntentAction, "what is wished"),
        _code("outcome", codes.IntentOutcome, "what became of it in this step"),
        _code("side", codes.Side, "buy or sell"),
        _code("order_type", codes.OrderType, "how it may execute"),
        _code("time_in_force", codes.TimeInForce, "how long it stands"),
        _code("flags", codes.OrderFlag, "conditions", "i4"),
        _size("quantity_steps", "size asked for"),
        _price("limit_nano", "limit price"),
        _price("trigger_nano", "stop price that wakes the order"),
        _price("stop_loss_nano", "protective stop that goes with an entry"),
        _price("take_profit_nano", "target that goes with an entry"),
        _price("trail_nano", "distance of a trailing stop"),
        Field("risk", "f8", "loss accepted at the stop; quote currency", float("nan")),
        Field("notional", "f8", "amount asked for; quote currency", float("nan")),
        Field("rank_score", "f8", "what arbitration ranks by; larger first", float("nan")),
        Field("tag", "i4", "the strategy's own number for it"),
        Field("order_id", "i8", "order it cancels or replaces; 0: none"),
        Field("gate", "i2", "code of the strategy's gate that refused; 0: none"),
        Field("gate_value", "f8", "value the gate saw", float("nan")),
        Field("gate_threshold", "f8", "limit the gate compared with", float("nan")),
        Field("winner_seq", "i8", "`seq` of the intent that won against it; 0: none"),
        Field("winner_ord", "i4", "`ord` of the intent that won against it"),
    ),
    _layout(
        Kind.RISK,
        "one row per order that stood before the risk gate",
        _STRATEGY,
        _code("verdict", codes.RiskVerdict, "approved, reduced or refused"),
        _code("rule", codes.RiskRule, "rule that refused or reduced", "i2"),
        Field("value", "f8", "what the rule saw", float("nan")),
        Field("limit", "f8", "what the rule allows", float("nan")),
        _size("quantity_steps", "size approved"),
    ),
    _layout(
        Kind.ORDER,
        "one row per state an order enters",
        _STRATEGY,
        Field("order_id", "i8", "our number, from 1, never used twice in an account"),
        _code("state", codes.OrderState, "state entered"),
        _code("reason", codes.OrderReason, "why it entered it"),
        _code("side", codes.Side, "buy or sell"),
        _code("order_type", codes.OrderType, "how it may execute"),
        _code("time_in_force", codes.TimeInForce, "how long it stands"),
        _code("flags", codes.OrderFlag, "conditions", "i4"),
        _size("quantity_steps", "size ordered"),
        _size("filled_steps", "size filled so far"),
        _price("limit_nano", "limit price"),
        _price("trigger_nano", "stop price"),
        _price("trail_nano", "distance of a trailing stop"),
        _time("expires_ns", "end of a good-till-date order"),
        Field("parent_order_id", "i8", "entry that a bracket leg belongs to; 0: none"),
        Field("replaces_order_id", "i8", "order it replaces; 0: none"),
        Field("tag", "i4", "the strategy's own number"),
        Field("venue_order_id", "str", "the broker's number"),
        Field("text", "str", "the broker's words"),
    ),
    _layout(
        Kind.FILL,
        "one row per execution",
        _STRATEGY,
        Field("order_id", "i8", "our number of the order"),
        Field("fill_id", "i8", "our number of the fill, from 1"),
        _code("side", codes.Side, "buy or sell"),
        _price("price_nano", "price of the execution"),
        _size("quantity_steps", "size of the execution"),
        Field("fee_nano", "i8", "fees and commission, positive when paid; 1e-9 of the quote currency"),
        _code("liquidity", codes.Liquidity, "taken or made"),
        _price("bid_nano", "best bid at that moment"),
        _price("ask_nano", "best ask at that moment"),
        Field("tag", "i4", "the strategy's own number"),
        Field("venue_fill_id", "str", "the broker's number"),
    ),
    _layout(
        Kind.POSITION,
        "one row after each change of a strategy's position in an instrument",
        _STRATEGY,
        _size("quantity_steps", "position, signed"),
        Field("average_price", "f8", "average entry price; quote currency", float("nan")),
        Field("realized", "f8", "profit realised so far, fees not taken off; quote currency"),
        Field("fees", "f8", "fees so far; quote currency"),
        Field("cash", "f8", "cash of the account after the change; quote currency"),
    ),
    _layout(
        Kind.MESSAGE,
        "one row per message of a strategy; its text is made by the reader",
        _STRATEGY,
        _code("level", codes.MessageLevel, "how loud"),
        Field("code", "i2", "code of the strategy's message"),
        Field("a", "f8", "first number", float("nan")),
        Field("b", "f8", "second number", float("nan")),
        Field("c", "f8", "third number", float("nan")),
    ),
    _layout(
        Kind.CHECKPOINT,
        "one row every N inputs: the hash of the whole state after this input",
        Field("hash_0", "i8", "bytes 0 to 7 of the blake3 of the state, little endian"),
        Field("hash_1", "i8", "bytes 8 to 15"),
        Field("hash_2", "i8", "bytes 16 to 23"),
        Field("hash_3", "i8", "bytes 24 to 31"),
    ),
)

LAYOUTS: Final[Mapping[Kind, Layout]] = {layout.kind: layout for layout in _LAYOUTS}
FIELD_BY_NAME: Final = {layout.kind: {field.name: field for field in layout.fields} for layout in _LAYOUTS}
MARKET: Final = frozenset((Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS))


def layout_of(kind: int, version: int) -> Layout:
    """The layout of a kind as this code knows it. Raises SchemaError for an unknown kind or version."""
    try:
        layout = LAYOUTS[Kind(kind)]
    except ValueError:
        raise SchemaError(f"event kind {kind} is unknown; this version knows {len(Kind)} kinds") from None
    if layout.version != version:
        raise SchemaError(
            f"{layout.kind.name.lower()} version {version} is unknown; this version knows {layout.version}"
        )
    return layout
