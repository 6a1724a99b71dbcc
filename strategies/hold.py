"""Hold: buy once, at the first sound quote, and keep it. What every other strategy is measured against."""

from enum import IntEnum

from pipeline.codes import OrderState, Side
from pipeline.core.context import Context
from pipeline.core.market import Fill, OrderUpdate, Quote
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import enter, go


class Phase(IntEnum):
    """Where an instrument stands."""

    WAITING = 0
    BUYING = 1
    HOLDING = 2
    REFUSED = 3
    SOLD = 4


class Reason(IntEnum):
    """Why a phase changed."""

    QUOTED = 1
    FILLED = 2
    REFUSED = 3
    CLOSED = 4


@params
class Params:
    """What may be set."""

    notional: float = param(10_000.0, low=0.0, high=1e9, help="amount to buy of each instrument, quote currency")


@state
class State:
    """What is remembered of each instrument."""

    phase: Phase = Phase.WAITING


def on_quote(s: State, quote: Quote, p: Params, ctx: Context) -> None:
    """Buy at market once there is something to buy from."""
    if s.phase == Phase.WAITING and quote.ask > quote.bid and not ctx.halted:
        enter(ctx, Side.BUY, notional=p.notional)
        go(s, ctx, Phase.BUYING, Reason.QUOTED)


def on_fill(s: State, fill: Fill, _p: Params, ctx: Context) -> None:
    """The first fill makes it a position; whoever closes it, a scanner that drops the symbol or the operator, it is not this strategy."""
    if s.phase == Phase.BUYING:
        go(s, ctx, Phase.HOLDING, Reason.FILLED)
    elif s.phase == Phase.HOLDING and fill.position == 0.0:
        go(s, ctx, Phase.SOLD, Reason.CLOSED)


def on_order(s: State, order: OrderUpdate, _p: Params, ctx: Context) -> None:
    """An order that never came to be is not tried again."""
    is_over = order.state in (OrderState.REFUSED, OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED)
    if s.phase == Phase.BUYING and is_over:
        go(s, ctx, Phase.REFUSED, Reason.REFUSED)


strategy = Strategy(
    "hold", Params, State, on_quote=on_quote, on_fill=on_fill, on_order=on_order, phases=Phase, reasons=Reason
)
