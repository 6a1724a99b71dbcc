"""EMA cross: long while the fast average of the middle price is above the slow one, flat while it is below."""

from enum import IntEnum

from pipeline.codes import OrderState, Side
from pipeline.core.context import Context
from pipeline.core.market import Fill, OrderUpdate, Quote
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import cancel, enter, go, leave, passes
from pipeline.indicators import ema
from pipeline.indicators.ema import Ema


class Phase(IntEnum):
    """Where an instrument stands."""

    FLAT = 0
    ENTERING = 1
    LONG = 2
    LEAVING = 3
    SITTING_OUT = 4


class Gate(IntEnum):
    """What may hold an entry back."""

    SPREAD = 1


class Reason(IntEnum):
    """Why a phase changed."""

    CROSSED_UP = 1
    CROSSED_DOWN = 2
    FILLED = 3
    CLOSED = 4
    REFUSED = 5


@params
class Params:
    """What may be set."""

    fast: int = param(20, low=2, high=500, help="quotes of the fast average")
    slow: int = param(100, low=3, high=2_000, help="quotes of the slow average")
    notional: float = param(10_000.0, low=0.0, high=1e9, help="amount of each entry, quote currency")
    spread_bps: float = param(50.0, low=0.0, high=10_000.0, help="widest spread to enter at")


@state
class State:
    """What is remembered of each instrument."""

    phase: Phase = Phase.FLAT
    fast: Ema
    slow: Ema


def on_quote(s: State, quote: Quote, p: Params, ctx: Context) -> None:
    """Fold the middle price, then act on the side of the cross it is on."""
    if not quote.ask >= quote.bid:  # crossed, or one side is missing
        return
    middle = (quote.bid + quote.ask) * 0.5
    ema.update(s.fast, middle, p.fast)
    ema.update(s.slow, middle, p.slow)
    if not ema.ready(s.slow, p.slow):
        return
    if s.phase == Phase.FLAT and s.fast.value > s.slow.value:
        if passes(ctx, Gate.SPREAD, ctx.spread_bps, p.spread_bps):
            enter(ctx, Side.BUY, notional=p.notional)
            go(s, ctx, Phase.ENTERING, Reason.CROSSED_UP)
    elif s.phase == Phase.LONG and s.fast.value < s.slow.value:
        if ctx.open_orders > 0:  # an entry fills in parts: what is not filled yet is wished no longer
            cancel(ctx)
        leave(ctx)
        go(s, ctx, Phase.LEAVING, Reason.CROSSED_DOWN)
    elif s.phase == Phase.LEAVING and ctx.open_orders == 0:
        close(s, ctx)
    elif s.phase == Phase.SITTING_OUT and s.fast.value < s.slow.value:
        go(s, ctx, Phase.FLAT, Reason.CROSSED_DOWN)


def on_fill(s: State, fill: Fill, _p: Params, ctx: Context) -> None:
    """A position begins with its first fill, not when the order was sent; one that others closed is not taken anew before the next cross."""
    if s.phase == Phase.ENTERING:
        go(s, ctx, Phase.LONG, Reason.FILLED)
    elif s.phase == Phase.LONG and fill.position == 0.0:  # a scanner dropped the symbol, or the operator's hand
        go(s, ctx, Phase.SITTING_OUT, Reason.CLOSED)


def close(s: State, ctx: Context) -> None:
    """Nothing works any more: flat, or the entry filled on while its cancel was under way, and the rest must go too."""
    if ctx.position == 0.0:
        go(s, ctx, Phase.FLAT, Reason.CLOSED)
    else:
        leave(ctx)


def on_order(s: State, order: OrderUpdate, _p: Params, ctx: Context) -> None:
    """An entry that came to nothing is not tried again before the next cross."""
    is_over = order.state in (OrderState.REFUSED, OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED)
    if s.phase == Phase.ENTERING and is_over:
        go(s, ctx, Phase.SITTING_OUT, Reason.REFUSED)


strategy = Strategy(
    "ema_cross",
    Params,
    State,
    on_quote=on_quote,
    on_fill=on_fill,
    on_order=on_order,
    phases=Phase,
    gates=Gate,
    reasons=Reason,
)
