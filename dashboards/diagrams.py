"""Diagrams: the charts of a report whose axis is no time, as options of ECharts, which Streamlit brings along.

What a name or a label holds is drawn letter for letter: options are data, nothing in them is markup or a function.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import streamlit as st

from dashboards.words import visible
from pipeline.reports.report_document import Chart, Role, Series

COLOURS: Final[dict[Role, str]] = {
    "main": "#4c8dff",
    "other": "#d08a00",
    "third": "#9a6be0",
    "fourth": "#2aa198",
    "fifth": "#c06be0",
    "quiet": "rgba(128,140,155,0.55)",
    "gain": "#1f9d73",
    "loss": "#d9534c",
    "band": "rgba(76,141,255,0.16)",
}
_FORMATS: Final = {"money": "%,.2f", "trades": "%,d"}
"""Of values, by their unit."""
_LEGEND_PX: Final = 26
_NAME_PX: Final = 20


def diagram(part: Chart, name: str) -> None:
    """Draw it."""
    st.echarts_chart(option_of(part), height=part.height, key=name)


def option_of(part: Chart) -> dict[str, Any]:
    """The chart in the words of ECharts (echarts.apache.org/en/option.html)."""
    told = [visible(each.name) for each in part.series if not _is_edge(each)]
    has_legend, across = len(part.series) > 1, visible(part.across)
    labels = list(dict.fromkeys(visible(x) for each in part.series for x in each.x if isinstance(x, str)))
    axis: dict[str, Any] = {"type": "category", "data": labels} if labels else {"type": "value", "scale": True}
    if part.form in ("lines", "steps"):  # along trades, by their number
        axis |= {"axisPointer": {"label": {"precision": 0}}}
    return {
        "animation": False,
        "grid": {
            "left": 8,
            "right": 16,
            "top": 8 + _LEGEND_PX * has_legend,
            "bottom": 8 + _NAME_PX * bool(across),
            "containLabel": True,
        },
        "legend": {"show": has_legend, "data": told, "top": 0, "left": 0},
        "tooltip": {
            "trigger": "item" if part.form == "points" else "axis",
            "confine": True,
            "valueFormatter": _FORMATS.get(part.unit, "%.2f"),
        },
        "xAxis": axis | {"name": across, "nameLocation": "middle", "nameGap": 26, "splitLine": {"show": False}},
        "yAxis": {"type": "value", "scale": part.form != "bars"},
        "series": list(_bars(part.series) if part.form == "bars" else _drawn(part.series, part.form)),
    }


def _is_edge(each: Series) -> bool:
    """Of a band: what it is filled between is no line of its own."""
    return each.role in ("quiet", "band")


def _bars(series: Sequence[Series]) -> Iterator[dict[str, Any]]:
    for each in series:
        yield _named(each) | {"type": "bar", "stack": "all", "barCategoryGap": "15%", "data": _points(each)}


def _drawn(series: Sequence[Series], form: str) -> Iterator[dict[str, Any]]:
    for before, each in pairwise([None, *series]):
        assert each is not None
        if each.role == "band" and before is not None:
            yield from _filled(before, each)
        told = _named(each) | {"data": _points(each)}
        if form == "points":
            yield told | {"type": "scatter", "symbolSize": 4}
            continue
        width = 0.0 if _is_edge(each) else 1.4
        line = {"type": "line", "showSymbol": False, "lineStyle": {"width": width, "color": COLOURS[each.role]}}
        yield told | line | ({"step": "end"} if form == "steps" else {})


def _filled(low: Series, high: Series) -> Iterator[dict[str, Any]]:
    """Two lines that nobody sees, the second one stacked upon the first and filled down to it."""
    heights = [above - below for below, above in zip(low.y, high.y, strict=True)]
    quiet = {
        "type": "line",
        "showSymbol": False,
        "silent": True,
        "stack": f"{low.name} {high.name}",
        "stackStrategy": "all",
        "lineStyle": {"width": 0},
        "tooltip": {"show": False},
    }
    yield quiet | {"data": _points(low)}
    yield quiet | {"data": _points(high._replace(y=heights)), "areaStyle": {"color": COLOURS["band"], "opacity": 1}}


def _named(each: Series) -> dict[str, Any]:
    return {"name": visible(each.name), "itemStyle": {"color": COLOURS[each.role]}}


def _points(each: Series) -> list[list[Any]]:
    """(n, 2): where, and how much; None where there is no number."""
    places: Sequence[Any] = each.x
    return [
        [visible(x) if isinstance(x, str) else float(x), float(y) if math.isfinite(y) else None]
        for x, y in zip(places, each.y, strict=True)
    ]
