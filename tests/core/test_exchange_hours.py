"""American shares at the hours at which they trade: premarket, the regular day, its auctions, and after it."""

import pytest
from core_day import START_NS, Day, nano
from core_fills import fills, states
from core_probe import probe

from pipeline.codes import (
    IntentAction,
    Kind,
    Liquidity,
    OrderFlag,
    OrderReason,
    OrderState,
    OrderType,
    RequestAction,
    Side,
    TimeInForce,
)
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import enter, leave
from pipeline.units import NANO

HOURS = EngineSettings(latency_ns=NANO, quote_age_ns_max=10**15, exchange_hours=1)
OPEN, CLOSE, END = 3_600, 27_000, 41_400
"""9:30, 16:00 and 20:00 in New York, in seconds after the day's first row at 8:30."""
DAY = 86_400


def shares(calendar="XNAS"):
    day = Day()
    day.rows[0][1]["calendar"] = calendar
    return day


def run(day, script, settings=HOURS):
    return day.run([probe(script)], settings)[1]


def buy(**order):
    return lambda s, event, ctx: enter(ctx, Side.BUY, **order)


def quoted(*moments, calendar="XNAS"):
    day = shares(calendar)
    for at_s in moments:
        day.quote(at_s, 10.0, 10.1)
    return day


@pytest.mark.parametrize(
    "order", [{}, {"limit": 10.2}, {"trigger": 10.05}], ids=lambda order: "".join(order) or "market"
)
def test_what_is_not_meant_for_extended_hours_waits_for_the_open(order):
    derived = run(quoted(0, 10, OPEN - 1, OPEN, OPEN + 1), {1: buy(quantity=10, **order)})
    assert [(seq, price) for seq, _, price, *_ in fills(derived)] == [(5, 10.1)]
    assert states(derived)[2] == "ACCEPTED"


def test_without_the_setting_everything_trades_whenever_there_is_a_quote():
    derived = run(quoted(0, 10), {1: buy(quantity=10)}, EngineSettings(latency_ns=NANO, quote_age_ns_max=10**15))
    assert [seq for seq, *_ in fills(derived)] == [3]


def test_what_never_closes_trades_at_any_hour():
    derived = run(quoted(0, 10, calendar="24/7"), {1: buy(quantity=10)})
    assert [seq for seq, *_ in fills(derived)] == [3]


def test_a_limit_that_is_meant_for_it_trades_before_the_open_and_after_the_close_but_not_at_night():
    order = {1: buy(quantity=10, limit=10.2, extended=True)}
    assert [seq for seq, *_ in fills(run(quoted(0, 10), order))] == [3]
    assert [seq for seq, *_ in fills(run(quoted(CLOSE, CLOSE + 10), order))] == [3]
    assert fills(run(quoted(END, END + 10), order)) == []


def test_an_immediate_order_outside_of_its_hours_is_cancelled():
    derived = run(quoted(0, 10), {1: buy(quantity=10, limit=10.2, time_in_force=TimeInForce.IOC)})
    assert (states(derived)[-1], derived[Kind.ORDER][-1]["reason"]) == ("CANCELLED", OrderReason.TIME_IN_FORCE)


@pytest.mark.parametrize("at_s", [0, OPEN])
def test_a_market_order_for_extended_hours_is_rejected(at_s):
    derived = run(quoted(at_s, at_s + 10), {1: buy(quantity=10, extended=True)})
    assert (states(derived)[-1], derived[Kind.ORDER][-1]["reason"]) == ("REJECTED", OrderReason.UNSUPPORTED)


@pytest.mark.parametrize(
    ("sent_s", "extended", "ends_s"),
    [
        (0, False, CLOSE),
        (OPEN, False, CLOSE),
        (CLOSE - 1, False, CLOSE + DAY),  # it arrives at the close, and is for the next day
        (CLOSE - 2, False, CLOSE),
        (CLOSE + 10, False, CLOSE + DAY),
        (0, True, END),
        (END, True, END + DAY),
    ],
)
def test_an_order_for_the_day_ends_with_it(sent_s, extended, ends_s):
    day = shares().quote(sent_s, 10.0, 10.1).timer(sent_s + 1).timer(ends_s - 1).timer(ends_s)
    derived = run(day, {1: buy(quantity=10, limit=9.0, extended=extended)})
    last = derived[Kind.ORDER][-1]
    assert (OrderState(last["state"]).name, last["seq"]) == ("EXPIRED", 5)


@pytest.mark.parametrize(("calendar", "life"), [("XNAS", TimeInForce.GTC), ("24/7", TimeInForce.DAY)])
def test_what_is_not_for_the_day_or_has_no_close_stands_on(calendar, life):
    day = shares(calendar).quote(0, 10.0, 10.1).timer(1).timer(9 * DAY)
    assert states(run(day, {1: buy(quantity=10, limit=9.0, time_in_force=life)}))[-1] == "ACCEPTED"


