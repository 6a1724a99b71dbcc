from core_day import Day, Derived, nano, open_orders, positions
from core_fills import FAST, buy, fills, run, sell, states
from core_probe import probe
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.codes import (
    IntentOutcome,
    Kind,
    Liquidity,
    Mark,
    OrderReason,
    OrderState,
    RiskVerdict,
    SessionAction,
    Side,
    TimeInForce,
    TradingStatus,
)
from pipeline.core.engine import Engine
from pipeline.core.orders import remaining_steps
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import cancel, enter, leave
from pipeline.units import ABSENT, NANO


def test_a_market_order_pays_the_far_side_in_force_when_it_arrives():
    day = Day().quote(0, 10.0, 10.1).quote(0.5, 10.2, 10.3).quote(3, 10.8, 10.9)
    derived = run(day, {1: buy(quantity=50)})
    assert fills(derived) == [(4, Side.BUY, 10.3, 50, Liquidity.TAKER)]
    assert states(derived) == ["APPROVED", "SUBMITTED", "ACCEPTED", "FILLED"]


def test_an_order_never_fills_in_the_step_that_sent_it():
    derived = run(Day().quote(0, 10.0, 10.1), {1: buy(quantity=50)}, EngineSettings(latency_ns=0))
    assert fills(derived) == []
    assert states(derived) == ["APPROVED", "SUBMITTED"]


def test_displayed_size_is_used_up_until_the_next_quote():
    day = (
        Day().quote(0, 10.0, 10.1, ask_size=70).timer(2).timer(3).quote(4, 10.0, 10.2, ask_size=20).quote(5, 10.0, 10.1)
    )
    derived = run(day, {1: buy(quantity=100)})
    assert fills(derived) == [
        (3, Side.BUY, 10.1, 70, Liquidity.TAKER),
        (5, Side.BUY, 10.2, 20, Liquidity.TAKER),
        (6, Side.BUY, 10.1, 10, Liquidity.TAKER),
    ]


def test_two_orders_share_one_displayed_size_oldest_first():
    def both(s, event, ctx):
        enter(ctx, Side.BUY, quantity=60, score=1.0)
        enter(ctx, Side.BUY, quantity=60, score=2.0)

    derived = run(Day().quote(0, 10.0, 10.1, ask_size=100).timer(2), {1: both})
    assert [(row["order_id"], row["quantity_steps"]) for row in derived[Kind.FILL]] == [(1, 60), (2, 40)]


def test_the_rest_of_an_immediate_order_is_cancelled():
    day = Day().quote(0, 10.0, 10.1, ask_size=70).timer(2).quote(4, 10.0, 10.1)
    derived = run(day, {1: buy(quantity=100, limit=10.1, time_in_force=TimeInForce.IOC)})
    assert fills(derived) == [(3, Side.BUY, 10.1, 70, Liquidity.TAKER)]
    assert states(derived)[-2:] == ["PARTIALLY_FILLED", "CANCELLED"]


def test_fill_or_kill_is_all_or_nothing():
    day = Day().quote(0, 10.0, 10.1, ask_size=70).timer(2).quote(4, 10.0, 10.1, ask_size=500)
    derived = run(day, {1: buy(quantity=100, limit=10.1, time_in_force=TimeInForce.FOK)})
    assert fills(derived) == []
    assert states(derived)[-1] == "CANCELLED"


def test_a_touch_is_no_fill_of_a_resting_limit():
    day = Day().quote(0, 10.0, 10.2).timer(2).quote(3, 10.1, 10.2).print(4, 10.1).print(5, 10.05)
    derived = run(day, {1: buy(quantity=10, limit=10.1)})
    assert fills(derived) == []


def test_a_resting_limit_fills_at_its_limit_when_the_other_side_comes_to_it():
    day = Day().quote(0, 10.0, 10.2).timer(2).quote(3, 10.0, 10.1, ask_size=4).quote(4, 9.0, 9.1)
    derived = run(day, {1: buy(quantity=10, limit=10.1)})
    assert fills(derived) == [(4, Side.BUY, 10.1, 4, Liquidity.MAKER), (5, Side.BUY, 10.1, 6, Liquidity.MAKER)]


def test_a_limit_that_can_trade_at_once_pays_the_quote_not_its_limit():
    derived = run(Day().quote(0, 10.0, 10.1).timer(2), {1: buy(quantity=10, limit=10.5)})
    assert fills(derived) == [(3, Side.BUY, 10.1, 10, Liquidity.TAKER)]


