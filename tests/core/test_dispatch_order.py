"""One life told from start to end, and the small rules of dispatch."""

import math

import pytest
from core_day import START_NS, Day, nano, open_orders, positions
from core_probe import probe

from pipeline.codes import (
    AccountAction,
    FeedAction,
    IntentAction,
    IntentOutcome,
    Kind,
    OrderReason,
    OrderState,
    Origin,
    RequestAction,
    RiskRule,
    SessionAction,
    Side,
    TradingStatus,
)
from pipeline.core.settings import EngineSettings
from pipeline.core.strategy import Bars
from pipeline.core.verbs import cancel, enter, leave
from pipeline.errors import StrategyError
from pipeline.units import NANO

FAST = EngineSettings(latency_ns=NANO, bar_lateness_ns=NANO, quote_age_ns_max=10**15)


def teller(heard, name):
    """Handlers that write down what they hear, in the order they hear it."""

    def hear(what):
        def handler(s, event, p, ctx):
            heard.append((name, what, event.instrument_id))

        return handler

    events = ("start", "bar", "quote", "print", "status", "order", "fill", "timer", "feed")
    return probe(name=name, bars=Bars("5s"), **{f"on_{what}": hear(what) for what in events})


def test_one_step_in_its_order():
    """A quote on which everything happens at once: an arrival, a fill, a bar, and handlers of two strategies."""
    heard = []

    def first(s, event, p, ctx):
        heard.append(("first", type(event).__name__))
        if type(event).__name__ == "Quote" and event.ask < 10.05:
            enter(ctx, Side.BUY, quantity=10, limit=event.ask, stop=9.0)

    def second(s, event, p, ctx):
        heard.append(("second", type(event).__name__))

    names = ("on_quote", "on_bar", "on_fill", "on_order")
    plans = [
        probe(name="first", bars=Bars("5s"), **dict.fromkeys(names, first)),
        probe(name="second", bars=Bars("5s"), **dict.fromkeys(names, second)),
    ]
    day = Day().print(1, 10).quote(5.5, 9.9, 10.0).quote(6.5, 10.0, 10.1)
    _, derived = day.run(plans, FAST)
    assert heard[:3] == [("first", "Quote"), ("second", "Quote"), ("first", "OrderUpdate")]
    last_step = [(ord_, kind) for seq, ord_, kind in derived.story() if seq == 4]
    assert last_step == [
        (1, "ORDER"),  # the venue: accepted, for its latency is over...
        (2, "FILL"),  # ...against the quote in force until now
        (3, "ORDER"),
        (4, "POSITION"),
        (5, "RISK"),  # the stop that goes with the entry, through the same door
        (6, "ORDER"),
        (7, "ORDER"),
        (8, "BAR"),  # then bars that are due
    ]
    assert heard[4:] == [
        ("first", "OrderUpdate"),  # facts first in, first out...
        ("first", "Fill"),
        ("first", "OrderUpdate"),
        ("first", "OrderUpdate"),
        ("first", "OrderUpdate"),
        ("first", "Bar"),
        ("second", "Bar"),
        ("first", "Quote"),  # ...and the input itself last, strategies in their order
        ("second", "Quote"),
    ]


def test_an_intent_becomes_an_order_within_its_step():
    _, derived = Day().quote(1, 10, 10.1).run([probe({1: lambda s, e, ctx: enter(ctx, Side.BUY, quantity=10)})], FAST)
    assert [kind for seq, _, kind in derived.story()] == ["INTENT", "RISK", "ORDER", "ORDER"]
    causes = [
        (row["cause_seq"], row["cause_ord"]) for kind in (Kind.INTENT, Kind.RISK, Kind.ORDER) for row in derived[kind]
    ]
    assert causes == [(2, 0), (2, 1), (2, 2), (2, 3)]


