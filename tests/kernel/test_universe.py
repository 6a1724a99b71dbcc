"""The universe, at both speeds: who hears what, who is introduced when, and what becomes of those who leave."""

import dataclasses
from itertools import groupby, pairwise

import numpy as np
import pytest
from two_speeds import Derived, packed, plans, stream

from pipeline.block import Block, between
from pipeline.codes import Kind, RiskRule
from pipeline.core.engine import Engine, Plan
from pipeline.core.settings import EngineSettings
from pipeline.core.verbs import say
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
    """A scanner's rows behind an input: changes of the universe, and a candidate in front of each."""
    count = len(changes)
    candidates = Block.of(
        Kind.CANDIDATE, count, seq=seq, ord=np.arange(1, 2 * count, 2), origin=3, cause_seq=seq, evaluation=seq
    )
    if not changes:
        return [candidates]
    rows = [
        {"seq": seq, "ord": 2 * place, "origin": 3, "cause_seq": seq, "instrument_id": instrument, "action": action}
        for place, (instrument, action) in enumerate(changes, 1)
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


def run(engine_class, universe, *, size, changes=CHANGES):
    engine, derived = engine_class([Plan(TRADER, FIRST.params)], settings(universe)), Derived()
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
