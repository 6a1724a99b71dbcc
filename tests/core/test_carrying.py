"""A session that begins where another one ended decides what the other would have decided."""

import dataclasses
import json
import math

import core_streams
import msgspec
import numpy as np
import pytest
from core_day import START_NS, Day, Derived
from core_probe import probe
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import Kind, SessionAction, Side
from pipeline.core.carrying import carried, packed_from, text_of
from pipeline.core.context import IN_UNIVERSE, LEAVING, OUT_OF_UNIVERSE, WAITING
from pipeline.core.engine import Engine, Plan
from pipeline.core.params import param, params
from pipeline.core.record import record_of
from pipeline.core.settings import EngineSettings
from pipeline.core.state import FloatArray, array, group, rows, state
from pipeline.core.strategy import Strategy
from pipeline.core.verbs import enter, leave
from pipeline.core.world import index_of
from pipeline.errors import LogError
from pipeline.scanner_codes import UniverseAction

LATE = msgspec.structs.replace(core_streams.SETTINGS, latency_back_ns=800_000_000)
"""With news from the venue on its way at most moments."""

PLACES = ("seq", "ord", "cause_seq", "cause_ord", "order_seq", "intent_seq", "intent_ord", "winner_seq", "winner_ord")


def opened_with(engine, plans, day, cut, told, settings=None):
    """An engine that took over `told` and then sees the day's inputs behind the first `cut`."""
    beginning = Day(())
    beginning.rows = []
    at_s = (day.rows[cut - 1][1]["ts_recv_ns"] - START_NS) / 1e9
    for key, text in told:
        beginning.add(Kind.SESSION, at_s, 0, action=SessionAction.STATE, key=key, text=text)
    definitions = [row for kind, row in day.rows[:cut] if kind is Kind.INSTRUMENT]
    rest = [*((Kind.INSTRUMENT, {**row, "ts_recv_ns": engine.world.clock.now_ns}) for row in definitions)]
    for kind, row in [*rest, *day.rows[cut:]]:
        beginning.rows.append((kind, {**row, "seq": len(beginning.rows) + 1}))
    for _, row in beginning.rows[: len(told)]:
        row["ts_recv_ns"] = engine.world.clock.now_ns
    other, derived = Engine(plans, settings), Derived()
    for batch in beginning.batches(64):
        derived.take(other.reduce(batch))
    return other, derived


def reduced(engine, day, start, stop):
    derived = Derived()
    part = Day(())
    part.rows = day.rows[start:stop]
    for batch in part.batches():
        derived.take(engine.reduce(batch))
    return derived


def decisions(derived):
    """All derived rows but for their places and the hashes of states, which know their seq."""
    kept = {kind: found for kind, found in derived.by_kind.items() if kind is not Kind.CHECKPOINT and found}
    return {
        kind: [tuple((name, str(value)) for name, value in row.items() if name not in PLACES) for row in found]
        for kind, found in kept.items()
    }


def remembered(engine, plans):
    """What an engine would hand over, but for the places of other sessions."""
    told = {}
    for key, text in carried(engine.snapshot(), plans):
        row = json.loads(text)
        told[key] = {name: row[name] for name in row if not name.startswith(("cause_", "cancel_", "slot"))}
    return told


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(1, 50), share=st.floats(0.02, 0.98), limits=st.sampled_from([core_streams.SETTINGS, LATE]))
def test_whatever_the_moment_the_decisions_are_those_of_one_session(seed, share, limits):
    day, plans = core_streams.stream(seed, 220), core_streams.plans()
    cut = max(4, int(len(day.rows) * share))
    whole = Engine(plans, limits)
    reduced(whole, day, 0, cut)
    told = list(carried(whole.snapshot(), plans))
    expected = reduced(whole, day, cut, len(day.rows))
    other, derived = opened_with(whole_at(day, plans, cut, limits), plans, day, cut, told, limits)
    assert decisions(derived) == decisions(expected)
    assert remembered(other, plans) == remembered(whole, plans)


def whole_at(day, plans, cut, limits):
    engine = Engine(plans, limits)
    reduced(engine, day, 0, cut)
    return engine


def test_some_of_those_moments_have_open_orders_and_positions():
    day, plans = core_streams.stream(1, 220), core_streams.plans()
    engine, kinds = Engine(plans, LATE), set()
    for row in range(len(day.rows)):
        reduced(engine, day, row, row + 1)
        told = dict(carried(engine.snapshot(), plans))
        kinds |= {key.partition("/")[0] for key in told}
        kinds |= {"held" for key, text in told.items() if "position/" in key and json.loads(text)["quantity_steps"]}
    assert kinds == {"account", "instrument", "bar", "position", "order", "late", "strategy", "shared", "state", "held"}


