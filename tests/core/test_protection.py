"""Stops and targets that come with an entry: they live and end with what it filled."""

from core_day import Day
from core_fills import buy, fills, run, states

from pipeline.codes import Kind, Liquidity, Side, TimeInForce
from pipeline.core.verbs import leave
from pipeline.units import NANO


def test_a_stop_and_a_target_come_with_the_first_fill_and_end_each_other():
    day = (
        Day().quote(0, 10.0, 10.1, ask_size=60).timer(2).quote(3, 10.0, 10.1).timer(5).quote(6, 11.0, 11.1, bid_size=40)
    )
    day.quote(7, 11.2, 11.3).timer(9)
    derived = run(day, {1: buy(quantity=100, limit=10.1, stop=9.5, target=11.0)})
    assert [(row["order_id"], row["price_nano"] / NANO, row["quantity_steps"]) for row in derived[Kind.FILL]] == [
        (1, 10.1, 60),
        (1, 10.1, 40),
        (3, 11.0, 40),
        (3, 11.0, 60),
    ]
    assert states(derived, 2)[-1] == "CANCELLED"
    assert derived[Kind.POSITION][-1]["quantity_steps"] == 0
    legs = {row["order_id"]: row["parent_order_id"] for row in derived[Kind.ORDER]}
    assert legs == {1: 0, 2: 1, 3: 1}


def two_entries(first, second):
    """An entry with protection at the first quote and another, without, at the third."""
    return {1: buy(**first), 3: buy(**second)}


def test_a_target_that_fills_takes_its_stop_along_while_another_entry_holds():
    day = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.0, 10.1).timer(5).quote(6, 10.0, 10.1).timer(8)
    day.quote(9, 11.0, 11.1).timer(10).quote(11, 9.0, 9.1)
    script = two_entries({"quantity": 100, "stop": 9.5, "target": 11.0}, {"quantity": 100})
    derived = run(day, script)
    assert fills(derived)[2:] == [(8, Side.SELL, 11.0, 100, Liquidity.MAKER)]
    assert states(derived, 2)[-1] == "CANCELLED"
    assert derived[Kind.POSITION][-1]["quantity_steps"] == 100


def test_a_part_of_a_target_makes_its_stop_as_much_smaller():
    day = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.0, 10.1).timer(5).quote(6, 10.0, 10.1).timer(8)
    day.quote(9, 11.0, 11.1, bid_size=30).timer(10).quote(11, 9.0, 9.1, bid_size=500)
    derived = run(day, two_entries({"quantity": 100, "stop": 9.5, "target": 11.0}, {"quantity": 100}))
    assert fills(derived)[2:] == [(8, Side.SELL, 11.0, 30, Liquidity.MAKER), (10, Side.SELL, 9.0, 70, Liquidity.TAKER)]
    smaller = next(row for row in derived[Kind.ORDER] if row["order_id"] == 2 and row["quantity_steps"] == 70)
    filled = derived[Kind.FILL][2]
    assert (smaller["cause_seq"], smaller["cause_ord"]) == (filled["seq"], filled["ord"])
    assert states(derived, 3)[-1] == "CANCELLED"


def test_protection_closes_no_more_than_its_own_entry_filled():
    day = Day().quote(0, 10.0, 10.1, ask_size=60).timer(2).quote(3, 10.0, 10.2).timer(5).quote(6, 10.0, 10.2).timer(8)
    day.quote(9, 9.0, 12.0, bid_size=500)
    for time_in_force in (TimeInForce.DAY, TimeInForce.IOC):
        entry = {"quantity": 100, "limit": 10.1, "stop": 9.5, "time_in_force": time_in_force}
        derived = run(day, two_entries(entry, {"quantity": 80}))
        sold = [row["quantity_steps"] for row in derived[Kind.FILL] if row["side"] == Side.SELL]
        assert sold == [60], time_in_force


def test_a_protective_stop_sells_no_more_than_there_is():
    day = (
        Day()
        .quote(0, 10.0, 10.1, ask_size=60)
        .timer(2)
        .timer(3.5)
        .quote(4, 9.0, 12.0, bid_size=500)
        .timer(6)
        .quote(7, 9, 9.1)
    )
    derived = run(day, {1: buy(quantity=100, limit=10.1, stop=9.5)})
    assert fills(derived) == [(3, Side.BUY, 10.1, 60, Liquidity.TAKER), (5, Side.SELL, 9.0, 60, Liquidity.TAKER)]
    assert states(derived, 1)[-2:] == ["CANCEL_PENDING", "CANCELLED"]  # the rest of the entry goes with its stop


def test_leaving_takes_the_protection_along():
    script = {1: buy(quantity=50, stop=9.0), 2: lambda s, event, ctx: leave(ctx)}
    derived = run(Day().quote(0, 10.0, 10.1).timer(2).quote(5, 10.0, 10.1).timer(7).quote(8, 5, 5.1), script)
    assert [side for _, side, *_ in fills(derived)] == [Side.BUY, Side.SELL]
    assert states(derived, 2)[-1] == "CANCELLED"
