"""Strategies that wait for history, at both speeds: who hears what of it, and what it moves."""

import dataclasses
import random

import pytest
from test_universe import ADDED, DROPPED, FIRST, HELLO, KEPT, on_start, settings, universe_rows
from two_speeds import Day, Derived, packed, stream

from pipeline.block import between
from pipeline.codes import FeedAction, IntentAction, Kind, Origin, SessionAction
from pipeline.core.carrying import carried
from pipeline.core.context import IN_UNIVERSE, LEAVING, OUT_OF_UNIVERSE, WAITING
from pipeline.core.engine import Engine, Plan
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import say
from pipeline.core.world import index_of, position_of
from pipeline.kernel.engine import CompiledEngine
from pipeline.units import ABSENT, DAY_NS, NANO

QUOTED = 2


def told_quote(s, quote, p, ctx):
    say(ctx, QUOTED, float(quote.origin), quote.bid, ctx.bid)


WAITER = dataclasses.replace(FIRST.strategy, name="waiter", on_start=on_start, warm_up="10m")
TELLER = dataclasses.replace(WAITER, name="teller", on_quote=told_quote, on_print=None)
KINDS = (Kind.QUOTE, Kind.PRINT, Kind.BAR, Kind.STATUS)
WAIT_NS = 200 * NANO
"""So that some are waited for in vain."""

CHANGES = {
    60: [(1, ADDED, 1), (2, ADDED, 2)],
    200: [(2, ADDED, 1), (1, ADDED, 2)],
    420: [(1, DROPPED, 1)],
    640: [(1, ADDED, 1), (2, DROPPED, 2)],
}


def behind(universe):
    """Three that want history, of which one stays until it is flat, and one that doesn't; without a universe all hear all."""
    one, two = (1, 2) if universe else (0, 0)
    plain = dataclasses.replace(WAITER, name="plain", warm_up="")
    return [
        Plan(WAITER, FIRST.params, one),
        Plan(dataclasses.replace(WAITER, name="kept"), FIRST.params, two, KEPT),
        Plan(plain, FIRST.params, one),
        Plan(TELLER, FIRST.params, two),
    ]


def waiting(universe, wait_ns):
    return EngineSettings.from_dict({**settings(universe).as_dict(), "warm_up_wait_ns": wait_ns})


def warmed_day(seed=5, count=800):
    """A stream in which a quarter of the market's rows is history, some instruments are warmed, one of them again and again."""
    rng, day = random.Random(seed), Day(())
    day.add(Kind.SESSION, 0, 0, action=SessionAction.WARMING)
    for kind, row in stream(count=count).rows:
        is_history = kind in KINDS and rng.random() < 0.25
        day.rows.append((kind, {**row, "origin": Origin.WARMUP} if is_history else row))
        if rng.random() < 0.02:
            times = {"ts_recv_ns": row["ts_recv_ns"], "ts_event_ns": row["ts_event_ns"], "source": 1}
            times["to_ns"] = row["ts_recv_ns"] + rng.choice((-1, 0, 1)) * 4 * NANO if rng.random() < 0.8 else ABSENT
            day.rows.append(
                (Kind.FEED, {**times, "origin": 0, "instrument_id": rng.choice((1, 2, 2)), "action": FeedAction.WARMED})
            )
    day.rows = [(kind, {**row, "seq": seq}) for seq, (kind, row) in enumerate(day.rows, 1)]
    return day


def run(engine_class, universe, *, size, wait_ns=DAY_NS):
    engine, derived = engine_class(behind(universe), waiting(universe, wait_ns)), Derived()
    hashes = []
    for batch in warmed_day().batches(size):
        first = min(int(block.number("seq")[0]) for block in batch)
        end = max(int(block.number("seq")[-1]) for block in batch) + 1
        for seq in [seq for seq in CHANGES if universe and first <= seq < end]:
            derived.take(engine.reduce(between(batch, first, seq + 1)))
            derived.take(engine.decide(universe_rows(seq, *CHANGES[seq])))
            first = seq + 1
        if part := between(batch, first, end):
            derived.take(engine.reduce(part))
        hashes.append(engine.state_hash())
    return engine, derived, hashes


