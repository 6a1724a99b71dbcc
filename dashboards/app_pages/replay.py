"""Replay: a session as it came, played, paused, stepped to the next event, decision or halt; nothing of its future is seen."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from dashboards import blotter, controls, figures, market, playing, prices
from dashboards.data import door
from dashboards.tables import Column, table
from dashboards.words import plain
from pipeline.units import NANO

EVERY_S = 0.5
TICK_MAX_S = 2.0
AT = "at"
_DIGITS_MAX = 20
STEPS = {"1 s": 1, "5 s": 5, "1 min": 60}
SPEEDS = {"1x": 1, "5x": 5, "20x": 20, "60x": 60, "300x": 300}
TOLD = {
    "ts_recv": Column("session time", "clock", width=170),
    "seq": Column("seq", "count", width=80),
    "strategy": Column("strategy", width=110),
    "symbol": Column("symbol", width=80),
    "what": Column("what", width=500),
}
PHASES = {
    "symbol": Column("symbol"),
    "strategy": Column("strategy"),
    "phase": Column("phase"),
    "seq": Column("since", "count"),
}
QUOTE = {
    "bid_size": Column("size", "%,.10g"),
    "bid": Column("bid", "%,.4f"),
    "ask": Column("ask", "%,.4f"),
    "ask_size": Column("size", "%,.10g"),
    "ts_recv": Column("came", "clock"),
}

store = door()
top = st.container(horizontal=True, vertical_alignment="center")
with top:
    log = controls.chosen_log(store)
zone = figures.zone_of(store, log)
known = market.instruments(store, log)
if not known or not log.first_ts_ns:
    controls.nothing(f"{log.id} has no rows that could be played yet.")
    st.stop()
names = market.names(known)
with top:
    number = st.selectbox(
        "Symbol",
        list(known),
        index=list(known).index(market.busiest(store, log, known)),
        format_func=lambda each: names[each],
        key="replay_symbol",
        bind="query-params",
        label_visibility="collapsed",
        width=150,
    )
    step = controls.one("replay_step", "Candles", list(STEPS), always="5 s")
    speed = controls.one("speed", "Speed", list(SPEEDS), always="20x")
    lines = controls.lines([prices.SHOWN])

session = market.session_of(store, log)
first_ns, last_ns = session.first_ts_ns, session.last_ts_ns
mine = f"replay-{log.id}"
asked = st.query_params.get(AT, "")
if mine not in st.session_state:
    st.session_state[mine] = (
        min(int(asked), session.last_seq)
        if asked.isdecimal() and len(asked) < _DIGITS_MAX
        else playing.first_place(store, log, number, first_ns + (last_ns - first_ns) // 10)
    )
is_playing = bool(st.session_state.get(f"{mine}-plays"))


def go_to(seq: int | None) -> None:
    """Stand at an input; None: there is none behind, so the last one."""
    st.session_state[mine] = session.last_seq if seq is None else seq
    st.query_params[AT] = str(st.session_state[mine])


@controls.saying
def step_to(what: str) -> None:
    """The next event, decision or halt of the symbol."""
    go_to(playing.next_place(store, log, what, number, st.session_state[mine]))


def play() -> None:
    """Play, or stop."""
    st.session_state[f"{mine}-plays"] = not is_playing
    st.session_state[f"{mine}-tick"] = time.monotonic()
    go_to(st.session_state[mine])


def local(ns: int) -> datetime:
    """By the clock of the exchange, as the slider has it."""
    return datetime.fromtimestamp(ns // NANO, ZoneInfo(zone)).replace(tzinfo=None)


@controls.saying
def scrubbed() -> None:
    """Where the slider was moved to."""
    chosen = st.session_state[f"{mine}-slider"].replace(tzinfo=ZoneInfo(zone))
    go_to(playing.place_at(store, log, (int(chosen.timestamp()) + 1) * NANO - 1))


with st.container(horizontal=True, vertical_alignment="center"):
    icon = ":material/pause:" if is_playing else ":material/play_arrow:"
    st.button("Pause" if is_playing else "Play", icon=icon, on_click=play, shortcut="Alt+P", type="primary")
    st.button("Next event", on_click=step_to, args=("event",), shortcut="Alt+Right", disabled=is_playing)
    st.button("Next decision", on_click=step_to, args=("decision",), shortcut="Alt+D", disabled=is_playing)
    st.button("Next halt", on_click=step_to, args=("halt",), shortcut="Alt+H", disabled=is_playing)


@st.fragment(run_every=EVERY_S if is_playing else None)
@controls.saying
def stage() -> None:
    """What was known at the place."""
    if is_playing:
        advance()
    seq = st.session_state[mine]
    now_ns = playing.moment_of(store, log, seq) or first_ns
    st.session_state[f"{mine}-slider"] = min(max(local(now_ns), local(first_ns)), local(last_ns))
    st.slider(
        "Session time",
        local(first_ns),
        max(local(last_ns), local(first_ns) + timedelta(seconds=1)),
        step=timedelta(seconds=1),
        format="HH:mm:ss",
        key=f"{mine}-slider",
        on_change=scrubbed,
        label_visibility="collapsed",
    )
    st.caption(plain(f"Input {seq:,} of {session.last_seq:,}, {market.clock(zone, now_ns)} ({zone})"))
    chart, beside = st.columns([8, 4], gap="small")
    with chart:
        day_ns, _ = market.day_of(zone, now_ns, now_ns)
        sentence = prices.price_chart(
            f"{mine}-{number}-{step}",
            store,
            log,
            market.Stretch(number, day_ns, now_ns + 1, seq),
            step_s=STEPS[step],
            zone=zone,
            hours=known[number]["hours"],
            lines=lines,
            scene=prices.Scene(
                points=blotter.points(playing.fills(store, log, number, seq)),
                shown_s=(max(now_ns / NANO - 240 * STEPS[step], first_ns / NANO), now_ns / NANO),
                is_following=True,
            ),
        )
        st.caption(plain(sentence))
    with beside:
        table("replay-quote", playing.quote(store, log, number, seq), QUOTE, zone=zone, absent="No quote yet.")
        table("replay-phases", playing.phases(store, log, seq), PHASES, absent="No strategy moved yet.")
    table("replay-told", playing.told(store, log, seq), TOLD, zone=zone, height=220, absent="Nothing was decided yet.")


def advance() -> None:
    """As much session time as passed on the wall, times the speed."""
    now = time.monotonic()
    passed_s = min(now - st.session_state[f"{mine}-tick"], TICK_MAX_S)
    st.session_state[f"{mine}-tick"] = now
    at_ns = playing.moment_of(store, log, st.session_state[mine]) or first_ns
    clock = f"{mine}-clock"
    at_ns = max(
        at_ns, st.session_state.get(clock, 0) if st.session_state.get(f"{clock}-seq") == st.session_state[mine] else 0
    )
    at_ns += int(passed_s * SPEEDS[speed] * NANO)
    st.session_state[mine] = max(playing.place_at(store, log, at_ns), st.session_state[mine])
    st.session_state[clock], st.session_state[f"{clock}-seq"] = at_ns, st.session_state[mine]
    if st.session_state[mine] >= session.last_seq or at_ns >= last_ns:
        st.session_state[f"{mine}-plays"] = False
        st.rerun()


stage()
