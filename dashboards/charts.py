"""Charts: what is drawn, as plain columns, handed to lightweight-charts in the browser.

The library and the lines that feed it (`chart.js`) are served from here, so that charts are drawn without a network.
A chart has series on panes that share one axis of time, stretches of time behind them (`Band`), marks at moments
(`Point`) and levels (`Level`). How many points there are is decided by the statement that makes them, see `figures`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboards.words import visible

Colour = Literal["main", "up", "down", "text", "faint", "vwap", "volume", "teal", "violet", "pink", "olive"]

_PIECE: Final = '<div class="box"></div>'
_STYLE: Final = """
.box { position: relative; width: 100%; }
.legend { position: absolute; z-index: 3; left: 6px; right: 70px; font: 11px var(--st-font, sans-serif);
  font-variant-numeric: tabular-nums; white-space: pre-wrap; color: var(--st-text-color); opacity: 0.85; pointer-events: none; }
"""
_drawn = st.components.v2.component(
    "tape_chart", html=_PIECE, css=_STYLE, js=Path(__file__).with_name("chart.js").read_text(encoding="utf-8")
)


class Series(NamedTuple):
    """One thing that is drawn. Columns by what they are: `time` in s UTC, then what the sort of series needs.

    candles: open, high, low, close; bars, line: value; ribbon: low, high. Null where there is none.
    """

    sort: Literal["candles", "bars", "line", "ribbon"]
    name: str
    columns: Mapping[str, list[Any]]
    pane: int = 0
    colour: Colour = "main"
    is_stepped: bool = False
    is_count: bool = False
    """Whole numbers, told without decimals."""


class Band(NamedTuple):
    """A stretch of time that is shaded, s UTC."""

    from_s: float
    to_s: float
    kind: str
    """premarket, after_hours, night, halt, gap, mute, held."""
    label: str = ""


class Point(NamedTuple):
    """An execution, marked at a moment that has a point, s UTC, and at its price."""

    time_s: float
    kind: Literal["buy", "sell"]
    quantity: float
    price: float


class Level(NamedTuple):
    """A dashed line across."""

    price: float
    title: str
    colour: Colour = "faint"


def chart(
    name: str,
    series: Sequence[Series],
    *,
    zone: str = "UTC",
    height: int = 360,
    panes: Sequence[int] = (1,),
    step_s: int | None = None,
    shown_s: tuple[float, float] | None = None,
    bands: Sequence[Band] = (),
    points: Sequence[Point] = (),
    levels: Sequence[Level] = (),
    is_following: bool = False,
    is_small: bool = False,
) -> None:
    """Draw a chart. What has the same name and the same series is changed in place, where the reader left it.

    zone       by whose clock moments are told
    panes      how high they are beside each other
    step_s     moments of this grid have a place on the axis though nothing happened
    shown_s    what is seen first; all of it otherwise
    is_small   without the mark of who made the library, which stands in the page's menu
    """
    told = {
        "name": name,
        "zone": zone,
        "height": height,
        "panes": list(panes),
        "step": step_s,
        "shown": list(shown_s) if shown_s else None,
        "follows": is_following,
        "small": is_small,
        "series": [_series(each) for each in series],
        "bands": [
            {"from": each.from_s, "to": each.to_s, "kind": each.kind, "label": visible(each.label)} for each in bands
        ],
        "marks": [_mark(each) for each in sorted(points)],
        "prices": [{"price": each.price, "title": visible(each.title), "colour": each.colour} for each in levels],
    }
    _drawn(data=told, key=f"chart-{name}", height=height)


def columns(table: pa.Table, *names: str) -> dict[str, list[Any]]:
    """Columns of a table for a series; NaN and infinities, which JSON has not, become null."""
    found = {}
    for name in ("time", *names):
        column = table[name]
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_finite(column), column, None)
        found[name] = column.to_pylist()
    return found


def _series(each: Series) -> dict[str, Any]:
    prices = [value for name in ("close", "value", "high") for value in each.columns.get(name, ())[-1:] if value]
    digits = 4 if prices and abs(prices[0]) < 1 else 2
    return {
        "type": each.sort,
        "name": visible(each.name),
        "pane": each.pane,
        "colour": each.colour,
        "steps": each.is_stepped,
        "precision": 0 if each.is_count else digits,
        **each.columns,
    }


def _mark(each: Point) -> dict[str, Any]:
    return {"time": each.time_s, "kind": each.kind, "text": f"{each.quantity:,.10g}", "price": each.price}