@pytest.mark.parametrize("universe", [0, 1])
def test_both_speeds_and_all_batches_come_to_the_same_bytes(universe):
    engine, derived, _ = run(Engine, universe, size=None, wait_ns=WAIT_NS)
    for engine_class, size in ((Engine, 7), (CompiledEngine, None), (CompiledEngine, 1)):
        other, rows, _ = run(engine_class, universe, size=size, wait_ns=WAIT_NS)
        assert packed(rows) == packed(derived)
        assert (other.state_hash(), other.decisions_hash()) == (engine.state_hash(), engine.decisions_hash())


@pytest.mark.parametrize("universe", [0, 1])
def test_history_is_heard_by_who_waits_for_it_until_it_is_there_and_moves_no_quote(universe):
    engine, derived, _ = run(Engine, universe, size=None)
    kinds = {row["seq"]: kind for kind, row in warmed_day().rows}
    origins = {row["seq"]: row["origin"] for _, row in warmed_day().rows}
    warmed = [(row["seq"], row["instrument_id"]) for kind, row in warmed_day().rows if kind is Kind.FEED]
    told = [row for row in derived.by_kind[Kind.MESSAGE] if row["code"] == QUOTED and row["strategy_id"] == 4]
    heard = {}
    for row in told:
        assert kinds[row["seq"]] is Kind.QUOTE
        assert row["a"] == origins[row["seq"]]
        if row["a"] == Origin.INPUT:
            assert row["b"] == row["c"], "a live quote is in force, and history never is"
        heard.setdefault(row["instrument_id"], []).append((row["seq"], row["a"]))
    for instrument_id, rows in heard.items():
        picked = [seq for seq, changes in CHANGES.items() if (instrument_id, ADDED, 2) in changes] if universe else [0]
        until = min((seq for seq, id_ in warmed if id_ == instrument_id and seq > picked[0]), default=10**9)
        assert all(origin == Origin.WARMUP for seq, origin in rows if seq < until)
        assert all(origin == Origin.INPUT for seq, origin in rows if seq > until)
    assert {origin for rows in heard.values() for _, origin in rows} == {Origin.INPUT, Origin.WARMUP}
    standing = {id_: engine.world.cells[index_of(engine.world, 4, id_)].standing for id_ in (1, 2, 3)}
    assert universe or standing == {1: IN_UNIVERSE, 2: IN_UNIVERSE, 3: WAITING}


def test_what_history_makes_a_strategy_wish_is_refused():
    _, derived, _ = run(Engine, 0, size=None)
    origins = {row["seq"]: (kind, row["origin"]) for kind, row in warmed_day().rows}
    by_rule = {}
    for row in derived.by_kind[Kind.RISK]:
        kind, origin = origins[row["cause_seq"]]
        if row["cause_ord"] == 0 or kind is Kind.QUOTE:
            by_rule.setdefault((origin, row["strategy_id"]), set()).add(row["rule"] == 20)
    assert by_rule[Origin.WARMUP, 1] == {True}
    assert True not in by_rule[Origin.INPUT, 1]
    assert (Origin.WARMUP, 3) not in by_rule or True not in by_rule[Origin.WARMUP, 3]


def test_who_is_introduced_waits_and_who_comes_back_waits_again():
    _, derived, _ = run(Engine, 1, size=None)
    hello = [
        (row["seq"], row["strategy_id"])
        for row in derived.by_kind[Kind.MESSAGE]
        if row["code"] == HELLO and row["c"] != row["c"] and row["instrument_id"] == 1
    ]
    assert [each for each in hello if each[1] in (1, 3)] == [(60, 1), (60, 3)]
    assert not [
        row
        for row in derived.by_kind[Kind.INTENT]
        if row["strategy_id"] == 1 and 421 < row["seq"] < 640 and row["instrument_id"] == 1 and row["action"] == 0
    ]


NAMES, INSTRUMENTS = range(1, 5), (1, 2, 3)
KEEPER = 2