def test_events_reach_the_cells_they_concern():
    heard = []
    day = Day(("AAA", "BBB")).print(1, 10, instrument_id=2).status(2, TradingStatus.HALTED).timer(3)
    day.add(Kind.FEED, 4, 0, action=FeedAction.LOST).status(5, TradingStatus.TRADING, instrument_id=0)
    day.quote(6, 1, 2, origin=Origin.BACKFILL)
    day.run([teller(heard, "x"), teller(heard, "y")])
    assert heard == [
        ("x", "start", 1), ("y", "start", 1), ("x", "start", 2), ("y", "start", 2),
        ("x", "print", 2), ("y", "print", 2),
        ("x", "status", 1), ("y", "status", 1),
        *[("x", "timer", 0)] * 2, *[("y", "timer", 0)] * 2,
        *[("x", "feed", 0)] * 2, *[("y", "feed", 0)] * 2,
        *[("x", "status", 0)] * 2, *[("y", "status", 0)] * 2,
    ]  # fmt: skip


def test_a_new_definition_starts_nothing_again():
    heard = []
    day = Day().add(Kind.INSTRUMENT, 1, symbol="AAA", tick_nano=nano(0.05), size_step_nano=NANO, multiplier_nano=NANO)
    engine, _ = day.run([teller(heard, "x")])
    assert heard == [("x", "start", 1)]
    assert engine.world.instruments[1].tick_nano == nano(0.05)


def test_a_size_is_counted_in_the_step_in_force_at_its_seq():
    sizes = []
    day = Day(step_nano=NANO).print(1, 10, 5)
    day.add(Kind.INSTRUMENT, 2, symbol="AAA", size_step_nano=NANO // 10, multiplier_nano=NANO).print(3, 10, 5)
    day.run([probe(on_print=lambda s, e, p, ctx: sizes.append(e.size))])
    assert sizes == [5.0, 0.5]


def test_competing_entries_are_ranked_and_the_losers_name_the_winner():
    def on_bar(scores):
        return lambda s, e, p, ctx: enter(ctx, Side.BUY, quantity=1, score=scores[e.instrument_id])

    bars = Bars("5s")
    plans = [
        probe(name="a", on_quote=None, on_bar=on_bar({1: math.nan, 2: 1.0}), bars=bars),
        probe(name="b", on_quote=None, on_bar=on_bar({1: 3.0, 2: 1.0}), bars=bars),
    ]
    day = Day(("AAA", "BBB")).print(1, 10).print(1, 10, instrument_id=2).timer(60)
    _, derived = day.run(plans, EngineSettings(positions_max=2))
    ranked = [(r["strategy_id"], r["instrument_id"], IntentOutcome(r["outcome"]).name) for r in derived[Kind.INTENT]]
    assert ranked == [(2, 1, "TAKEN"), (1, 2, "TAKEN"), (2, 2, "LOST"), (1, 1, "LOST")]
    winner = derived[Kind.INTENT][1]
    assert {(r["winner_seq"], r["winner_ord"]) for r in derived[Kind.INTENT][2:]} == {(winner["seq"], winner["ord"])}
    assert told_to_losers(derived) == [(RiskRule.PLACES, 3.0, 2.0)] * 2


def told_to_losers(derived):
    """What the gate says of each intent that lost: the rule, what it saw, what it allows."""
    lost = {(r["seq"], r["ord"]) for r in derived[Kind.INTENT] if r["outcome"] == IntentOutcome.LOST}
    risks = [r for r in derived[Kind.RISK] if (r["cause_seq"], r["cause_ord"]) in lost]
    assert len(risks) == len(lost)
    return [(RiskRule(r["rule"]), r["value"], r["limit"]) for r in risks]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"order_rate_max": 1}, (RiskRule.ORDER_RATE, 2.0, 1.0)),
        ({"buying_power": 1.0, "cash": 15.0}, (RiskRule.BUYING_POWER, 20.0, 15.0)),
    ],
)
def test_who_finds_nothing_left_of_what_all_share_names_who_took_it(limits, told):
    def on_timer(s, event, p, ctx):
        if ctx.position == 0:
            enter(ctx, Side.BUY, quantity=1)

    day = Day(("AAA", "BBB")).quote(1, 10, 10).quote(1, 10, 10, instrument_id=2).timer(2).timer(2.5)
    _, derived = day.run([probe(on_quote=None, on_timer=on_timer)], EngineSettings(latency_ns=0, **limits))
    first, second, later, *_ = derived[Kind.INTENT]
    assert (first["outcome"], second["outcome"]) == (IntentOutcome.TAKEN, IntentOutcome.LOST)
    assert (second["winner_seq"], second["winner_ord"]) == (first["seq"], first["ord"])
    assert (later["outcome"], later["winner_seq"]) == (IntentOutcome.LOST, 0)
    assert told_to_losers(derived)[0] == told


