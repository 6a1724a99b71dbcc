"""Strategies that want too much of everything, all at once, again as soon as they are refused: both speeds run them."""

from pipeline.codes import Side
from pipeline.core.dialect import NAN
from pipeline.core.params import param, params
from pipeline.core.state import state
from pipeline.core.strategy import Plan, Strategy
from pipeline.core.verbs import cancel, enter, leave


@params
class Params:
    seed: int = param(1, low=1, high=1_000_000)


@state
class State:
    dice: int
    order_id: int


def throw(s, p, sides):
    if s.dice == 0:
        s.dice = p.seed
    s.dice = (s.dice * 1_103_515_245 + 12_345) % 2_147_483_648
    return s.dice // 65_536 % sides


def want(s, p, ctx):
    """One or two entries of one side at whatever price and size."""
    side = Side.BUY if throw(s, p, 3) > 0 else Side.SELL
    far = ctx.ask if side == Side.BUY else ctx.bid
    for _ in range(1 + throw(s, p, 2)):
        kind = throw(s, p, 4)
        off = float(throw(s, p, 7) - 4) * 0.01 * float(side)
        sizing = throw(s, p, 6)
        enter(
            ctx, side, quantity=NAN if sizing == 0 else float(1 + throw(s, p, 60)) * (1e6 if sizing == 1 else 1.0),
            notional=500.0 * float(throw(s, p, 5)) if sizing == 0 else NAN,
            limit=far + off if kind == 1 else NAN,
            trigger=far - off if kind == 2 else NAN,
            stop=far - 0.2 * float(side) if throw(s, p, 3) == 0 else NAN,
            oco=throw(s, p, 5) == 0, tag=throw(s, p, 2),
            score=float(throw(s, p, 10)) if throw(s, p, 4) > 0 else NAN,
        )  # fmt: skip


def on_quote(s, quote, p, ctx):
    what = throw(s, p, 12)
    if what < 4:
        want(s, p, ctx)
    elif what < 6:
        leave(ctx)
    elif what == 6:
        cancel(ctx)
    elif what == 7:
        cancel(ctx, s.order_id)
        want(s, p, ctx)


def on_timer(s, timer, p, ctx):
    if throw(s, p, 2) == 0:
        want(s, p, ctx)
    elif throw(s, p, 6) == 0:
        leave(ctx)


def on_order(s, order, p, ctx):
    s.order_id = order.order_id
    if order.order_id == 0 and throw(s, p, 4) == 0:
        want(s, p, ctx)


def on_fill(s, fill, p, ctx):
    if throw(s, p, 4) == 0:
        want(s, p, ctx)


STRATEGIES = tuple(
    Strategy(name, Params, State, on_quote=on_quote, on_timer=on_timer, on_order=on_order, on_fill=on_fill)
    for name in ("first", "second", "third")
)


def plans(seed):
    """Three of them that throw different dice."""
    return [Plan(strategy, Params(seed=seed * 3 + i)) for i, strategy in enumerate(STRATEGIES)]
