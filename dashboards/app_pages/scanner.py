"""Scanner: its list as it evolved, with a scrubber; every candidate as it was seen then; why not this one; the funnel."""

import streamlit as st

from dashboards import controls, figures, market, scans
from dashboards.charts import Band, Series, chart
from dashboards.data import door
from dashboards.tables import Column, Pick, table
from dashboards.words import plain
from pipeline.units import NANO

FUNNEL = {
    "filter": Column("filter"),
    "count_shown": Column("shown", "count"),
    "count_removed": Column("removed", "count"),
    "count_left": Column("left", "count"),
    "share_left": Column("share", "percent"),
}
CANDIDATES = {
    "symbol": Column("symbol"),
    "verdict": Column("verdict"),
    "rank": Column("rank", "count"),
    "refused": Column("refused by", width="medium"),
}
FILTERS = {
    "filter": Column("filter"),
    "field": Column("field"),
    "value": Column("value", "%,.6g"),
    "threshold": Column("limit", "%,.6g"),
    "unit": Column("unit"),
    "is_passed": Column("passes", "yes"),
    "known_at": Column("known", "clock"),
    "source": Column("computed from"),
    "evaluation": Column("as of", "count", "the evaluation that wrote it down last"),
}
CHANGES = {
    "ts_event": Column("time", "clock"),
    "symbol": Column("symbol"),
    "action": Column("what"),
    "rank": Column("rank", "count"),
    "reason": Column("why"),
    "filter": Column("filter"),
    "seconds_in_list": Column("was in, s", "%,.0f"),
}
WHY_NOT = {
    "strategy": Column("strategy", width="small"),
    "says": Column("what kept it from trading it, as of then", width=900),
}
MISSED = {
    "symbol": Column("symbol"),
    "picked_at": Column("picked", "clock"),
    "picked_price": Column("at", "%,.4f"),
    "best_price": Column("best", "%,.4f"),
    "move_percent": Column("move, %", "%,.2f", is_signed=True),
    "seconds_to_best": Column("after, s", "%,.0f"),
    "strategy": Column("strategy"),
    "last_gate": Column("last gate"),
    "last_value": Column("value", "%,.6g"),
    "last_threshold": Column("limit", "%,.6g"),
    "refused_by": Column("refused by"),
}

store = door()
top = st.container(horizontal=True, vertical_alignment="center")
with top:
    log = controls.chosen_log(store)
session, zone = figures.session_id(log), figures.zone_of(store, log)
looks = scans.evaluations(store, log)
if not looks:
    if lacking := figures.lacking(store, log):
        controls.nothing(f"No scanner looked at {log.id}. {lacking}.")
    else:
        command = f"tape scan {session} --config scanners/premarket.toml --keep"
        controls.nothing(f"No scanner looked at {log.id}. One can be run over it afterwards:", [command])
    st.stop()
with top:
    scanner = controls.one("scanner", "Scanner", list(looks), always=next(iter(looks)))
numbers = {each.number: each for each in looks[scanner]}


def step(by: int) -> None:
    """The evaluation before or behind."""
    known = list(numbers)
    place = known.index(st.session_state["evaluation"]) + by
    st.session_state["evaluation"] = known[min(max(place, 0), len(known) - 1)]


with top:
    st.button("Before", icon=":material/chevron_left:", shortcut="Alt+Left", on_click=step, args=(-1,))
    st.button("Next", icon=":material/chevron_right:", shortcut="Alt+Right", on_click=step, args=(1,))
number = st.select_slider(
    "Evaluation",
    list(numbers),
    value=max(numbers),
    key="evaluation",
    bind="query-params",
    label_visibility="collapsed",
)
at = numbers[number]

rows = scans.left(store, log, scanner, 1_000)
if len(rows):
    parts = dict.fromkeys(rows["filter"].to_pylist())
    drawn = []
    for filter_ in parts:
        told = [row for row in rows.to_pylist() if row["filter"] == filter_]
        points = {"time": [row["time"] for row in told], "value": [row["value"] for row in told]}
        drawn.append(
            Series(
                "line",
                filter_ or "-",
                points,
                colour="main" if filter_ == list(parts)[-1] else "faint",
                is_stepped=True,
                is_count=True,
            )
        )
    chosen_s = at.at_ns / NANO
    chart(
        f"scan-{log.id}-{scanner}",
        drawn,
        zone=zone,
        height=110,
        bands=[Band(looks[scanner][0].at_ns / NANO, chosen_s, "held")],
        is_small=True,
    )
    st.caption(
        plain(
            f"Evaluation {number} at {market.clock(zone, at.at_ns)} ({zone}). Above: how many instruments each filter left, blue the last one."
        )
    )

seen = scans.candidates(store, log, scanner, at)
ids = [str(each) for each in seen["instrument_id"].to_pylist()] if len(seen) else []
current = st.query_params.get("instrument")
current = current if current in ids else (ids[0] if ids else None)


def look_at(instrument: str) -> None:
    """Another instrument from the next turn on."""
    st.query_params["instrument"] = instrument


fields = [name for name in seen.column_names if name.startswith("field ")]
listed, changed = st.columns([7, 5], gap="small")
with listed:
    columns = CANDIDATES | {name: Column(name.removeprefix("field "), "%,.6g") for name in fields}
    table(
        "candidates",
        seen,
        columns,
        zone=zone,
        height=320,
        pick=Pick(ids, current, look_at),
        absent="Nobody was seen yet.",
    )
with changed:
    table(
        "changes",
        scans.changes(store, log, scanner, at),
        CHANGES,
        zone=zone,
        height=320,
        absent="The list is empty so far.",
    )

why, funnel, missed = st.tabs(
    ["Why not", "Funnel", "Missed"], key="scanner_part", bind="query-params", on_change="rerun"
)
if why.open and current is not None:
    with why:
        symbol = seen["symbol"][ids.index(current)].as_py()
        st.caption(plain(f"{symbol}, as it was seen at this evaluation:"))
        table("filters", scans.filters(store, log, scanner, at, int(current)), FILTERS, zone=zone)
        if log.strategies:
            table(
                "why-not", scans.why_not(store, log, symbol, at), WHY_NOT, zone=zone, absent="No strategy said a word."
            )
if funnel.open:
    table("funnel", scans.funnel(store, log, scanner, at), FUNNEL, zone=zone, on=funnel)
if missed.open:
    absent = "Nobody was in the list without being traded."
    table("missed", scans.missed(store, log, scanner), MISSED, zone=zone, on=missed, absent=absent)