def held_day():
    return Day().quote(1, 10.0, 10.01).quote(2, 10.0, 10.01).quote(3, 10.2, 10.21).quote(4, 10.2, 10.21)


@params
class Params:
    size: float = param(5.0, low=1.0)


@state
class State:
    quotes: int


def on_start(s, instrument, p, ctx):
    s.quotes = 1_000


def on_quote(s, quote, p, ctx):
    s.quotes += 1
    if s.quotes == 1_001:
        enter(ctx, Side.BUY, quantity=p.size)


COUNTER = Strategy("counter", Params, State, on_start=on_start, on_quote=on_quote)


def carried_into(plans):
    day, own = held_day(), [Plan(COUNTER, Params())]
    engine = Engine(own)
    reduced(engine, day, 0, 3)
    return opened_with(engine, plans, day, 3, list(carried(engine.snapshot(), own)))[0]


def test_the_same_strategy_goes_on_without_starting_again():
    engine = carried_into([Plan(COUNTER, Params())])
    assert engine.state_of(1, 1).quotes == 1_004
    assert engine.world.positions[1].quantity_steps == 5


def test_other_parameters_start_anew_and_keep_the_position():
    engine = carried_into([Plan(COUNTER, Params(size=6.0))])
    assert engine.state_of(1, 1).quotes == 1_002
    assert engine.world.positions[1].quantity_steps == 11


def test_a_new_strategy_starts_and_takes_another_place():
    engine = carried_into([probe(), Plan(COUNTER, Params())])
    assert engine.state_of(2, 1).quotes == 1_004
    assert [row.quantity_steps for row in engine.world.positions[1:]] == [0, 5]


