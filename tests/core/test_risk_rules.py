import math

import msgspec
import pytest
from core_day import nano

from pipeline.codes import IntentOutcome, OrderType, RiskRule, Side, TimeInForce
from pipeline.core.context import IN_UNIVERSE, LEAVING
from pipeline.core.crowd import Crowd
from pipeline.core.dialect import price_of
from pipeline.core.instrument import fold_reference
from pipeline.core.market import ReferenceFact
from pipeline.core.risk import Case, admit, admit_among, count_entry
from pipeline.core.settings import EngineSettings, row_of
from pipeline.core.sizing import Draft
from pipeline.core.world import ACCOUNT, INSTRUMENT, POSITION
from pipeline.core.worth import Worth
from pipeline.hours import Calendar
from pipeline.units import ABSENT, HOUR_NS, NANO

NOW_NS = 10**18
"""2001-09-09 01:46:40 UTC, 21:46:40 on the day before in New York."""
LIMITS = EngineSettings(
    order_quantity_max=500.0,
    order_notional_max=10_000.0,
    position_notional_max=15_000.0,
    open_orders_max=2,
    daily_loss_max=100.0,
    quote_age_ns_max=NANO,
    buying_power=2.0,
    order_rate_max=4,
    drawdown_max=100.0,
    loss_streak_max=3,
    cool_down_ns=10,
    entry_from_minute=60,
    entry_until_minute=20 * 60,
    price_collar_percent=5.0,
    short_sales=1,
    total_notional_max=60_000.0,
)
NOBODY = Crowd(1, 1, 0.0, 1, 0.0, 0, 0.0, False)
"""What there is near an entry that is alone."""
CROWDED = msgspec.structs.replace(
    LIMITS, open_entries_max=2, instrument_strategies_max=2, instrument_notional_max=20_000.0, sector_instruments_max=3,
    sector_notional_max=30_000.0, theme_instruments_max=1, theme_notional_max=5_000.0,
)  # fmt: skip


def case(*, bid=10.0, ask=10.1, age_ns=0, held=0, steps=100, limit=None, reduces=False, is_live=True, **rows):
    instrument, position, account = INSTRUMENT.new(), POSITION.new(), ACCOUNT.new()
    instrument.bid_nano = ABSENT if math.isnan(bid) else nano(bid)
    instrument.ask_nano = ABSENT if math.isnan(ask) else nano(ask)
    instrument.bid, instrument.ask = price_of(instrument.bid_nano), price_of(instrument.ask_nano)
    instrument.has_quotes, instrument.ts_quote_ns = rows.get("has_quotes", True), NOW_NS - age_ns
    instrument.is_halted = rows.get("is_halted", False)
    instrument.calendar = rows.get("calendar", Calendar.ALWAYS)
    instrument.is_borrowable, instrument.is_short_restricted = rows.get("is_lent", False), rows.get("ssr", False)
    position.quantity_steps, position.open_orders = held, rows.get("open_orders", 0)
    position.buying_steps, position.selling_steps = rows.get("buying", 0), rows.get("selling", 0)
    position.ts_lost_ns = rows.get("lost_ns", 0)
    instrument.missing_steps = rows.get("missing", 0)
    account.is_halted, account.day_result = rows.get("is_killed", False), rows.get("day_result", 0.0)
    account.is_reducing, account.is_ending = rows.get("is_reducing", False), rows.get("is_ending", False)
    account.day_best, account.losses_in_row = rows.get("day_best", 0.0), rows.get("losses", 0)
    account.ts_rate_ns = rows.get("rate_ns", 0)
    now_ns = rows.get("now_ns", NOW_NS)
    instrument.ts_quote_ns += now_ns - NOW_NS
    draft = Draft(
        IntentOutcome.TAKEN,
        rows.get("side", Side.BUY),
        rows.get("order_type", OrderType.MARKET if limit is None else OrderType.LIMIT),
        TimeInForce.DAY,
        0,
        steps,
        ABSENT if limit is None else limit,
        rows.get("trigger", ABSENT),
        ABSENT,
        ABSENT,
        0,
    )
    standing, worth = rows.get("standing", IN_UNIVERSE), rows.get("worth", Worth(100_000.0, 0.0))
    return Case(
        draft,
        instrument,
        position,
        account,
        LIMITS,
        worth,
        now_ns,
        is_live,
        standing,
        reduces,
        rows.get("is_unsure", False),
    )


SHORT = {"side": Side.SELL, "calendar": Calendar.SHARES, "now_ns": NOW_NS + 13 * HOUR_NS}


