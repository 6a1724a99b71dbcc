"""Each strategy on a small day written by hand, with the exact wishes it has."""

import ast
from pathlib import Path

import pytest
from core_day import Day

from pipeline.codes import IntentAction, IntentOutcome, Kind, OrderState, RequestAction, Side, TradingStatus
from pipeline.core.engine import Plan
from pipeline.core.settings import EngineSettings
from pipeline.units import NANO
from strategies import STRATEGIES, ema_cross, hold, opening_range

FAST = EngineSettings(latency_ns=NANO // 10, bar_lateness_ns=NANO, quote_age_ns_max=10**15)
ROOT = Path(__file__).parents[2]


def wishes(derived):
    return [
        (row["seq"], IntentAction(row["action"]).name, IntentOutcome(row["outcome"]).name, row["quantity_steps"])
        for row in derived[Kind.INTENT]
        if row["outcome"] != IntentOutcome.GATED
    ]


def moves(derived, phases):
    return [(row["seq"], phases(row["to_phase"]).name) for row in derived[Kind.TRANSITION]]


def plan(name, **given):
    return Plan(STRATEGIES[name], STRATEGIES[name].Params(**given))


def test_the_list_names_every_file():
    files = {path.stem for path in (ROOT / "strategies").glob("*.py")} - {"__init__"}
    assert {name: strategy.name for name, strategy in STRATEGIES.items()} == {name: name for name in files}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_has_words_for_its_numbers_and_help_for_its_parameters(name):
    strategy = STRATEGIES[name]
    assert all(spec.help for spec in strategy.Params.specs)
    for codes in (strategy.gates, strategy.reasons, strategy.messages, strategy.outputs):
        assert codes is None or 0 not in [int(code) for code in codes]
    for message in strategy.messages or ():
        assert message.template.format(a=1.0, b=2.0, c=3.0)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_keeps_to_the_dialect(name):
    tree = ast.parse((ROOT / "strategies" / f"{name}.py").read_text())
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            assert not isinstance(node, (ast.Try, ast.Dict, ast.List, ast.ListComp, ast.JoinedStr, ast.Pow, ast.Lambda))


def test_hold_buys_once_and_keeps_it():
    day = Day(("AAA", "BBB")).quote(0, 10, 9.9).quote(1, 9.9, 10).quote(2, 19.9, 20, instrument_id=2).quote(3, 9, 9.1)
    engine, derived = day.run([plan("hold", notional=1_000.0)], FAST)
    assert wishes(derived) == [(4, "ENTER", "TAKEN", 100), (5, "ENTER", "TAKEN", 50)]
    assert [row.quantity_steps for row in engine.world.positions[1:]] == [100, 50]
    assert moves(derived, hold.Phase) == [(4, "BUYING"), (5, "HOLDING"), (5, "BUYING"), (6, "HOLDING")]


def test_hold_does_not_try_again_after_a_refusal():
    _, derived = Day().quote(1, 9.9, 10).quote(2, 9.9, 10).run([plan("hold", notional=1e6)], FAST)
    assert wishes(derived) == [(2, "ENTER", "TAKEN", 100_000)]
    assert moves(derived, hold.Phase) == [(2, "BUYING"), (2, "REFUSED")]


def test_ema_cross_buys_above_and_leaves_below():
    day = Day()
    for i, bid in enumerate((10, 10, 10, 11, 12, 12, 11, 9, 8, 8, 8, 11, 12)):
        day.quote(i, bid, bid + 0.01, 1_000, 1_000)
    _, derived = day.run([plan("ema_cross", fast=2, slow=4, notional=1_000.0)], FAST)
    assert wishes(derived) == [(5, "ENTER", "TAKEN", 90), (9, "EXIT", "TAKEN", 90), (13, "ENTER", "TAKEN", 90)]
    assert moves(derived, ema_cross.Phase) == [
        (5, "ENTERING"), (6, "LONG"), (9, "LEAVING"), (10, "FLAT"), (13, "ENTERING"), (14, "LONG"),
    ]  # fmt: skip


def test_ema_cross_gets_all_the_way_out_of_an_entry_that_fills_in_parts():
    day = Day()
    for i, bid in enumerate((10, 10, 10, 11, 12, 12, 11, 9, 8, 8, 8, 8, 8)):
        day.quote(i, bid, bid + 0.01, 20, 20)
    engine, _ = day.run([plan("ema_cross", fast=2, slow=4, notional=1_000.0)], FAST)
    assert [row.quantity_steps for row in engine.world.positions[1:]] == [0]
    assert engine.state_of(1, 1).phase == ema_cross.Phase.FLAT


def test_ema_cross_does_not_try_a_refused_entry_again_before_the_next_cross():
    day = Day()
    for i, bid in enumerate((10, 10, 10, 11, 12, 13, 14, 9, 8, 8, 8, 11, 12)):
        day.quote(i, bid, bid + 0.01, 1_000, 1_000)
    _, derived = day.run([plan("ema_cross", fast=2, slow=4, notional=1e6)], FAST)
    assert [wish[0] for wish in wishes(derived)] == [5, 13]


def flattened(bids, at, size=1_000):
    """A quote a second, and a hand that closes all shortly behind the one numbered `at`."""
    day = Day()
    for i, bid in enumerate(bids):
        day.quote(i, bid, bid + 0.01, size, size)
        if i == at:
            day.add(Kind.REQUEST, i + 0.05, 0, action=RequestAction.FLATTEN)
    return day


def test_ema_cross_sits_out_what_another_hand_closed_and_trades_the_next_cross():
    day = flattened((10, 10, 10, 11, 12, 12, 13, 14, 9, 8, 8, 8, 11, 12), at=5)
    engine, derived = day.run([plan("ema_cross", fast=2, slow=4, notional=1_000.0)], FAST)
    taken = [wish for wish in wishes(derived) if wish[1] != "CANCEL"]
    assert taken == [(5, "ENTER", "TAKEN", 90), (8, "FLATTEN", "TAKEN", 90), (15, "ENTER", "TAKEN", 90)]
    assert moves(derived, ema_cross.Phase) == [
        (5, "ENTERING"), (6, "LONG"), (9, "SITTING_OUT"), (11, "FLAT"), (15, "ENTERING"), (16, "LONG"),
    ]  # fmt: skip
    assert engine.state_of(1, 1).phase == ema_cross.Phase.LONG


@pytest.mark.parametrize(("name", "phase"), [("ema_cross", ema_cross.Phase.SITTING_OUT), ("hold", hold.Phase.REFUSED)])
def test_an_entry_that_is_cancelled_before_it_fills_is_not_waited_for(name, phase):
    at = 3 if name == "ema_cross" else 0
    day = flattened((10, 10, 10, 11, 12)[: at + 1], at, size=0).timer(60).timer(61)
    given = {"fast": 2, "slow": 4} if name == "ema_cross" else {}
    engine, derived = day.run([plan(name, notional=1_000.0, **given)], FAST)
    assert derived[Kind.ORDER][-1]["state"] == OrderState.CANCELLED
    assert engine.state_of(1, 1).phase == phase


def test_hold_knows_when_what_it_held_is_gone():
    engine, derived = flattened((10, 10, 10, 10), at=1).run([plan("hold", notional=1_000.0)], FAST)
    assert [name for _, name in moves(derived, hold.Phase)] == ["BUYING", "HOLDING", "SOLD"]
    assert [row.quantity_steps for row in engine.world.positions[1:]] == [0]


def test_ema_cross_waits_for_a_spread_it_can_pay_and_skips_crossed_quotes():
    day = Day()
    for i, bid in enumerate((10, 10, 10, 10, 11, 11.5)):
        day.quote(i, bid, bid + (0.01 if i == 5 else 0.5))
    day.quote(9, 12, 11)
    _, derived = day.run([plan("ema_cross", fast=2, slow=4)], FAST)
    gated = [(row["seq"], row["gate"]) for row in derived[Kind.INTENT] if row["outcome"] == IntentOutcome.GATED]
    assert gated == [(6, ema_cross.Gate.SPREAD)]
    assert [wish[:3] for wish in wishes(derived)] == [(7, "ENTER", "TAKEN")]


def opening(day):
    """Two minutes of range (high 10.2, low 9.8), then a third whose bar ends the range."""
    for at_s, price in ((5, 10.0), (30, 10.2), (70, 9.8), (100, 10.0), (125, 10.1)):
        day.print(at_s, price, 500)
    return day.quote(126, 10.05, 10.07).timer(181)


def run_opening(day, **given):
    return day.run([plan("opening_range", minutes=2, **given)], FAST)


def test_opening_range_buys_the_break_with_its_stop_and_takes_its_target():
    day = opening(Day()).quote(182, 10.15, 10.17).quote(183, 10.2, 10.22).quote(184, 10.21, 10.23)
    day.quote(190, 10.70, 10.72, bid_size=900)
    engine, derived = run_opening(day)
    assert wishes(derived) == [(10, "ENTER", "TAKEN", 454)]  # 100 dollars at risk over 22 cents
    entry = next(row for row in derived[Kind.INTENT] if row["outcome"] == IntentOutcome.TAKEN)
    prices = [entry[name] / NANO for name in ("limit_nano", "stop_loss_nano", "take_profit_nano")]
    assert prices == [10.22, 10.0, 10.66]
    assert moves(derived, opening_range.Phase) == [
        (8, "WATCHING"), (10, "ENTERING"), (11, "LONG"), (12, "DONE"),
    ]  # fmt: skip
    assert [gate["gate"] for gate in derived[Kind.INTENT] if gate["gate"]] == [opening_range.Gate.BREAKOUT]
    sold = derived[Kind.FILL][-1]
    assert (sold["side"], sold["price_nano"] / NANO, sold["quantity_steps"]) == (Side.SELL, 10.66, 100)
    assert engine.state_of(1, 1).phase == opening_range.Phase.DONE


def test_opening_range_is_stopped_out_and_done_for_the_day():
    day = (
        opening(Day())
        .quote(183, 10.2, 10.22, ask_size=900)
        .quote(184, 10.21, 10.23)
        .quote(190, 9.95, 9.97, bid_size=900)
    )
    day.quote(191, 10.3, 10.32).quote(192, 10.4, 10.42)
    engine, derived = run_opening(day)
    assert [(row["side"], row["price_nano"] / NANO) for row in derived[Kind.FILL]] == [
        (Side.BUY, 10.22),
        (Side.SELL, 9.95),
    ]
    assert [phase for _, phase in moves(derived, opening_range.Phase)][-3:] == ["ENTERING", "LONG", "DONE"]
    assert len(wishes(derived)) == 1
    assert derived[Kind.MESSAGE][-1]["code"] == opening_range.Message.STOPPED
    assert engine.state_of(1, 1).phase == opening_range.Phase.DONE


def test_opening_range_closes_what_it_has_held_too_long():
    day = opening(Day()).quote(183, 10.2, 10.22, ask_size=900).quote(184, 10.21, 10.23, bid_size=900)
    for minute in range(4, 8):
        day.print(minute * 60 + 1, 10.3)
    _, derived = run_opening(day.timer(600).timer(601), hold_minutes=2)
    assert [wish[1:3] for wish in wishes(derived)[1:3]] == [("CANCEL", "TAKEN"), ("EXIT", "TAKEN")]


def test_opening_range_says_which_gate_refused():
    day = opening(Day()).quote(182, 10.25, 10.50).status(183, TradingStatus.HALTED).quote(184, 10.25, 10.26)
    _, derived = run_opening(day)
    gates = [opening_range.Gate(row["gate"]).name for row in derived[Kind.INTENT]]
    assert gates == ["SPREAD", "HALT"]


def test_opening_range_does_not_look_before_the_open():
    engine, derived = run_opening(opening(Day()), open_minute=900)
    assert wishes(derived) == []
    assert engine.state_of(1, 1).range.count == 0


def test_opening_range_shows_its_range_at_each_bar():
    _, derived = run_opening(opening(Day()))
    highs = [row["value"] for row in derived[Kind.INDICATOR] if row["output_id"] == opening_range.Shown.RANGE_HIGH]
    assert highs == [10.2, 10.2, 10.2]


def test_a_refused_entry_ends_the_day_of_the_opening_range():
    day = opening(Day()).quote(183, 10.2, 10.22)
    settings = EngineSettings(order_quantity_max=10.0)
    _, derived = day.run([plan("opening_range", minutes=2)], settings)
    assert moves(derived, opening_range.Phase)[-1][1] == "DONE"
    assert derived[Kind.MESSAGE][-1]["code"] == opening_range.Message.REFUSED
    assert OrderState.REFUSED not in derived.column(Kind.ORDER, "state")


def test_a_new_day_builds_a_new_range():
    day = opening(Day())
    for at_s, price in ((86_405, 20.0), (86_410, 21.0), (86_530, 20.5)):
        day.print(at_s, price, 500)
    engine, derived = run_opening(day.timer(86_600))
    assert [phase for _, phase in moves(derived, opening_range.Phase)] == ["WATCHING", "BUILDING", "WATCHING"]
    assert (engine.state_of(1, 1).range.high, engine.state_of(1, 1).range.low) == (21.0, 20.0)


@pytest.mark.parametrize(("name", "phase"), [("hold", hold.Phase.REFUSED), ("ema_cross", ema_cross.Phase.SITTING_OUT)])
def test_an_entry_that_the_day_outlived_is_not_waited_for(name, phase):
    """Shares before the open: an order at market waits for it, and ends with the day when no quote comes."""
    day, close_s = Day(), 27_000
    day.rows[0][1]["calendar"] = "XNAS"
    for i, bid in enumerate((10, 10, 10, 11, 12)):
        day.quote(i, bid, bid + 0.01, 1_000, 1_000)
    day.timer(close_s)
    given = {"fast": 2, "slow": 4} if name == "ema_cross" else {}
    hours = EngineSettings(latency_ns=NANO // 10, quote_age_ns_max=10**15, exchange_hours=1)
    engine, derived = day.run([plan(name, notional=1_000.0, **given)], hours)
    assert derived[Kind.ORDER][-1]["state"] == OrderState.EXPIRED
    assert engine.state_of(1, 1).phase == phase