def test_a_full_house_keeps_newcomers_out_but_not_its_own():
    def twice(s, event, p, ctx):
        enter(ctx, Side.BUY, quantity=1)

    day = Day(("AAA", "BBB")).quote(1, 10, 10.1).quote(2, 10, 10.1, instrument_id=2).quote(3, 10, 10.1)
    _, derived = day.run([probe(on_quote=twice)], EngineSettings(positions_max=1))
    assert derived.column(Kind.INTENT, "outcome") == [IntentOutcome.TAKEN, IntentOutcome.LOST, IntentOutcome.TAKEN]
    assert derived[Kind.INTENT][1]["winner_seq"] == 0


def test_every_entry_that_becomes_no_order_is_answered():
    answers = []

    def on_order(s, order, p, ctx):
        if order.order_id == 0:
            answers.append((order.state, order.tag))

    def wishes(s, event, ctx):
        enter(ctx, Side.BUY, tag=1)
        enter(ctx, Side.BUY, notional=1.0, tag=2)
        enter(ctx, Side.BUY, quantity=1e7, tag=3)
        enter(ctx, Side.BUY, quantity=1, tag=4)
        enter(ctx, Side.BUY, quantity=1, tag=5)

    _, derived = Day().quote(1, 10, 10.1).run([probe({1: wishes}, on_order=on_order)], EngineSettings(order_slots=1))
    assert answers == [(OrderState.REFUSED, tag) for tag in (1, 2, 3, 5)]
    assert derived[Kind.ORDER][-1]["reason"] == OrderReason.NO_SLOT
    assert derived.column(Kind.RISK, "rule") == [RiskRule.ORDER_QUANTITY, RiskRule.PASSED, RiskRule.PASSED]


def test_an_exit_or_a_protective_order_without_a_slot_is_told():
    answers = []

    def on_order(s, order, p, ctx):
        if order.state == OrderState.REFUSED:
            answers.append((order.order_id, OrderReason(order.reason).name, order.side))

    script = {
        1: lambda s, e, ctx: enter(ctx, Side.BUY, quantity=10, stop=9.0),
        2: lambda s, e, ctx: enter(ctx, Side.BUY, quantity=10, limit=8.0),
        3: lambda s, e, ctx: leave(ctx),
    }
    slots = EngineSettings(latency_ns=NANO, order_slots=1)
    both = Day().quote(0, 10, 10.1).timer(2).quote(3, 10, 10.1)
    both.run([probe(script, on_order=on_order)], slots)
    assert answers == [(0, "INTENT", Side.BUY)]
    answers.clear()
    part = Day().quote(0, 10, 10.1, ask_size=5).timer(2)
    part.run([probe(script, on_order=on_order)], slots)
    assert answers == [(2, "NO_SLOT", Side.SELL)]
    answers.clear()
    script[1] = lambda s, e, ctx: enter(ctx, Side.BUY, quantity=10)
    exit_ = Day().quote(0, 10, 10.1).timer(2).quote(3, 10, 10.1).quote(4, 10, 10.1)
    exit_.run([probe(script, on_order=on_order)], slots)
    assert answers == [(3, "NO_SLOT", Side.SELL)]


