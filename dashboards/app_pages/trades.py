"""Trades: the blotter; of one trade the chart, the market at each execution, the tape around it, why it was made, what was remembered, notes."""

import streamlit as st

from dashboards import blotter, controls, figures, market, prices
from dashboards.data import door
from dashboards.remembering import remembered
from dashboards.tables import Column, Pick, facts, table
from dashboards.words import plain, span
from pipeline.errors import TapeError
from pipeline.units import NANO

BLOTTER = {
    "opened_at": Column("opened", "clock"),
    "symbol": Column("symbol"),
    "strategy": Column("strategy"),
    "side": Column("side"),
    "quantity": Column("quantity", "%,.10g"),
    "entry_price": Column("entry", "%,.4f"),
    "exit_price": Column("exit", "%,.4f"),
    "profit": Column("profit", "%,.2f", "fees taken off", is_signed=True),
    "r_multiple": Column("R", "%.2f", is_signed=True),
    "mfe": Column("ahead", "%,.2f", "the most it was ahead while open"),
    "mae": Column("behind", "%,.2f", "the most it was behind while open"),
    "holding_seconds": Column("held, s", "%,.1f"),
    "exit_kind": Column("exit by"),
    "setup": Column("setup"),
    "entry_spread_bps": Column("spread, bps", "%,.1f", "when the entry was decided"),
    "slippage_bps": Column("slipped, bps", "%,.2f"),
    "fees": Column("fees", "%,.2f"),
    "session_window": Column("window"),
    "nth_of_day": Column("nth", "count", "of the day"),
    "count_halts": Column("halts", "count", "while it was open"),
    "has_gap": Column("gap", "yes", "a stretch that was not recorded overlaps it"),
}
EXECUTIONS = {
    "ts_event": Column("time", "clock"),
    "side": Column("side"),
    "quantity": Column("quantity", "%,.10g"),
    "price": Column("price", "%,.4f"),
    "decided_bid": Column("decided bid", "%,.4f"),
    "decided_ask": Column("ask", "%,.4f"),
    "filled_bid": Column("filled bid", "%,.4f"),
    "filled_ask": Column("ask", "%,.4f"),
    "slippage": Column("slipped", "%,.2f"),
    "slippage_bps": Column("bps", "%,.2f"),
    "effective_spread_bps": Column("effective, bps", "%,.2f"),
    "realised_spread_bps": Column("realised, bps", "%,.2f"),
    "seconds_to_send": Column("sent after, s", "%.4f"),
    "seconds_to_fill": Column("filled after, s", "%.4f"),
    "fee": Column("fee", "%,.4f"),
}
TAPE = {
    "ts_event": Column("time", "clock"),
    "seq": Column("seq", "count"),
    "what": Column("what"),
    "bid_size": Column("size", "%,.10g"),
    "bid": Column("bid", "%,.4f"),
    "ask": Column("ask", "%,.4f"),
    "ask_size": Column("size", "%,.10g"),
    "price": Column("price", "%,.4f"),
    "size": Column("size", "%,.10g"),
    "marks": Column("marks"),
}
CHAIN = {
    "ts": Column("session time", "clock", width=170),
    "seq": Column("seq", "count", width=80),
    "ord": Column("ord", "count", width=50),
    "says": Column("latest first; each row was caused by the next, what belongs to it is set in", width=900),
}
STATE = {"part": Column("part"), "name": Column("name"), "value": Column("value", "number")}
NOTES = {"noted_at": Column("noted", "time"), "tag": Column("tag"), "text": Column("note")}
STEPS = {"1 s": 1, "5 s": 5, "15 s": 15, "1 min": 60, "5 min": 300}

store = door()
top = st.container(horizontal=True, vertical_alignment="center")
with top:
    log = controls.chosen_log(store, width=190)
session, zone = figures.session_id(log), figures.zone_of(store, log)
there = blotter.choices(store, log)
if not there.total:
    if lacking := figures.lacking(store, log):
        controls.nothing(f"Nothing was traded in {log.id}. {lacking}.")
    else:
        controls.nothing(
            f"Nothing was traded in {log.id}. A strategy over it may:", [f"tape replay {session} --strategy ema_cross"]
        )
    st.stop()
with top:
    wanted = blotter.Filter(
        symbols=controls.several("symbol", "Symbol", there.symbols),
        strategies=controls.several("strategy", "Strategy", there.strategies),
        side=controls.one("side", "Side", ["buy", "sell"]),
        came_to=controls.one("came_to", "Came to", ["won", "lost", "open"]),
    )

rows = blotter.trades(store, log, wanted)
ids = rows["trade"].to_pylist()
current = st.query_params.get("trade")
current = current if current in ids else (ids[0] if ids else None)


def look_at(trade: str) -> None:
    """Another trade from the next turn on."""
    st.query_params["trade"] = trade


with top:
    place = ids.index(current) if current in ids else 0
    if st.button("Before", icon=":material/chevron_left:", shortcut="Alt+Left", disabled=place == 0):
        look_at(ids[place - 1])
        st.rerun()
    if st.button("Next", icon=":material/chevron_right:", shortcut="Alt+Right", disabled=place + 1 >= len(ids)):
        look_at(ids[place + 1])
        st.rerun()
    st.caption(plain(f"{len(rows):,} of {there.total:,} trades"))

