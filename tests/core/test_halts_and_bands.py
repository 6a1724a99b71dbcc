"""Halts, price bands and the short-sale rule at the simulated venue."""

import pytest
from core_day import Day, nano
from core_fills import FAST, buy, fills, run, sell, states
from core_probe import probe

from pipeline.codes import Liquidity, Side, TimeInForce, TradingStatus
from pipeline.core.settings import SHORT_ALWAYS, EngineSettings
from pipeline.core.verbs import enter
from pipeline.units import NANO

OPEN, CLOSE, DAY = 3_600, 27_000, 86_400
"""9:30 and 16:00 in New York, in seconds after the day's first row; and a day."""
SHORT = EngineSettings(latency_ns=NANO, quote_age_ns_max=10**15, short_sales=SHORT_ALWAYS)


def shares():
    day = Day()
    day.rows[0][1]["calendar"] = "XNAS"
    return day


def bands(day, at_s, low, high, **more):
    prices = {"limit_down_nano": nano(low), "limit_up_nano": nano(high)}
    return day.status(at_s, TradingStatus.LIMITS, is_short_restricted=-1, **prices, **more)


def test_behind_a_halt_the_first_quote_is_what_an_order_gets_even_one_that_came_before_it():
    day = Day().quote(0, 10.0, 10.1).status(0.2, TradingStatus.HALTED).status(0.5, TradingStatus.TRADING)
    derived = run(day.timer(2).timer(3).quote(4, 12.0, 12.1), {1: buy(quantity=10)})
    assert fills(derived) == [(7, Side.BUY, 12.1, 10, Liquidity.TAKER)]


def test_trading_that_was_never_halted_leaves_the_quote_as_it_is():
    day = Day().quote(0, 10.0, 10.1).status(0.5, TradingStatus.TRADING).timer(2)
    assert fills(run(day, {1: buy(quantity=10)})) == [(4, Side.BUY, 10.1, 10, Liquidity.TAKER)]


@pytest.mark.parametrize(("high", "filled"), [(10.09, []), (10.1, [4])], ids=["straddle", "limit state"])
def test_a_taker_gets_nothing_beyond_a_band_but_all_at_it(high, filled):
    day = bands(shares().quote(OPEN, 10.0, 10.1), OPEN + 0.5, 9.0, high).quote(OPEN + 2, 10.0, 10.1)
    assert [seq for seq, *_ in fills(run(day, {1: buy(quantity=10)}))] == filled


def test_below_the_lower_band_nothing_is_sold_until_it_moves():
    day = bands(shares().quote(OPEN, 10.0, 10.1), OPEN + 0.5, 10.05, 11.0).timer(OPEN + 2)
    bands(day, OPEN + 3, 9.9, 11.0).quote(OPEN + 4, 10.0, 10.1)
    assert [seq for seq, *_ in fills(run(day, {1: sell(quantity=10)}, SHORT))] == [6]


def test_bands_hold_in_regular_hours_of_the_day_on_which_they_were_told():
    early = bands(shares().quote(0, 10.0, 10.1), 0.5, 9.0, 9.5).timer(2)
    assert len(fills(run(early, {1: buy(quantity=10)}))) == 1
    late = bands(shares().quote(OPEN, 10.0, 10.1), OPEN + 0.5, 9.0, 9.5).quote(OPEN + DAY, 10.0, 10.1)
    assert [seq for seq, *_ in fills(run(late, {1: buy(quantity=10)}))] == [4]
    closed = (
        bands(shares().quote(OPEN, 10.0, 10.1), OPEN + 0.5, 9.0, 9.5).quote(CLOSE - 1, 10, 10.1).quote(CLOSE, 10, 10.1)
    )
    assert [seq for seq, *_ in fills(run(closed, {1: buy(quantity=10)}))] == [5]


def test_a_status_that_tells_no_bands_leaves_them():
    day = bands(shares().quote(OPEN, 10.0, 10.1), OPEN + 0.2, 9.0, 9.5)
    day.status(OPEN + 0.5, TradingStatus.LIMITS, is_short_restricted=0).quote(OPEN + 2, 10.0, 10.1)
    assert fills(run(day, {1: buy(quantity=10)})) == []


def restricted(at_s=0.5):
    """Shares whose short sales are restricted from then on: after the gate let an order pass, before it arrives."""
    return shares().quote(0, 10.0, 10.1).status(at_s, TradingStatus.LIMITS, is_short_restricted=1)


@pytest.mark.parametrize("order", [{}, {"limit": 10.0}, {"trigger": 10.0}])
def test_a_restricted_short_sale_takes_no_bid(order):
    day = restricted().timer(2).quote(3, 10.0, 10.1).quote(4, 10.2, 10.3)
    assert fills(run(day, {1: sell(quantity=10, **order)}, SHORT)) == []


def test_a_restricted_short_sale_fills_after_it_stood_above_the_bid():
    day = restricted().timer(2).quote(3, 9.99, 10.1).quote(4, 10.0, 10.1)
    assert fills(run(day, {1: sell(quantity=10, limit=10.0)}, SHORT)) == [(6, Side.SELL, 10.0, 10, Liquidity.MAKER)]


def test_an_immediate_restricted_short_sale_is_cancelled():
    order = sell(quantity=10, limit=10.0, time_in_force=TimeInForce.IOC)
    assert states(run(restricted().timer(2), {1: order}, SHORT))[-1] == "CANCELLED"


def test_what_rested_above_the_bid_before_the_rule_fills_and_so_does_what_is_held():
    day = shares().quote(0, 10.0, 10.1).quote(2, 10.0, 10.1).status(3, TradingStatus.LIMITS, is_short_restricted=1)
    assert [seq for seq, *_ in fills(run(day.quote(4, 10.05, 10.1), {1: sell(quantity=10, limit=10.05)}, SHORT))] == [5]
    script = {1: buy(quantity=10), 2: sell(quantity=10), 3: sell(quantity=11)}
    day = (
        shares()
        .quote(0, 10.0, 10.1)
        .timer(2)
        .quote(3, 10, 10.1)
        .status(3.5, TradingStatus.LIMITS, is_short_restricted=1)
    )
    derived = run(day.timer(5).quote(6, 10.0, 10.1).timer(8), script, SHORT)
    assert [(seq, side) for seq, side, *_ in fills(derived)] == [(3, Side.BUY), (6, Side.SELL)]


def test_over_bars_a_restricted_short_sale_needs_a_limit():
    def sold(**order):
        def act(s, event, p, ctx):
            s.calls += 1
            if s.calls == 1:
                enter(ctx, Side.SELL, quantity=10, **order)

        day = shares().bar(60, 0, (10, 10, 10, 10)).timer(61)
        day.status(61.5, TradingStatus.LIMITS, is_short_restricted=1).timer(63).bar(180, 120, (10, 11, 10, 10))
        return len(fills(day.run([probe(on_quote=None, on_timer=act)], SHORT)[1]))

    assert (sold(), sold(limit=10.5)) == (0, 1)


def test_the_latency_of_these_tests_is_a_second():
    assert FAST.latency_ns == SHORT.latency_ns == NANO
