"""Execution quality: what executions cost beside the market by kind of order, how long orders took, and each of them."""

import streamlit as st

from dashboards import blotter, controls, figures, sections, studies
from dashboards.data import door
from dashboards.tables import Column, table

EXECUTIONS = {
    "ts_event": Column("time", "clock"),
    "symbol": Column("symbol"),
    "strategy": Column("strategy"),
    "side": Column("side"),
    "order_type": Column("order"),
    "quantity": Column("quantity", "%,.10g"),
    "price": Column("price", "%,.4f"),
    "slippage": Column("slipped", "%,.2f"),
    "slippage_bps": Column("bps", "%,.2f"),
    "arrival_cost_bps": Column("arrival, bps", "%,.2f", "against the middle at the decision"),
    "effective_spread_bps": Column("effective, bps", "%,.2f", "twice the distance to the middle at the execution"),
    "realised_spread_bps": Column("realised, bps", "%,.2f", "twice that to the middle a minute later"),
    "seconds_to_send": Column("sent after, s", "%.4f"),
    "seconds_to_fill": Column("filled after, s", "%.4f"),
    "fee": Column("fee", "%,.4f"),
}

store = door()
log = controls.chosen_trader(store)
with st.spinner("working out what executions cost ..."):
    sections.section(studies.execution(studies.material(store, log)), f"execution-{log.id}")
rows = blotter.executions(store, log)
table("executions", rows, EXECUTIONS, zone=figures.zone_of(store, log), height=420, absent="No order was executed.")