def test_a_stop_wakes_at_the_quote_it_trades_against():
    day = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.3, 10.39).quote(4, 10.4, 10.5)
    derived = run(day, {1: buy(quantity=10, trigger=10.4)})
    assert fills(derived) == [(5, Side.BUY, 10.5, 10, Liquidity.TAKER)]


def test_nothing_fills_while_halted():
    day = Day().quote(0, 10.0, 10.1).status(0.5, TradingStatus.HALTED).timer(2).quote(3, 10.0, 10.1)
    day.status(4, TradingStatus.TRADING).quote(5, 11.0, 11.1)
    derived = run(day, {1: buy(quantity=10)})
    assert fills(derived) == [(7, Side.BUY, 11.1, 10, Liquidity.TAKER)]


def test_an_immediate_order_that_meets_a_halt_is_cancelled():
    day = Day().quote(0, 10.0, 10.1).status(0.5, TradingStatus.PAUSED).timer(2)
    derived = run(day, {1: buy(quantity=10, limit=11, time_in_force=TimeInForce.IOC)})
    assert derived[Kind.ORDER][-1]["reason"] == OrderReason.HALTED


def test_a_cancel_takes_as_long_as_an_order():
    script = {1: buy(quantity=10, limit=9.0), 2: lambda s, event, ctx: cancel(ctx)}
    derived = run(Day().quote(0, 10.0, 10.1).quote(5, 10.0, 10.1).quote(5.5, 8.9, 9.0, ask_size=3).timer(7), script)
    assert fills(derived) == [(4, Side.BUY, 9.0, 3, Liquidity.MAKER)]
    assert states(derived)[-3:] == ["CANCEL_PENDING", "CANCEL_PENDING", "CANCELLED"]


def test_entries_on_their_way_count_towards_the_largest_position():
    limits = EngineSettings(latency_ns=NANO, position_notional_max=2_500.0)
    script = {call: buy(quantity=100, limit=10.0) for call in range(1, 5)} | {5: lambda s, e, ctx: cancel(ctx)}
    day = Day().quote(0, 10.0, 10.1).quote(0.1, 10, 10.1).quote(0.2, 10, 10.1).quote(2, 9.9, 10.0, ask_size=50)
    engine, derived = day.quote(3, 10, 10.1).timer(5).run([probe(script)], limits)
    approved, refused = RiskVerdict.APPROVED, RiskVerdict.REFUSED
    assert derived.column(Kind.RISK, "verdict") == [approved, approved, refused, refused]
    position = positions(engine)[0]
    assert (position.quantity_steps, position.buying_steps, position.selling_steps) == (50, 0, 0)


def test_a_duplicate_quote_shows_no_new_size():
    day = Day().quote(0, 10.0, 10.1, ask_size=30).timer(2)
    day.quote(3, 10.0, 10.1, ask_size=30, marks=Mark.DUPLICATE).timer(4)
    assert [fill[3] for fill in fills(run(day, {1: buy(quantity=100)}))] == [30]


def test_an_older_quote_out_of_order_is_not_in_force():
    order = {1: buy(quantity=100, limit=9.5)}
    late = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.0, 10.1)
    derived = run(late.quote(4, 9.0, 9.1, marks=Mark.OUT_OF_ORDER, event_s=2.5).timer(5), order)
    assert fills(derived) == []
    in_time = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.0, 10.1)
    derived = run(in_time.quote(4, 9.0, 9.1, marks=Mark.OUT_OF_ORDER, event_s=3.0).timer(5), order)
    assert fills(derived) == [(5, Side.BUY, 9.5, 100, Liquidity.MAKER)]


def test_nothing_fills_or_wakes_on_a_crossed_quote():
    def orders(s, event, ctx):
        enter(ctx, Side.BUY, quantity=10)
        enter(ctx, Side.BUY, quantity=10, trigger=10.2)
        enter(ctx, Side.BUY, quantity=10, limit=10.5, time_in_force=TimeInForce.IOC)

    day = Day().quote(0, 10.0, 10.1).quote(0.5, 11.0, 10.4).timer(2).quote(3, 10.3, 10.2).timer(4).quote(5, 10.0, 10.1)
    engine, derived = day.run([probe({1: orders})], FAST)
    assert fills(derived) == [(7, Side.BUY, 10.1, 10, Liquidity.TAKER)]
    assert [order.is_triggered for order in open_orders(engine)] == [False]
    assert states(derived, 3)[-1] == "CANCELLED"
    engine, _ = Day().quote(0, 11.0, 10.4).run([probe()], FAST)
    assert (engine.world.instruments[1].bid, engine.world.instruments[1].ask) == (11.0, 10.4)