def test_warm_up_reaches_who_waits_for_it_and_enters_nothing():
    day = Day(()).add(Kind.SESSION, 0, 0, action=SessionAction.WARMING)
    day.add(Kind.INSTRUMENT, 0, symbol="AAA", tick_nano=nano(0.01)).quote(1, 9, 9.1)
    day.quote(2, 10, 10.1, origin=Origin.WARMUP).add(Kind.FEED, 3, 1, action=FeedAction.WARMED).quote(4, 11, 11.1)
    heard = []

    def on_quote(s, e, p, ctx):
        heard.append((ctx.strategy_id, e.bid))
        enter(ctx, Side.BUY, quantity=1)

    waiting, plain = probe(on_quote=on_quote, warm_up="5m"), probe(on_quote=on_quote)
    engine, derived = day.run([waiting, plain])
    assert heard == [(2, 9.0), (1, 10.0), (1, 11.0), (2, 11.0)]
    rules = [(row["strategy_id"], row["rule"]) for row in derived[Kind.RISK]]
    assert rules == [(2, RiskRule.PASSED), (1, RiskRule.BACKFILLED), (1, RiskRule.PASSED), (2, RiskRule.PASSED)]
    assert engine.world.instruments[1].bid == 11.0


def test_who_waits_too_long_begins_without_history():
    day = Day(()).add(Kind.SESSION, 0, 0, action=SessionAction.WARMING)
    day.add(Kind.INSTRUMENT, 0, symbol="AAA", tick_nano=nano(0.01))
    day.add(Kind.INSTRUMENT, 2, 2, symbol="BBB", tick_nano=nano(0.01))
    for at_s in (1, 9, 10, 11, 12):
        day.quote(at_s, at_s, at_s + 0.1).quote(at_s, at_s, at_s + 0.1, instrument_id=2)
    day.quote(13, 13, 13.1, origin=Origin.WARMUP)
    heard = []
    waiting = probe(on_quote=lambda s, e, p, ctx: heard.append((ctx.instrument_id, e.bid)), warm_up="5m")
    day.run([waiting], EngineSettings(warm_up_wait_ns=10 * NANO))
    assert heard == [(1, 10.0), (1, 11.0), (1, 12.0), (2, 12.0)]
    heard.clear()
    day.run([waiting], EngineSettings(warm_up_wait_ns=0))
    assert len(heard) == 10, "nobody waits"


def test_bars_that_history_told_of_are_not_told_again_to_who_waited():
    heard = []

    def on_bar(s, bar, p, ctx):
        heard.append((ctx.strategy_id, round((bar.ts_event_ns - START_NS) / NANO), bar.close))

    prices = (10, 10, 10)
    day = Day(()).add(Kind.SESSION, 0, 0, action=SessionAction.WARMING)
    day.add(Kind.INSTRUMENT, 0, symbol="AAA", tick_nano=nano(0.01))
    for start_s, close in ((-120, 1), (-60, 2)):
        day.bar(65, start_s, (*prices, close), origin=Origin.WARMUP)
    day.add(Kind.FEED, 65, 1, action=FeedAction.WARMED, to_ns=START_NS + 30 * NANO)
    day.bar(66, -60, (*prices, 3)).bar(67, 0, (*prices, 4)).bar(126, 60, (*prices, 5))
    bars = Bars("1m")
    day.run([probe(on_bar=on_bar, bars=bars, warm_up="5 bars"), probe(on_bar=on_bar, bars=bars)])
    told = [(start_s, close) for strategy, start_s, close in heard if strategy == 1]
    assert told == [(-120, 1.0), (-60, 2.0), (0, 4.0), (60, 5.0)]
    assert [(start_s, close) for strategy, start_s, close in heard if strategy == 2] == [
        (-60, 3.0),
        (0, 4.0),
        (60, 5.0),
    ]