@pytest.mark.parametrize(
    ("given", "rule", "value", "limit"),
    [
        ({"steps": 0}, RiskRule.NOT_FINITE, 0.0, 1.0),
        ({"order_type": OrderType.LIMIT}, RiskRule.NOT_FINITE, 100.0, 1.0),
        ({"order_type": OrderType.STOP}, RiskRule.NOT_FINITE, 100.0, 1.0),
        ({"order_type": OrderType.TRAILING_STOP}, RiskRule.NOT_FINITE, 100.0, 1.0),
        ({"is_live": False}, RiskRule.BACKFILLED, 1.0, 0.0),
        ({"is_killed": True}, RiskRule.KILL_SWITCH, 1.0, 0.0),
        ({"is_reducing": True}, RiskRule.KILL_SWITCH, 1.0, 0.0),
        ({"is_ending": True}, RiskRule.KILL_SWITCH, 1.0, 0.0),
        ({"standing": LEAVING}, RiskRule.ALLOW_LIST, 1.0, 0.0),
        ({"is_halted": True}, RiskRule.HALTED_INSTRUMENT, 1.0, 0.0),
        ({"is_unsure": True}, RiskRule.UNKNOWN_ORDER, 1.0, 0.0),
        ({"missing": 3}, RiskRule.MISSING_POSITION, 3.0, 0.0),
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
        ({"day_result": -100.0}, RiskRule.DAILY_LOSS, 100.0, 100.0),
        ({"day_result": math.nan}, RiskRule.DAILY_LOSS, math.nan, 100.0),
        ({"calendar": Calendar.SHARES}, RiskRule.SESSION_WINDOW, 1.0, 0.0),
        ({"now_ns": NOW_NS - HOUR_NS}, RiskRule.SESSION_WINDOW, 1.0, 0.0),
        ({"lost_ns": NOW_NS - 4}, RiskRule.COOL_DOWN, 6.0, 0.0),
        ({"limit": nano(10.61)}, RiskRule.PRICE_COLLAR, 5.0495, 5.0),
        ({"limit": nano(9.4), "side": Side.SELL}, RiskRule.PRICE_COLLAR, 6.0, 5.0),
        ({"trigger": nano(12.0), "limit": nano(12.9)}, RiskRule.PRICE_COLLAR, 7.5, 5.0),
        ({**SHORT}, RiskRule.SHORT_SALE, 1.0, 0.0),
        ({**SHORT, "held": 99}, RiskRule.SHORT_SALE, 1.0, 0.0),
        ({**SHORT, "held": 200, "selling": 101}, RiskRule.SHORT_SALE, 1.0, 0.0),
        ({**SHORT, "is_lent": True, "ssr": True}, RiskRule.SHORT_SALE, 1.0, 0.0),
        ({**SHORT, "is_lent": True, "ssr": True, "limit": nano(10.0)}, RiskRule.SHORT_SALE, 1.0, 0.0),
        ({"worth": Worth(100_000.0, 58_991.0)}, RiskRule.TOTAL_NOTIONAL, 60_001.0, 60_000.0),
        ({"worth": Worth(1_000.0, 991.0)}, RiskRule.BUYING_POWER, 2_001.0, 2_000.0),
        ({"worth": Worth(-1.0, 0.0)}, RiskRule.BUYING_POWER, 1_010.0, 0.0),
        ({"worth": Worth(math.nan, 0.0)}, RiskRule.BUYING_POWER, 1_010.0, 0.0),
        ({"day_best": 150.0, "day_result": 49.0}, RiskRule.DRAWDOWN, 101.0, 100.0),
        ({"losses": 3}, RiskRule.LOSS_STREAK, 4.0, 3.0),
        ({"rate_ns": NOW_NS + NANO}, RiskRule.ORDER_RATE, 5.0, 4.0),
    ],
    ids=lambda each: each.name if isinstance(each, RiskRule) else "",
)
def test_a_rule_refuses_with_what_it_saw_and_what_it_allows(given, rule, value, limit):
    refused = admit(case(**given))
    assert not refused.is_approved
    assert refused.rule == rule
    assert refused.limit == pytest.approx(limit)
    assert refused.value == pytest.approx(value, nan_ok=True)


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
        {"lost_ns": NOW_NS - 10},
        {"limit": nano(10.605)},
        {"trigger": nano(12.0), "limit": nano(12.6)},
        {"trigger": nano(90.0), "order_type": OrderType.STOP},  # it waits until the market is there
        {"limit": nano(1.0)},  # far away on the passive side
        {**SHORT, "held": 100},
        {**SHORT, "is_lent": True},
        {**SHORT, "is_lent": True, "ssr": True, "limit": nano(10.01)},
        {"side": Side.SELL},  # what never closes needs no loan
        {"worth": Worth(100_000.0, 58_990.0)},
        {"worth": Worth(1_000.0, 990.0)},
        {"day_best": 150.0, "day_result": 50.0},
        {"losses": 2},
        {"rate_ns": NOW_NS + NANO * 3 // 4},
    ],
)
def test_at_the_limit_an_order_still_passes(given):
    assert admit(case(**given)).is_approved


