"""Sessions: what the store holds; of one its manifest, how its feeds were, where the holes are, what was noted."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboards import controls, figures, inventory
from dashboards.charts import Series, chart, columns
from dashboards.data import door
from dashboards.tables import Column, Pick, facts, table
from dashboards.words import plain, span

LIST = {
    "id": Column("session or run"),
    "mode": Column("mode"),
    "state": Column("state"),
    "first_ts": Column("first row", "time"),
    "seconds": Column("lasts, min", "%,.1f"),
    "count_inputs": Column("inputs", "count"),
    "count_derived": Column("decided", "count"),
    "strategies": Column("strategies"),
}
HEALTH = {
    "feed": Column("feed"),
    "coverage": Column("covered", "percent"),
    "seconds": Column("s", "%,.0f"),
    "count_rows": Column("rows", "count"),
    "count_lost": Column("lost", "count", "connections"),
    "count_gaps": Column("gaps", "count"),
    "gap_seconds": Column("in gaps, s", "%,.1f"),
    "mute_seconds": Column("mute, s", "%,.1f"),
    "lagging_seconds": Column("behind, s", "%,.1f"),
    "count_late": Column("late", "count", "rows whose bar was closed already"),
    "count_backfilled": Column("fetched", "count", "rows fetched for gaps"),
    "delay_median": Column("delay, s", "%.3f", "median, from the venue's time to ours"),
    "delay_p99": Column("99%, s", "%.3f"),
    "delay_max": Column("longest, s", "%,.3f"),
}
GAPS = {
    "feed": Column("feed"),
    "channel": Column("channel"),
    "symbol": Column("symbol"),
    "from_at": Column("from", "time"),
    "to_at": Column("to", "time"),
    "seconds": Column("s", "%,.2f"),
    "history_pages": Column("fetched", "count", "pages of history"),
    "text": Column("why"),
}
NOTES = {
    "noted_at": Column("noted", "time"),
    "about_seq": Column("seq", "count"),
    "tag": Column("tag"),
    "text": Column("note"),
}

store = door()
log = controls.chosen_log(store)
session, lacking = figures.session_id(log), figures.lacking(store, log)
said: set[str] = set()
zone = controls.tried(lambda: figures.zone_of(store, log), "UTC", said)
listed, shown = st.columns([5, 6], gap="medium")

with listed:
    rows = inventory.listed(store)
    table("logs", rows, LIST, zone=zone, pick=Pick(rows["id"].to_pylist(), log.id, controls.choose))
    for sentence in store.unreadable():
        st.warning(plain(sentence))

with shown:
    rows, step_s = controls.tried(lambda: figures.activity(store, log), (None, 0), said)
    bands = controls.tried(lambda: figures.holes(store, log), [], said)
    if rows is not None and len(rows):
        st.caption(f"Market rows each {span(step_s)}, by our clock ({zone}). Red: not recorded, or mute.")
        chart(
            f"activity-{log.id}",
            [Series("bars", "rows", columns(rows, "value"), colour="main")],
            zone=zone,
            height=150,
            step_s=step_s,
            bands=bands,
            is_small=True,
        )
    elif rows is not None:
        controls.nothing(f"{lacking}." if lacking else "No market row was recorded.")
    inventory.verdict(store, log)

health, gaps, told, noted = st.tabs(
    ["Feeds", "Gaps", "Manifest", "Notes"], key="session_part", bind="query-params", on_change="rerun"
)


def draw(name: str, query: str, columns: Mapping[str, Column], absent: str, on: Any) -> None:
    """What a statement answers of the session, or what is damaged."""
    rows = controls.tried(lambda: store.rows(query, [log.id], {"session": session}), None, said, on)
    if rows is not None:
        table(name, rows, columns, zone=zone, on=on, absent=absent)


if health.open:
    draw("health", "select * from feed_health where session = $session", HEALTH, f"{lacking or 'No row'}.", health)
if gaps.open:
    none = lacking or "No gap: every feed was recorded from its first row to its last"
    draw("gaps", "select * from gaps where session = $session order by from_ns", GAPS, f"{none}.", gaps)
if told.open:
    facts("manifest", inventory.told(log), on=told)
if noted.open:
    absent = f"No note. One is made by: tape note {log.id} TEXT --tag WORD"
    draw("notes", "select * from notes where session = $session order by noted_at", NOTES, absent, noted)