def test_the_operator_flattens_halts_and_resets():
    def on_quote(s, event, p, ctx):
        if ctx.position == 0.0 and ctx.open_orders == 0:
            enter(ctx, Side.BUY, quantity=10, limit=event.ask, tag=event.instrument_id)

    day = Day(("AAA", "BBB")).quote(0, 10, 10.1).quote(0, 10, 10.1, instrument_id=2).timer(2)
    day.add(Kind.REQUEST, 3, 0, action=RequestAction.FLATTEN, target="BBB").timer(5)
    day.add(Kind.REQUEST, 6, 0, action=RequestAction.HALT).timer(8).quote(9, 10, 10.1)
    day.add(Kind.ACCOUNT, 10, 0, action=AccountAction.RESET).quote(11, 10, 10.1)
    engine, derived = day.run([probe(on_quote=on_quote)], FAST)
    flattened = [(r["seq"], r["instrument_id"]) for r in derived[Kind.INTENT] if r["action"] == IntentAction.FLATTEN]
    assert flattened == [(6, 2), (8, 1)]
    assert [r["rule"] for r in derived[Kind.RISK] if r["seq"] in (10, 12)] == [RiskRule.KILL_SWITCH, RiskRule.PASSED]
    assert [row.quantity_steps for row in positions(engine)] == [0, 0]


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(
    "asked",
    [
        (Kind.REQUEST, {"action": RequestAction.HALT}),
        (Kind.REQUEST, {"action": RequestAction.FLATTEN, "target": "AAA"}),
        (Kind.ACCOUNT, {"action": AccountAction.HALTED}),
    ],
)
def test_an_entry_in_flight_that_still_fills_is_closed_again(asked, size):
    kind, columns = asked
    script = {1: lambda s, e, ctx: enter(ctx, Side.BUY, quantity=10)}
    day = Day().quote(0, 10, 10.1).add(kind, 0.5, 0, **columns).timer(1.2).quote(2, 10, 10.1).timer(3).timer(4)
    engine, derived = day.run([probe(script)], FAST, size)
    assert derived.column(Kind.FILL, "side") == [Side.BUY, Side.SELL]
    assert positions(engine)[0].quantity_steps == 0
    assert open_orders(engine) == []


def test_what_fills_after_the_flattening_exit_was_sent_is_closed_too():
    script = {1: lambda s, e, ctx: enter(ctx, Side.BUY, quantity=100)}
    day = Day().quote(0, 10, 10.1, ask_size=60).timer(1.1).add(Kind.REQUEST, 1.2, 0, action=RequestAction.HALT)
    day.quote(1.5, 10, 10.1, ask_size=15).quote(1.6, 10, 10.1, ask_size=15).timer(3)
    day.quote(4, 10, 10.1).timer(5).quote(6, 10, 10.1)
    engine, derived = day.run([probe(script)], FAST)
    assert derived.column(Kind.FILL, "quantity_steps") == [60, 15, 15, 60, 15, 15]
    assert positions(engine)[0].quantity_steps == 0


def test_an_entry_made_after_a_flattening_stays():
    enter_ten = lambda s, e, ctx: enter(ctx, Side.BUY, quantity=10)  # noqa: E731
    day = Day().quote(0, 10, 10.1).timer(2).add(Kind.REQUEST, 3, 0, action=RequestAction.FLATTEN)
    day.timer(5).quote(6, 10, 10.1).timer(8)
    engine, _ = day.run([probe({1: enter_ten, 2: enter_ten})], FAST)
    assert positions(engine)[0].quantity_steps == 10


@pytest.mark.parametrize(
    "asked", [(Kind.REQUEST, {"action": RequestAction.REDUCE}), (Kind.ACCOUNT, {"action": AccountAction.REDUCING})]
)
def test_an_account_that_may_only_reduce_keeps_what_it_holds_and_enters_nothing_until_it_is_reset(asked):
    kind, columns = asked
    enter_ten = lambda s, e, ctx: enter(ctx, Side.BUY, quantity=10)  # noqa: E731
    day = Day().quote(0, 10, 10.1).timer(2).add(kind, 3, 0, **columns).quote(4, 10, 10.1).timer(6)
    day.add(Kind.REQUEST, 7, 0, action=RequestAction.RESET).quote(8, 10, 10.1).timer(10)
    engine, derived = day.run([probe({1: enter_ten, 2: enter_ten, 3: enter_ten})], FAST)
    assert [row["rule"] for row in derived[Kind.RISK]] == [RiskRule.PASSED, RiskRule.KILL_SWITCH, RiskRule.PASSED]
    assert positions(engine)[0].quantity_steps == 20


