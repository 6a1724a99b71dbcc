"""Handlers as somebody might write them, oddly: both speeds come to the same bytes, or the compiled one is refused."""

import math
from enum import IntEnum
from typing import NamedTuple

import pytest
from two_speeds import Derived, packed, stream

from pipeline.codes import BarBasis, Kind, Mark, OrderState, Side, TimeInForce, TradingStatus
from pipeline.core.dialect import INF, NAN, ipow, mean, std, sum_
from pipeline.core.engine import Engine, Plan
from pipeline.core.params import param, params
from pipeline.core.settings import EngineSettings
from pipeline.core.state import FloatArray, IntArray, array, group, rows, state
from pipeline.core.strategy import Bars, Strategy
from pipeline.core.verbs import at_least, cancel, enter, go, leave, passes, say, show
from pipeline.errors import StrategyError
from pipeline.indicators import ema, sma
from pipeline.indicators.ema import Ema
from pipeline.indicators.sma import Sma
from pipeline.kernel.build import kernel_of
from pipeline.kernel.engine import CompiledEngine

SETTINGS = EngineSettings(checkpoint_every=64, latency_ns=20_000_000, fee_bps=1.0, fee_per_unit=0.003)
WEIGHTS = (0.5, 0.25, 0.25)
COUNTS = (3, -7, 2**40)


class Phase(IntEnum):
    A = 0
    B = 1
    C = 2


class Code(IntEnum):
    ONE = 1
    TWO = 2
    THREE = 3


class Pair(NamedTuple):
    first: float
    second: int


@params
class Params:
    window: int = param(7, low=1, high=64)
    shift: int = param(-3, low=-10, high=10)
    share: float = param(0.3, low=-10.0, high=10.0)


@state
class Inner:
    count: int
    level: float
    steps: FloatArray = array(float, 3)


@state
class State:
    phase: Phase = Phase.A
    i: int
    j: int = -5
    f: float
    g: float = 1.5
    t: bool
    ring: FloatArray = array(float, "window")
    big: FloatArray = array(float, 5_000)
    ints: IntArray = array(int, 9)
    inner: Inner
    ema: Ema
    sma: Sma = group(capacity="window")
    many: list[Inner] = rows(4)


@state
class Shared:
    total: int
    worth: float
    last: IntArray = array(int, 16)