def test_an_order_in_futures_for_the_day_ends_at_their_close():
    close = 30_600  # 17:00 in New York
    derived = run(shares("CMES").quote(0, 10.0, 10.1).timer(close - 1).timer(close), {1: buy(quantity=10, limit=9.0)})
    assert (states(derived)[-1], derived[Kind.ORDER][-1]["seq"]) == ("EXPIRED", 4)


def test_after_a_friday_the_day_is_monday():
    friday = 3 * DAY
    day = shares().quote(friday + CLOSE, 10.0, 10.1).timer(friday + CLOSE + 2).timer(friday + DAY + CLOSE)
    derived = run(
        day.timer(friday + 3 * DAY + CLOSE - 1).timer(friday + 3 * DAY + CLOSE), {1: buy(quantity=10, limit=9.0)}
    )
    assert (states(derived)[-1], derived[Kind.ORDER][-1]["seq"]) == ("EXPIRED", 6)


def protected(**order):
    """Bought before the open with a limit; its protection stands from 3 s on."""
    script = {1: buy(quantity=10, limit=10.2, extended=True, **order)}
    return script, shares().quote(0, 10.0, 10.1).timer(2).quote(3, 10.0, 10.1)


def of_order(derived, order_id):
    return [row for row in derived[Kind.ORDER] if row["order_id"] == order_id]


@pytest.mark.parametrize("order", [{"stop": 9.5}, {"trail": 0.5}])
def test_a_stop_for_extended_hours_is_kept_by_us_and_sent_with_a_limit(order):
    script, day = protected(**order)
    derived = run(day.quote(4, 9.5, 9.6).quote(4.5, 9.3, 9.4).timer(5), script)
    assert fills(derived)[1:] == [(7, Side.SELL, 9.3, 10, Liquidity.TAKER)]  # a latency after it was triggered
    rows = of_order(derived, 2)
    assert all(row["flags"] & OrderFlag.HELD_BY_US and row["flags"] & OrderFlag.EXTENDED_HOURS for row in rows)
    assert [OrderState(row["state"]).name for row in rows] == [
        "APPROVED",
        "SUBMITTED",
        "ACCEPTED",
        "ACCEPTED",
        "FILLED",
    ]
    sent = rows[3]
    assert (sent["seq"], sent["reason"]) == (5, OrderReason.TRIGGERED)
    assert (sent["order_type"], sent["limit_nano"]) == (OrderType.STOP_LIMIT, nano(8.55))  # ten percent under the bid


def test_a_stop_of_ours_that_the_market_outran_rests_at_its_limit():
    script, day = protected(stop=9.5)
    derived = run(day.quote(4, 9.5, 9.6).quote(4.5, 8.0, 8.1).timer(5).quote(6, 8.6, 8.7), script)
    assert fills(derived)[1:] == [(8, Side.SELL, 8.55, 10, Liquidity.MAKER)]


def test_a_stop_without_the_word_sleeps_until_the_open():
    script = {1: buy(quantity=10, stop=9.5)}
    day = quoted(OPEN, OPEN + 2, OPEN + 4).quote(CLOSE + 1, 9.0, 9.1).quote(OPEN + DAY, 9.2, 9.3)
    derived = run(day, script)
    assert fills(derived)[1:] == [(6, Side.SELL, 9.2, 10, Liquidity.TAKER)]  # protection outlasts the day


def test_a_target_trades_at_the_hours_of_its_entry():
    script, day = protected(target=10.5)
    assert fills(run(day.quote(4, 10.5, 10.6), script))[1:] == [(5, Side.SELL, 10.5, 10, Liquidity.MAKER)]


def test_what_flattens_before_the_open_goes_with_a_limit():
    script, day = protected()
    day.add(Kind.REQUEST, 10, 0, action=RequestAction.FLATTEN, target="").quote(12, 9.9, 10.0)
    derived = run(day, script)
    assert fills(derived)[1:] == [(6, Side.SELL, 10.0, 10, Liquidity.TAKER)]
    wish = next(row for row in derived[Kind.INTENT] if row["action"] == IntentAction.FLATTEN)
    assert (wish["order_type"], wish["limit_nano"]) == (OrderType.LIMIT, nano(9.0))
    assert wish["flags"] & OrderFlag.EXTENDED_HOURS


def test_a_position_is_left_before_the_open_with_a_limit_that_is_meant_for_it():
    script, day = protected()
    script[2] = lambda s, event, ctx: leave(ctx, limit=9.9, extended=True)
    assert fills(run(day.timer(5), script))[1:] == [(5, Side.SELL, 10.0, 10, Liquidity.TAKER)]


def opening(**order):
    return buy(quantity=250, time_in_force=TimeInForce.OPENING, **order)


def closing(**order):
    return buy(quantity=250, time_in_force=TimeInForce.CLOSING, **order)


