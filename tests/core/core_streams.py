"""A seeded stream of every kind the engine looks into, and strategies that use every verb. Run it to print its hashes."""

import random
import sys
from enum import IntEnum
from pathlib import Path

from core_day import Day, Derived

from pipeline.codes import Kind, Mark, Origin, RequestAction, Side, TradingStatus
from pipeline.core.engine import Engine, Plan
from pipeline.core.params import param, params
from pipeline.core.settings import EngineSettings
from pipeline.core.state import FloatArray, array, state
from pipeline.core.strategy import Bars, Strategy
from pipeline.core.verbs import at_least, cancel, enter, go, leave, passes, say, show
from pipeline.units import NANO


class Phase(IntEnum):
    IDLE = 0
    BUSY = 1


class Gate(IntEnum):
    SPREAD = 1
    SIZE = 2


class Code(IntEnum):
    ONE = 1
    TWO = 2


@params
class Params:
    size: float = param(30.0, low=1.0)
    room: int = param(4, low=1, high=8)


@state
class Shared:
    fills: int


@state
class State:
    phase: Phase = Phase.IDLE
    quotes: int
    middles: FloatArray = array(float, "room")


def on_quote(s, quote, p, ctx):
    s.middles[s.quotes % p.room] = (quote.bid + quote.ask) * 0.5
    s.quotes += 1
    if not passes(ctx, Gate.SPREAD, ctx.spread_bps, 150.0) or not at_least(ctx, Gate.SIZE, quote.ask_size, 5.0):
        return
    if s.phase == Phase.IDLE and s.quotes % 3 == 0:
        side = Side.BUY if s.quotes % 2 else Side.SELL
        price = quote.ask if side == Side.BUY else quote.bid
        away = 0.3 * side
        enter(ctx, side, quantity=p.size, limit=price, stop=price - away, target=price + away, score=ctx.spread_bps)
        go(s, ctx, Phase.BUSY, Code.ONE)
    elif s.phase == Phase.BUSY and s.quotes % 5 == 0:
        cancel(ctx)
        leave(ctx)
        go(s, ctx, Phase.IDLE, Code.TWO)


def on_bar(s, bar, p, ctx):
    show(ctx, Code.ONE, bar.close)
    show(ctx, Code.TWO, float(ctx.position))


def on_print(s, seen, p, ctx):
    if seen.price > 10.6:
        say(ctx, Code.ONE, seen.price, seen.size, ctx.cash)


def on_fill(s, fill, p, ctx):
    ctx.shared.fills += 1
    say(ctx, Code.TWO, fill.price, float(ctx.shared.fills))


def on_order(s, order, p, ctx):
    if order.order_id == 0 and s.phase == Phase.BUSY:
        go(s, ctx, Phase.IDLE, Code.TWO)


def on_timer(s, timer, p, ctx):
    if ctx.stale and ctx.position != 0.0:
        leave(ctx)


BARS = tuple(Bars(size) for size in ("5s", "5t", "60v@session", "0.1r", "1K$"))


def plans():
    first = Strategy(
        "first", Params, State, shared=Shared, bars=BARS, on_quote=on_quote, on_bar=on_bar, on_print=on_print,
        on_fill=on_fill, on_order=on_order, on_timer=on_timer,
    )  # fmt: skip
    second = Strategy("second", Params, State, shared=Shared, on_quote=on_quote, on_fill=on_fill, on_order=on_order)
    return [Plan(first, Params()), Plan(second, Params(size=11.0, room=2))]


SETTINGS = EngineSettings(
    latency_ns=NANO // 4, bar_lateness_ns=NANO, checkpoint_every=50, positions_max=3, fee_per_unit=0.003, fee_bps=0.5
)


def stream(seed=1, count=1_000):
    rng, day, at_s, price = random.Random(seed), Day(("AAA", "BBB", "CCC"), tick=0.01), 0.0, 10.0
    for i in range(count):
        at_s += rng.choice((0.0, 0.05, 0.3, 1.1))
        price = max(9.0, min(11.0, price + rng.uniform(-0.1, 0.1)))
        instrument_id, event_s, roll = rng.randint(1, 3), max(0.0, at_s - rng.choice((0.0, 0.4, 3.0))), rng.random()
        more = {"instrument_id": instrument_id, "event_s": event_s}
        if roll < 0.55:
            spread = rng.choice((-0.01, 0.0, 0.01, 0.02, 0.3))
            day.quote(at_s, price, price + spread, rng.randint(0, 40), rng.randint(0, 40), **more)
        elif roll < 0.8:
            marks = rng.choice((0, 0, 0, Mark.NO_LAST, Mark.CANCEL, Mark.NO_VOLUME))
            origin = rng.choice((Origin.INPUT,) * 6 + (Origin.BACKFILL, Origin.WARMUP))
            day.print(at_s, price, rng.randint(1, 50), marks=int(marks), origin=origin, **more)
        elif roll < 0.84:
            status = rng.choice((TradingStatus.HALTED, TradingStatus.LIMITS) + (TradingStatus.TRADING,) * 4)
            day.status(at_s, status, instrument_id=instrument_id)
        elif roll < 0.86:
            day.bar(at_s, int(at_s) // 5 * 5, (price, price, price, price), seconds=5, instrument_id=3)
        elif roll < 0.88:
            day.add(Kind.NOTE, at_s, 0, text="nothing to do with it")
        elif i == 500:
            day.add(Kind.REQUEST, at_s, 0, action=RequestAction.FLATTEN, target="AAA")
        else:
            day.timer(at_s)
    return day


def outcome(day, size):
    engine, derived = Engine(plans(), SETTINGS), Derived()
    for batch in day.batches(size):
        derived.take(engine.reduce(batch))
    return engine, derived


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    ran, _ = outcome(stream(), None)
    sys.stdout.write(f"{ran.decisions_hash().hex()} {ran.state_hash().hex()}")
