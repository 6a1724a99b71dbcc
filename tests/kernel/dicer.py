"""A strategy that throws dice: every verb, every type of order, every way of sizing, sane and insane; fails where it is told."""

from enum import IntEnum

from pipeline.codes import Side, TimeInForce
from pipeline.core.dialect import INF, NAN
from pipeline.core.params import param, params
from pipeline.core.state import IntArray, array, state
from pipeline.core.strategy import Bars, Strategy
from pipeline.core.verbs import at_least, cancel, enter, go, leave, passes, say, show


class Phase(IntEnum):
    EVEN = 0
    ODD = 1


class Code(IntEnum):
    ONE = 1
    TWO = 2


@params
class Params:
    seed: int = param(1, low=1, high=1_000_000)
    fail_at: int = param(10**9, low=1)
    size: float = param(30.0, low=0.0)


@state
class State:
    phase: Phase = Phase.EVEN
    dice: int
    calls: int
    order_id: int
    thrown: IntArray = array(int, 12)


@state
class Shared:
    calls: int


def throw(s, p, sides):
    if s.dice == 0:
        s.dice = p.seed
    s.dice = (s.dice * 1_103_515_245 + 12_345) % 2_147_483_648
    return s.dice // 65_536 % sides


def touch(s, p, ctx):
    """Half of what a handler does, and then it fails, where it is told to."""
    s.calls += 1
    ctx.shared.calls += 1
    s.thrown[s.calls % 12] = s.calls
    if ctx.clock.seq == p.fail_at:
        say(ctx, Code.TWO, 1.0)
        go(s, ctx, Phase.ODD, Code.TWO)
        enter(ctx, Side.BUY, quantity=p.size)
        assert s.calls < 0


def on_quote(s, quote, p, ctx):
    touch(s, p, ctx)
    what = throw(s, p, 14)
    if what < 9:
        wish(s, quote, p, ctx)
    elif what == 9:
        leave(ctx)
    elif what == 10:
        leave(ctx, quantity=p.size * 0.3, limit=quote.bid, extended=throw(s, p, 2) == 0)
    elif what == 11 and throw(s, p, 3) == 0:
        leave(ctx, trail=0.02, trigger=quote.bid - 0.1 if throw(s, p, 2) == 0 else NAN)
    elif what == 11:
        cancel(ctx)
    elif what == 12:
        cancel(ctx, s.order_id)
    elif passes(ctx, Code.ONE, ctx.spread_bps, 20.0) and at_least(ctx, Code.TWO, quote.bid_size, 10.0):
        show(ctx, Code.ONE, ctx.position)


def wish(s, quote, p, ctx):
    side = Side.BUY if throw(s, p, 2) == 0 else Side.SELL
    far = quote.ask if side == Side.BUY else quote.bid
    off = float(throw(s, p, 9) - 4) * 0.01 * float(side)
    if throw(s, p, 40) == 0:
        off = 5.0  # outside of any collar
    kind = throw(s, p, 4)
    limit = far + off if kind in (1, 3) else NAN
    trigger = far - off if kind in (2, 3) else NAN
    if throw(s, p, 60) == 0:
        limit = INF
    quantity = notional = risk = NAN
    sizing = throw(s, p, 8)
    if sizing < 4:
        quantity = p.size * float(throw(s, p, 5))
    elif sizing == 4:
        quantity = 1e7
    elif sizing == 5:
        notional = 500.0 * float(throw(s, p, 4))
    elif sizing == 6:
        risk = 5.0
    in_force = TimeInForce.DAY
    life = throw(s, p, 6)
    if life == 1:
        in_force = TimeInForce.IOC
    elif life == 2:
        in_force = TimeInForce.FOK
    elif life == 3:
        in_force = TimeInForce.GTC
    elif life == 4 and throw(s, p, 2) == 0:
        in_force = TimeInForce.OPENING if throw(s, p, 2) == 0 else TimeInForce.CLOSING
    expires_ns = ctx.now_ns + 2_000_000_000 if throw(s, p, 2) == 0 else 0
    guarded = throw(s, p, 3)
    stop = far - 0.05 * float(side) if guarded > 0 or sizing == 6 else NAN
    target = far + 0.05 * float(side) if guarded == 2 else NAN
    if throw(s, p, 3) > 0:
        enter(
            ctx, side, quantity=quantity, notional=notional, risk=risk, limit=limit, trigger=trigger, stop=stop,
            target=target, time_in_force=in_force, post_only=throw(s, p, 8) == 0, tag=throw(s, p, 100), score=far,
        )  # fmt: skip
    else:
        enter(
            ctx, side, quantity=quantity, notional=notional, risk=risk, limit=limit, trigger=trigger, stop=stop,
            trail=0.03 if throw(s, p, 2) == 0 else NAN, expires_ns=expires_ns, extended=throw(s, p, 2) == 0,
            oco=throw(s, p, 2) == 0, tag=throw(s, p, 2),
        )  # fmt: skip
    go(s, ctx, Phase.ODD if s.phase == Phase.EVEN else Phase.EVEN, Code.ONE)


def on_print(s, seen, p, ctx):
    touch(s, p, ctx)
    if throw(s, p, 5) == 0:
        say(ctx, Code.ONE, seen.price, seen.size, ctx.cash)


def on_bar(s, bar, p, ctx):
    touch(s, p, ctx)
    show(ctx, Code.TWO, bar.close)
    if throw(s, p, 4) == 0:
        enter(ctx, Side.SELL, quantity=p.size, target=bar.close - 0.1, stop=bar.close + 0.1)


def on_order(s, order, p, ctx):
    touch(s, p, ctx)
    s.order_id = order.order_id


def on_fill(s, fill, p, ctx):
    touch(s, p, ctx)
    say(ctx, Code.TWO, fill.price, fill.quantity, fill.position)


def on_status(s, status, p, ctx):
    touch(s, p, ctx)


def on_timer(s, timer, p, ctx):
    touch(s, p, ctx)
    if ctx.stale or ctx.halted:
        leave(ctx)


def on_feed(s, notice, p, ctx):
    touch(s, p, ctx)


strategy = Strategy(
    "dicer", Params, State, shared=Shared, bars=Bars("2s"), phases=Phase, on_quote=on_quote, on_print=on_print, on_bar=on_bar,
    on_order=on_order, on_fill=on_fill, on_status=on_status, on_timer=on_timer, on_feed=on_feed,
)  # fmt: skip
