"""Opening range: buy the first break above the high of the day's first minutes, with a stop under the range's middle."""

from enum import IntEnum

from pipeline.codes import MessageLevel, OrderState, Side
from pipeline.core.context import Context
from pipeline.core.market import Bar, Fill, OrderUpdate, Quote
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Bars, Messages, Strategy
from pipeline.core.verbs import at_least, cancel, enter, go, leave, passes, say, show
from pipeline.indicators import extremes, vwap
from pipeline.indicators.extremes import Extremes
from pipeline.indicators.vwap import Vwap
from pipeline.units import DAY_NS, MINUTE_NS


class Phase(IntEnum):
    """Where an instrument stands today."""

    BUILDING = 0
    WATCHING = 1
    ENTERING = 2
    LONG = 3
    DONE = 4


class Gate(IntEnum):
    """What an entry must pass, in this order."""

    BREAKOUT = 1
    VWAP = 2
    SPREAD = 3
    HALT = 4


class Reason(IntEnum):
    """Why a phase changed."""

    NEW_DAY = 1
    RANGE_COMPLETE = 2
    BREAKOUT = 3
    FILLED = 4
    CLOSED = 5
    REFUSED = 6


class Message(Messages):
    """What it has to say."""

    RANGE = 1, "range complete: high {a:.4f}, low {b:.4f}"
    STOPPED = 2, "position closed at {a:.4f}, entered at {b:.4f}"
    REFUSED = 3, "entry refused or cancelled", MessageLevel.WARNING


class Shown(IntEnum):
    """Values for charts."""

    RANGE_HIGH = 1
    RANGE_LOW = 2
    VWAP = 3


@params
class Params:
    """What may be set."""

    open_minute: int = param(
        810, low=0, high=1_439, help="minute of the UTC day it opens: 810 is 9:30 in New York's summer, 870 in winter"
    )
    minutes: int = param(5, low=1, high=120, help="length of the opening range")
    hold_minutes: int = param(60, low=1, high=1_440, help="a position is closed after so long")
    risk_usd: float = param(100.0, low=1.0, high=1e6, help="loss at the stop, per trade")
    target_r: float = param(2.0, low=0.1, high=100.0, help="target, in multiples of the risk")
    spread_bps: float = param(40.0, low=0.0, high=10_000.0, help="widest spread to enter at")


@state
class State:
    """What is remembered of each instrument."""

    phase: Phase = Phase.BUILDING
    day: int = -1
    range: Extremes
    vwap: Vwap
    ts_entry_ns: int
    entry: float


def on_bar(s: State, bar: Bar, p: Params, ctx: Context) -> None:
    """Build the range from the minutes after the open; close what has been held too long."""
    since_open_ns = bar.ts_event_ns % DAY_NS - p.open_minute * MINUTE_NS
    if since_open_ns < 0:
        return
    if bar.ts_event_ns // DAY_NS != s.day:
        start_day(s, bar.ts_event_ns // DAY_NS, ctx)
    vwap.update(s.vwap, bar.vwap, bar.volume)
    if since_open_ns < p.minutes * MINUTE_NS:
        extremes.update(s.range, bar.high, bar.low)
    elif s.phase == Phase.BUILDING and extremes.ready(s.range, 1):
        say(ctx, Message.RANGE, s.range.high, s.range.low)
        go(s, ctx, Phase.WATCHING, Reason.RANGE_COMPLETE)
    if s.phase == Phase.LONG and ctx.now_ns - s.ts_entry_ns >= p.hold_minutes * MINUTE_NS:
        cancel(ctx)  # what is left of the entry, and the protective orders
        leave(ctx)
    show(ctx, Shown.RANGE_HIGH, s.range.high)
    show(ctx, Shown.RANGE_LOW, s.range.low)
    show(ctx, Shown.VWAP, s.vwap.value)


def on_quote(s: State, quote: Quote, p: Params, ctx: Context) -> None:
    """Once the range stands, buy the break of its high: if it holds above vwap, is cheap to trade and not halted."""
    if s.phase != Phase.WATCHING:
        return
    if not at_least(ctx, Gate.BREAKOUT, quote.bid, s.range.high):
        return
    if not at_least(ctx, Gate.VWAP, quote.bid, s.vwap.value):
        return
    if not passes(ctx, Gate.SPREAD, ctx.spread_bps, p.spread_bps):
        return
    if not passes(ctx, Gate.HALT, float(ctx.halted), 0.0):
        return
    stop = (s.range.high + s.range.low) * 0.5
    target = quote.ask + (quote.ask - stop) * p.target_r
    enter(ctx, Side.BUY, risk=p.risk_usd, limit=quote.ask, stop=stop, target=target, score=-ctx.spread_bps, tag=1)
    go(s, ctx, Phase.ENTERING, Reason.BREAKOUT)


def on_fill(s: State, fill: Fill, _p: Params, ctx: Context) -> None:
    """A position begins with its first fill, not when the order was sent, and ends with its last."""
    if s.phase == Phase.ENTERING:
        s.entry = fill.price
        s.ts_entry_ns = ctx.now_ns
        go(s, ctx, Phase.LONG, Reason.FILLED)
    elif s.phase == Phase.LONG and fill.position == 0.0:
        say(ctx, Message.STOPPED, fill.price, s.entry)
        go(s, ctx, Phase.DONE, Reason.CLOSED)


def on_order(s: State, order: OrderUpdate, _p: Params, ctx: Context) -> None:
    """An entry that came to nothing is today's only one."""
    is_over = order.state in (OrderState.REFUSED, OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED)
    if s.phase == Phase.ENTERING and is_over:
        say(ctx, Message.REFUSED)
        go(s, ctx, Phase.DONE, Reason.REFUSED)


def start_day(s: State, day: int, ctx: Context) -> None:
    """A new day, a new range; what is under way from yesterday keeps its phase."""
    s.day = day
    extremes.reset(s.range)
    vwap.reset(s.vwap)
    if s.phase in (Phase.WATCHING, Phase.DONE):
        go(s, ctx, Phase.BUILDING, Reason.NEW_DAY)


strategy = Strategy(
    "opening_range",
    Params,
    State,
    on_bar=on_bar,
    on_quote=on_quote,
    on_fill=on_fill,
    on_order=on_order,
    bars=Bars("1m"),
    phases=Phase,
    gates=Gate,
    reasons=Reason,
    messages=Message,
    outputs=Shown,
)
