"""Fills where there are no quotes, only bars."""

from core_day import Day
from core_fills import FAST, fills, states
from core_probe import probe

from pipeline.codes import Kind, Liquidity, Side, TimeInForce
from pipeline.core.verbs import enter


def test_without_quotes_a_market_order_gets_the_open_of_the_next_whole_bar():
    plan = probe(
        on_quote=None, on_timer=lambda s, e, p, ctx: enter(ctx, Side.BUY, quantity=100) if e.interval_ns == 7 else None
    )
    day = Day().bar(60, 0, (10, 11, 9, 10)).add(Kind.TIMER, 90, 0, interval_ns=7).bar(120, 60, (11, 12, 10, 11))
    day.bar(180, 120, (12, 13, 12, 12), volume=70).bar(240, 180, (14, 14, 14, 14))
    _, derived = day.run([plan], FAST)
    assert fills(derived) == [(5, Side.BUY, 12.0, 70, Liquidity.UNKNOWN), (6, Side.BUY, 14.0, 30, Liquidity.UNKNOWN)]


def test_without_quotes_a_limit_needs_a_bar_that_trades_through_it():
    plan = probe(on_quote=None, on_timer=lambda s, e, p, ctx: enter(ctx, Side.BUY, quantity=10, limit=9.5, stop=9.0))
    day = Day().bar(60, 0, (10, 11, 9, 10)).timer(61).bar(180, 120, (10, 10, 9.5, 10)).bar(240, 180, (10, 10, 9.4, 10))
    day.bar(400, 300, (8.5, 9, 8, 8))
    _, derived = day.run([plan], FAST)
    assert fills(derived) == [(5, Side.BUY, 9.5, 10, Liquidity.UNKNOWN), (6, Side.SELL, 8.5, 10, Liquidity.UNKNOWN)]


def on_first_timer(**order):
    """Without quotes: an order at the first timer, once a bar has given a reference price."""

    def on_timer(s, event, p, ctx):
        s.calls += 1
        if s.calls == 1:
            enter(ctx, Side.BUY, **order)

    return probe(on_quote=None, on_timer=on_timer)


def bar_day(*bars):
    day = Day().bar(60, 0, (10, 10, 10, 10)).timer(61)
    for i, (prices, volume) in enumerate(bars, 2):
        day.bar(60 * i + 60, 60 * i, prices, volume)
    return day


def test_a_bar_fills_all_or_nothing_of_a_fill_or_kill():
    plan = on_first_timer(quantity=10, limit=11.0, time_in_force=TimeInForce.FOK)
    _, derived = bar_day(((10, 10, 10, 10), 9), ((10, 10, 10, 10), 99)).run([plan], FAST)
    assert fills(derived) == []
    assert states(derived)[-1] == "CANCELLED"


def test_a_stop_fills_at_the_worse_of_its_trigger_and_the_open_of_a_bar():
    for prices, paid in (((10, 12, 10, 11), 11.0), ((11.5, 12, 11, 11), 11.5)):
        _, derived = bar_day((prices, 99)).run([on_first_timer(quantity=10, trigger=11.0)], FAST)
        assert fills(derived) == [(4, Side.BUY, paid, 10, Liquidity.UNKNOWN)]


def test_a_stop_limit_woken_in_a_bar_waits_for_the_next():
    bars = (((10, 12, 10, 12), 99), ((12, 12, 11.2, 12), 99), ((12, 12, 11, 12), 99))
    _, derived = bar_day(*bars).run([on_first_timer(quantity=10, trigger=11.0, limit=11.2)], FAST)
    assert fills(derived) == [(6, Side.BUY, 11.2, 10, Liquidity.UNKNOWN)]


def test_bars_of_another_length_fill_nothing():
    day = bar_day().bar(500, 120, (10, 10, 10, 10), seconds=300)
    assert fills(day.run([on_first_timer(quantity=10)], FAST)[1]) == []