@pytest.mark.parametrize(
    ("near", "rule", "value", "limit"),
    [
        ({"entries": 3}, RiskRule.DUPLICATE, 3.0, 2.0),
        ({"strategies": 3}, RiskRule.INSTRUMENT_STRATEGIES, 3.0, 2.0),
        ({"exposure": 19_000.0}, RiskRule.INSTRUMENT_NOTIONAL, 20_010.0, 20_000.0),
        ({"exposure": math.nan}, RiskRule.INSTRUMENT_NOTIONAL, math.nan, 20_000.0),
        ({"sector_instruments": 4}, RiskRule.SECTOR_INSTRUMENTS, 4.0, 3.0),
        ({"sector_exposure": 29_000.0}, RiskRule.SECTOR_NOTIONAL, 30_010.0, 30_000.0),
        ({"theme_instruments": 2, "has_theme": True}, RiskRule.THEME_INSTRUMENTS, 2.0, 1.0),
        ({"theme_exposure": 4_000.0, "has_theme": True}, RiskRule.THEME_NOTIONAL, 5_010.0, 5_000.0),
    ],
)
def test_a_rule_of_the_crowd_refuses_with_what_it_saw(near, rule, value, limit):
    refused = admit_among(case()._replace(settings=CROWDED), NOBODY._replace(**near))
    assert (refused.is_approved, refused.rule, refused.limit) == (False, rule, limit)
    assert refused.value == pytest.approx(value, nan_ok=True)
    assert admit_among(case(), NOBODY._replace(**near)).is_approved or math.isnan(value)


def test_what_comes_up_to_every_limit_of_the_crowd_passes():
    near = NOBODY._replace(
        entries=2, strategies=2, exposure=18_990.0, sector_instruments=3, sector_exposure=28_990.0, theme_instruments=1,
        theme_exposure=3_990.0, has_theme=True,
    )  # fmt: skip
    assert admit_among(case()._replace(settings=CROWDED), near).is_approved
    alone = NOBODY._replace(theme_exposure=1e9)
    assert admit_among(case()._replace(settings=CROWDED), alone).is_approved, "of what has no theme"


def test_what_reduces_is_only_asked_for_its_numbers():
    everything_wrong = {"is_live": False, "is_killed": True, "is_halted": True, "age_ns": 10**15, "day_result": -1e9}
    assert admit(case(reduces=True, ask=math.nan, open_orders=99, **everything_wrong)).is_approved
    assert not admit(case(reduces=True, steps=0)).is_approved


def test_a_limit_price_values_an_order():
    assert admit(case(ask=200.0, bid=199.0, limit=nano(90.0))).is_approved


def test_of_entries_so_many_go_at_once_and_as_many_again_in_a_second():
    account, settings = ACCOUNT.new(), row_of(LIMITS)
    sent = []
    for tenth in range(20):
        now_ns = NOW_NS + tenth * NANO // 10
        while admit(case(rate_ns=account.ts_rate_ns, now_ns=now_ns)).is_approved:
            count_entry(account, settings, now_ns)
            sent.append(tenth)
    assert sent == [0, 0, 0, 0, 3, 5, 8, 10, 13, 15, 18]


def test_every_limit_of_zero_that_means_none_lets_pass():
    loose = msgspec.structs.replace(LIMITS, drawdown_max=0.0, loss_streak_max=0, cool_down_ns=0)
    given = case(day_best=1e9, losses=10**6, lost_ns=NOW_NS)
    assert not admit(given).is_approved
    assert admit(given._replace(settings=loose)).is_approved


def test_what_is_hard_to_borrow_is_not_lent_although_it_may_be_shorted():
    row = INSTRUMENT.new()

    def said(field, value):
        fold_reference(row, ReferenceFact(0, 0, 1, 0, field, value, ""))
        return row.is_borrowable

    assert said("shortable", 1.0)
    assert not said("easy_to_borrow", 0.0)
    assert not said("shortable", 1.0)
    assert said("easy_to_borrow", 1.0)
    assert said("shortable", 0.0)