def test_an_order_for_the_opening_trades_whole_at_the_first_quote_of_the_day():
    day = quoted(0, 10, OPEN - 1).timer(OPEN).quote(OPEN + 1, 10.3, 10.2).quote(OPEN + 2, 10.3, 10.4)
    derived = run(day, {1: opening()})
    assert fills(derived) == [(7, Side.BUY, 10.4, 250, Liquidity.UNKNOWN)]  # not at the crossed one


def test_what_the_opening_does_not_let_trade_is_cancelled():
    derived = run(quoted(0, 10, OPEN), {1: opening(limit=10.05)})
    assert (states(derived)[-1], derived[Kind.ORDER][-1]["reason"]) == ("CANCELLED", OrderReason.TIME_IN_FORCE)


def test_an_order_for_the_opening_outlasts_no_day_without_a_quote():
    derived = run(shares().quote(0, 10.0, 10.1).timer(2).timer(CLOSE - 1).timer(CLOSE), {1: opening()})
    assert (states(derived)[-1], derived[Kind.ORDER][-1]["seq"]) == ("EXPIRED", 5)


def test_an_order_for_the_closing_trades_whole_at_the_last_quote_of_the_day():
    day = quoted(0, OPEN, CLOSE - 2).quote(CLOSE - 1, 10.2, 10.3).quote(CLOSE, 11.0, 11.1)
    assert fills(run(day, {1: closing()})) == [(6, Side.BUY, 10.3, 250, Liquidity.UNKNOWN)]
    derived = run(day, {1: closing(limit=10.25)})
    assert (fills(derived), states(derived)[-1]) == ([], "CANCELLED")


def test_a_quote_of_before_the_day_closes_nothing():
    derived = run(quoted(0, 10).timer(CLOSE), {1: closing()})
    assert derived[Kind.ORDER][-1]["reason"] == OrderReason.NO_REFERENCE_PRICE


@pytest.mark.parametrize(
    ("order", "sent_s", "state"),
    [
        (opening, OPEN - 122, "ACCEPTED"),
        (opening, OPEN - 121, "REJECTED"),
        (opening, CLOSE, "REJECTED"),
        (opening, END - 3_601, "ACCEPTED"),
        (closing, CLOSE - 602, "ACCEPTED"),
        (closing, CLOSE - 601, "REJECTED"),
        (closing, END - 3_601, "ACCEPTED"),
    ],
)
def test_an_auction_takes_orders_until_minutes_before_it_and_from_the_evening_on(order, sent_s, state):
    derived = run(shares().quote(sent_s, 10.0, 10.1).timer(sent_s + 1), {1: order()})
    assert states(derived)[-1] == state


def test_an_auction_is_of_shares_and_takes_no_stops():
    assert states(run(quoted(0, 2, calendar="24/7"), {1: opening()}))[-1] == "REJECTED"
    assert states(run(quoted(0, 2), {1: opening(trigger=10.5)}))[-1] == "REJECTED"


def of_bars(life, *bars):
    def act(s, event, p, ctx):
        s.calls += 1
        if s.calls == 1:
            enter(ctx, Side.BUY, quantity=250, time_in_force=life)

    day = shares().bar(60, 0, (10, 10, 10, 10)).timer(61).timer(63)
    for start_s, prices in bars:
        day.bar(start_s + 60, start_s, prices, volume=7)
    return fills(day.run([probe(on_quote=None, on_timer=act)], HOURS)[1])


def test_without_quotes_an_auction_is_the_first_or_the_last_bar():
    first, second = (OPEN, (11, 12, 10, 11.5)), (OPEN + 60, (12, 12, 12, 12))
    assert of_bars(TimeInForce.OPENING, (OPEN - 60, (9, 9, 9, 9)), first, second) == [
        (6, Side.BUY, 11.0, 250, Liquidity.UNKNOWN)
    ]
    last, late = (CLOSE - 60, (11, 12, 10, 11.5)), (CLOSE, (12, 12, 12, 12))
    assert of_bars(TimeInForce.CLOSING, first, last, late) == [(6, Side.BUY, 11.5, 250, Liquidity.UNKNOWN)]
    assert of_bars(TimeInForce.CLOSING, first, late) == []


def test_a_bar_before_the_open_fills_only_what_is_meant_for_it():
    def day(**order):
        def act(s, event, p, ctx):
            s.calls += 1
            if s.calls == 1:
                enter(ctx, Side.BUY, quantity=10, **order)

        made = shares().bar(60, 0, (10, 10, 10, 10)).timer(61).timer(63).bar(180, 120, (10, 10, 9, 10))
        made.bar(OPEN + 60, OPEN, (11, 11, 9, 10))
        return [seq for seq, *_ in fills(made.run([probe(on_quote=None, on_timer=act)], HOURS)[1])]

    assert day() == day(limit=9.5) == [6]
    assert day(limit=9.5, extended=True) == [5]


def test_the_day_of_these_tests_is_a_tuesday_in_winter():
    assert START_NS % (DAY * NANO) == 48_600 * NANO  # 13:30 UTC