def test_a_fill_whose_fee_no_column_holds_is_not_made():
    dear = EngineSettings(latency_ns=NANO, fee_per_unit=1e6)
    day = Day().quote(0, 10.0, 10.1, ask_size=10_000).timer(2)
    derived = run(day, {1: buy(quantity=10_000)}, dear)
    assert fills(derived) == []
    assert (derived[Kind.ORDER][-1]["state"], derived[Kind.ORDER][-1]["reason"]) == (
        OrderState.CANCELLED,
        OrderReason.UNSUPPORTED,
    )


def test_an_exit_that_stands_is_not_doubled_and_one_of_nothing_is_empty():
    go_out = lambda s, event, ctx: leave(ctx)  # noqa: E731
    script = {1: go_out, 2: buy(quantity=50), 3: go_out, 4: go_out}
    derived = run(Day().quote(0, 10, 10.1).quote(1, 10, 10.1).quote(5, 10, 10.1).quote(5.5, 10, 10.1), script)
    assert derived.column(Kind.INTENT, "outcome") == [
        IntentOutcome.EMPTY,
        IntentOutcome.TAKEN,
        IntentOutcome.TAKEN,
        IntentOutcome.DUPLICATE,
    ]


def test_prices_go_to_the_tick_by_the_sides_rule():
    def wishes(s, event, ctx):
        enter(ctx, Side.BUY, quantity=1, limit=10.017, stop=9.013, target=11.011)
        enter(ctx, Side.SELL, quantity=1, limit=10.011, stop=11.011, target=9.013)
        enter(ctx, Side.BUY, quantity=1, trigger=10.511)

    derived = run(Day().quote(0, 10.0, 10.1), {1: wishes})
    columns = ("limit_nano", "stop_loss_nano", "take_profit_nano", "trigger_nano")
    prices = [tuple(max(row[name], 0) for name in columns) for row in derived[Kind.INTENT]]
    assert prices == [
        (nano(10.01), nano(9.01), nano(11.02), 0),
        (nano(10.02), nano(11.02), nano(9.01), 0),
        (0, 0, 0, nano(10.52)),
    ]


def test_a_size_comes_from_exactly_one_of_quantity_notional_and_risk():
    def wishes(s, event, ctx):
        enter(ctx, Side.BUY, notional=1_000.0)
        enter(ctx, Side.BUY, risk=100.0, limit=10.0, stop=9.0)
        enter(ctx, Side.BUY, notional=5.0)
        enter(ctx, Side.BUY)
        enter(ctx, Side.BUY, quantity=1, notional=5.0)
        enter(ctx, Side.BUY, risk=100.0)
        enter(ctx, Side.BUY, quantity=float("inf"))
        enter(ctx, Side.BUY, quantity=1, limit=float("-inf"))
        enter(ctx, Side.BUY, quantity=1, stop=10.2)
        enter(ctx, Side.BUY, notional=5.0, target=10.1)
        enter(ctx, Side.NONE, quantity=1)

    derived = run(Day().quote(0, 10.0, 10.1), {1: wishes})
    outcomes = [IntentOutcome(outcome).name for outcome in derived.column(Kind.INTENT, "outcome")]
    assert outcomes[:6] == ["TAKEN", "TAKEN", "EMPTY", "UNSIZED", "UNSIZED", "UNPRICED"]
    assert outcomes[6:] == ["INVALID", "INVALID", "MISPLACED", "MISPLACED", "INVALID"]
    assert derived.column(Kind.INTENT, "quantity_steps") == [99, 100] + [0] * 9


def test_an_amount_without_a_price_to_go_by_is_told_so():
    day = Day().add(Kind.QUOTE, 0, bid_nano=nano(10), ask_nano=ABSENT)
    derived = run(day, {1: buy(notional=1_000.0)})
    assert derived.column(Kind.INTENT, "outcome") == [IntentOutcome.UNPRICED]


def test_what_the_venue_does_not_know_is_rejected():
    script = {
        1: buy(quantity=1, limit=10.0, time_in_force=TimeInForce.CLOSING),
        2: buy(quantity=1, limit=10.2, post_only=True),
        3: buy(quantity=1, limit=10.0, post_only=True),
    }
    derived = run(Day().quote(0, 10, 10.1).quote(0.1, 10, 10.1).quote(0.2, 10, 10.1).timer(3), script)
    rejected = [(r["order_id"], r["reason"]) for r in derived[Kind.ORDER] if r["state"] == OrderState.REJECTED]
    assert rejected == [(1, OrderReason.UNSUPPORTED), (2, OrderReason.WOULD_CROSS)]
    assert states(derived, 3)[-1] == "ACCEPTED"


