"""Every answer: rows in, rows out, of a tape that can be checked by hand."""

import pytest
from warehouse_samples import DECISIONS, INPUTS, at, decided, order, written

from pipeline.codes import IntentAction, Kind, OrderState, RequestAction, SessionAction, Side
from pipeline.errors import ConfigError
from pipeline.log.store import Store
from pipeline.run.notes import remark
from pipeline.scanner_codes import UniverseAction
from warehouse import connect, named_in
from warehouse.views import marts


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The tape, and a store's own remark on it."""
    home = tmp_path_factory.mktemp("day")
    written(home, [*INPUTS, *DECISIONS])
    return connect(home)


def rows(day, query):
    """Rows as mappings; floats to the 9th digit."""
    result = day.sql(query)
    return [dict(zip(result.columns, map(rounded, row), strict=True)) for row in result.fetchall()]


def rounded(value):
    return round(value, 9) if isinstance(value, float) else value


TRADE = {
    "session": "day", "run": None, "strategy": "probe", "trade_number": 1, "symbol": "ABCD", "venue": "XNAS",
    "asset_class": "equity", "currency": "USD", "side": "buy", "is_closed": True, "is_carried": False,
    "day::varchar": "2026-11-04", "closed_day::varchar": "2026-11-04", "session_window": "premarket", "minute": 270,
    "nth_of_day": 1, "nth_of_symbol": 1, "opened_at_ns": at(2), "closed_at_ns": at(65), "holding_seconds": 63.0,
    "quantity": 100.0, "quantity_max": 100.0, "count_fills": 2, "entry_price": 10.07, "exit_price": 9.96,
    "stop_price": 9.97, "target_price": 10.27, "worth_per_price": 100.0, "entry_value": 1_007.0, "exit_value": 996.0,
    "gross_profit": -11.0, "fees": 0.75, "profit": -11.75, "profit_nano": -11_750_000_000, "risk": 10.0, "r_multiple": -1.175,
    "mfe": 20.0, "mfe_price": 10.27, "epoch_ns(mfe_at)": at(5), "mae": -11.0, "mae_price": 9.96, "epoch_ns(mae_at)": at(65),
    "mfe_r": 2.0, "mae_r": -1.1, "entry_slippage": 2.0, "exit_slippage": 1.0, "slippage": 3.0, "slippage_r": 0.3,
    "slippage_bps": round(3 / 2_003 * 1e4, 9), "entry_bid": 10.04, "entry_ask": 10.06, "entry_spread": 0.02,
    "entry_spread_bps": round(0.02 / 10.05 * 1e4, 9), "tag": 4, "setup": "breakout", "exit_kind": "stop",
    "phase_path": "flat > entering > long > flat", "scanner": "gappers", "scan_rank": 2, "gap_percent": 25.0,
    "relative_volume": 6.5, "float_shares": 4e6, "is_after_halt": False, "seconds_since_halt": None, "count_halts": 1,
    "has_gap": True, "decision_seq": 6, "decision_ord": 2, "entry_seq": 7, "entry_ord": 2, "exit_seq": 18, "exit_ord": 1,
    "entry_order_id": 1,
}  # fmt: skip


def test_a_round_trip_has_its_prices_costs_excursions_reasons_and_scan(day):
    (found,) = rows(day, f"select {', '.join(TRADE)} from trades")
    assert dict(zip(TRADE, found.values(), strict=True)) == TRADE


CLOSED_BY = {
    "strategy": (IntentAction.EXIT, None),
    "scanner": (IntentAction.FLATTEN, (Kind.UNIVERSE, 1, {"scanner_id": 1, "action": int(UniverseAction.DROPPED)})),
    "operator": (IntentAction.FLATTEN, (Kind.REQUEST, 0, {"action": int(RequestAction.FLATTEN)})),
    "stopped": (IntentAction.FLATTEN, (Kind.SESSION, 1, {"action": int(SessionAction.STOPPED), "key": "probe"})),
    "engine": (IntentAction.FLATTEN, None),
}
"""Whoever closes a position: what the wish was, and the row that caused it; a quote, where none is said."""


