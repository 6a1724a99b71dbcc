"""Monte Carlo: what else the trades might have come to, under knobs that are turned here; numbers at once."""

import streamlit as st

from dashboards import controls, sections, studies
from dashboards.data import door

store = door()
log = controls.chosen_trader(store)
turned, shown = st.columns([3, 9], gap="medium")
with turned:
    block = st.slider(
        "Trades drawn together",
        1,
        50,
        1,
        key="block",
        bind="query-params",
        help="1: each alone; more keep runs of luck",
    )
    slippage = st.slider("Slippage more, median bps", 0.0, 50.0, 0.0, 0.5, key="slippage", bind="query-params")
    spread = st.slider("its sigma", 0.1, 3.0, 1.0, 0.1, key="sigma", bind="query-params", disabled=not slippage)
    misses = st.slider("Entries missed, %", 0, 90, 0, key="misses", bind="query-params")
    partials = st.slider("Entries filled in part, %", 0, 100, 0, key="partials", bind="query-params")
    halts = st.slider(
        "Trades halted, %",
        0.0,
        20.0,
        0.0,
        0.5,
        key="halts",
        bind="query-params",
        help="reopening with a gap of the log's own",
    )
    drops = st.slider(
        "Feed lost, % of trades",
        0.0,
        10.0,
        0.0,
        0.5,
        key="drops",
        bind="query-params",
        help="three more are not seen; leaving late costs 50 bps",
    )
    paths = st.select_slider("Paths", studies.PATHS, value=5_000, key="paths", bind="query-params")
    seed = st.number_input("Seed", 0, 2**31, 1, key="seed", bind="query-params")
words = {
    "order": "iid" if block == 1 else f"block:{block}",
    **({"slippage": f"lognormal:{slippage},{spread}"} if slippage else {}),
    **({"misses": f"{misses / 100}"} if misses else {}),
    **({"halts": f"{halts / 100}"} if halts else {}),
    **({"drops": f"{drops / 100},3,50"} if drops else {}),
    **({"partials": f"{partials / 100},0.1"} if partials else {}),
}
with shown:
    with st.spinner("walking; the first time on a machine its loop is compiled, some seconds ..."):
        made = studies.simulated(store, log, studies.material(store, log), words, int(paths), int(seed))
    sections.section(made, f"montecarlo-{log.id}")
    st.caption("What each knob assumes, and what is dangerous about it, is told in docs/montecarlo.md.")
