"""Trailing stops, orders that stand until a date, and orders of which one cancels the other."""

import math

import pytest
from core_day import START_NS, Day, nano, open_orders
from core_fills import FAST, buy, fills, run, sell, states
from core_probe import probe

from pipeline.codes import IntentOutcome, Kind, Liquidity, OrderReason, OrderState, OrderType, Side, TimeInForce
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import enter, leave
from pipeline.core.waking import trailed_nano
from pipeline.core.world import ORDER
from pipeline.units import ABSENT, INT64_MAX, NANO


def after(seconds):
    return START_NS + seconds * NANO


def bought(**order):
    """A hundred shown at 10.1 and bought; what protects them is at the venue from 3 s on."""
    return {1: buy(quantity=50, **order)}, Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.0, 10.1)


def test_a_trailing_stop_follows_the_best_quote_and_never_goes_back():
    script, day = bought(trail=0.5)
    day.quote(4, 11.0, 11.1).quote(5, 10.6, 10.7).quote(6, 10.5, 10.6).quote(7, 11.0, 11.1)
    derived = run(day, script)
    assert fills(derived)[1:] == [(7, Side.SELL, 10.5, 50, Liquidity.TAKER)]
    legs = [row for row in derived[Kind.ORDER] if row["order_id"] == 2]
    assert {(row["order_type"], row["trail_nano"]) for row in legs} == {(OrderType.TRAILING_STOP, nano(0.5))}
    assert [row["trigger_nano"] for row in legs] == [ABSENT, ABSENT, ABSENT, nano(10.5)]


def test_a_trailing_stop_begins_at_its_stop():
    script, day = bought(stop=9.8, trail=0.5)
    derived = run(day.quote(4, 9.81, 9.9).quote(5, 9.8, 9.9), script)
    assert fills(derived)[1:] == [(6, Side.SELL, 9.8, 50, Liquidity.TAKER)]


def test_a_position_is_left_by_a_trailing_stop_on_either_side():
    script = {1: sell(quantity=50), 2: lambda s, event, ctx: leave(ctx, trail=0.3)}
    day = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.0, 10.1).timer(5).quote(6, 9.0, 9.1).quote(7, 9.2, 9.39)
    derived = run(day.quote(8, 9.3, 9.4), script)
    assert fills(derived)[1:] == [(8, Side.BUY, 9.4, 50, Liquidity.TAKER)]


def test_a_position_is_left_by_a_stop():
    script = {1: buy(quantity=50), 2: lambda s, event, ctx: leave(ctx, trigger=9.5)}
    derived = run(Day().quote(0, 10, 10.1).timer(2).quote(3, 10, 10.1).timer(5).quote(6, 9.4, 9.5), script)
    assert fills(derived)[1:] == [(6, Side.SELL, 9.4, 50, Liquidity.TAKER)]


def test_a_size_by_risk_goes_by_the_stop_else_by_the_distance_at_which_it_trails():
    def wishes(s, event, ctx):
        enter(ctx, Side.BUY, risk=100.0, trail=0.5)
        enter(ctx, Side.BUY, risk=100.0, limit=10.0, stop=9.0, trail=0.5)

    derived = run(Day().quote(0, 10.0, 10.1), {1: wishes})
    assert derived.column(Kind.INTENT, "quantity_steps") == [200, 100]
    assert derived.column(Kind.INTENT, "trail_nano") == [nano(0.5)] * 2


