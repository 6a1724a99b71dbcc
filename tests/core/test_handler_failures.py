import random
import re
from decimal import Decimal

import core_streams
import numpy as np
import pytest
from core_day import Day, open_orders, positions
from core_probe import ProbeParams, probe

from pipeline.codes import Kind, OrderState, SessionAction, Side
from pipeline.core.engine import Engine, Plan
from pipeline.core.settings import EngineSettings
from pipeline.core.state import FloatArray, array, state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import cancel, enter, go, passes, say, show
from pipeline.units import ABSENT, NANO


def crash(s, event, ctx):
    s.last = 99.0
    enter(ctx, Side.BUY, quantity=10)
    raise ZeroDivisionError(f"at {object()!r} in /home/someone/secret/file.py")


def test_a_failing_handler_is_undone_and_its_strategy_stopped():
    day = Day().quote(1, 10, 10.1).quote(2, 10, 10.1).quote(3, 10, 10.1)
    engine, derived = day.run([probe({2: crash})])
    assert (engine.state_of(1, 1).calls, engine.state_of(1, 1).last) == (1, 0.0)
    (stopped,) = derived[Kind.SESSION]
    assert (stopped["action"], stopped["key"], stopped["seq"]) == (SessionAction.STOPPED, "probe", 3)
    assert (stopped["cause_seq"], stopped["cause_ord"]) == (3, 0)
    assert re.fullmatch(
        r"ZeroDivisionError: at <object object at 0x\.\.> in file\.py \(in act, line \d+\)", stopped["text"]
    )
    assert derived[Kind.INTENT] == []


@pytest.mark.parametrize("name", ["account", "position", "shared", "gate"])
def test_a_context_that_is_set_stops_the_strategy_with_a_sentence(name):
    day = Day().quote(1, 10, 10.1).quote(2, 10, 10.1)
    engine, derived = day.run([probe({2: lambda s, event, ctx: setattr(ctx, name, 5.0)})])
    (stopped,) = derived[Kind.SESSION]
    assert (
        f"AttributeError: ctx.{name} is read, not set; a handler changes its State and calls verbs" in stopped["text"]
    )
    assert engine.state_of(1, 1).calls == 1


def test_the_others_go_on():
    day = Day().quote(1, 10, 10.1).quote(2, 10, 10.1).quote(3, 10, 10.1)
    engine, derived = day.run([probe({1: crash}, "bad"), probe(name="good")])
    assert engine.state_of(2, 1).calls == 3
    assert len(derived[Kind.SESSION]) == 1


def test_positions_are_flattened_and_orders_taken_back():
    def buy(s, event, ctx):
        enter(ctx, Side.BUY, quantity=50, stop=9.0)
        enter(ctx, Side.BUY, quantity=50, limit=9.5)

    day = Day(("AAA", "BBB")).quote(0, 10, 10.1).quote(0, 20, 20.1, instrument_id=2).timer(2)
    day.quote(3, 10, 10.1).timer(5).quote(6, 10, 10.1).quote(6, 20, 20.1, instrument_id=2).timer(9)
    engine, derived = day.run([probe({1: buy, 2: crash})], EngineSettings(latency_ns=NANO))
    assert all(row.quantity_steps == 0 for row in positions(engine))
    assert open_orders(engine) == []
    last = {row["order_id"]: OrderState(row["state"]) for row in derived[Kind.ORDER]}
    assert sorted(state.name for state in last.values()).count("FILLED") == 2 + 2  # entries and exits of both
    assert derived[Kind.SESSION][0]["seq"] == 6


def test_what_a_stopped_strategy_still_gets_is_closed_again():
    day = (
        Day()
        .quote(0, 10, 10.1, ask_size=20)
        .quote(0.1, 10, 10.1)
        .quote(2, 10, 10.1)
        .timer(4)
        .quote(5, 10, 10.1)
        .timer(7)
    )
    engine, _ = day.run(
        [probe({1: lambda s, e, ctx: enter(ctx, Side.BUY, quantity=20), 2: crash})], EngineSettings(latency_ns=NANO)
    )
    assert [row.quantity_steps for row in positions(engine)] == [0]
    assert open_orders(engine) == []


