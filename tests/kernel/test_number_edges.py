"""The edges of numbers and names: what a compiled handler answers there is what the interpreted one does, or it is refused."""

import math
from functools import partial

import pytest
from two_speeds import Derived, packed, stream

from pipeline.codes import Kind
from pipeline.core.engine import Engine, Plan
from pipeline.core.params import params
from pipeline.core.state import FloatArray, IntArray, array, state
from pipeline.core.strategy import Strategy
from pipeline.errors import StrategyError
from pipeline.kernel.build import kernel_of
from pipeline.kernel.engine import CompiledEngine


@params
class Nothing:
    pass


@state
class Edges:
    calls: int
    found: int
    other: int
    level: float
    prices: FloatArray = array(float, 4)
    counts: IntArray = array(int, 4)


def logarithm(s, quote, p, ctx):
    s.calls += 1
    s.level = math.log(float(9 - s.calls))


def root(s, quote, p, ctx):
    s.calls += 1
    s.level = math.sqrt(9 - s.calls)


def power(s, quote, p, ctx):
    s.calls += 1
    s.level = math.exp(100.0 * s.calls)


def times(s, quote, p, ctx):
    s.level = float(ctx.now_ns)
    s.calls += 1 if ctx.now_ns == s.level else 0
    s.found += 1 if ctx.now_ns > s.level else 0
    s.other += 1 if s.level >= ctx.now_ns or s.level != ctx.now_ns + 64 else 0


def shifts(s, quote, p, ctx):
    s.calls += 1
    s.found = (1 << (s.calls + 50)) % 1000 + (-7 >> s.calls)
    s.other = 5 >> (30 - s.calls)


def smallest(s, quote, p, ctx):
    s.found = -9223372036854775807 - 1
    s.calls += 1 if abs(s.found) > 0 else 2
    s.other = s.found // (s.calls - 6)


def called(x):
    return x + 1


first_called = called


def called(x):  # the point
    return x + 2


def names(s, quote, p, ctx):
    add = first_called(s.calls)
    s.calls, s.prices[1] = add, quote.bid
    s.found = s.other = called(s.found)


SAME = (logarithm, root, power, times, shifts, smallest, names)


def plan_of(handler):
    return Plan(Strategy(handler.__name__, Nothing, Edges, on_quote=handler), Nothing())


def ran(engine_class, plans):
    engine, derived = engine_class(plans), Derived()
    for batch in stream(3, 150).batches(50):
        derived.take(engine.reduce(batch))
    return engine, derived


def test_both_speeds_answer_alike_at_the_edges():
    plans = [plan_of(handler) for handler in SAME]
    (plain, plain_rows), (fast, fast_rows) = ran(Engine, plans), ran(CompiledEngine, plans)
    assert packed(fast_rows) == packed(plain_rows)
    for handler, one, other in zip(SAME, plain.snapshot().states, fast.snapshot().states, strict=True):
        assert one.tobytes() == other.tobytes(), handler.__name__
    stopped = {row["key"] for row in plain_rows.by_kind[Kind.SESSION]}
    assert stopped == {"logarithm", "root", "power", "shifts", "smallest"}


def into_an_array(s, quote, p, ctx):
    s.counts[1] = quote.bid


def into_two(s, quote, p, ctx):
    s.calls, s.level = quote.bid, quote.ask


def into_both(s, quote, p, ctx):
    s.calls = s.found = quote.bid


def larger(s, quote, p, ctx):
    s.level = float(max(ctx.now_ns, quote.bid))


def either(s, quote, p, ctx):
    s.level = float(ctx.now_ns - (ctx.now_ns if s.calls > 3 else 0.5))


def maybe(calls):  # noqa: RET503  # the point
    if calls > 5:
        return 1


def nothing(s, quote, p, ctx):
    if maybe(s.calls):
        s.calls += 1


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (into_an_array, "an array of int64 can't be given a float64"),
        (into_two, "calls is a int64, and can't be set to a float64"),
        (into_both, "found is a int64, and can't be set to a float64|calls is a int64"),
        (larger, "max of int64 and float64"),
        (either, "an integer here, a float on another way"),
        (nothing, "None at one end and int64 at another"),
    ],
)
def test_what_would_differ_is_refused_in_one_line_that_names_its_own(handler, told):
    with pytest.raises(StrategyError, match=rf"^\S*test_number_edges.py: line \d+: ({told})[^\n]*$"):
        kernel_of((plan_of(handler).strategy,))


@pytest.mark.parametrize("handler", [partial(times, p=None), print])
def test_a_handler_that_is_no_plain_function_is_refused_by_name(handler):
    with pytest.raises(StrategyError, match=r"strategy edges: on_quote is .*; accepted is a plain function"):
        Strategy("edges", Nothing, Edges, on_quote=handler)
