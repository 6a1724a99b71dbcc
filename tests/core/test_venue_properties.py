"""Whatever a strategy asks for and whatever model fills it: no order fills more than it is for, no limit is passed, no money is made."""

import sys
from pathlib import Path

import msgspec
import pytest
from core_day import Derived, positions
from core_streams import stream

from pipeline.block import between, concat
from pipeline.codes import Kind, Liquidity, OrderFlag, OrderState, Side
from pipeline.core.engine import Engine, Plan
from pipeline.core.orders import ALLOWED
from pipeline.core.settings import EngineSettings
from pipeline.units import ABSENT, NANO

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

import dicer  # asks for whatever there is to ask for

REDUCE_ONLY = OrderFlag.REDUCE_ONLY
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


class Watch:
    """All orders as their rows tell them, held against every fill."""

    def __init__(self, limits):
        self.limits, self.orders, self.filled, self.held, self.cash = limits, {}, {}, {}, 100_000.0

    def see(self, derived):
        told = [(row["ord"], Kind.ORDER, row) for row in derived[Kind.ORDER]]
        told += [(row["ord"], Kind.FILL, row) for row in derived[Kind.FILL]]
        for _, kind, row in sorted(told, key=lambda each: (each[2]["seq"], each[0])):
            if kind is Kind.ORDER:
                self.order(row)
            else:
                self.fill(row)

    def order(self, row):
        before = self.orders.get(row["order_id"])
        if before:
            assert ALLOWED[before["state"]] >> row["state"] & 1, (OrderState(before["state"]), OrderState(row["state"]))
        assert row["filled_steps"] == self.filled.get(row["order_id"], 0) <= row["quantity_steps"]
        if row["order_id"] and not before and row["state"] == OrderState.APPROVED:
            assert row["quantity_steps"] <= self.limits.order_quantity_max or row["flags"] & REDUCE_ONLY
        self.orders[row["order_id"]] = row

    def fill(self, row):
        order, signed = self.orders[row["order_id"]], row["side"] * row["quantity_steps"]
        assert ALLOWED[order["state"]], "of an order that is over"
        assert row["quantity_steps"] > 0
        self.filled[row["order_id"]] = self.filled.get(row["order_id"], 0) + row["quantity_steps"]
        assert self.filled[row["order_id"]] <= order["quantity_steps"]
        assert order["limit_nano"] == ABSENT or (order["limit_nano"] - row["price_nano"]) * row["side"] >= 0
        far_nano = row["ask_nano"] if row["side"] == Side.BUY else row["bid_nano"]
        if row["liquidity"] == Liquidity.TAKER:
            assert (row["price_nano"] - far_nano) * row["side"] >= 0, "better than the far side"
        pair = row["strategy_id"], row["instrument_id"]
        if order["flags"] & REDUCE_ONLY:
            held = self.held.get(pair, 0)
            assert held * signed < 0, "what only reduces, enlarged"
            assert abs(signed) <= abs(held), "what only reduces, turned"
        self.held[pair] = self.held.get(pair, 0) + signed
        self.cash -= row["price_nano"] / NANO * signed + row["fee_nano"] / NANO


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
