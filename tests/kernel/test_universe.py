"""The universe, at both speeds: who hears what, who is introduced when, and what becomes of those who leave."""

import dataclasses
from itertools import groupby, pairwise

import numpy as np
import pytest
from two_speeds import Derived, packed, plans, stream

from pipeline.block import Block, between
from pipeline.codes import Kind, RiskRule
from pipeline.core.context import LEAVING, OUT_OF_UNIVERSE
from pipeline.core.engine import Engine, Plan
from pipeline.core.settings import EngineSettings
from pipeline.core.universe import KEPT
from pipeline.core.verbs import say
from pipeline.core.world import index_of, position_of
from pipeline.kernel.engine import CompiledEngine
from pipeline.scanner_codes import UniverseAction
from pipeline.units import NANO

ADDED, DROPPED = int(UniverseAction.ADDED), int(UniverseAction.DROPPED)
HELLO = 1


def on_start(s, instrument, p, ctx):
    say(ctx, HELLO, float(instrument.instrument_id), instrument.tick)


FIRST = plans()[0]
TRADER = dataclasses.replace(FIRST.strategy, on_start=on_start)


def settings(universe):
    return EngineSettings(
        latency_ns=NANO // 4, bar_lateness_ns=NANO, checkpoint_every=50, fee_bps=0.5, universe=universe
    )


def universe_rows(seq, *changes):
    """Scanners' rows behind an input: changes of the universe (instrument, action, scanner), and a candidate in front of each."""
    count = len(changes)
    candidates = Block.of(
        Kind.CANDIDATE, count, seq=seq, ord=np.arange(1, 2 * count, 2), origin=3, cause_seq=seq, evaluation=seq
    )
    if not changes:
        return [candidates]
    rows = [
        {
            "seq": seq,
            "ord": 2 * place,
            "origin": 3,
            "cause_seq": seq,
            "instrument_id": instrument,
            "action": action,
            "scanner_id": scanner[0] if scanner else 0,
        }
        for place, (instrument, action, *scanner) in enumerate(changes, 1)
    ]
    return [candidates, Block.from_rows(Kind.UNIVERSE, rows)]


CHANGES = {
    60: [(1, ADDED)],
    200: [(2, ADDED), (3, ADDED)],
    300: [],
    420: [(1, DROPPED)],
    640: [(1, ADDED), (2, DROPPED)],
}
"""By the input behind which they are made."""

ALONE = (Plan(TRADER, FIRST.params),)


def run(engine_class, universe, *, size, changes=CHANGES, behind=ALONE):
    engine, derived = engine_class(behind, settings(universe)), Derived()
    hashes = []
    for batch in stream(count=800).batches(size):
        first = min(int(block.number("seq")[0]) for block in batch)
        end = max(int(block.number("seq")[-1]) for block in batch) + 1
        cuts = sorted({first, *(seq + 1 for seq in changes if first <= seq < end), end})
        for start, stop in pairwise(cuts):
            if part := between(batch, start, stop):
                derived.take(engine.reduce(part))
            if stop - 1 in changes:
                derived.take(engine.decide(universe_rows(stop - 1, *changes[stop - 1])))
                hashes.append(engine.state_hash())
    return engine, derived, hashes


@pytest.mark.parametrize("universe", [0, 1, 2])
def test_both_speeds_and_all_batches_come_to_the_same_bytes(universe):
    engine, derived, hashes = run(Engine, universe, size=None)
    for engine_class, size in (
        (Engine, 1),
        (Engine, 7),
        (CompiledEngine, None),
        (CompiledEngine, 7),
        (CompiledEngine, 1),
    ):
        other, rows, others = run(engine_class, universe, size=size)
        assert packed(rows) == packed(derived)
        assert others == hashes
        assert (other.state_hash(), other.decisions_hash()) == (engine.state_hash(), engine.decisions_hash())


def rows_of(derived, kind):
    return derived.by_kind.get(kind, [])


def seqs(derived, kind, instrument_id):
    return [row["seq"] for row in rows_of(derived, kind) if row["instrument_id"] == instrument_id]


def test_places_are_dense_and_causes_lie_in_front():
    _, derived, _ = run(Engine, 1, size=None)
    places = sorted((row["seq"], row["ord"]) for kind in derived.by_kind for row in rows_of(derived, kind))
    for _, of_input in groupby(places, key=lambda place: place[0]):
        ords = [ord_ for _, ord_ in of_input]
        assert ords == list(range(1, len(ords) + 1))
    for kind in derived.by_kind:
        for row in rows_of(derived, kind):
            assert (row["cause_seq"], row["cause_ord"]) < (row["seq"], row["ord"])