@pytest.mark.parametrize("closed_by", CLOSED_BY)
def test_a_trade_says_whose_wish_closed_it(tmp_path, closed_by):
    action, cause = CLOSED_BY[closed_by]
    kind, cause_ord, told = cause or (None, 0, {})
    cause_row = [] if kind is None else [(kind, 18, cause_ord, 65, {"instrument_id": 1} | told)]
    plain = {"order_id": 2, "side": int(Side.SELL), "order_type": 0, "limit_nano": -(2**63), "flags": 0}
    rows_then = [row for row in DECISIONS if row[1] < 18 and row[4].get("order_id") != 2]
    behind = [
        *cause_row,
        decided(Kind.INTENT, 18, 2, 65, (18, cause_ord), action=int(action)),
        decided(Kind.RISK, 18, 3, 65, (18, 2)),
        order(18, 4, 65, (18, 3), OrderState.APPROVED, **plain),
        *((*row[:2], row[2] + 10, *row[3:]) for row in DECISIONS if row[:2] == (Kind.FILL, 18)),
    ]
    inputs = [row for row in INPUTS if kind is not Kind.REQUEST or row[1] != 18]
    written(tmp_path, [*inputs, *rows_then, *behind])
    assert connect(tmp_path).sql("select exit_kind from trades").fetchall() == [(closed_by,)]


