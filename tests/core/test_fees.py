"""What executions cost: commission and its bounds, makers' discount, and the regulators' rates of the day."""

from datetime import date

import pytest
from core_day import Day, nano
from core_fills import buy, run, sell

from pipeline.codes import Kind
from pipeline.core.fee_rates import ACTIVITY_DAYS, SECTION_31_DAYS, activity_fee, section_31_rate
from pipeline.core.settings import SHORT_ALWAYS, EngineSettings
from pipeline.units import DAY_NS, NANO


def priced(**settings):
    return EngineSettings(latency_ns=NANO, quote_age_ns_max=10**15, short_sales=SHORT_ALWAYS, **settings)


def fees(day, order, settings):
    return [row["fee_nano"] / NANO for row in run(day, {1: order}, settings)[Kind.FILL]]


def taken(*sizes, calendar="XNAS", price=10.0):
    """Offers of these sizes, one behind the other, and as many bids."""
    day = Day(tick=0.001)
    day.rows[0][1]["calendar"] = calendar
    for i, size in enumerate(sizes):
        day.quote(2 * i, price, price, size, size)
    return day.timer(2 * len(sizes))


def test_nothing_costs_anything_unless_it_is_set():
    assert fees(taken(100), sell(quantity=100), priced()) == [0.0]


def test_an_order_pays_its_least_once_and_no_more_than_its_most():
    least = priced(fee_per_unit=0.005, fee_least=1.0)
    assert fees(taken(50, 100, 150), buy(quantity=300), least) == pytest.approx([1.0, 0.0, 0.5])
    most = priced(fee_per_unit=0.005, fee_least=1.0, fee_most_percent=1.0)
    assert fees(taken(50, 100, price=0.25), buy(quantity=150), most) == pytest.approx([0.125, 0.25])
    assert fees(taken(50, 100), buy(quantity=150), priced(fee_bps=200.0, fee_most_percent=1.0)) == pytest.approx(
        [5.0, 10.0]
    )


def test_who_makes_pays_less_or_is_paid():
    day = Day().quote(0, 10.0, 10.2).timer(2).quote(3, 10.0, 10.1)
    settings = priced(fee_bps=60.0, maker_discount_bps=20.0)
    assert fees(day, buy(quantity=10, limit=10.1), settings) == pytest.approx([10.1 * 10 * 0.004])
    assert fees(day, buy(quantity=10), settings) == pytest.approx([10.2 * 10 * 0.006])
    assert fees(day, buy(quantity=10, limit=10.1), priced(fee_bps=1.0, maker_discount_bps=2.0)) == pytest.approx(
        [-0.0101]
    )


def test_regulators_take_of_sales_of_shares_alone_each_execution_by_itself():
    settings = priced(regulatory_fees=1)
    sold = fees(taken(100, 200), sell(quantity=300), settings)
    assert sold == pytest.approx(
        [1_000 * 8e-6 + 100 * 0.000145, 2_000 * 8e-6 + 200 * 0.000145], abs=1e-9
    )  # November 2023
    assert fees(taken(100), buy(quantity=100), settings) == [0.0]
    assert fees(taken(100, calendar="24/7"), sell(quantity=100), settings) == [0.0]
    contracts = taken(100)
    contracts.rows[0][1]["multiplier_nano"] = nano(100)
    assert fees(contracts, sell(quantity=10), settings) == [0.0]


def test_a_large_sale_pays_no_more_than_the_cap():
    large = EngineSettings(
        latency_ns=NANO, quote_age_ns_max=10**15, short_sales=SHORT_ALWAYS, regulatory_fees=1, order_notional_max=1e9,
        position_notional_max=1e9, cash=1e9,
    )  # fmt: skip
    assert fees(taken(100_000), sell(quantity=100_000), large) == pytest.approx([1e6 * 8e-6 + 7.27])


def days(year, month, day):
    return (date(year, month, day) - date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("day", "millionth"),
    [
        ((2014, 3, 17), 0.0),
        ((2020, 2, 17), 20.7),
        ((2020, 2, 18), 22.1),
        ((2023, 2, 26), 22.9),
        ((2023, 2, 27), 8.0),
        ((2025, 5, 13), 27.8),
        ((2025, 5, 14), 0.0),
        ((2026, 4, 3), 0.0),
        ((2026, 4, 4), 20.6),
    ],
)
def test_the_secs_rate_is_that_of_the_day(day, millionth):
    assert section_31_rate(days(*day)) * 1e6 == pytest.approx(millionth)


@pytest.mark.parametrize(
    ("day", "hundred", "most"),
    [
        ((2012, 6, 30), 0.0, 0.0),
        ((2023, 12, 31), 0.0145, 7.27),
        ((2024, 1, 1), 0.0166, 8.3),
        ((2026, 9, 30), 0.0195, 9.79),
        ((2026, 12, 31), 0.0, 0.0),
        ((2027, 1, 1), 0.0232, 11.61),
        ((2030, 1, 1), 0.024, 12.05),
    ],
)
def test_finras_fee_is_that_of_the_day(day, hundred, most):
    assert activity_fee(days(*day), 100.0) == pytest.approx(hundred)
    assert activity_fee(days(*day), 1e9) == most


def test_the_rates_stand_in_order():
    assert sorted(set(SECTION_31_DAYS)) == list(SECTION_31_DAYS)
    assert sorted(set(ACTIVITY_DAYS)) == list(ACTIVITY_DAYS)


@pytest.mark.parametrize(("from_midnight_s", "of_amount"), [(-1, 0.0), (0, 1_000 * 20.6e-6)])
def test_the_day_is_new_yorks(from_midnight_s, of_amount):
    """A rate begins at midnight there: on 4 April 2026 at 4:00 UTC."""
    day, midnight_ns = taken(100), days(2026, 4, 4) * DAY_NS + 4 * 3_600 * NANO
    for _, row in day.rows:
        after_s = from_midnight_s if row["seq"] == 3 else -10
        row["ts_recv_ns"] = row["ts_event_ns"] = midnight_ns + after_s * NANO
    sold = fees(day, sell(quantity=100), priced(regulatory_fees=1))
    assert sold == pytest.approx([of_amount + 100 * 0.000195], abs=1e-9)