def signs(s, quote, p, ctx):
    """Division and remainder, of integers and floats, below zero and above."""
    s.i += 1
    a = s.i - 40
    b = a % 11 - 5
    if b != 0:
        s.j = a // b * 1_000 + a % b + (-a) // b + (-a) % b
        s.f = float(a) / float(b) + (a / b) + (a // float(b)) + (float(a) % b)
    s.g = float(a) % -0.75 + (-1.5) // 0.4 + 7 // 2.0 + -7 // 2.0 + 7 % -3.0
    s.ints[0] = (s.i * -1) >> 1
    s.ints[1] = (
        int(-3.99) + round(0.5) + round(1.5) + round(-0.5) + math.floor(quote.bid * -3.3) + math.trunc(-quote.bid)
    )
    s.ints[2] = ~s.i ^ (s.j >> 3) | (s.i & 0xFF) << 1


def mixing(s, quote, p, ctx):
    """Integers, floats and truths beside each other."""
    s.i += 1
    s.f = s.i * 0.1 + s.i
    s.g = s.f + p.shift - p.window * quote.bid + True
    s.i += int(s.g) % 3
    s.t = s.i > s.f
    if s.t and s.i == float(s.i):
        s.f += s.t
    s.ints[0] = s.ints[0] + (s.i > 3) + (not s.t)
    s.j = s.t * 3 + (s.t and s.i > 3)
    s.ints[1] = (ctx.now_ns * 31 + s.i) % 1_000_000_007
    s.ints[2] = quote.bid_nano * quote.ask_size_steps % 997
    s.ring[0] = ctx.now_ns / 1e9 - ctx.now_ns / 1_000_000_000


def clamp(x, low=0.0, high=1.0):
    if x < low:
        return low
    if x > high:
        return high
    return x


def scored(bid, ask, weight=0.5):
    middle = (bid + ask) / 2
    return clamp(middle - 10.0, high=weight) - clamp(10.0 - middle, 0.0, weight)


def pair_of(x, n):
    return Pair(x * 2.0, n + 1)


def fold(inner, x):
    inner.count += 1
    inner.level = inner.level * 0.9 + x * 0.1
    inner.steps[inner.count % 3] = inner.level
    return inner.level > 9.9


def step(s):
    s.j = (s.j + 1) % 9
    return s.j


def helpers(s, quote, p, ctx):
    """Defaults, keywords, named tuples, groups handed on, rows behind two names, calls that move what is being read."""
    s.i += 1
    made = pair_of(scored(quote.bid, quote.ask, weight=p.share), s.i)
    s.f, s.ints[0] = made
    for k in range(4):
        if fold(s.many[k], quote.bid + k):
            s.ints[1] += k
    first, other = s.many[1], s.many[s.i % 2]
    first.count += 1
    other.count += 10
    steps = first.steps
    steps[2] = steps[0] * 2.0
    for weight in WEIGHTS:
        s.inner.level += weight
    for count in COUNTS:
        s.inner.count ^= count
    s.ints[step(s)] = step(s) * 10 + step(s)
    s.f, s.g = float(step(s)), float(step(s))
    if (step(s) > 5 and step(s) < 3) or step(s) == 7:
        s.j = 0
    sma.update(s.sma, quote.bid, p.window)
    ema.update(s.ema, s.sma.value if sma.ready(s.sma, p.window) else quote.ask, 5)


def loops(s, quote, p, ctx):
    """Long arrays, steps down, break, continue and else; what a loop leaves in its name."""
    s.i += 1
    s.big[s.i * 37 % 5_000] = quote.bid
    s.big[-1] = quote.ask
    found = -1
    for k in range(4_999, -1, -7):
        if s.big[k] == 0.0:
            continue
        if s.big[k] > 10.0:
            found = k
            break
    else:
        s.j -= 1
    n = 0
    for a in range(10, 0, -3):
        for b in range(a):
            if b == 4:
                break
            n += a * b
        else:
            n += 1_000
            continue
        n -= 1
    last = 5
    for last in range(s.i % 3):
        n += last
    s.ints[0] = n + last + found
    total = 0.0
    for x in s.big:
        total += x * 1.1
    s.f = total
    s.g = sum_(s.big, 5_000) + mean(s.ring, p.window) + std(s.big, 100) + max(s.ints[0], s.j) + len(s.big)
    s.f, s.g = s.g, s.f


def edges(s, quote, p, ctx):
    """NaN, infinities, both zeros, and the smallest floats."""
    s.i += 1
    x = NAN if s.i % 3 == 0 else quote.bid
    s.f = max(x, 1.0) + min(1.0, 2.0) + max(1.0, NAN, 2.0)
    s.g = -0.0 * float(s.i % 2)
    s.t = x != quote.bid or (math.isnan(x) and not math.isinf(x))
    s.ring[0] = min(x, s.g)
    s.ring[1] = max(s.g, x)
    s.ring[2] = min(0.0, -0.0)
    s.ring[3] = INF - x
    s.ring[4] = 1e308 * 10.0 * (-1.0 if s.i % 2 else 1.0)
    s.ring[5] = quote.bid * 1e-310 / 3.0 + math.exp(-745.0) + ipow(1.0001, s.i)
    s.ring[6] = math.log(s.i) + math.sqrt(s.i) + math.exp(s.i % 5)
    s.j = 1 if s.ring[5] < x < 20.0 else 0
    enter(ctx, Side.BUY, quantity=s.ring[3] - s.ring[3], limit=s.ring[4])
    say(ctx, Code.ONE, s.ring[3], s.ring[4], s.g)


def written(s, quote, p, ctx):
    """Integers where a verb takes a float."""
    s.i += 1
    enter(ctx, Side.BUY, quantity=2, limit=10, score=s.i % 5 + 0.5)
    enter(ctx, Side.SELL, notional=-0, stop=-1)
    say(ctx, Code.ONE, 3, -7, 9007199254740992)
    if passes(ctx, Code.TWO, s.f, 3) and at_least(ctx, Code.ONE, 5, quote.bid):
        s.f += 1
        show(ctx, Code.ONE, 4)
    leave(ctx, quantity=1)


def every_verb(s, quote, p, ctx):
    s.i += 1
    for k in range(s.i % 9):
        side = Side.BUY if k % 2 else Side.SELL
        enter(ctx, side, quantity=float(k), limit=quote.bid + k * 0.01, tag=k, score=float(k % 3), post_only=k == 5)
        if k % 4 == 0:
            cancel(ctx)
    if s.i % 7 == 0:
        leave(ctx, limit=quote.ask, tag=-s.i)
    show(ctx, Code.THREE, ctx.position * ctx.average_price + ctx.open_orders)


def told(s, event, p, ctx):
    s.j += event.origin + 1
    say(ctx, Code.ONE, ctx.cash, ctx.bid, float(ctx.time_of_day_ns))
    go(s, ctx, Phase.B if s.phase != Phase.B else Phase.C, Code.TWO)
    if ctx.stale or ctx.halted:
        cancel(ctx)
        leave(ctx)


def filled(s, fill, p, ctx):
    ctx.shared.total += fill.side
    ctx.shared.worth += fill.price * fill.quantity - fill.fee
    ctx.shared.last[ctx.shared.total % 16] = fill.order_id
    if fill.position > 50.0:
        leave(ctx)
    elif fill.position < 0.0:
        enter(ctx, Side.BUY, quantity=-fill.position, stop=fill.price - 0.5, target=fill.price + 0.5)


def ordered(s, order, p, ctx):
    s.f += order.quantity - order.filled
    s.ints[order.state % 9] += order.tag
    if order.state == OrderState.ACCEPTED and order.tag % 3 == 0:
        cancel(ctx, order.order_id)
    if order.state == OrderState.REFUSED and order.tag > 2:
        enter(ctx, Side.BUY, quantity=1, limit=10)


def barred(s, bar, p, ctx):
    s.ints[bar.bar_unit % 9] += max(bar.trade_count, 0)
    s.f = (bar.high - bar.low) / bar.close if bar.close else 0.0
    s.g = bar.vwap if bar.vwap == bar.vwap else -1.0
    if bar.close > bar.open:
        enter(ctx, Side.BUY, notional=200, stop=bar.low - 0.01)
    else:
        leave(ctx)


def printed(s, seen, p, ctx):
    s.f += seen.price * seen.size
    if seen.marks & (Mark.NO_LAST | Mark.CANCEL):
        s.j += 1
    if not ctx.position:
        enter(ctx, Side.BUY, quantity=3, time_in_force=TimeInForce.IOC, limit=seen.price + 0.05)
    else:
        leave(ctx, quantity=ctx.position / 2)


def halted(s, status, p, ctx):
    s.ints[status.status % 9] += 1 + status.reason + status.is_short_restricted
    if status.status == TradingStatus.HALTED:
        leave(ctx)


def made(name, **handlers):
    return Plan(Strategy(name, Params, State, shared=Shared, phases=Phase, **handlers), Params())


BARS = tuple(Bars(size) for size in ("1s", "1m", "65m@regular", "3t", "40v", "1K$", "0.05r", "7t@session"))
BARS += (Bars("5s", BarBasis.QUOTES, revisions=True),)
PLANS = [
    *(made(each.__name__, on_quote=each) for each in (signs, mixing, helpers, loops, edges, written)),
    made(
        "verbs", on_start=told, on_quote=every_verb, on_print=told, on_timer=told, on_status=told, on_feed=told,
        on_fill=filled, on_order=ordered, on_bar=told, bars=BARS,
    ),
    made("events", on_bar=barred, on_print=printed, on_status=halted, bars=BARS),
]  # fmt: skip


def ran(engine_class, plans, day, size=None):
    engine, derived = engine_class(plans, SETTINGS), Derived()
    for batch in day.batches(size):
        derived.take(engine.reduce(batch))
    return engine, derived


def assert_equal(plans, day, size=None):
    plain, rows = ran(Engine, plans, day)
    fast, fast_rows = ran(CompiledEngine, plans, day, size)
    assert packed(fast_rows) == packed(rows)
    assert fast.decisions_hash() == plain.decisions_hash()
    assert fast.state_hash() == plain.state_hash()
    return rows


@pytest.mark.parametrize(("seed", "size"), [(1, None), (9, 137)])
def test_odd_handlers_beside_each_other(seed, size):
    derived = assert_equal(PLANS, stream(seed, 500), size)
    assert not derived[Kind.SESSION]
    assert len(derived[Kind.FILL]) > 50
    assert {row["strategy_id"] for row in derived[Kind.FILL]} >= {6, 7, 8}


def index_past_the_end(s, quote, p, ctx):
    s.i += 1
    s.ints[s.i // 5] = 1


def index_before_the_start(s, quote, p, ctx):
    s.i -= 1
    s.ints[s.i // 4] = 1


def two_arguments(s, quote, p, ctx):
    s.i += 1
    if s.i == 20:
        go(s, ctx, Phase.B, Code.ONE)
    if s.i == 50:
        raise ValueError("in a phase that can't be", s.phase)


def an_enum_in_an_integer(s, quote, p, ctx):
    s.i += 1
    if s.i == 20:
        s.j = Code.TWO
    assert s.i < 50, f"{s.j!r} {quote.bid!r} {ctx.position!r} {ctx.stale!r}"


def too_many_outputs(s, quote, p, ctx):
    s.i += 1
    for k in range(s.i):
        say(ctx, Code.ONE, float(k))


def a_code_too_large(s, quote, p, ctx):
    s.i += 1
    say(ctx, s.i * 1_000)


def a_tag_too_large(s, quote, p, ctx):
    s.i += 1
    enter(ctx, Side.BUY, quantity=1, tag=s.i * 60_000_000)


def a_remainder_of_nothing(s, quote, p, ctx):
    s.i += 1
    s.f = quote.bid % float(40 - s.i)


def smallest_by_minus_one(s, quote, p, ctx):
    s.i = -9223372036854775807 - 1
    s.j = s.i // -1 if quote.bid > 10.1 else s.i % -1


FAILING = [
    index_past_the_end, index_before_the_start, two_arguments, an_enum_in_an_integer, too_many_outputs,
    a_code_too_large, a_tag_too_large, a_remainder_of_nothing, smallest_by_minus_one,
]  # fmt: skip


def test_odd_failures_stop_at_the_same_place_with_the_same_words():
    derived = assert_equal([made(each.__name__, on_quote=each) for each in FAILING], stream(4, 400), 97)
    texts = {row["key"]: row["text"] for row in derived[Kind.SESSION]}
    assert set(texts) == {each.__name__ for each in FAILING}
    assert '("in a phase that can\'t be", 1)' in texts["two_arguments"]
    assert texts["an_enum_in_an_integer"].startswith("AssertionError: 2 ")


def zero_turned_around(s, quote, p, ctx):
    s.f = 0
    s.g = -s.f


def product_of_written_ones(s, quote, p, ctx):
    s.f = 3_000_000_001
    s.g = s.f * s.f - 9_000_000_006_000_000_000


def a_name_that_holds_one(s, quote, p, ctx):
    size = 2
    enter(ctx, Side.BUY, quantity=size)


@pytest.mark.parametrize("handler", [zero_turned_around, product_of_written_ones, a_name_that_holds_one])
def test_an_integer_in_a_float_is_refused_for_it_would_differ(handler):
    with pytest.raises(StrategyError, match="is a float64, and can't be set to a int64"):
        kernel_of((Strategy("probe", Params, State, on_quote=handler),))