def inherited_day(seed):
    """What a session without memory goes on with: positions and orders of another one, then the rest of its day; and the first of that."""
    whole, cut = warmed_day(seed, count=700).rows, 300
    before, day, told = Engine(behind(0), waiting(0, 0)), Day(()), Day(())
    day.rows = whole[:cut]
    for batch in day.batches():
        before.reduce(batch)
    told.rows = []
    told.add(Kind.SESSION, 0, 0, action=SessionAction.WARMING)
    for key, text in carried(before.snapshot(), behind(0)):
        if key.partition("/")[0] in ("account", "instrument", "position", "order"):
            told.add(Kind.SESSION, 0, 0, action=SessionAction.STATE, key=key, text=text)
    first = len(told.rows)
    for _, row in told.rows:
        row["ts_recv_ns"] = before.world.clock.now_ns
    definitions = [(kind, row) for kind, row in day.rows if kind is Kind.INSTRUMENT]
    told.rows += [(kind, {**row, "ts_recv_ns": before.world.clock.now_ns}) for kind, row in definitions]
    told.rows = [(kind, {**row, "seq": seq}) for seq, (kind, row) in enumerate([*told.rows, *whole[cut:]], 1)]
    return told, first


def busy(engine):
    """Where each strategy stands that holds something in an instrument, or has an order open in it."""
    world, found = engine.world, {}
    for pair in ((name, id_) for name in NAMES for id_ in INSTRUMENTS):
        position = position_of(world, *pair)
        if position.quantity_steps or position.open_orders:
            found[pair] = world.cells[index_of(world, *pair)].standing, position.quantity_steps, position.open_orders
    return found


def cut_short(engine_class, seed, look=lambda engine, made: None):
    """A day on which scanners pick and drop at random; `look` sees the engine behind each change, and what came of it."""
    rng, (day, first) = random.Random(seed), inherited_day(seed)
    engine, derived = engine_class(behind(1), waiting(1, rng.choice((WAIT_NS, DAY_NS)))), Derived()
    changes = {
        seq: [(rng.choice(INSTRUMENTS), rng.choice((ADDED, DROPPED)), rng.choice((1, 2)))]
        for seq in sorted(rng.sample(range(first + 5, first + 305), 100))
    }
    start, (batch, *others) = 1, day.batches()
    assert not others
    for seq, changed in changes.items():
        derived.take(engine.reduce(between(batch, start, seq + 1)))
        look(engine, None)
        made = engine.decide(universe_rows(seq, *changed))
        derived.take(made)
        look(engine, made)
        start = seq + 1
    derived.take(engine.reduce(between(batch, start, len(day.rows) + 1)))
    return engine, derived


def test_whoever_is_dropped_while_it_waits_or_hears_leaves_nothing_behind_unasked():
    """Nobody is out of what it holds, or has an order open in, unless the engine wished it closed when it left."""
    stood, dropped_waiting = {}, []

    def look(engine, made):
        if made is None:
            stood.clear()
            stood.update(busy(engine))
            return
        intents = [row for block in made if block.kind is Kind.INTENT for row in block.rows()]
        wished = {(row["strategy_id"], row["instrument_id"], row["action"]) for row in intents}
        for (name, id_), (standing, held, orders) in stood.items():
            now = engine.world.cells[index_of(engine.world, name, id_)].standing
            if standing == WAITING and now != WAITING:
                dropped_waiting.append((name, now, bool(held), bool(orders)))
            if now == OUT_OF_UNIVERSE and standing != OUT_OF_UNIVERSE:
                assert not held or (name, id_, int(IntentAction.FLATTEN)) in wished
                assert not orders or (name, id_, int(IntentAction.CANCEL)) in wished
                assert name != KEEPER, "it stays until it is flat"

    for seed in range(8):
        cut_short(Engine, seed, look)
    assert all((standing == LEAVING) == (name == KEEPER) for name, standing, *_ in dropped_waiting)
    assert {name == KEEPER for name, *_ in dropped_waiting} == {False, True}
    assert {what for *_, held, orders in dropped_waiting for what in (held * "held", orders * "ordered")} >= {
        "held",
        "ordered",
    }


@pytest.mark.parametrize("seed", range(3))
def test_what_becomes_of_who_is_dropped_while_it_waits_is_the_same_at_both_speeds(seed):
    engine, derived = cut_short(Engine, seed)
    other, rows = cut_short(CompiledEngine, seed)
    assert packed(rows) == packed(derived)
    assert (other.state_hash(), other.decisions_hash()) == (engine.state_hash(), engine.decisions_hash())
