"""Whatever a strategy asks for and whatever model fills it: no order fills more than it is for, no limit is passed, no money is made."""

import sys
from pathlib import Path

import msgspec
import pytest
from core_day import Derived, positions
from core_streams import stream
from core_watch import Watch

from pipeline.block import between, concat
from pipeline.codes import Kind
from pipeline.core.engine import Engine, Plan
from pipeline.core.settings import EngineSettings
from pipeline.units import NANO

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

import dicer  # asks for whatever there is to ask for

PLAIN = EngineSettings(latency_ns=50_000_000, short_sales=2, quote_age_ns_max=10**15)
MODELS = {
    "plain": PLAIN,
    "queue": msgspec.structs.replace(PLAIN, queue=1, latency_ns=0),
    "linear": msgspec.structs.replace(PLAIN, impact=1, impact_bps=200.0),
    "all": msgspec.structs.replace(
        PLAIN, queue=1, impact=2, exchange_hours=1, latency_back_ns=300_000_000, fee_per_unit=0.005, fee_least=1.0,
        fee_most_percent=1.0, fee_bps=2.0, maker_discount_bps=3.0, regulatory_fees=1,
    ),
    "limits": msgspec.structs.replace(
        PLAIN, queue=1, impact=1, impact_bps=200.0, order_quantity_max=60.0, position_notional_max=1_500.0, open_orders_max=4,
        order_notional_max=700.0,
    ),
}  # fmt: skip


def days(seed, count):
    """A stream of everything, in three things that never close, or in shares from a minute before the open on."""
    day = stream(seed, count)
    if seed % 2 == 0:
        for kind, row in day.rows:
            if kind is Kind.INSTRUMENT:
                row["calendar"] = "XNAS"
            row["ts_recv_ns"] += 3_540 * NANO
            row["ts_event_ns"] += 3_540 * NANO
    return day


def watched(model, seed, count):
    limits = MODELS[model]
    engine = Engine([Plan(dicer.strategy, dicer.Params(seed=seed))], limits)
    day, watch = days(seed, count), Watch(limits)
    batch = concat([block for each in day.batches() for block in each])
    for first in range(1, len(day.rows) + 1, 40):
        derived = Derived()
        derived.take(engine.reduce(between(batch, first, first + 40)))
        watch.see(derived)
        for position in positions(engine):
            pair = position.strategy_id, position.instrument_id
            assert position.quantity_steps == watch.held.get(pair, 0)
            assert min(position.buying_steps, position.selling_steps, position.open_orders) >= 0
        assert engine.world.account.cash == pytest.approx(watch.cash, abs=1e-4)
    return watch


@pytest.mark.parametrize("model", MODELS)
def test_no_model_fills_more_or_better_than_it_may(model):
    fills = sum(len(watched(model, seed, 400).filled) for seed in range(1, 6))
    assert fills > 60


@pytest.mark.soak
@pytest.mark.parametrize("model", MODELS)
def test_no_model_fills_more_or_better_than_it_may_in_a_million_steps(model):
    for seed in range(100, 200):
        watched(model, seed, 2_000)