def test_a_part_of_a_position_may_be_left_at_a_limit():
    script = {1: buy(quantity=50), 2: lambda s, event, ctx: leave(ctx, quantity=20, limit=10.5)}
    derived = run(Day().quote(0, 10, 10.1).timer(2).quote(3, 10, 10.1).timer(5).quote(6, 10.6, 10.7), script)
    assert fills(derived)[1:] == [(6, Side.SELL, 10.5, 20, Liquidity.MAKER)]
    assert derived[Kind.POSITION][-1]["quantity_steps"] == 30


def test_an_impossible_part_is_invalid():
    script = {1: buy(quantity=50), 2: lambda s, event, ctx: leave(ctx, quantity=-1.0)}
    derived = run(Day().quote(0, 10, 10.1).timer(2).quote(3, 10, 10.1), script)
    assert derived.column(Kind.INTENT, "outcome") == [IntentOutcome.TAKEN, IntentOutcome.INVALID]


def test_a_market_without_the_other_side_fills_nothing():
    day = Day().quote(0, 10, 10.1).add(Kind.QUOTE, 0.5, bid_nano=nano(10), ask_nano=ABSENT).timer(3).quote(4, 10, 10.4)
    assert fills(run(day, {1: buy(quantity=5)})) == [(5, Side.BUY, 10.4, 5, Liquidity.TAKER)]


def test_ticks_below_one_are_finer():
    day = Day()
    day.rows[0][1]["tick_below_one_nano"] = nano(0.0001)
    derived = run(day.quote(0, 0.5, 0.51), {1: buy(quantity=1, limit=0.50017)})
    assert derived.column(Kind.INTENT, "limit_nano") == [nano(0.5001)]


QUOTES = st.lists(
    st.tuples(st.integers(90, 110), st.integers(0, 5), st.integers(0, 30), st.integers(0, 30), st.booleans()),
    min_size=2,
    max_size=30,
)
WISHES = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 60), st.integers(85, 115)),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(QUOTES, WISHES)
def test_displayed_size_is_never_used_twice_and_halts_hold(quotes, wishes):
    day = Day(tick=1.0)
    is_halted = False
    for i, (bid, spread, bid_size, ask_size, toggles) in enumerate(quotes):
        if toggles:
            is_halted = not is_halted
            day.status(i, TradingStatus.HALTED if is_halted else TradingStatus.TRADING)
        day.quote(i, bid, bid + spread, bid_size, ask_size)
    script = {}
    for call, side, size, limit in wishes:
        order = {"quantity": size} if limit % 3 == 0 else {"quantity": size, "limit": limit}
        script[call] = (buy if side == Side.BUY else sell)(**order)
    engine = Engine([probe(script)], EngineSettings(latency_ns=NANO // 2, quote_age_ns_max=10**15))
    filled, limits = {}, {}
    was_halted = False
    for batch in day.batches(1):
        derived = Derived()
        derived.take(engine.reduce(batch))
        instrument = engine.world.instruments[1]
        assert instrument.bid_left_steps >= 0
        assert instrument.ask_left_steps >= 0
        for position in positions(engine):
            working = {Side.BUY: position.buying_steps, Side.SELL: position.selling_steps}
            for entry_side, steps in working.items():
                assert steps == sum(remaining_steps(o) for o in open_orders(engine) if o.side == entry_side)
        assert not (was_halted and instrument.is_halted and derived[Kind.FILL])
        was_halted = instrument.is_halted
        limits |= {row["order_id"]: (row["limit_nano"], row["quantity_steps"]) for row in derived[Kind.ORDER]}
        for fill in derived[Kind.FILL]:
            limit_nano, quantity = limits[fill["order_id"]]
            filled[fill["order_id"]] = filled.get(fill["order_id"], 0) + fill["quantity_steps"]
            assert filled[fill["order_id"]] <= quantity
            assert limit_nano == ABSENT or (limit_nano - fill["price_nano"]) * fill["side"] >= 0
            far_nano = fill["ask_nano"] if fill["side"] == Side.BUY else fill["bid_nano"]
            assert (fill["price_nano"] - far_nano) * fill["side"] >= 0  # never better than the far side


def test_what_was_displayed_before_an_interruption_fills_nothing():
    day = Day().quote(0, 10, 10.1).add(Kind.SESSION, 600, 0, action=SessionAction.RESUMED).timer(602)
    day.quote(603, 10, 10.2)
    derived = run(day, {1: buy(quantity=10)})
    assert fills(derived) == [(5, Side.BUY, 10.2, 10, Liquidity.TAKER)]
