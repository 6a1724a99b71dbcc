"""What an order pays for more than is displayed."""

import math

import pytest
from core_day import Day, nano
from core_fills import buy, fills, run, sell, states
from core_probe import probe

from pipeline.codes import Liquidity, Side, TimeInForce, TradingStatus
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import enter
from pipeline.units import NANO


def impact(model, bps=100.0):
    return EngineSettings(latency_ns=NANO, quote_age_ns_max=10**15, impact=model, impact_bps=bps)


LINEAR, ROOT = impact(1), impact(2)


def paid(day, order, settings):
    return [(price, steps) for _, _, price, steps, _ in fills(run(day, {1: order}, settings))]


def quoted(shown=100, ask=10.0):
    return Day(tick=0.0001).quote(0, ask - 0.1, ask, shown, shown).timer(2).timer(4)


def test_what_is_displayed_is_had_at_the_far_side_and_the_rest_behind_it():
    assert paid(quoted(), buy(quantity=300), LINEAR) == [
        (10.0, 100),
        (10.1, 200),
    ]  # a mean of 1 percent over two more sizes
    bid = 9.9
    assert paid(quoted(), sell(quantity=200), LINEAR) == [(bid, 100), (round(bid * 0.995 - 0.00005, 4), 100)]
    (shown, behind) = paid(quoted(), buy(quantity=500), ROOT)
    assert shown == (10.0, 100)
    assert behind == (pytest.approx(10.0 * (1 + 0.01 * 2 / 3 * 2), abs=1e-4), 400)  # four sizes move it by 2 percent


def test_without_the_setting_or_within_what_is_displayed_nothing_is_paid():
    assert paid(quoted(), buy(quantity=300), impact(0)) == [(10.0, 100)]
    assert paid(quoted(), buy(quantity=100), LINEAR) == [(10.0, 100)]


def test_a_second_order_goes_on_where_the_first_one_ended():
    def both(s, event, ctx):
        enter(ctx, Side.BUY, quantity=200, score=2.0)
        enter(ctx, Side.BUY, quantity=100, score=1.0)

    assert paid(quoted(), both, LINEAR) == [(10.0, 100), (10.05, 100), (10.15, 100)]
    fresh = Day(tick=0.0001).quote(0, 9.9, 10.0).timer(2).quote(3, 9.9, 10.0)
    script = {1: buy(quantity=200), 2: buy(quantity=100)}
    assert [fill[2] for fill in fills(run(fresh.timer(5), script, LINEAR))] == [10.0, 10.05, 10.0]


def test_one_large_order_pays_what_its_pieces_would():
    for settings in (LINEAR, ROOT):

        def pieces(s, event, ctx):
            for _ in range(4):
                enter(ctx, Side.BUY, quantity=150)

        whole = sum(price * steps for price, steps in paid(quoted(), buy(quantity=600), settings))
        assert sum(price * steps for price, steps in paid(quoted(), pieces, settings)) == pytest.approx(whole, rel=1e-5)


def test_a_limit_is_kept_and_the_rest_waits():
    day = quoted()
    assert paid(day, buy(quantity=300, limit=10.1), LINEAR) == [(10.0, 100), (10.1, 200)]
    assert paid(day, buy(quantity=300, limit=10.09), LINEAR) == [(10.0, 100)]
    later = Day(tick=0.0001).quote(0, 9.9, 10.0).timer(2).quote(3, 9.9, 10.0)
    order = buy(quantity=300, limit=10.0)
    assert [fill[4] for fill in fills(run(later, {1: order}, LINEAR))] == [Liquidity.TAKER, Liquidity.MAKER]


def test_fill_or_kill_has_all_with_what_lies_behind_or_nothing():
    order = {"quantity": 300, "time_in_force": TimeInForce.FOK}
    assert paid(quoted(), buy(limit=10.1, **order), LINEAR) == [(10.0, 100), (10.1, 200)]
    assert paid(quoted(), buy(limit=10.09, **order), LINEAR) == []


def test_behind_nothing_there_is_nothing_and_beyond_a_band_neither():
    assert paid(quoted(0), buy(quantity=300), LINEAR) == []
    day = Day(tick=0.0001).quote(0, 9.9, 10.0)
    day.status(0.5, TradingStatus.LIMITS, is_short_restricted=-1, limit_down_nano=nano(9), limit_up_nano=nano(10.05))
    assert paid(day.timer(2), buy(quantity=300), LINEAR) == [(10.0, 100)]
    halted = Day(tick=0.0001).quote(0, 9.9, 10.0).status(0.2, TradingStatus.HALTED).status(0.5, TradingStatus.TRADING)
    assert paid(halted.timer(2), buy(quantity=300), LINEAR) == []


def test_a_price_that_is_none_is_not_paid():
    order = run(quoted(1), {1: sell(quantity=250)}, impact(1, 10_000.0))
    assert [steps for _, _, _, steps, _ in fills(order)] == [1]
    assert states(order)[-1] == "PARTIALLY_FILLED"


@pytest.mark.parametrize(("model", "moved"), [(0, 0.0), (1, 0.0025), (2, 0.01 * 2 / 3 * math.sqrt(0.5))])
def test_over_bars_the_volume_is_what_is_displayed(model, moved):
    def act(s, event, p, ctx):
        s.calls += 1
        if s.calls == 1:
            enter(ctx, Side.BUY, quantity=50)

    day = Day(tick=0.0001).bar(60, 0, (10, 10, 10, 10)).timer(61).bar(180, 120, (10, 10, 10, 10), volume=100)
    (fill,) = fills(day.run([probe(on_quote=None, on_timer=act)], impact(model))[1])
    assert fill[2:4] == (pytest.approx(10.0 * (1 + moved), abs=1.01e-4), 50)
    assert fill[2] >= 10.0 * (1 + moved) - 1e-9
