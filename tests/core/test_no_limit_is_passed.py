"""Strategies that want too much of everything: whatever they do, no limit of what they share is passed, and losers know why."""

import sys
from pathlib import Path

import pytest
from core_day import Derived, positions
from core_rush import SECTORS, THEMES, limits_of, rush
from core_watch import CrowdWatch

from pipeline.codes import Kind, RiskRule
from pipeline.core.engine import Engine
from pipeline.kernel.engine import CompiledEngine

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

import adversary  # asks for too much

CROWD = frozenset(rule for rule in RiskRule if RiskRule.PLACES <= rule <= RiskRule.TOTAL_NOTIONAL) | {
    RiskRule.BUYING_POWER,
    RiskRule.ORDER_RATE,
}


def watched(seed, count, engine_class=Engine):
    limits, day = limits_of(seed), rush(seed, count)
    engine, watch = engine_class(adversary.plans(seed), limits), CrowdWatch(limits, SECTORS, THEMES)
    for start, batch in zip(range(0, len(day.rows), 500), day.batches(500), strict=True):
        derived = Derived()
        derived.take(engine.reduce(batch))
        assert not derived[Kind.SESSION], "a strategy was stopped"
        watch.see_all(day.rows[start : start + 500], derived)
    return engine, watch


def said_by(watches):
    said = {rule: sum(watch.said[rule] for watch in watches) for rule in CROWD}
    assert all(said.values()), said
    assert sum(watch.winners for watch in watches) > 50
    assert sum(len(watch.filled) for watch in watches) > 200
    return said


def test_no_limit_of_what_all_share_is_passed_however_much_is_wished():
    watches = []
    for seed in range(1, 7):
        engine, watch = watched(seed, 300)
        watches.append(watch)
        for position in positions(engine):
            pair = position.strategy_id, position.instrument_id
            assert position.quantity_steps == watch.held.get(pair, 0)
            assert position.entry_orders == len(watch.working[pair])
        assert engine.world.account.cash == pytest.approx(watch.cash, abs=1e-4)
    said_by(watches)


@pytest.mark.soak
def test_no_limit_of_what_all_share_is_passed_in_a_million_steps():
    said = said_by([watched(seed, 10_000, CompiledEngine)[1] for seed in range(100, 200)])
    assert sum(said.values()) > 100_000
