"""Compare: two sessions or runs beside each other; of two over one session every decision that differs, and what it did."""

import streamlit as st

from dashboards import controls, figures, sections, studies
from dashboards.data import door
from dashboards.tables import Column, table

EFFECTS = {
    "symbol": Column("symbol"),
    "strategy": Column("strategy"),
    "profit_a": Column("profit", "%,.2f", is_signed=True),
    "profit_b": Column("of the other", "%,.2f", is_signed=True),
    "effect": Column("effect", "%,.2f", "what the other made more", is_signed=True),
    "trades_a": Column("trades", "count"),
    "trades_b": Column("of the other", "count"),
}
DIFFS = {
    "change": Column("change", help="added: only the other has it; removed: only this one"),
    "strategy": Column("strategy"),
    "symbol": Column("symbol"),
    "action": Column("wish"),
    "side": Column("side"),
    "ts_event_a": Column("at", "clock"),
    "ts_event_b": Column("of the other", "clock"),
    "quantity_a": Column("quantity", "%,.10g"),
    "quantity_b": Column("of the other", "%,.10g"),
    "judgement_a": Column("what became of it"),
    "judgement_b": Column("of the other"),
}

store = door()
log = controls.chosen_trader(store)
there = {each.id: each for each in studies.comparable(store, log)}
if not there:
    session = figures.session_id(log)
    if lacking := figures.lacking(store, log):
        controls.nothing(f"There is nothing to compare it with. {lacking}.")
    else:
        controls.nothing("There is nothing to compare it with yet. Another set of parameters over the same session:",
                         [f"tape replay {session} --strategy ema_cross --param fast=12"])  # fmt: skip
    st.stop()
id_ = st.selectbox("With", list(there), key="other", bind="query-params", width=400)
other = there[id_]
with st.spinner("working out both ..."):
    both = studies.material(store, log), studies.material(store, other)
beside, decisions = st.tabs(["Side by side", "Decisions"], key="compare_part", bind="query-params", on_change="rerun")
if beside.open:
    with beside:
        sections.section(studies.compared(*both), f"compare-{log.id}-{id_}")
if decisions.open:
    with decisions:
        if figures.session_id(log) != figures.session_id(other):
            controls.nothing("Their sessions are different ones: decisions can be compared over the same inputs only.")
            st.stop()
        zone = figures.zone_of(store, log)
        table("effects", studies.effects(store, log, other), EFFECTS, zone=zone, absent="Neither traded.")
        table("diffs", studies.diffs(store, log, other), DIFFS, zone=zone, height=420, absent="They decided the same.")