def test_a_value_the_state_can_not_hold_is_a_failure():
    def overflow(s, event, ctx):
        s.calls = 2**63

    engine, derived = Day().quote(1, 10, 10.1).quote(2, 10, 10.1).run([probe({2: overflow})])
    assert engine.state_of(1, 1).calls == 1
    assert derived[Kind.SESSION][0]["text"].startswith("OverflowError: calls can't hold 9223372036854775808")


def test_too_many_outputs_in_one_call_are_a_failure():
    def chatter(s, event, ctx):
        for _ in range(5):
            say(ctx, 1)

    settings = EngineSettings(outputs_max=4)
    _, derived = Day().quote(1, 10, 10.1).run([probe({1: chatter})], settings)
    assert derived[Kind.MESSAGE] == []
    assert "more outputs in one step" in derived[Kind.SESSION][0]["text"]


def test_a_strategy_that_answers_each_refusal_with_a_new_wish_is_stopped():
    def again(s, order, p, ctx):
        enter(ctx, Side.BUY, quantity=1e9)

    _, derived = Day().quote(1, 10, 10.1).run([probe({1: lambda s, e, ctx: again(s, e, None, ctx)}, on_order=again)])
    assert len(derived[Kind.RISK]) == EngineSettings().outputs_max
    assert "more outputs in one step" in derived[Kind.SESSION][0]["text"]


class Mute(Exception):  # noqa: N818
    def __str__(self):
        raise ValueError("no words")


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda s, ctx: enter(ctx, Side.BUY, quantity="abc"), "TypeError: quantity can't hold a str"),
        (lambda s, ctx: enter(ctx, Side.BUY, quantity=1, score="x"), "TypeError: rank_score"),
        (lambda s, ctx: enter(ctx, Side.BUY, quantity=10**400), "OverflowError"),
        (lambda s, ctx: enter(ctx, None, quantity=1), "TypeError: side can't hold a NoneType"),
        (lambda s, ctx: enter(ctx, 7, quantity=1), "ValueError: side 7"),
        (lambda s, ctx: enter(ctx, Side.BUY, quantity=1, tag=2**40), "OverflowError: tag can't hold 1099511627776"),
        (lambda s, ctx: enter(ctx, Side.BUY, quantity=1, time_in_force=99), "ValueError: time_in_force 99"),
        (lambda s, ctx: cancel(ctx, order_id=2**70), "OverflowError: order_id"),
        (lambda s, ctx: say(ctx, "hello"), "TypeError: code can't hold a str"),
        (lambda s, ctx: say(ctx, 2**15), "OverflowError: code"),
        (lambda s, ctx: show(ctx, 1, [1.0]), "TypeError: a can't hold a list"),
        (lambda s, ctx: passes(ctx, -1, 2.0, 1.0), "OverflowError: code can't hold -1"),
        (lambda s, ctx: go(s, ctx, 40_000, 1), "OverflowError: to_phase"),
        (lambda s, ctx: setattr(s, "last", "x"), "TypeError: last"),
        (lambda s, ctx: setattr(s, "seen", 5), "AttributeError"),
        (lambda s, ctx: s.seen.append(1.0), "ValueError: an array of the State has another length"),
        (lambda s, ctx: fail(SystemExit(3)), "SystemExit: 3"),
        (lambda s, ctx: fail(ValueError("half \ud800")), r"ValueError: half \ud800"),
        (lambda s, ctx: fail(Mute()), "Mute: "),
    ],
)
def test_what_no_row_can_hold_stops_the_strategy_and_not_the_engine(act, told):
    @state
    class Held:
        calls: int
        phase: int
        last: float
        seen: FloatArray = array(float, 3)

    def on_quote(s, quote, p, ctx):
        s.calls += 1
        if s.calls == 2:
            act(s, ctx)

    plan = Plan(Strategy("probe", ProbeParams, Held, on_quote=on_quote), ProbeParams())
    day = Day().quote(1, 10, 10.1).quote(2, 10, 10.1).quote(3, 10, 10.1).timer(4)
    engine, derived = day.run([plan, probe(name="good")], EngineSettings(checkpoint_every=1))
    (stopped,) = derived[Kind.SESSION]
    assert (stopped["key"], stopped["seq"]) == ("probe", 3)
    assert stopped["text"].startswith(told)
    assert (engine.state_of(1, 1).calls, engine.state_of(2, 1).calls) == (1, 3)
    assert len(engine.state_hash()) == 32
    assert derived[Kind.INTENT] == []


