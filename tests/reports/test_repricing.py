"""Slippage and fees after the fact: each model by hand, what can't be told, and sums that add up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_executions import executions
from made_trades import trades

from pipeline.core.fee_rates import activity_fee, section_31_rate
from pipeline.errors import ConfigError
from pipeline.reports.charges import Terms, charged, terms_of
from pipeline.reports.repricing import repriced
from pipeline.reports.slippage import Slippage, own_costs_bps, slippage_of, slipped
from pipeline.units import DAY_NS, HOUR_NS

NONE = np.array([])


def worse(made, words, *, costs=NONE, seed=7):
    return slipped(made, slippage_of(words), costs_bps=np.asarray(costs), seed=seed)


def test_each_model_by_hand():
    made = executions(3, sign=[1, -1, 1], price=[10.0, 20.0, 10.0], bid=[9.99, 19.9, np.nan], ask=[10.01, 20.1, 10.0])
    assert worse(made, "fixed:0.02") == (pytest.approx([0.02, 0.02, 0.02]), 0)
    assert worse(made, "bps:5") == (pytest.approx([0.005, 0.01, 0.005]), 0)
    assert worse(made, "spread:0.5") == (pytest.approx([0.01, 0.1, 0.0]), 1)  # one has no bid


def test_what_a_resting_limit_made_keeps_its_price_and_nothing_is_sold_below_nothing():
    made = executions(3, sign=[1, -1, -1], price=[10.0, 0.03, 0.07], is_made=[True, False, False])
    assert worse(made, "fixed:0.05").worse == pytest.approx([0.0, 0.03, 0.05])


def test_a_spread_that_is_crossed_costs_nothing():
    assert worse(executions(1, bid=[10.1], ask=[10.0]), "spread:1").worse == [0.0]


def test_own_costs_are_of_reference_prices_each_fill_once():
    made = executions(
        5, fill=[0, 1, 1, 2, 3], sign=[1, -1, -1, 1, 1], price=[10.01, 19.98, 19.98, 5.0, 7.0],
        reference=[10.0, 20.0, 20.0, np.nan, 7.0], is_made=[False, False, False, False, True],
    )  # fmt: skip
    assert own_costs_bps(made) == pytest.approx([10.0, 10.0])


def test_own_puts_a_fill_at_its_reference_price_and_a_drawn_cost():
    made = executions(2, sign=[1, -1], price=[10.5, 20.0], reference=[10.0, 21.0])
    told = worse(made, "own", costs=[20.0])
    assert made.price + made.sign * told.worse == pytest.approx([10.02, 21.0 - 0.042])


def test_own_draws_the_same_for_a_seed_and_once_a_fill():
    count = 400
    made = executions(count, fill=np.repeat(np.arange(count // 2), 2), reference=np.full(count, 10.0))
    costs = [0.0, 10.0, 30.0]
    first, again, other = (worse(made, "own", costs=costs, seed=seed).worse for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    assert (first[::2] == first[1::2]).all()
    drawn = np.round(first[::2] * 1e3).astype(int)
    assert set(drawn) == {0, 10, 30}
    assert min(np.bincount(drawn)[[0, 10, 30]]) > 40  # each a third of 200


def test_own_without_anything_to_draw_from_is_refused_and_what_has_no_reference_is_told():
    with pytest.raises(ConfigError, match="no execution with a known reference price"):
        worse(executions(1), "own")
    assert worse(executions(2, reference=[10.0, np.nan]), "own", costs=[5.0]).unknown == 1


@pytest.mark.parametrize("words", ["", "bps", "bps:x", "bps:-1", "bps:nan", "bps:inf", "half:1"])
def test_a_model_that_is_none_is_refused(words):
    with pytest.raises(ConfigError, match="accepted are fixed:AMOUNT"):
        slippage_of(words)


def test_models_are_what_they_are_called():
    assert slippage_of("own") == Slippage("own")
    assert slippage_of("own:live-2026-11-04") == Slippage("own", log="live-2026-11-04")
    assert slippage_of("spread:0.25") == Slippage("spread", 0.25)


def test_fees_by_hand():
    made = executions(2, price=[10.0, 20.0], quantity=[100.0, 50.0], is_made=[False, True])
    assert charged(made, made.price, terms_of(["none"])).tolist() == [0.0, 0.0]
    assert charged(made, made.price, terms_of(["per_unit:0.005"])) == pytest.approx([0.5, 0.25])
    assert charged(made, made.price, terms_of(["bps:10", "maker_discount_bps:12"])) == pytest.approx([1.0, -0.2])


def test_an_order_pays_the_least_once_and_no_more_than_the_most():
    made = executions(4, order=[0, 1, 0, 0], quantity=[100.0] * 4)
    assert charged(made, made.price, Terms(per_unit=0.004, least=1.0)) == pytest.approx([1.0, 1.0, 0.0, 0.2])
    # 0.05 % of the 1000 of each fill: the most goes before the least
    assert charged(made, made.price, Terms(least=1.2, most_percent=0.05)) == pytest.approx([0.5, 0.5, 0.5, 0.2])


def test_a_fill_of_two_trades_is_charged_once_and_shared_by_size_also_when_one_of_them_is_still_open():
    made = executions(3, fill=[0, 0, 1], quantity=[100.0, 300.0, 50.0], filled=[400.0, 400.0, 200.0])
    assert charged(made, made.price, Terms(least=4.0)) == pytest.approx([1.0, 3.0, 1.0])


def test_regulators_take_of_sales_by_the_day_in_new_york():
    day = 20_194  # 2025-04-16: the section 31 rate is that of May 2024 still
    moments = [day * DAY_NS + 18 * HOUR_NS, (day + 1) * DAY_NS + 2 * HOUR_NS, day * DAY_NS]
    made = executions(3, quantity=[1_000.0] * 3, is_taxed=[True, True, False], ts_ns=moments)
    one = 10_000.0 * section_31_rate(day) + activity_fee(day, 1_000.0)
    assert one > 0.0
    assert charged(made, made.price, Terms(regulatory=1.0)) == pytest.approx([one, one, 0.0])


@pytest.mark.parametrize(
    "texts", [["x:1"], ["per_unit"], ["bps:1", "bps:2"], ["none", "bps:1"], ["least:-1"], ["regulatory:2"]]
)
def test_terms_that_are_none_are_refused(texts):
    with pytest.raises(ConfigError, match="accepted are"):
        terms_of(texts)


rows = st.tuples(
    st.integers(0, 3),
    st.sampled_from([1.0, -1.0]),
    st.integers(1, 500),
    st.integers(1, 50),
    st.booleans(),
    st.integers(0, 4),
)


@given(
    st.lists(rows, min_size=1, max_size=20),
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0, 5.0]),
    st.sampled_from([0.0, 0.1]),
)
def test_orders_are_charged_as_one_by_one(made, per_unit, least, most):
    """As the engine has it: an order owes what it should by now, and pays what it has not paid yet."""
    trade, sign, quantity, price, is_made, order = (np.array(column) for column in zip(*made, strict=True))
    found = executions(len(made), trade=trade, sign=sign, quantity=quantity, price=price, is_made=is_made, order=order)
    terms = Terms(per_unit=per_unit / 1e3, bps=2.0, maker_discount_bps=1.0, least=least, most_percent=most)
    paid, plain, amount, expected = {}, {}, {}, []
    for _, _, units, at, made_it, which in made:
        plain[which] = plain.get(which, 0.0) + units * per_unit / 1e3 + units * at * (1e-4 if made_it else 2e-4)
        amount[which] = amount.get(which, 0.0) + units * at
        whole = max(plain[which], least)
        whole = min(whole, amount[which] * most / 100.0) if most else whole
        expected.append(whole - paid.get(which, 0.0))
        paid[which] = whole
    assert charged(found, found.price, terms) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=25)
@given(st.lists(rows, min_size=1, max_size=20), st.integers(0, 50))
def test_what_the_models_take_is_missing_in_the_profits(made, bps):
    trade, sign, quantity, price, is_made, order = (np.array(column) for column in zip(*made, strict=True))
    recorded = quantity / 100.0
    found = executions(
        len(made), trade=trade, sign=sign, quantity=quantity, price=price, is_made=is_made, order=order, fee=recorded
    )
    before = trades([10.0, -5.0, 3.0, 0.0], risk=[5.0, 5.0, None, 2.0], fees=np.bincount(trade, recorded, 4))
    told = repriced(before, found, slippage=slippage_of(f"bps:{bps}"), terms=Terms(bps=3.0), costs_bps=NONE, seed=1)
    assert told.slippage == pytest.approx((quantity * price * ~is_made).sum() * bps / 1e4)
    assert before.profit.sum() - told.trades.profit.sum() == pytest.approx(told.slippage + told.fees, abs=1e-9)
    assert told.trades.fees.sum() - before.fees.sum() == pytest.approx(told.fees, abs=1e-9)
    assert told.trades.r[0] == pytest.approx(told.trades.profit[0] / 5.0)
    same = repriced(before, found, slippage=slippage_of("bps:0"), terms=None, costs_bps=NONE, seed=1)
    assert same.trades.profit.tolist() == before.profit.tolist()
