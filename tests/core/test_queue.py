"""Resting limits in line at their price: who is in front, and which prints reach them."""

import pytest
from core_day import Day
from core_fills import FAST, buy, fills, run, sell

from pipeline.codes import Liquidity, Mark, Origin, Side, TradingStatus
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import enter
from pipeline.units import NANO

IN_LINE = EngineSettings(latency_ns=NANO, quote_age_ns_max=10**15, queue=1)


def joined(bid_size=30):
    """A bid of ours, from 2 s on behind those of the quote, which are at 10.0."""
    return Day().quote(0, 10.0, 10.1, bid_size=bid_size).timer(2)


def told(day, settings=IN_LINE, order=None):
    return [
        (seq, steps) for seq, _, _, steps, _ in fills(run(day, {1: order or buy(quantity=50, limit=10.0)}, settings))
    ]


def test_those_in_front_trade_first_and_we_get_the_rest_of_a_print_at_our_limit():
    day = joined().print(3, 10.0, 20).print(4, 10.0, 25).print(5, 10.0, 5).print(6, 10.0, 100)
    assert told(day) == [(5, 15), (6, 5), (7, 30)]
    assert fills(run(day, {1: buy(quantity=50, limit=10.0)}, IN_LINE))[0] == (5, Side.BUY, 10.0, 15, Liquidity.MAKER)


def test_without_the_setting_no_print_fills_anything():
    assert told(joined().print(3, 10.0, 500).print(4, 9.0, 500), FAST) == []


def test_who_joins_after_us_is_behind_us_and_nobody_in_front_gives_up():
    assert told(joined().quote(3, 10.0, 10.1, bid_size=500).print(4, 10.0, 40)) == [(5, 10)]
    assert told(joined().quote(3, 10.0, 10.1, bid_size=1).print(4, 10.0, 40)) == [(5, 10)]


def test_a_print_through_us_fills_up_to_its_size_whoever_was_in_front():
    assert told(joined(900).print(3, 9.99, 20).print(4, 10.0, 20)) == [(4, 20), (5, 20)]


def test_who_is_better_than_the_best_is_first():
    assert told(joined().print(3, 10.05, 20), order=buy(quantity=50, limit=10.05)) == [(4, 20)]


def test_who_is_behind_the_best_has_no_place_until_their_price_is_the_best():
    behind = buy(quantity=50, limit=9.9)
    assert told(joined().print(3, 9.9, 500), order=behind) == []
    assert told(joined().quote(3, 9.9, 10.1, bid_size=70).print(4, 9.9, 80), order=behind) == [(5, 10)]
    assert told(joined().print(3, 9.89, 5), order=behind) == [(4, 5)]


def test_an_offer_of_ours_stands_in_line_too():
    day = Day().quote(0, 10.0, 10.1, ask_size=30).timer(2).print(3, 10.1, 40).print(4, 10.2, 7)
    assert told(day, order=sell(quantity=50, limit=10.1)) == [(4, 10), (5, 7)]


def test_two_orders_of_ours_share_a_print_oldest_first():
    def both(s, event, ctx):
        enter(ctx, Side.BUY, quantity=10, limit=10.0, score=2.0)
        enter(ctx, Side.BUY, quantity=10, limit=10.0, score=1.0)

    assert told(joined(0).print(3, 10.0, 15), order=both) == [(4, 10), (4, 5)]


@pytest.mark.parametrize(
    "odd",
    [
        {"marks": Mark.NO_LAST},
        {"marks": Mark.CANCEL},
        {"marks": Mark.DUPLICATE},
        {"marks": Mark.NO_VOLUME},
        {"origin": Origin.BACKFILL},
        {"aggressor": Side.BUY},
        {"size": 0},
    ],
    ids=str,
)
def test_a_print_that_did_not_meet_us_counts_for_nothing(odd):
    assert told(joined(0).print(3, 10.0, **odd).print(4, 10.0, 5)) == [(5, 5)]


def test_no_print_fills_before_the_order_is_there_nor_in_a_halt_nor_one_that_is_no_limit():
    assert told(Day().quote(0, 10.0, 10.1, bid_size=0).print(0.5, 10.0).timer(2)) == []
    assert told(joined(0).status(2.5, TradingStatus.HALTED).print(3, 10.0)) == []
    waiting = Day().quote(0, 10.0, 10.1, ask_size=0).timer(2).print(3, 9.0)
    assert told(waiting, order=buy(quantity=50)) == []
    assert told(waiting, order=buy(quantity=50, limit=11.0, trigger=10.5)) == []