EXPECTED = {
    "sessions": [{"session": "day", "run": None, "what": "session", "state": "ended", "mode": "paper"}],
    "orders": [
        {"order_id": 1, "state": "approved", "filled": 0.0, "limit_price": 10.07, "trigger_price": None},
        {"order_id": 1, "state": "submitted", "filled": 0.0, "limit_price": 10.07, "trigger_price": None},
        {"order_id": 1, "state": "accepted", "filled": 0.0, "limit_price": 10.07, "trigger_price": None},
        {"order_id": 1, "state": "filled", "filled": 100.0, "limit_price": 10.07, "trigger_price": None},
        {"order_id": 2, "state": "approved", "filled": 0.0, "limit_price": None, "trigger_price": 9.97},
        {"order_id": 2, "state": "submitted", "filled": 0.0, "limit_price": None, "trigger_price": 9.97},
        {"order_id": 2, "state": "accepted", "filled": 0.0, "limit_price": None, "trigger_price": 9.97},
        {"order_id": 2, "state": "filled", "filled": 100.0, "limit_price": None, "trigger_price": 9.97},
    ],
    "fills": [
        {"fill_id": 1, "symbol": "ABCD", "side": "buy", "price": 10.07, "quantity": 100.0, "fee": 0.5, "liquidity": "taker"},
        {"fill_id": 2, "symbol": "ABCD", "side": "sell", "price": 9.96, "quantity": 100.0, "fee": 0.25, "liquidity": "taker"},
    ],
    "intents": [
        {"seq": 6, "action": "enter", "refused_by": None, "placed_order_id": 1, "risk_verdict": "approved", "gate": None},
        {"seq": 8, "action": "none", "refused_by": "spread", "placed_order_id": None, "risk_verdict": None, "gate": "spread"},
        {"seq": 13, "action": "enter", "refused_by": "price_collar", "placed_order_id": None, "risk_verdict": "refused", "gate": None},
    ],
    "positions": [
        {"seq": 7, "quantity": 100.0, "average_price": 10.07, "realized": 0.0, "fees": 0.5, "cash": 98_992.5},
        {"seq": 18, "quantity": 0.0, "average_price": 0.0, "realized": -11.0, "fees": 0.75, "cash": 99_988.25},
    ],
    "journal": [
        {
            "symbol": "ABCD", "position": "long", "quantity": 100.0, "opened_date": "2026-11-04", "opened_time": "04:30:02",
            "closed_date": "2026-11-04", "closed_time": "04:31:05", "acquired_date": "2026-11-04", "sold_date": "2026-11-04",
            "entry_price": 10.07, "exit_price": 9.96, "cost": 1_007.75, "proceeds": 996.0, "fees": 0.75, "gain": -11.75,
            "currency": "USD", "strategy": "probe", "setup": "breakout", "tag": 4, "exit_kind": "stop", "r_multiple": -1.175,
        },
    ],
    "daily_pnl": [
        {
            "strategy": "probe", "currency": "USD", "count_trades": 1, "count_won": 0, "count_lost": 1, "gross_profit": -11.0,
            "fees": 0.75, "profit": -11.75, "profit_so_far": -11.75, "won": 0.0, "lost": -11.75, "best": -11.75, "worst": -11.75,
            "r": -1.175, "slippage": 3.0, "has_gap": True,
        },
    ],
    "equity": [
        {
            "ends_at_ns": at(60), "cash": 98_992.5, "realized": 0.0, "fees": 0.5, "open_profit": 20.0, "profit": 19.5,
            "peak": 19.5, "drawdown": 0.0, "count_held": 1, "is_marked": True,
        },
        {
            "ends_at_ns": at(120), "cash": 99_988.25, "realized": -11.0, "fees": 0.75, "open_profit": 0.0, "profit": -11.75,
            "peak": 19.5, "drawdown": 31.25, "count_held": 0, "is_marked": True,
        },
    ],
    "execution_quality": [
        {
            "fill_id": 1, "order_type": "limit", "reference_price": 10.05, "slippage": 2.0, "arrival_cost": 2.0, "decided_bid": 10.04,
            "decided_ask": 10.06, "sent_mid": 10.05, "delay_cost": 0.0, "acknowledged_bid": 10.05, "acknowledged_ask": 10.07,
            "filled_mid": 10.06, "effective_spread": 2.0, "later_mid": 10.28, "realised_spread": -42.0, "price_impact": 44.0,
            "seconds_to_send": 0.0, "seconds_to_acknowledge": 1.0, "seconds_to_fill": 1.0,
        },
        {
            "fill_id": 2, "order_type": "stop", "reference_price": 9.97, "slippage": 1.0, "arrival_cost": 10.0, "decided_bid": 10.05,
            "decided_ask": 10.07, "sent_mid": 10.06, "delay_cost": 0.0, "acknowledged_bid": 10.05, "acknowledged_ask": 10.07,
            "filled_mid": 9.97, "effective_spread": 2.0, "later_mid": 9.97, "realised_spread": 2.0, "price_impact": 0.0,
            "seconds_to_send": 0.0, "seconds_to_acknowledge": 1.0, "seconds_to_fill": 63.0,
        },
    ],
    "latency": [
        {
            "order_id": 1, "decided_seq": 6, "state": "filled", "quantity": 100.0, "filled": 100.0, "seconds_to_hear": 0.04,
            "seconds_to_send": 0.0, "seconds_to_acknowledge": 1.0, "seconds_to_fill": 1.0, "seconds_to_end": 1.0,
        },
        {
            "order_id": 2, "decided_seq": 7, "state": "filled", "quantity": 100.0, "filled": 100.0, "seconds_to_hear": 0.0,
            "seconds_to_send": 0.0, "seconds_to_acknowledge": 1.0, "seconds_to_fill": 63.0, "seconds_to_end": 63.0,
        },
    ],
    "feed_health": [
        {
            "feed": "made", "from_ns": at(0), "to_ns": at(132), "seconds": 132.0, "count_rows": 11, "count_connected": 2,
            "count_lost": 1, "count_gaps": 1, "gap_seconds": 10.0, "count_mute": 1, "mute_seconds": 5.0, "lagging_seconds": 0.0,
            "coverage": round(1 - 15 / 132, 9), "count_late": 1, "count_crossed": 1, "count_backfilled": 0, "delay_max": 0.04,
        },
    ],
    "missed_moves": [
        {
            "symbol": "=WXYZ", "scanner": "gappers", "rank": 1, "picked_price": 5.02, "best_price": 6.02,
            "move_percent": round((6.02 / 5.02 - 1) * 100, 9), "seconds_to_best": 27.5, "strategy": "probe", "last_gate": "spread",
            "last_value": 40.0, "last_threshold": 30.0, "count_gated": 1, "refused_by": "price_collar", "count_refused": 1,
        },
    ],
    "gaps": [{"feed": "made", "channel": None, "symbol": None, "seconds": 10.0, "from_ns": at(40), "to_ns": at(50)}],
    "feed_events": [
        {"seq": 1, "feed": "made", "action": "declared"}, {"seq": 2, "feed": "made", "action": "connected"},
        {"seq": 14, "feed": "made", "action": "lost"}, {"seq": 15, "feed": "made", "action": "gap_opened"},
        {"seq": 16, "feed": "made", "action": "connected"}, {"seq": 17, "feed": "made", "action": "gap_closed"},
        {"seq": 19, "feed": "made", "action": "mute"}, {"seq": 20, "feed": "made", "action": "heard"},
    ],
    "transitions": [
        {"seq": 6, "from_phase": "flat", "to_phase": "entering", "reason": "breakout", "seconds_in_phase": None},
        {"seq": 7, "from_phase": "entering", "to_phase": "long", "reason": "filled", "seconds_in_phase": 1.0},
        {"seq": 18, "from_phase": "long", "to_phase": "flat", "reason": "closed", "seconds_in_phase": 63.0},
    ],
    "indicators": [{"seq": 7, "output": "vwap", "value": 10.05, "symbol": "ABCD", "strategy": "probe"}],
    "messages": [{"seq": 8, "message": "wide", "text": "spread 40.00", "level": "info"}],
    "notes": [{"seq": 26, "tag": "=1+1", "text": '+SUM(A1) "late"', "about_seq": 7}],
    "candidates": [
        {"field": "gap_pct", "unit": "%", "value": 25.0, "filter": "gap_pct >= 10", "is_passed": True, "verdict": "picked", "rank": 2},
        {"field": "rvol_tod", "unit": "times", "value": 6.5, "filter": None, "is_passed": None, "verdict": "picked", "rank": 2},
        {"field": "float", "unit": "shares", "value": 4e6, "filter": None, "is_passed": None, "verdict": "picked", "rank": 2},
    ],
    "funnel": [{"scanner": "gappers", "filter": "gap_pct >= 10", "count_shown": 9, "count_removed": 7, "count_left": 2}],
    "universe_changes": [
        {"symbol": "ABCD", "action": "added", "reason": "ranked", "rank": 2, "seconds_in_list": None},
        {"symbol": "=WXYZ", "action": "added", "reason": "ranked", "rank": 1, "seconds_in_list": None},
    ],
    "facts": [{"symbol": "ABCD", "field": "float_shares", "value": 4e6, "provider": "fmp"}],
    "prints": [{"symbol": "ABCD", "price": 9.91, "size": 50.0, "aggressor": "buy", "venue": "XNAS"}],
    "bars": [{"symbol": "ABCD", "timeframe": "1m", "open": 9.9, "high": 9.96, "low": 9.9, "close": 9.92, "volume": 70.0}],
    "statuses": [{"status": "paused", "reason": "volatility"}, {"status": "trading", "reason": "none"}],
    "snapshots": [{"symbol": "=WXYZ", "last": 6.03, "volume": 900.0}],
    "quotes": [
        {"seq": 5, "symbol": "ABCD", "bid": 10.0, "marks": ""}, {"seq": 6, "symbol": "ABCD", "bid": 10.04, "marks": ""},
        {"seq": 7, "symbol": "ABCD", "bid": 10.05, "marks": ""}, {"seq": 8, "symbol": "=WXYZ", "bid": 5.0, "marks": ""},
        {"seq": 11, "symbol": "ABCD", "bid": 10.27, "marks": ""}, {"seq": 12, "symbol": "ABCD", "bid": 11.0, "marks": "crossed"},
        {"seq": 13, "symbol": "=WXYZ", "bid": 6.02, "marks": "late"}, {"seq": 18, "symbol": "ABCD", "bid": 9.96, "marks": ""},
        {"seq": 21, "symbol": "ABCD", "bid": 9.9, "marks": ""},
    ],
}  # fmt: skip