def test_a_strategy_hears_an_instrument_only_while_it_is_in_the_universe():
    _, derived, _ = run(Engine, 1, size=None)
    hello = [
        (row["seq"], row["a"])
        for row in rows_of(derived, Kind.MESSAGE)
        if row["code"] == HELLO and row["c"] != row["c"]
    ]
    assert hello == [(60, 1.0), (200, 2.0), (200, 3.0)], "introduced once, when it first enters"
    assert min(seqs(derived, Kind.INTENT, 1)) > 60
    assert not [
        seq for seq in seqs(derived, Kind.TRANSITION, 1) if 421 < seq <= 640 and seq not in seqs(derived, Kind.ORDER, 1)
    ]
    assert min(seqs(derived, Kind.INDICATOR, 2)) > 200


def test_who_is_dropped_is_flattened_or_stays_until_it_is_flat():
    for universe in (1, 2):
        _, derived, _ = run(Engine, universe, size=None)
        positions = [row for row in rows_of(derived, Kind.POSITION) if row["instrument_id"] == 1 and row["seq"] < 640]
        assert positions, "it traded"
        assert positions[-1]["quantity_steps"] == 0
        entered = [
            row
            for row in rows_of(derived, Kind.RISK)
            if row["instrument_id"] == 1 and 420 < row["seq"] <= 640 and row["rule"] == RiskRule.ALLOW_LIST
        ]
        assert (universe == 2) or not entered


def test_without_a_universe_changes_of_it_move_nothing():
    _, derived, _ = run(Engine, 0, size=None)
    _, plain, _ = run(Engine, 0, size=None, changes={})
    told = {kind: rows for kind, rows in packed(derived).items() if kind in plain.by_kind}
    expected = packed(plain)
    del told[Kind.CHECKPOINT], expected[Kind.CHECKPOINT]  # rounds are counted
    assert told == expected


TWO = (
    Plan(TRADER, FIRST.params, 1),
    Plan(dataclasses.replace(TRADER, name="second"), FIRST.params, 2),
    Plan(dataclasses.replace(TRADER, name="third"), FIRST.params, 2, KEPT),
)
"""One strategy behind a scanner, two behind another, of which one stays until it is flat."""

PICKED_BY_TWO = {
    60: [(1, ADDED, 1)],
    200: [(1, ADDED, 2), (2, ADDED, 2)],
    420: [(1, DROPPED, 1)],
    640: [(1, DROPPED, 2), (3, ADDED, 1)],
}


@pytest.mark.parametrize("universe", [1, 2])
def test_two_scanners_move_each_its_own_strategies_at_both_speeds(universe):
    engine, derived, hashes = run(Engine, universe, size=None, changes=PICKED_BY_TWO, behind=TWO)
    for engine_class, size in ((Engine, 7), (CompiledEngine, None), (CompiledEngine, 1)):
        other, rows, others = run(engine_class, universe, size=size, changes=PICKED_BY_TWO, behind=TWO)
        assert packed(rows) == packed(derived)
        assert others == hashes
        assert (other.state_hash(), other.decisions_hash()) == (engine.state_hash(), engine.decisions_hash())


def test_what_two_scanners_picked_has_the_strategies_of_both():
    engine, derived, _ = run(Engine, 1, size=None, changes=PICKED_BY_TWO, behind=TWO)
    hello = [
        (row["seq"], row["strategy_id"], row["a"])
        for row in rows_of(derived, Kind.MESSAGE)
        if row["code"] == HELLO and row["c"] != row["c"]
    ]
    assert hello == [(60, 1, 1.0), (200, 2, 1.0), (200, 3, 1.0), (200, 2, 2.0), (200, 3, 2.0), (640, 1, 3.0)]
    of_first = [row["seq"] for row in rows_of(derived, Kind.INDICATOR) if row["instrument_id"] == 1]
    by_strategy = {
        number: [
            row["seq"]
            for row in rows_of(derived, Kind.INDICATOR)
            if (row["strategy_id"], row["instrument_id"]) == (number, 1)
        ]
        for number in (1, 2, 3)
    }
    assert of_first
    assert 60 < min(by_strategy[1]) < max(by_strategy[1]) <= 420 < max(by_strategy[2]) <= 640
    stands = {number: engine.world.cells[index_of(engine.world, number, 1)].standing for number in (1, 2, 3)}
    assert stands[1] == stands[2] == OUT_OF_UNIVERSE
    assert (stands[3] == LEAVING) == (position_of(engine.world, 3, 1).quantity_steps != 0)