def test_opening_cash_is_taken_from_the_account():
    seen = []
    day = Day().add(Kind.ACCOUNT, 0, 0, action=AccountAction.OPENING_CASH, cash_nano=nano(777)).quote(1, 10, 10.1)
    day.run([probe(on_quote=lambda s, e, p, ctx: seen.append(ctx.cash))])
    assert seen == [777.0]


def test_a_context_tells_what_is_known_now():
    seen = []

    def look(s, event, p, ctx):
        seen.append(
            (
                ctx.bid,
                ctx.ask,
                round(ctx.spread_bps, 3),
                ctx.tick,
                ctx.position,
                ctx.average_price,
                ctx.stale,
                ctx.halted,
            )
        )
        assert ctx.now_ns == event.ts_recv_ns
        assert ctx.time_of_day_ns == ctx.now_ns % (86_400 * NANO)

    day = Day().quote(0, 10, 10.1).status(1, TradingStatus.HALTED).quote(2, 10, 10.3)
    day.run([probe(on_quote=look)])
    assert seen == [
        (10.0, 10.1, 99.502, 0.01, 0.0, 0.0, False, False),
        (10.0, 10.3, 295.567, 0.01, 0.0, 0.0, False, True),
    ]


def test_cancelling_nothing_is_empty_and_cancelling_twice_is_a_duplicate():
    script = {
        1: lambda s, e, ctx: cancel(ctx),
        2: lambda s, e, ctx: enter(ctx, Side.BUY, quantity=1, limit=9.0),
        3: lambda s, e, ctx: cancel(ctx, 1),
        4: lambda s, e, ctx: cancel(ctx),
    }
    day = Day()
    for i in range(4):
        day.quote(i / 10, 10, 10.1)
    _, derived = day.run([probe(script)], FAST)
    assert derived.column(Kind.INTENT, "outcome") == [
        IntentOutcome.EMPTY,
        IntentOutcome.TAKEN,
        IntentOutcome.TAKEN,
        IntentOutcome.DUPLICATE,
    ]


def test_an_account_may_be_halted_and_a_flatten_of_nobody_does_nothing():
    day = Day().add(Kind.ACCOUNT, 0, 0, action=AccountAction.HALTED).quote(1, 10, 10.1)
    day.add(Kind.REQUEST, 2, 0, action=RequestAction.FLATTEN, target="ZZZ").add(
        Kind.REQUEST, 3, 0, action=RequestAction.RESET
    )
    day.add(Kind.REQUEST, 4, 0, action=RequestAction.NOTE).add(Kind.ACCOUNT, 4, 0, action=AccountAction.CASH).quote(
        5, 10, 10.1
    )
    _, derived = day.run([probe(on_quote=lambda s, e, p, ctx: enter(ctx, Side.BUY, quantity=1))], FAST)
    assert derived.column(Kind.RISK, "rule") == [RiskRule.KILL_SWITCH, RiskRule.PASSED]


def test_many_instruments_are_as_good_as_few():
    day = Day([f"S{i}" for i in range(200)]).quote(1, 10, 10.1, instrument_id=200)
    engine, _ = day.run([probe()])
    assert engine.state_of(1, 200).calls == 1


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"name": "no name"}, "accepted are letters"),
        ({"on_quote": None}, "it has no handler"),
        ({"on_bar": lambda s, bar, p, ctx: None}, "on_bar needs bars"),
        ({"on_quote": print}, "accepted is a plain function"),
    ],
)
def test_a_strategy_that_makes_no_sense_is_refused(given, text):
    with pytest.raises(StrategyError, match=text):
        probe(**given)
