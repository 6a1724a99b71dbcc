"""What a strategy knows while the venue's news is on its way, and when it learns the rest."""

import pytest
from core_day import Day, positions
from core_fills import buy, fills, run
from core_probe import probe

from pipeline.codes import Kind, OrderState, Side
from pipeline.core.engine import Engine
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import enter, leave, say
from pipeline.units import NANO

LATE = EngineSettings(latency_ns=NANO, latency_back_ns=2 * NANO, quote_age_ns_max=10**15, fee_per_unit=0.01)
AT_ONCE = EngineSettings(latency_ns=NANO, quote_age_ns_max=10**15, fee_per_unit=0.01)


def told(day, script, settings=LATE):
    """What a strategy hears, with the moment in seconds, what it is of, and what its context says then."""
    heard = []

    def note(what):
        def hear(s, event, p, ctx):
            heard.append((what(event), ctx.position, round(ctx.average_price, 4), ctx.open_orders, round(ctx.cash, 2)))

        return hear

    def on_order(s, order, p, ctx):
        heard.append(((order.ts_recv_ns - order.ts_event_ns) // NANO, OrderState(order.state).name))

    _, derived = day.run(
        [
            probe(
                script,
                on_fill=note(lambda fill: f"fill {fill.position:g}"),
                on_order=on_order,
                on_timer=note(lambda _: "timer"),
            )
        ],
        settings,
    )
    return heard, derived


def test_the_account_moves_at_once_and_the_strategy_hears_of_it_later():
    day = Day().quote(0, 10.0, 10.1).timer(1).timer(2.9).timer(3).timer(4)
    heard, derived = told(day, {1: buy(quantity=50)})
    assert [seq for seq, *_ in fills(derived)] == [3]
    assert derived[Kind.POSITION][0]["seq"] == 3
    nothing = ("timer", 0.0, 0.0, 1, 100_000.0)
    held = (50.0, 10.1, 0, 100_000.0 - 505.0 - 0.5)
    assert heard == [
        (0, "APPROVED"), (0, "SUBMITTED"), nothing, nothing,
        (2, "ACCEPTED"), ("fill 50", *held), (2, "FILLED"), ("timer", *held), ("timer", *held),
    ]  # fmt: skip


def test_without_the_setting_all_is_told_at_once():
    heard, _ = told(Day().quote(0, 10.0, 10.1).timer(1), {1: buy(quantity=50)}, AT_ONCE)
    assert [each[0] for each in heard] == [0, 0, 0, "fill 50", 0, "timer"]


def test_news_of_one_fill_is_not_news_of_the_next():
    day = (
        Day().quote(0, 10.0, 10.0, ask_size=30).timer(1).quote(2, 10.0, 11.0, ask_size=20).timer(3).timer(3.5).timer(4)
    )
    heard, _ = told(day, {1: buy(quantity=50)})
    at_timers = [each[1:4] for each in heard if each[0] == "timer"]
    assert at_timers == [(0.0, 0.0, 1), (30.0, 10.0, 1), (30.0, 10.0, 1), (50.0, 10.4, 0)]


def test_an_exit_is_for_what_there_is_and_not_for_what_is_known():
    script = {1: buy(quantity=50, stop=9.5), 2: lambda s, event, ctx: None, 4: lambda s, event, ctx: leave(ctx)}
    day = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.0, 10.1).timer(4.5).quote(6, 9.0, 9.1).quote(7, 9.0, 9.1)
    derived = run(day.timer(9), script, LATE)
    assert [(side, steps) for _, side, _, steps, _ in fills(derived)] == [(Side.BUY, 50), (Side.SELL, 50)]
    assert [row["quantity_steps"] for row in derived[Kind.INTENT]] == [50, 0]


def test_more_news_than_a_handful_at_once_is_all_told_in_order():
    def on_timer(s, event, p, ctx):
        enter(ctx, Side.BUY, quantity=1)

    def on_fill(s, fill, p, ctx):
        say(ctx, 1, fill.position, ctx.position)

    day = Day().quote(0, 10.0, 10.1, ask_size=10**6)
    for tenth in range(1, 600):
        day.timer(tenth / 10)
    settings = EngineSettings(latency_ns=0, latency_back_ns=20 * NANO, quote_age_ns_max=10**15, open_orders_max=1_000)
    engine, derived = day.run([probe(on_quote=None, on_timer=on_timer, on_fill=on_fill)], settings)
    assert derived.column(Kind.MESSAGE, "a") == derived.column(Kind.MESSAGE, "b") == list(range(1, 399))
    (position,) = positions(engine)
    counts = engine.world.counts
    assert position.quantity_steps == 598
    assert position.untold_steps == position.untold_fills == position.untold_orders == 200
    assert counts.late_facts - counts.late_first == 600  # accepted, filled, and the fill itself, of each
    assert counts.late_first <= 64


@pytest.mark.parametrize("settings", [LATE, AT_ONCE])
def test_nothing_is_left_untold_in_the_end(settings):
    day = Day().quote(0, 10.0, 10.1).timer(2).quote(3, 10.0, 10.1).quote(5, 9.0, 9.1).quote(7, 9.0, 9.1).timer(60)
    engine, _ = day.run([probe({1: buy(quantity=50, stop=9.5, target=12.0), 3: buy(quantity=10)})], settings)
    (position,) = positions(engine)
    assert (position.untold_steps, position.untold_fills, position.untold_orders) == (0, 0, 0)
    assert engine.world.account.untold_cash == 0.0
    assert engine.world.counts.late_facts == 0


def test_a_snapshot_holds_what_is_on_its_way():
    day = Day().quote(0, 10.0, 10.1).timer(1).timer(2).timer(3).timer(4)
    plan = probe({1: buy(quantity=50)}, on_fill=lambda s, fill, p, ctx: say(ctx, 1, fill.price))
    whole, _ = day.run([plan], LATE)
    for cut in (3, 4, 5):
        first, second = Engine([plan], LATE), Engine([plan], LATE)
        batches = list(day.batches(cut))
        first.reduce(batches[0])
        second.put_back(first.snapshot())
        for batch in batches[1:]:
            second.reduce(batch)
        assert second.state_hash() == whole.state_hash()