ELSEWHERE = {
    "trades",  # above
    "trade_notes",  # below
    "cells", "symbol_cells",  # tests/run/test_tally.py
    "diffs", "diff_profits",  # tests/run/test_diffing.py
    "picks",  # tests/run/test_referencing.py
}  # fmt: skip
"""What is held against rows of its own in another place."""


@pytest.mark.parametrize("name", EXPECTED)
def test_rows_out(day, name):
    expected = EXPECTED[name]
    assert sorted(rows(day, f"select {', '.join(expected[0])} from {name}"), key=str) == sorted(expected, key=str)


def test_every_answer_has_its_rows_here_or_elsewhere():
    assert {view.name for view in marts()} == EXPECTED.keys() | ELSEWHERE


def test_remarks_stand_beside_what_they_are_about(tmp_path):
    store = Store(tmp_path)
    said = [(28, 45, "while it was open"), (29, 80, "behind it")]
    notes = [(Kind.NOTE, seq, 0, seconds, {"tag": "t", "text": text}) for seq, seconds, text in said]
    written(tmp_path, [*INPUTS, *DECISIONS, *notes])
    run = written(tmp_path, DECISIONS, name="again", parents=("day",))
    written(tmp_path, INPUTS, name="other")
    remarks = [
        ("day", "of its wish", (6, 2)),
        ("day", "of its exit", (18, 1)),
        ("day", "of a tick", (7, 0)),
        ("day", "in the evening", None),
        (run, "of the run", (7, 2)),
        (run, "of all of the run", None),
        ("other", "of another day", None),
    ]
    for place, (name, text, about) in enumerate(remarks):
        remark(store, name, text, tag="t", about=about, now_ns=at(86_400 + place))
    found = connect(tmp_path).sql("select run, symbol, trade_number, text from trade_notes where tag = 't'").fetchall()
    assert found == [
        (run, "ABCD", 1, "of the run"),
        (None, "ABCD", 1, "while it was open"),
        (None, "ABCD", 1, "of its wish"),
        (None, "ABCD", 1, "of its exit"),
    ]
    query = "select run, text from notes where tag = 't'"
    one = connect(tmp_path, ["other"], asked=named_in(query)).sql(query).fetchall()
    assert one == [(None, "of another day")]
    told = connect(tmp_path, [run], asked=named_in(query)).sql(query).fetchall()
    assert {text for of, text in told if of == run} == {"of the run", "of all of the run"}
    store.delete("other")
    assert (None, "of another day") in connect(tmp_path, asked=named_in(query)).sql(query).fetchall()


