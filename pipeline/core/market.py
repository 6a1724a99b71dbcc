"""What handlers see: one named tuple an event, prices and sizes float64, times int64 nanoseconds.

Prices are in the quote currency, sizes count shares, contracts or coins; NaN where the venue gave none. The exact
integers stand beside them (`_nano`, `_steps`) for the engine, which never turns a float back into a recorded price.
"""

from typing import NamedTuple


class Instrument(NamedTuple):
    """An instrument the session has met; `on_start` gets it, once."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    tick: float
    """Smallest price step; NaN when the venue gave none."""
    size_step: float
    multiplier: float


class Quote(NamedTuple):
    """Best bid and offer."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    marks: int
    bid_nano: int
    ask_nano: int
    bid_size_steps: int
    ask_size_steps: int


class Print(NamedTuple):
    """A trade on the tape; `aggressor` is the side that took (codes.Side)."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    price: float
    size: float
    aggressor: int
    marks: int
    price_nano: int
    size_steps: int


class Bar(NamedTuple):
    """A closed bar. `ts_event_ns` is its start, `ts_close_ns` its end; `revision` 0 when first closed.

    The end of a bar by time is exclusive. One by ticks, volume, dollars or range starts and ends with the event times of
    its earliest and its latest print. `bar_length` counts by `bar_unit`: nanoseconds, ticks, steps, nano-dollars or nanos.
    """

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trade_count: int
    revision: int
    ts_close_ns: int
    bar_unit: int
    bar_length: int
    basis: int
    marks: int
    open_nano: int
    high_nano: int
    low_nano: int
    close_nano: int
    volume_steps: int


class Status(NamedTuple):
    """A change of trading state (codes.TradingStatus, codes.StatusReason), or of price bands: ABSENT where none is told."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    status: int
    reason: int
    is_short_restricted: int
    limit_down_nano: int
    limit_up_nano: int


class FeedNotice(NamedTuple):
    """Something that happened to a feed (codes.FeedAction); instrument 0 concerns all. `to_ns` is where what it tells of ends, ABSENT without."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    action: int
    source: int
    to_ns: int


class Timer(NamedTuple):
    """A tick of the session's grid."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    interval_ns: int


class OrderUpdate(NamedTuple):
    """An order of this strategy entered a state (codes.OrderState).

    `order_id` 0 with state REFUSED answers an entry that never became an order.
    """

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    order_id: int
    state: int
    reason: int
    side: int
    flags: int
    quantity: float
    filled: float
    tag: int


class Fill(NamedTuple):
    """An execution of this strategy. `position` is what it holds after it, signed."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    order_id: int
    side: int
    flags: int
    price: float
    quantity: float
    fee: float
    position: float
    tag: int


class Definition(NamedTuple):
    """What an `instrument` event states: folded by the engine; `on_start` sees it as `Instrument`."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    symbol: str
    asset_class: int
    calendar: str
    tick_nano: int
    tick_below_one_nano: int
    size_step_nano: int
    multiplier_nano: int


class AccountStatement(NamedTuple):
    """A statement about an account (codes.AccountAction): folded by the engine, seen by no handler."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    action: int
    cash_nano: int
    quantity_steps: int


class ReferenceFact(NamedTuple):
    """What somebody says of an instrument: the engine folds what bears on orders, no handler sees it."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    field: str
    value: float
    text: str


class Request(NamedTuple):
    """What the operator asks (codes.RequestAction): obeyed by the engine, seen by no handler."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    action: int
    target: str


class SessionNotice(NamedTuple):
    """What happened to the session (codes.SessionAction): the engine takes over opening state, no handler sees it."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    action: int
    key: str
    text: str


class BrokerOrder(NamedTuple):
    """What a broker says of the state of an order (codes.OrderState): folded by the engine, told by `on_order`."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    order_id: int
    state: int
    reason: int


class BrokerFill(NamedTuple):
    """What a broker says was executed of an order: folded by the engine, told by `on_fill`."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
    strategy_id: int
    order_id: int
    side: int
    price_nano: int
    quantity_steps: int
    fee_nano: int


class Other(NamedTuple):
    """An input that moves nothing but the session time."""

    ts_event_ns: int
    ts_recv_ns: int
    instrument_id: int
    origin: int
