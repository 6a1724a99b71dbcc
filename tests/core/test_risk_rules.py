import math

import pytest
from core_day import nano

from pipeline.codes import IntentOutcome, OrderType, RiskRule, Side, TimeInForce
from pipeline.core.context import IN_UNIVERSE, LEAVING
from pipeline.core.dialect import price_of
from pipeline.core.risk import Case, admit
from pipeline.core.settings import EngineSettings
from pipeline.core.sizing import Draft
from pipeline.core.world import ACCOUNT, INSTRUMENT, POSITION
from pipeline.units import ABSENT, NANO

NOW_NS = 10**18
LIMITS = EngineSettings(
    order_quantity_max=500.0,
    order_notional_max=10_000.0,
    position_notional_max=15_000.0,
    open_orders_max=2,
    daily_loss_max=100.0,
    quote_age_ns_max=NANO,
)


def case(*, bid=10.0, ask=10.1, age_ns=0, held=0, steps=100, limit=None, reduces=False, is_live=True, **rows):
    instrument, position, account = INSTRUMENT.new(), POSITION.new(), ACCOUNT.new()
    instrument.bid_nano = ABSENT if math.isnan(bid) else nano(bid)
    instrument.ask_nano = ABSENT if math.isnan(ask) else nano(ask)
    instrument.bid, instrument.ask = price_of(instrument.bid_nano), price_of(instrument.ask_nano)
    instrument.has_quotes, instrument.ts_quote_ns = rows.get("has_quotes", True), NOW_NS - age_ns
    instrument.is_halted = rows.get("is_halted", False)
    position.quantity_steps, position.open_orders = held, rows.get("open_orders", 0)
    position.buying_steps, position.selling_steps = rows.get("buying", 0), rows.get("selling", 0)
    account.is_halted, account.day_result = rows.get("is_killed", False), rows.get("day_result", 0.0)
    draft = Draft(
        IntentOutcome.TAKEN,
        Side.BUY,
        rows.get("order_type", OrderType.MARKET if limit is None else OrderType.LIMIT),
        TimeInForce.DAY,
        0,
        steps,
        ABSENT if limit is None else limit,
        ABSENT,
        ABSENT,
        ABSENT,
        0,
    )
    standing = rows.get("standing", IN_UNIVERSE)
    return Case(draft, instrument, position, account, LIMITS, NOW_NS, is_live, standing, reduces)


@pytest.mark.parametrize(
    ("given", "rule", "value", "limit"),
    [
        ({"steps": 0}, RiskRule.NOT_FINITE, 0.0, 1.0),
        ({"order_type": OrderType.LIMIT}, RiskRule.NOT_FINITE, 100.0, 1.0),
        ({"order_type": OrderType.STOP}, RiskRule.NOT_FINITE, 100.0, 1.0),
        ({"is_live": False}, RiskRule.BACKFILLED, 1.0, 0.0),
        ({"is_killed": True}, RiskRule.KILL_SWITCH, 1.0, 0.0),
        ({"standing": LEAVING}, RiskRule.ALLOW_LIST, 1.0, 0.0),
        ({"is_halted": True}, RiskRule.HALTED_INSTRUMENT, 1.0, 0.0),
        ({"ask": math.nan}, RiskRule.NO_REFERENCE_PRICE, 1.0, 0.0),
        ({"has_quotes": False}, RiskRule.NO_REFERENCE_PRICE, 1.0, 0.0),
        ({"age_ns": NANO + 1}, RiskRule.STALE_QUOTE, NANO + 1.0, float(NANO)),
        ({"bid": 10.5}, RiskRule.CROSSED_QUOTE, 0.4, 0.0),
        ({"steps": 501}, RiskRule.ORDER_QUANTITY, 501.0, 500.0),
        ({"ask": 100.5, "bid": 100.4}, RiskRule.ORDER_NOTIONAL, 10_050.0, 10_000.0),
        ({"held": 1_500}, RiskRule.POSITION_NOTIONAL, 16_160.0, 15_000.0),
        ({"held": 500, "buying": 1_000}, RiskRule.POSITION_NOTIONAL, 16_160.0, 15_000.0),
        ({"buying": 2**63 - 100, "ask": 1e-9, "bid": 1e-9}, RiskRule.POSITION_NOTIONAL, math.inf, 15_000.0),
        ({"open_orders": 2}, RiskRule.OPEN_ORDERS, 3.0, 2.0),
        ({"day_result": -100.0}, RiskRule.DAILY_LOSS, math.inf, 100.0),
    ],
    ids=lambda each: each.name if isinstance(each, RiskRule) else "",
)
def test_a_rule_refuses_with_what_it_saw_and_what_it_allows(given, rule, value, limit):
    refused = admit(case(**given))
    assert not refused.is_approved
    assert (refused.rule, refused.limit) == (rule, limit)
    assert refused.value == pytest.approx(value)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"steps": 500},
        {"age_ns": NANO},
        {"bid": 10.1},  # locked
        {"bid": math.nan},  # one-sided, and we take the other
        {"held": 1_385},
        {"held": 385, "buying": 1_000},
        {"held": 1_385, "selling": 9_000},
        {"open_orders": 1},
        {"day_result": -99.99},
        {"limit": nano(10.0)},
        {"held": -300},  # buying back
    ],
)
def test_at_the_limit_an_order_still_passes(given):
    assert admit(case(**given)).is_approved


def test_what_reduces_is_only_asked_for_its_numbers():
    everything_wrong = {"is_live": False, "is_killed": True, "is_halted": True, "age_ns": 10**15, "day_result": -1e9}
    assert admit(case(reduces=True, ask=math.nan, open_orders=99, **everything_wrong)).is_approved
    assert not admit(case(reduces=True, steps=0)).is_approved


def test_a_limit_price_values_an_order():
    assert admit(case(ask=200.0, bid=199.0, limit=nano(90.0))).is_approved