table(
    "trades",
    rows,
    BLOTTER,
    zone=zone,
    height=236,
    pick=Pick(ids, current, look_at),
    absent="No trade is of these symbols, strategies and results.",
)
if current is None:
    st.stop()

trade = rows.slice(ids.index(current), 1).to_pylist()[0]
instrument = market.instruments(store, log)[trade["instrument_id"]]
end_ns = trade["closed_at_ns"] or log.last_ts_ns
lasted_s = (end_ns - trade["opened_at_ns"]) / NANO
chosen, beside = st.columns([8, 3], gap="small")
with beside:
    facts(
        f"{trade['symbol']} {trade['trade_number']}",
        [
            (
                "trade",
                f"{trade['symbol']} {trade['side']} {trade['quantity']:,.10g}, {trade['strategy']} no. {trade['trade_number']}",
            ),
            (
                "profit",
                "open"
                if trade["profit"] is None
                else f"{trade['profit']:,.2f} {trade['currency']}, fees {trade['fees']:,.2f}",
            ),
            (
                "R",
                "no stop" if trade["r_multiple"] is None else f"{trade['r_multiple']:.2f}, risk {trade['risk']:,.2f}",
            ),
            ("held", span(trade["holding_seconds"])),
            ("setup", trade["setup"] or "-"),
            ("exit by", trade["exit_kind"] or "-"),
            ("phases", trade["phase_path"] or "-"),
            ("scanner", f"{trade['scanner']}, rank {trade['scan_rank']}" if trade["scanner"] else "-"),
            *(
                (name, "-" if value is None else f"{value:,.6g}")
                for name, value in sorted((trade["scan"] or []), key=str)
            ),
            ("halts inside", trade["count_halts"]),
            ("hole inside", "yes" if trade["has_gap"] else "no"),
            ("decided at", f"({trade['decision_seq']}, {trade['decision_ord']})"),
        ],
    )
with chosen:
    with st.container(horizontal=True, vertical_alignment="center"):
        step = controls.one("step", "Candles", list(STEPS), always="5 s" if lasted_s < 1200 else "1 min")
        drawn = controls.lines([prices.SHOWN])
    around_s = max(lasted_s * 0.6, 60 * STEPS[step])
    fills = blotter.fills(store, log, trade)
    first_ns, last_ns = market.day_of(zone, trade["opened_at_ns"], end_ns)
    sentence = prices.price_chart(
        f"trade-{log.id}-{current}-{step}",
        store,
        log,
        market.Stretch(trade["instrument_id"], first_ns, last_ns),
        step_s=STEPS[step],
        zone=zone,
        hours=instrument["hours"],
        lines=drawn,
        scene=prices.Scene(
            points=blotter.points(fills),
            levels=blotter.levels(trade),
            bands=[blotter.held(trade, end_ns)],
            shown_s=(trade["opened_at_ns"] / NANO - around_s, end_ns / NANO + around_s),
        ),
    )
    st.caption(plain(sentence))

why, executed, ticks, state, noted = st.tabs(
    ["Why", "Executions", "Tape", "State", "Notes"], key="trade_part", bind="query-params", on_change="rerun"
)
if why.open:
    with why:
        orders = dict.fromkeys(fills["order_id"].to_pylist())
        told = {row["order_id"]: f"{row['side']} order {row['order_id']}" for row in fills.to_pylist()}
        order = controls.one("order", "Order", list(orders), always=next(iter(orders)), told=told)
        table("why", blotter.explained(store, log, order), CHAIN, zone=zone, height=380)
if executed.open:
    table("executions", blotter.quality(store, log, trade), EXECUTIONS, zone=zone, on=executed)
if ticks.open:
    with ticks:
        places = {"decision": trade["decision_seq"], "entry": trade["entry_seq"], "exit": trade["exit_seq"]}
        known = [name for name, seq in places.items() if seq]
        at = controls.one("at", "Around", known, always="entry")
        table("tape", blotter.around(store, log, trade, places[at]), TAPE, zone=zone, height=420)
if state.open:
    with state:
        places = {"decision": trade["decision_seq"], "entry": trade["entry_seq"], "exit": trade["exit_seq"]}
        known = [name for name, seq in places.items() if seq]
        at = controls.one("moment", "Behind the", known, always="decision" if "decision" in known else known[0])
        if log.is_closed:
            with st.spinner("folding up to there ..."):
                table("state", remembered(store, log, trade, places[at]), STATE, height=420)
        else:
            st.caption("What a strategy remembers is told of sessions that are over; Live shows its phase.")
if noted.open:
    with noted:
        table("notes", blotter.notes(store, log, trade), NOTES, zone=zone, absent="Nothing was noted about this trade.")
        with st.form("note", clear_on_submit=True, border=False):
            text = st.text_input("Note", placeholder="entered late, the spread was 40 cents")
            tag = st.text_input("Tag", placeholder="one word to find it by")
            is_asked = st.form_submit_button("Write it down") and text
        if is_asked:
            try:
                blotter.note(store, log, trade, text, tag)
            except (TapeError, OSError) as error:
                st.error(f"{plain(error)}. It was not written down: {plain(text)}")
            else:
                st.rerun()
