"""Live: a session while it is recorded: charts of some symbols, all symbols with their phases, feeds and lag, what happens."""

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboards import controls, figures, live, market, prices
from dashboards.charts import chart
from dashboards.data import door
from dashboards.market import Candles
from dashboards.tables import Column, table
from dashboards.words import plain
from pipeline.units import NANO

EVERY_S = 1.0
SYMBOLS = {
    "symbol": Column("symbol"),
    "bid": Column("bid", "%,.4f"),
    "ask": Column("ask", "%,.4f"),
    "last": Column("last", "%,.4f"),
    "position": Column("position", "%,.10g", is_signed=True),
    "phases": Column("phases", width="medium"),
    "feed": Column("feed"),
}
FEEDS = {
    "name": Column("feed"),
    "state": Column("state"),
    "rows": Column("rows", "count"),
    "lag_s": Column("lag, s", "%.3f", "how late the newest row was"),
    "gaps": Column("gaps", "count"),
}
LINES = {"at": Column("session time, UTC", width=170), "what": Column("what happened", width=900)}
STEPS = {"1 s": 1, "5 s": 5, "1 min": 60}
SPANS = {"5 min": 300, "30 min": 1800, "2 h": 7200, "all": 10**9}
SHOWN_MAX = 4

store = door()
recorded = live.being_recorded(store)
top = st.container(horizontal=True, vertical_alignment="center")
with top:
    log = controls.chosen_log(store, first=recorded[0].id if recorded else None)
    step = controls.one("live_step", "Candles", list(STEPS), always="5 s")
    span = controls.one("live_span", "Span", list(SPANS), always="30 min")
    lines = controls.lines()
if log.what == "run":
    controls.nothing(f"{log.id} is a run, which is there at once: look at its trades.")
    st.stop()
if log.is_closed:
    controls.nothing(
        "This session is over, and shown as it ended. One that is recorded (tape record) is followed here."
    )

watch = live.watch(store, log)
with st.spinner("reading what was recorded so far ..."):
    watch.refresh()
zone = figures.zone_of(store, log)
names = {row["instrument_id"]: row["symbol"] for row in watch.symbols()}
known = market.instruments(store, log)
with top:
    wanted = controls.several("live_symbol", "Symbols", sorted(set(names.values())))
shown = [number for number, name in names.items() if name in wanted][:SHOWN_MAX] or watch.busiest()


@st.fragment(run_every=None if log.is_closed else EVERY_S)
@controls.saying
def followed() -> None:
    """All that changes while it is recorded, once a second."""
    if not store.store.folder(log.id).exists():
        st.rerun()  # deleted meanwhile, as stands above the next one then
    watch.refresh()
    has_ended = watch.is_ended and not log.is_closed and store.log(log.id).is_closed
    if has_ended or {row["instrument_id"] for row in watch.symbols()} != set(names):
        st.rerun()  # what stands above the charts is of another state: new symbols, or no longer recorded
    now = "nothing yet" if not watch.session_ns else market.clock(zone, watch.session_ns)
    state = "ended" if watch.is_ended else "recording"
    st.caption(plain(f"{log.id}: {state}, {watch.inputs:,} inputs, session time {now} ({zone})"))
    charts, beside = st.columns([8, 4], gap="small")
    with charts:
        for numbers in (shown[:2], shown[2:]):
            for place, number in zip(st.columns(len(numbers)) if numbers else [], numbers, strict=True):
                with place:
                    drawn(number)
    with beside:
        table("feeds", pa.Table.from_pylist(watch.feeds()), FEEDS, absent="No feed yet.")
        table("symbols", pa.Table.from_pylist(watch.symbols()), SYMBOLS, absent="No symbol yet.")
    table("lines", watch.told(), LINES, height=240, absent="Nothing happened yet.")


def drawn(number: int) -> None:
    """The chart of one symbol, up to the last row that came."""
    from_s = max(0, watch.session_ns // NANO - SPANS[span])
    step_s = max(STEPS[step], figures.step_for(min(SPANS[span], watch.lasted_s), 2 * figures.POINTS_MAX))
    rows = watch.candles(number, step_s, 0)  # lines are folded from the first row on
    kept = pc.greater_equal(rows["time"], from_s)
    st.markdown(f"**{plain(market.names(known).get(number, names[number]))}**")
    if not pc.any(kept).as_py():
        st.caption("Nothing was traded yet in this span.")
        return
    made = Candles(rows, "prints", step_s)
    hours = known[number]["hours"] if number in known else "always"
    series = prices.series(made, watch.spreads(number, step_s, from_s), hours, lines, kept)
    chart(
        f"live-{log.id}-{number}-{span}",
        series,
        zone=zone,
        height=(440 if len(shown) < 3 else 300) + prices.height_beneath(series),
        panes=prices.panes(series),
        step_s=step_s,
        bands=[
            *market.hours_bands(zone, hours, from_s * NANO, watch.session_ns),
            *(band for band in watch.bands(number) if band.to_s > from_s),
        ],
        points=[point for point in prices.on_grid(watch.points(number), step_s) if point.time_s >= from_s],
        is_following=True,
    )


followed()
