"""Sections: parts of a report drawn on a page: the words and numbers of `tape report`, by the page's own means."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, assert_never

import pyarrow as pa
import streamlit as st

from dashboards.charts import Colour, chart
from dashboards.charts import Series as Drawn
from dashboards.diagrams import diagram
from dashboards.tables import Column, height_of, table
from dashboards.words import plain, visible
from pipeline.reports.report_document import Calendar, Chart, Fact, Facts, Heads, Line, Part, Section, Series, Table

_ROLES: Final[dict[str, Colour]] = {"main": "main", "other": "vwap", "gain": "up", "loss": "down"}
_TONES: Final = {"gain": 1.0, "loss": -1.0}
_PLACES: Final = 1_500
"""Of an axis of time: also where nothing happened, so that an hour is as wide as any other."""

_HEADS_A_ROW: Final = 8


def section(made: Section, name: str) -> None:
    """Draw all parts of a section, tables of facts beside each other."""
    facts: list[Facts] = []
    for place, part in enumerate([*made.parts, None]):
        if isinstance(part, Facts):
            facts.append(part)
            continue
        _beside(facts, f"{name}-{made.key}-{place}")
        facts = []
        if part is not None:
            _part(part, f"{name}-{made.key}-{place}")


def _part(part: Part, name: str) -> None:
    match part:
        case Heads(rows):
            _heads(rows)
        case Facts():
            _beside([part], name)
        case Table():
            _table(part, name)
        case Chart():
            _chart(part, name)
        case Calendar():
            _calendar(part, name)
        case Line(text, is_warning):
            (st.warning if is_warning else st.caption)(plain(text))
        case _:
            assert_never(part)


def _heads(rows: Sequence[Fact]) -> None:
    for first in range(0, len(rows), _HEADS_A_ROW):
        shown = rows[first : first + _HEADS_A_ROW]
        for place, fact in zip(st.columns(len(shown), gap="small"), shown, strict=True):
            told = plain(fact.beside) if fact.beside else None
            place.metric(plain(fact.name), visible(fact.value.text), help=told, border=True)


def _beside(facts: Sequence[Facts], name: str) -> None:
    a_row = min(max(len(facts), 2), 3)
    for first in range(0, len(facts), a_row):
        for place, part in zip(st.columns(a_row, gap="small"), facts[first : first + a_row], strict=False):
            rows = pa.table(
                {
                    "name": [visible(row.name) for row in part.rows],
                    "value": [visible(row.value.text) for row in part.rows],
                    "beside": [visible(row.beside) for row in part.rows],
                }
            )
            columns = {"name": Column(visible(part.title)), "value": Column("", "number")}
            if any(row.beside for row in part.rows):
                columns["beside"] = Column("95%", "number", "interval, where one is told")
            height = None if len(part.rows) <= 15 else height_of(len(part.rows))
            table(f"{name}-{first}", rows, columns, on=place, height=height)


def _table(part: Table, name: str) -> None:
    if part.title:
        st.markdown(f"**{plain(part.title)}**")
    keys = [f"{place}" for place in range(len(part.columns))]
    rows = pa.table({key: [visible(row[place].text) for row in part.rows] for place, key in enumerate(keys)})
    columns = {
        key: Column(visible(part.columns[place]), "number" if place in part.numbers else "text")
        for place, key in enumerate(keys)
    }
    toned = {key: [_TONES.get(row[place].tone, 0.0) for row in part.rows] for place, key in enumerate(keys)}
    table(name, rows, columns, height=None if len(rows) <= 20 else height_of(20), tones=toned)


def _calendar(part: Calendar, name: str) -> None:
    rows = pa.table(
        {"day": list(part.days), "value": list(part.values), "words": [visible(each) for each in part.words]}
    )
    columns = {
        "day": Column("day"),
        "value": Column("profit", "%,.2f", is_signed=True),
        "words": Column("", width="large"),
    }
    table(name, rows, columns)


def _chart(part: Chart, name: str) -> None:
    st.markdown(f"**{plain(part.title)}**")
    is_by_time = part.form in ("lines", "steps") and all(_is_moments(each) for each in part.series)
    if is_by_time and not any(each.role == "band" for each in part.series):
        drawn = [_over_time(each, is_stepped=part.form == "steps") for each in part.series if len(each.x)]
        if drawn:
            times = [time for each in drawn for time in each.columns["time"]]
            step_s = max(1, (max(times) - min(times)) // _PLACES)
            chart(name, drawn, height=part.height, step_s=step_s, is_small=True)
        return
    diagram(part, name)


def _is_moments(each: Series) -> bool:
    return all(
        isinstance(value, str) and len(value) >= len("2026-01-31 00:00") and value[4:5] == "-" for value in each.x
    )


def _over_time(each: Series, *, is_stepped: bool) -> Drawn:
    """The last value of each second: an axis of time has one place for it."""
    values: dict[int, float] = {}
    for moment, value in zip(each.x, each.y, strict=True):
        told = datetime.fromisoformat(str(moment)).replace(tzinfo=UTC)
        values[int(told.timestamp())] = value
    points: dict[str, list[Any]] = {"time": sorted(values), "value": [values[time] for time in sorted(values)]}
    return Drawn("line", each.name, points, colour=_ROLES.get(each.role, "faint"), is_stepped=is_stepped)
