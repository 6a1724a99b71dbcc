"""Performance: what the trades of a log add up to: summary with intervals, equity, drawdown, calendar, distributions, breakdowns."""

import streamlit as st

from dashboards import controls, sections, studies
from dashboards.data import door

store = door()
log = controls.chosen_trader(store)
with st.spinner("working out what the trades add up to ..."):
    parts = list(studies.performance(studies.material(store, log)))
tabs = st.tabs([part.title for part in parts], key="performance_part", bind="query-params", on_change="rerun")
for tab, part in zip(tabs, parts, strict=True):
    if tab.open:
        with tab:
            sections.section(part, f"performance-{log.id}")