def test_no_distance_at_all_is_invalid_and_so_is_a_date_that_is_none():
    def wishes(s, event, ctx):
        for trail in (0.0, -0.5, math.inf, 1e-10, 4e9):
            enter(ctx, Side.BUY, quantity=1, trail=trail)
        enter(ctx, Side.BUY, quantity=1, time_in_force=TimeInForce.GTD)
        enter(ctx, Side.BUY, quantity=1, expires_ns=-1)

    derived = run(Day().quote(0, 10.0, 10.1), {1: wishes})
    assert derived.column(Kind.INTENT, "outcome") == [IntentOutcome.INVALID] * 7
    script = {1: buy(quantity=50), 2: lambda s, event, ctx: leave(ctx, limit=11.0, trail=0.5)}
    derived = run(Day().quote(0, 10, 10.1).timer(2).quote(3, 10, 10.1), script)
    assert derived.column(Kind.INTENT, "outcome") == [IntentOutcome.TAKEN, IntentOutcome.INVALID]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_quote_that_is_no_price_moves_no_trigger(side):
    order = ORDER.new()
    order.side, order.trail_nano = side, INT64_MAX // 4
    assert trailed_nano(order, INT64_MAX) == ABSENT
    assert trailed_nano(order, -INT64_MAX) == ABSENT
    assert trailed_nano(order, nano(1)) == nano(1) + side * (INT64_MAX // 4)


def test_an_order_stands_until_its_date_and_no_longer():
    day = Day().quote(0, 10.0, 10.1).timer(2).quote(5, 10.0, 10.1).quote(6, 8.9, 9.0)
    derived = run(day, {1: buy(quantity=10, limit=9.0, expires_ns=after(6))})
    assert fills(derived) == []
    assert states(derived) == ["APPROVED", "SUBMITTED", "ACCEPTED", "EXPIRED"]
    last = derived[Kind.ORDER][-1]
    assert (last["seq"], last["reason"], last["expires_ns"]) == (5, OrderReason.TIME_IN_FORCE, after(6))
    assert last["time_in_force"] == TimeInForce.GTD
    derived = run(day, {1: buy(quantity=10, limit=9.0, expires_ns=after(6) + 1)})
    assert fills(derived) == [(5, Side.BUY, 9.0, 10, Liquidity.MAKER)]


def test_an_order_whose_date_is_past_when_it_arrives_does_not_outlast_its_arrival():
    derived = run(Day().quote(0, 10.0, 10.1).timer(2), {1: buy(quantity=10, limit=9.0, expires_ns=after(1))})
    assert states(derived)[-2:] == ["ACCEPTED", "EXPIRED"]


def test_what_protects_an_entry_that_expires_shrinks_to_what_it_filled():
    day = Day().quote(0, 10.0, 10.1, ask_size=60).timer(2).quote(3, 10.0, 10.2).timer(5).quote(6, 10.0, 10.2).timer(8)
    day.quote(9, 9.0, 12.0, bid_size=500)
    script = {1: buy(quantity=100, limit=10.1, stop=9.5, expires_ns=after(4)), 3: buy(quantity=80)}
    derived = run(day, script)
    assert [row["quantity_steps"] for row in derived[Kind.FILL] if row["side"] == Side.SELL] == [60]


def both_ways(s, event, ctx):
    enter(ctx, Side.BUY, quantity=10, trigger=10.5, oco=True, tag=7)
    enter(ctx, Side.SELL, quantity=10, trigger=9.5, oco=True, tag=7)
    enter(ctx, Side.SELL, quantity=10, trigger=9.5, oco=True, tag=8)
    enter(ctx, Side.SELL, quantity=10, trigger=9.5, tag=7)


def test_the_first_of_a_tag_that_fills_cancels_the_others_a_latency_later():
    day = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.5, 10.6).quote(3.5, 10.5, 10.6).timer(4)
    engine, derived = day.run([probe_of(both_ways)], FAST)
    assert fills(derived) == [(4, Side.BUY, 10.6, 10, Liquidity.TAKER)]
    assert states(derived, 2)[-2:] == ["CANCEL_PENDING", "CANCELLED"]
    pending = next(row for row in derived[Kind.ORDER] if row["state"] == OrderState.CANCEL_PENDING)
    filled = derived[Kind.FILL][0]
    assert (pending["seq"], pending["reason"]) == (4, OrderReason.ONE_CANCELS_OTHER)
    assert (pending["cause_seq"], pending["cause_ord"]) == (filled["seq"], filled["ord"])
    assert derived[Kind.ORDER][-1]["seq"] == 6
    assert [order.order_id for order in open_orders(engine)] == [3, 4]


def test_in_a_market_that_is_faster_than_the_cancel_both_fill():
    day = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.5, 10.6).quote(3.5, 9.4, 9.5, bid_size=10)
    assert [side for _, side, *_ in fills(run(day, {1: both_ways}))] == [Side.BUY, Side.SELL]


def probe_of(act):
    return probe({1: act})


def on_timer(**order):
    """Without quotes: an order at the first timer, once a bar has given a reference price."""

    def act(s, event, p, ctx):
        s.calls += 1
        if s.calls == 1:
            enter(ctx, Side.BUY, **order)

    return probe(on_quote=None, on_timer=act)


def bars(*prices):
    day = Day().bar(60, 0, (10, 10, 10, 10)).timer(61)
    for i, each in enumerate(prices, 2):
        day.bar(60 * i + 60, 60 * i, each)
    return day


BARS = EngineSettings(latency_ns=NANO, quote_age_ns_max=10**15)


def test_in_a_bar_a_trailing_stop_goes_off_where_it_stood_if_the_bar_reaches_that():
    day = bars((10, 10, 10, 10), (10, 10, 10, 10), (11, 11, 10.8, 11), (11.2, 12, 10.4, 11.5))
    derived = day.run([on_timer(quantity=10, trail=0.5)], BARS)[1]
    assert fills(derived)[1:] == [(7, Side.SELL, 10.5, 10, Liquidity.UNKNOWN)]


def test_in_a_bar_a_trailing_stop_follows_the_best_price_before_the_worst_reaches_it():
    day = bars((10, 10, 10, 10), (10, 10, 10, 10), (10.2, 12, 10.2, 12))
    derived = day.run([on_timer(quantity=10, trail=0.5)], BARS)[1]
    assert fills(derived)[1:] == [(6, Side.SELL, 11.5, 10, Liquidity.UNKNOWN)]


def test_a_bar_that_reaches_stop_and_target_is_a_loss():
    day = bars((10, 10, 10, 10), (10, 10, 10, 10), (10, 12, 8, 11))
    derived = day.run([on_timer(quantity=10, stop=9.0, target=11.0)], BARS)[1]
    assert fills(derived)[1:] == [(6, Side.SELL, 9.0, 10, Liquidity.UNKNOWN)]
    assert states(derived, 3)[-1] == "CANCELLED"
