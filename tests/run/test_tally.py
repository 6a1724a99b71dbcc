"""Tally: money from fills, however they come in batches, as a plain loop over exact numbers has it, and as SQL has it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.block import Block
from pipeline.codes import Kind
from pipeline.core.instrument import InstrumentRow
from pipeline.core.record import record_of
from pipeline.log.reader import LogReader
from pipeline.log.store import Store
from pipeline.run.generating import record_generated
from pipeline.run.replaying import replay
from pipeline.run.strategies import plan_of, strategy_file
from pipeline.run.tally import Tally, units_of
from pipeline.simulator.generate import Day
from pipeline.units import ABSENT, NANO
from warehouse import connect

INSTRUMENTS = (
    {"instrument_id": 1, "size_step_nano": NANO, "multiplier_nano": NANO},
    {"instrument_id": 2, "size_step_nano": 10, "multiplier_nano": 50 * NANO},
)
fills = st.lists(
    st.tuples(
        st.sampled_from([1, 2]),
        st.sampled_from([1, 2]),
        st.sampled_from([-1, 1]),
        st.integers(1, 10**12),
        st.integers(1, 10**14),
        st.integers(0, 10**9),
    ),
    max_size=30,
)


def rows_at_the_end(marks):
    record = record_of(InstrumentRow)
    rows = []
    for place, (bid, ask, bar) in enumerate(marks, 1):
        row = record.new()
        row.instrument_id, row.bid_nano, row.ask_nano, row.last_bar_nano = place, bid, ask, bar
        rows.append(np.frombuffer(record.save(row), record.dtype))
    return np.concatenate(rows)


def block_of(rows):
    names = ("strategy_id", "instrument_id", "side", "quantity_steps", "price_nano", "fee_nano")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return Block.of(Kind.FILL, len(rows), seq=range(1, len(rows) + 1), **columns)


def plainly(rows, marks):
    """Cash, position and worth after each fill, one at a time."""
    units = {
        row["instrument_id"]: Fraction(row["size_step_nano"] * row["multiplier_nano"], 10**18) for row in INSTRUMENTS
    }
    held, cash, last, trades = {}, {}, {}, 0
    levels = [Fraction(0)]

    def worth():
        each = (units[pair[1]] * (cash[pair] + held[pair] * last[pair]) for pair in held)
        return sum(each, Fraction(0)) - fees

    fees = 0
    for strategy, instrument, side, steps, price, fee in rows:
        pair, before = (strategy, instrument), held.get((strategy, instrument), 0)
        held[pair] = before + side * steps
        cash[pair] = cash.get(pair, 0) - side * steps * price
        last[pair] = price
        fees += fee
        trades += before != 0 and (held[pair] == 0 or (before > 0) != (held[pair] > 0))
        levels.append(worth())
    for pair, steps in held.items():
        bid, ask, bar = marks[pair[1] - 1]
        side = bid if steps > 0 else ask
        last[pair] = next((price for price in (side, bar) if price != ABSENT), last[pair])
    levels.append(worth())
    falls = [max(levels[: i + 1]) - level for i, level in enumerate(levels)]
    return trades, worth(), max(falls) / 10**9


@given(fills, st.lists(st.integers(1, 8), max_size=6))
def test_money_is_as_a_plain_loop_has_it(rows, sizes):
    marks = ((10**10, 2 * 10**10, ABSENT), (ABSENT, ABSENT, 3 * 10**9))
    tally, start = Tally(units_of(INSTRUMENTS)), 0
    for size in [*sizes, len(rows)]:
        if piece := rows[start : start + size]:
            tally.add([block_of(piece)])
        start += size
    money = tally.money(rows_at_the_end(marks))
    trades, net, drawdown = plainly(rows, marks)
    assert money.trades == trades
    assert abs(money.net_profit_nano - net) <= 2  # rounded once for each pair
    assert money.fees_nano == sum(row[-1] for row in rows)
    assert money.max_drawdown == pytest.approx(float(drawdown), rel=1e-9, abs=1e-6)


def test_a_pair_without_quote_and_bar_is_worth_its_last_price():
    tally = Tally(units_of(INSTRUMENTS))
    tally.add([block_of([(1, 1, 1, 10, 5 * NANO, NANO)])])
    money = tally.money(rows_at_the_end(((ABSENT, ABSENT, ABSENT),) * 2))
    assert (money.open_positions, money.trades) == (1, 0)
    assert (money.net_profit_nano, money.open_profit_nano, money.max_drawdown) == (-NANO, 0, 1.0)


def test_profit_of_closed_trades_is_what_sql_has_from_the_whole_log(tmp_path):
    store, file = Store(tmp_path), strategy_file("ema_cross")
    plan = plan_of([file], ["fast=3", "slow=9"], ["fee_bps=1.5"])
    session = record_generated(store, Day(quotes=900, instruments=3), plan, [file], created_ns=1)
    run = replay(store, session.id, plan, [file], created_ns=2)
    sums = """select instrument_id, count(*), sum(profit_nano), list(profit_nano) from trades
        where run = $run group by all having bool_and(is_closed)"""
    found = connect(store.home, [run.run]).sql(sums, params={"run": run.run}).fetchall()
    assert found
    for instrument_id, trades, profit_nano, profits in found:
        tally = Tally(units_of(store.manifest(run.run).instruments))
        for blocks in LogReader(store.folder(run.run)).batches(kinds=[Kind.FILL], what="derived", rows=100):
            tally.add(block.take(block.number("instrument_id") == instrument_id) for block in blocks)
        money = tally.money(rows_at_the_end(((ABSENT, ABSENT, ABSENT),) * 3))
        assert (money.trades, money.net_profit_nano, money.open_positions) == (trades, profit_nano, 0)
        sums = money.trade_sums
        assert (sums.count, sums.won, sums.lost) == (trades, sum(x > 0 for x in profits), sum(x < 0 for x in profits))
        assert (sums.total, sums.squares) == (profit_nano, sum(x**2 for x in profits))
        assert (sums.cubes, sums.fourths) == (sum(x**3 for x in profits), sum(x**4 for x in profits))


@given(fills, st.lists(st.integers(1, 8), max_size=6))
def test_sums_of_trades_do_not_depend_on_batches_and_leave_out_what_is_open(rows, sizes):
    flat = ((ABSENT, ABSENT, ABSENT),) * 2
    whole, pieces, start = Tally(units_of(INSTRUMENTS)), Tally(units_of(INSTRUMENTS)), 0
    if rows:
        whole.add([block_of(rows)])
    for size in [*sizes, len(rows)]:
        if piece := rows[start : start + size]:
            pieces.add([block_of(piece)])
        start += size
    money = whole.money(rows_at_the_end(flat))
    assert money.trade_sums == pieces.money(rows_at_the_end(flat)).trade_sums
    assert money.trade_sums.count == money.trades
    if not money.open_positions:
        assert abs(money.trade_sums.total - money.net_profit_nano) <= money.trades + 4  # rounded once a trade


def test_a_fill_that_turns_around_ends_one_trade_and_shares_its_fee_by_size():
    tally = Tally(units_of(INSTRUMENTS))
    rows = [(1, 1, 1, 10, 5 * NANO, 100), (1, 1, -1, 40, 6 * NANO, 1_001), (1, 1, 1, 30, 4 * NANO, 7)]
    tally.add([block_of(rows)])
    first, second = 10 * NANO - 100 - 250, 60 * NANO - 751 - 7
    sums = tally.money(rows_at_the_end(((ABSENT, ABSENT, ABSENT),) * 2)).trade_sums
    assert (sums.count, sums.total, sums.squares) == (2, first + second, first**2 + second**2)