def test_an_interrupt_is_not_a_failure_of_the_strategy():
    with pytest.raises(KeyboardInterrupt):
        Day().quote(1, 10, 10.1).run([probe({1: lambda s, e, ctx: fail(KeyboardInterrupt())})])


def test_numbers_of_another_library_become_plain_ones():
    def act(s, event, ctx):
        enter(ctx, Side.BUY, quantity=np.float32(5.0), tag=np.int64(3))
        enter(ctx, Side.BUY, quantity=Decimal(5))
        passes(ctx, np.int64(2), 2.0, 1.0)

    engine, derived = Day().quote(1, 10, 10.1).run([probe({1: act})])
    assert derived.column(Kind.INTENT, "quantity_steps") == [ABSENT, 5, 5]
    assert len(engine.state_hash()) == 32


def test_a_context_can_only_be_read():
    def meddle(s, event, ctx):
        ctx.cash = 1e9

    _, derived = Day().quote(1, 10, 10.1).run([probe({1: meddle})])
    assert derived[Kind.SESSION][0]["text"].startswith("AttributeError")


def failing(base, at_call, calls):
    """The stream's strategy with a handler that does all its work and then fails at one call."""

    def on_quote(s, quote, p, ctx):
        base.strategy.on_quote(s, quote, p, ctx)
        ctx.shared.fills += 1_000
        calls[0] += 1
        if calls[0] == at_call:
            raise RuntimeError("as planned")
        ctx.shared.fills -= 1_000

    made = Strategy(
        base.strategy.name, base.strategy.Params, base.strategy.State, shared=base.strategy.shared, on_quote=on_quote,
        on_fill=base.strategy.on_fill, on_order=base.strategy.on_order,
    )  # fmt: skip
    return Plan(made, base.params)


@pytest.mark.parametrize("seed", range(25))
def test_a_failure_anywhere_leaves_no_half_update(seed):
    day = core_streams.stream(seed % 3 + 1, 300)
    at_call = random.Random(seed).randint(1, 120)
    calm, bad = (
        Engine([failing(core_streams.plans()[1], call, [0])], core_streams.SETTINGS) for call in (10**9, at_call)
    )
    for batch in day.batches(1):
        before = {key: cell.packed for key, cell in calm.cells.by_pair.items()}, calm.cells.running[0].packed_shared()
        derived = [row for block in bad.reduce(batch) for row in block.rows()]
        if bad.world.runs[1].is_stopped:
            assert {key: cell.save(cell.state) for key, cell in bad.cells.by_pair.items()} == before[0]
            assert bad.cells.running[0].packed_shared() == before[1]
            assert not any("from_phase" in row for row in derived)
            return
        calm.reduce(batch)
    pytest.fail("the handler never failed")


def test_a_failure_at_the_start_is_one_too():
    def on_start(s, instrument, p, ctx):
        raise ValueError("no")

    _, derived = Day().quote(1, 10, 10.1).run([probe({}, on_start=on_start)])
    assert (derived[Kind.SESSION][0]["seq"], derived[Kind.SESSION][0]["instrument_id"]) == (1, 1)