def test_a_remark_on_a_session_that_is_gone_does_not_stand_with_another_of_its_name(tmp_path):
    store = Store(tmp_path)
    written(tmp_path, [*INPUTS, *DECISIONS])
    remark(store, "day", "of the one before", tag="t", about=(6, 2), now_ns=at(1))
    gone = store.manifest("day").log_id
    store.delete("day")
    written(tmp_path, [*INPUTS, *DECISIONS])
    remark(store, "day", "of this one", tag="t", about=(6, 2), now_ns=at(2))
    assert connect(tmp_path).sql("select text from trade_notes where tag = 't'").fetchall() == [("of this one",)]
    query = "select session, text from notes where tag = 't' order by noted_at"
    told = connect(tmp_path, asked=named_in(query)).sql(query).fetchall()
    assert told == [(f"day@{gone}", "of the one before"), ("day", "of this one")]
    assert connect(tmp_path, ["day"], asked=named_in(query)).sql(query).fetchall() == [("day", "of this one")]


@pytest.mark.parametrize(
    ("text", "tag", "told"),
    [
        ("  ", "x", "the note is empty: accepted are words"),
        ("x" * 4_001, "", "the note has 4,001 characters: accepted are up to 4,000"),
        ("x", "y" * 101, "the note's tag has 101 characters: accepted are up to 100"),
        ("late \ud83d", "", r"the note: its character 6, '\\ud83d', is none"),
        ("x", "\udcff", r"the note's tag: its character 1, '\\udcff', is none"),
    ],
)
def test_a_remark_that_is_too_long_or_no_text_is_refused_in_a_line(tmp_path, text, tag, told):
    written(tmp_path, INPUTS)
    with pytest.raises(ConfigError, match=told):
        remark(Store(tmp_path), "day", text, tag=tag, now_ns=at(1))
    assert list(Store(tmp_path).notes()) == []
