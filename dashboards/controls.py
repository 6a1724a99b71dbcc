"""Controls: what is looked at, chosen once for all pages and kept in the URL; and what stands there when there is nothing."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

import streamlit as st

from dashboards import indicated
from dashboards.data import Door
from dashboards.words import plain
from pipeline.errors import ConfigError, TapeError
from pipeline.log.manifest import Manifest

T = TypeVar("T")
U = TypeVar("U")
P = ParamSpec("P")

LOG: Final = "log"
"""The parameter of the URL that says which session or run."""

_CHOSEN: Final = "chosen-log"
_STARTS: Final = "tape demo\ntape record --feed alpaca --symbols ABCD,EVOK\ntape import day.dbn"


def chosen_log(door: Door, first: str | None = None, width: int = 260) -> Manifest:
    """The session or run that is looked at: the one in the URL, or chosen on another page, else `first` or the newest.

    Ends the page when there is none.
    """
    logs = door.logs()
    if not logs:
        empty_store(door)
    by_id = {log.id: log for log in logs}
    asked = st.query_params.get(LOG) or st.session_state.get(_CHOSEN)
    if asked is not None and asked not in by_id:
        st.warning(f"There is no session or run {plain(asked)} in this store; the newest is shown.")
    current = asked if asked in by_id else (first or logs[0].id)
    if asked == current:
        choose(current)  # the way to another page forgets what stood in the URL
    key = f"{LOG}-{current}"
    st.selectbox(
        "Session or run",
        list(by_id),
        index=list(by_id).index(current),
        key=key,
        on_change=lambda: choose(st.session_state[key]),
        label_visibility="collapsed",
        width=width,
    )
    return door.grown(by_id[current])


def choose(id_: str) -> None:
    """Look at this session or run, on this page and the others."""
    st.session_state[_CHOSEN] = id_
    st.query_params[LOG] = id_


def empty_store(door: Door) -> None:
    """Say what to do, and end the page."""
    lost = door.unreadable()
    for line in lost:
        st.error(plain(line))
    if lost:
        st.code("tape check", language=None)
        st.stop()
    st.info(f"The store {plain(door.store.home)} is empty. Any of these puts a session into it:")
    st.code(_STARTS, language=None)
    st.stop()


def nothing(sentence: str, commands: Sequence[str] = ()) -> None:
    """What is not there, and the commands that make it."""
    st.caption(plain(sentence))
    if commands:
        st.code("\n".join(commands), language=None)


def saying(draw: Callable[P, None]) -> Callable[P, None]:
    """A page, a piece of one that is drawn again by itself, or what a click does, with what is wrong said where it stopped."""

    @wraps(draw)
    def drawn(*given: P.args, **named: P.kwargs) -> None:
        try:
            draw(*given, **named)
        except (TapeError, OSError) as error:
            st.error(plain(error), icon=":material/error:")

    return drawn


def tried(ask: Callable[[], T], otherwise: U, said: set[str], on: Any = st) -> T | U:
    """What is asked for; where damage is in its way, that is said there, at length unless it was `said`, and the page goes on with `otherwise`."""
    try:
        return ask()
    except TapeError as error:
        if (line := plain(error)) in said:
            on.caption("Can't be read, for the damage that is told above.")
        else:
            on.error(line, icon=":material/broken_image:")
        said.add(line)
        return otherwise


def one(
    key: str, label: str, options: Sequence[T], *, always: T | None = None, told: Mapping[T, str] | None = None
) -> T:
    """One of few, side by side, in the URL under `key`. None when nothing is chosen, unless there is one that `always` is."""
    chosen = st.segmented_control(
        label,
        list(options),
        default=always,
        required=always is not None,
        key=key,
        bind="query-params",
        format_func=lambda each: plain(told[each] if told else each),
        label_visibility="collapsed",
    )
    return cast("T", always if chosen is None else chosen)  # a URL that ends in `step=` chooses nothing


def several(key: str, label: str, options: Sequence[str], default: Sequence[str] = ()) -> list[str]:
    """Some of many, in the URL under `key`; none chosen: all."""
    return st.multiselect(
        label,
        list(options),
        default=list(default),
        key=key,
        bind="query-params",
        placeholder=label,
        label_visibility="collapsed",
        width=140,
    )


def lines(also: Sequence[str] = ()) -> list[str]:
    """Which indicators are drawn on a chart: chosen, or typed with parameters, and kept in the URL. What is none is said and left out.

    `also` are words of a page's own.
    """
    typed = st.multiselect(
        "Lines",
        [*also, *indicated.CHOICES],
        default=list(indicated.PRESETS[:1]),
        key="lines",
        bind="query-params",
        placeholder="lines",
        help="choose an indicator, or type one with parameters: sma length=50",
        accept_new_options=True,
        label_visibility="collapsed",
        width=300,
    )
    found = []
    for word in typed:
        try:
            if word not in also:
                indicated.chosen(word, "shares")
        except ConfigError as error:
            st.warning(plain(error))
        else:
            found.append(word)
    return found


def chosen_trader(door: Door) -> Manifest:
    """As `chosen_log`, of logs in which somebody decided. Ends the page when the one that is looked at is none."""
    log = chosen_log(door)
    if not log.strategies:
        nothing(
            f"Nobody decided anything in {log.id}. A strategy over it:", [f"tape replay {log.id} --strategy ema_cross"]
        )
        st.stop()
    return log