def test_what_concerns_others_is_left_out():
    engine = carried_into([probe()])
    assert [row.quantity_steps for row in engine.world.positions[1:]] == [0]
    assert engine.world.account.cash == pytest.approx(EngineSettings().cash - 5 * 10.01, abs=0.1)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("account", "{"),
        ("account", '{"cash": "much"}'),
        ("account", '{"is_halted": 7.5}'),
        ("order/counter/1", '{"instrument_id": 99}'),
        ("moon/counter", "{}"),
        ("position/counter/x", "{}"),
        ("instrument/1", "{}"),
        ("strategy/counter", "[]"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_with_its_place(key, text):
    engine = Engine([Plan(COUNTER, Params())])
    day = Day()
    day.add(Kind.SESSION, 1, 0, action=SessionAction.STATE, key=key, text=text)
    with pytest.raises(LogError, match=f"seq 2: opening state '{key}'"):
        day_reduced(engine, day)


def day_reduced(engine, day):
    for batch in day.batches():
        engine.reduce(batch)


def test_an_order_that_finds_no_room_is_refused():
    engine = Engine([Plan(COUNTER, Params())], EngineSettings(order_slots=1))
    order = json.dumps({"instrument_id": 1, "is_open": True})
    rows_ = [{"seq": n, "action": SessionAction.STATE, "key": f"order/counter/{n}", "text": order} for n in (2, 3)]
    engine.reduce(next(iter(Day().batches())))
    with pytest.raises(LogError, match="order_slots=1"):
        engine.reduce([Block.from_rows(Kind.SESSION, rows_)])


@state
class Inner:
    values: FloatArray = array(float, 3)
    is_on: bool = True


@state
class Outer:
    number: int = 7
    inner: Inner = group()
    more: list[Inner] = rows(2)


@given(
    number=st.integers(-(2**63), 2**63 - 1),
    values=st.lists(st.floats(), min_size=3, max_size=3),
    is_on=st.booleans(),
)
def test_numbers_come_back_as_they_were(number, values, is_on):
    record = record_of(Outer)
    row = record.new()
    row.number, row.more[1].is_on = number, is_on
    for i, value in enumerate(values):
        row.inner.values[i] = value
    packed = record.pack(row)
    text = text_of(record, np.frombuffer(packed, record.dtype), extra=1)
    again = record.unpack(packed_from(record, text))
    assert record.pack(again) == packed
    assert json.loads(text)["extra"] == 1
    assert all(math.isnan(value) or value in json.loads(text)["inner.values"] or math.isinf(value) for value in values)


def test_what_a_scanner_picked_is_left_but_for_what_is_held_and_who_waited_begins_anew():
    def on_quote(s, e, p, ctx):
        if ctx.instrument_id == 1 and ctx.position == 0.0 and ctx.open_orders == 0:
            enter(ctx, Side.BUY, quantity=10)

    day = Day(()).add(Kind.SESSION, 0, 0, action=SessionAction.WARMING)
    for instrument_id, symbol in ((1, "AAA"), (2, "BBB")):
        day.add(Kind.INSTRUMENT, 0, instrument_id, symbol=symbol, tick_nano=10_000_000)
    for at_s in range(1, 5):
        day.quote(at_s, 10, 10.1).quote(at_s, 20, 20.1, instrument_id=2)
    trader = dataclasses.replace(probe(on_quote=on_quote, name="trader"), scanner_id=1)
    waiter = dataclasses.replace(probe(on_quote=on_quote, name="waiter", warm_up="5m"), scanner_id=1)
    plans, limits = [trader, waiter], EngineSettings(universe=1, latency_ns=1)
    engine = Engine(plans, limits)
    for start, stop in ((0, 4), (4, len(day.rows))):
        reduced(engine, day, start, stop)
        if start == 0:
            rows_ = [
                {
                    "seq": 4,
                    "ord": place,
                    "origin": 3,
                    "cause_seq": 4,
                    "scanner_id": 1,
                    "instrument_id": place,
                    "action": 0,
                }
                for place in (1, 2)
            ]
            engine.decide([Block.from_rows(Kind.UNIVERSE, rows_)])
    assert standings(engine) == {(1, 1): IN_UNIVERSE, (1, 2): IN_UNIVERSE, (2, 1): WAITING, (2, 2): WAITING}
    told = list(carried(engine.snapshot(), plans))
    assert [key for key, _ in told if key.startswith("state/")] == ["state/trader/1", "state/trader/2"]
    other, _ = opened_with(engine, plans, day, len(day.rows), told, limits)
    assert standings(other) == {
        (1, 1): LEAVING,
        (1, 2): OUT_OF_UNIVERSE,
        (2, 1): OUT_OF_UNIVERSE,
        (2, 2): OUT_OF_UNIVERSE,
    }


def standings(engine):
    """Where each strategy stands in each instrument."""
    world = engine.world
    return {
        (strategy, instrument): world.cells[index_of(world, strategy, instrument)].standing
        for strategy in (1, 2)
        for instrument in (1, 2)
    }


def picked(engine, action, instrument_id=1):
    """A scanner's word on an instrument, at the last input."""
    seq = engine.world.clock.seq
    row = {"seq": seq, "ord": 1, "origin": 3, "cause_seq": seq, "scanner_id": 1}
    return engine.decide([Block.from_rows(Kind.UNIVERSE, [{**row, "instrument_id": instrument_id, "action": action}])])


def test_whoever_was_never_introduced_is_introduced_in_the_session_that_goes_on():
    day = Day(()).add(Kind.INSTRUMENT, 0, 1, symbol="AAA", tick_nano=10_000_000)
    for at_s in range(1, 6):
        day.quote(at_s, 10, 10.1)
    plans, limits = [Plan(COUNTER, Params(), 1, 1)], EngineSettings(universe=1, latency_ns=1)
    engine = Engine(plans, limits)
    reduced(engine, day, 0, 3)  # never picked
    told = list(carried(engine.snapshot(), plans))
    assert not [key for key, _ in told if key.startswith(("state/", "position/"))], "nothing happened to it"
    other, _ = opened_with(engine, plans, day, len(day.rows), told, limits)
    for each in (engine, other):
        picked(each, UniverseAction.ADDED)
    assert other.state_of(1, 1).quotes == engine.state_of(1, 1).quotes


@pytest.mark.parametrize("policy", [1, 2])
def test_whoever_stays_until_it_is_flat_leaves_then_in_the_session_that_goes_on(policy):
    def on_quote(_, quote, __, ctx):
        if ctx.position == 0.0 and ctx.open_orders == 0 and quote.bid < 10.5:
            enter(ctx, Side.BUY, quantity=10)
        if ctx.position > 0 and quote.bid > 10.5:
            leave(ctx)

    day = Day(()).add(Kind.INSTRUMENT, 0, 1, symbol="AAA", tick_nano=10_000_000)
    for at_s in range(1, 10):
        day.quote(at_s, *((10, 10.1) if at_s < 5 else (11, 11.1)))
    plans = [dataclasses.replace(probe(on_quote=on_quote, name="stayer"), scanner_id=1)]
    limits = EngineSettings(universe=policy, latency_ns=1)
    engine = Engine(plans, limits)
    reduced(engine, day, 0, 1)
    picked(engine, UniverseAction.ADDED)
    reduced(engine, day, 1, 5)
    assert engine.world.positions[1].quantity_steps == 10
    other, _ = opened_with(engine, plans, day, 5, list(carried(engine.snapshot(), plans)), limits)
    assert other.world.positions[1].quantity_steps == 0
    picked(other, UniverseAction.DROPPED, instrument_id=0)  # an evaluation that says nothing of it
    assert other.world.cells[index_of(other.world, 1, 1)].standing == OUT_OF_UNIVERSE
    assert other.world.counts.leaving == 0
