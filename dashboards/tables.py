"""Tables: rows with one look for all pages. Numbers stand right, with as many digits as they need; times by one clock.

A table is drawn on a canvas: whatever stands in a cell is text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboards.words import clock_of, plain, visible

_ROW_HEIGHT: Final = 26
_HEAD: Final = 34
"""Of a table, with its borders."""
_COLOURED_MAX: Final = 4_000
"""Cells of a table; of more none is coloured, for every cell of it then takes a twentieth of a millisecond."""

_TEXTS: Final[dict[str, Literal["left", "right"]]] = {"text": "left", "number": "right"}
_MOMENTS: Final = {"time": "YYYY-MM-DD HH:mm:ss", "clock": "HH:mm:ss.SSS"}


Width = Literal["small", "medium", "large"] | int | None


class Column(NamedTuple):
    """How a column is told."""

    label: str
    form: str = "text"
    """text, number (a text of digits), count, time, clock (without the day), day, yes, or a number's form such as %,.2f."""
    help: str | None = None
    is_signed: bool = False
    """A gain is green, a loss red."""
    width: Width = None


class Pick(NamedTuple):
    """Rows that can be chosen."""

    ids: Sequence[str]
    """What each row is called."""
    current: str | None
    """The one that is looked at."""
    chosen: Callable[[str], None]
    """What to do with another."""


def height_of(rows: int) -> int:
    """Pixels of a table that shows so many rows whole, at least one."""
    return _HEAD + _ROW_HEIGHT * max(rows, 1)


def table(
    name: str,
    rows: pa.Table,
    columns: Mapping[str, Column],
    *,
    zone: str = "UTC",
    height: int | None = None,
    pick: Pick | None = None,
    absent: str = "No row.",
    tones: Mapping[str, Sequence[float]] | None = None,
    on: Any = st,
) -> None:
    """Show these columns of rows, in this order. A moment is told by the clock of `zone`, which stands in its column's head.

    height      pixels; else as high as its rows, up to 15 of them
    pick        when rows can be chosen
    absent      what is said where there is no row
    tones       of texts, cell by cell: above 0 good news, below it bad
    on          where on the page
    """
    if not len(rows):
        on.caption(plain(absent))
        return
    shown = rows.select([each for each in columns if each in rows.column_names])
    shown = pa.table({each: _plain(shown[each], columns[each]) for each in shown.column_names})
    on.dataframe(
        _coloured(shown, columns, tones),
        hide_index=True,
        height=height or height_of(min(len(rows), 15)),
        row_height=_ROW_HEIGHT,
        placeholder="",
        column_config={each: _config(columns[each], zone) for each in shown.column_names},
        **_picking(name, pick) if pick else {},
    )


def _picking(name: str, pick: Pick) -> dict[str, Any]:
    """A table stays as it is, scrolled and sorted, while rows are chosen in it; what was chosen elsewhere makes it anew."""
    here = f"picked-{name}"
    is_own = st.session_state.get(here, pick.current) == pick.current
    key = f"table-{name}" if is_own else f"table-{name}-{pick.current}"

    def chosen() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows and rows[0] < len(pick.ids):
            st.session_state[here] = pick.ids[rows[0]]
            pick.chosen(pick.ids[rows[0]])

    options: dict[str, Any] = {"on_select": chosen, "selection_mode": "single-row-required", "key": key}
    if pick.current in pick.ids:
        options["selection_default"] = {"selection": {"rows": [pick.ids.index(pick.current)]}}
    return options


def _plain(column: pa.ChunkedArray, how: Column) -> pa.ChunkedArray:
    """As the table takes it: moments to the millisecond, integers that a browser holds."""
    if how.form in _MOMENTS and pa.types.is_timestamp(column.type):
        return pc.cast(column, pa.timestamp("ms", "UTC"), safe=False)
    return column


def _config(how: Column, zone: str) -> Any:
    of = st.column_config
    if how.form in _TEXTS:
        return of.TextColumn(how.label, help=how.help, width=how.width, alignment=_TEXTS[how.form])
    if how.form in _MOMENTS:
        head = f"{how.label}, {clock_of(zone)}"
        return of.DatetimeColumn(head, format=_MOMENTS[how.form], timezone=zone, help=how.help, width=how.width)
    if how.form == "day":
        return of.DateColumn(how.label, format="YYYY-MM-DD", help=how.help, width=how.width)
    if how.form == "yes":
        return of.CheckboxColumn(how.label, help=how.help, width=how.width)
    return of.NumberColumn(how.label, format="%,d" if how.form == "count" else how.form, help=how.help, width=how.width)


def _coloured(rows: pa.Table, columns: Mapping[str, Column], tones: Mapping[str, Sequence[float]] | None) -> Any:
    signed = [each for each in rows.column_names if columns[each].is_signed]
    if rows.num_rows * rows.num_columns > _COLOURED_MAX or not (signed or tones):
        return rows
    styled = rows.to_pandas().style
    if signed:
        styled = styled.map(_sign, subset=signed)
    for name, told in (tones or {}).items():
        colours = [_sign(each) for each in told]
        styled = styled.apply(lambda _, colours=colours: colours, subset=[name])
    return styled


def _sign(value: Any) -> str:
    if not isinstance(value, int | float) or value == 0 or value != value:  # noqa: PLR0124 - NaN differs from itself
        return ""
    return "color: #1f9d73" if value > 0 else "color: #d9534c"


def answer_table(name: str, rows: pa.Table) -> None:
    """Rows of any columns, as a statement answered them (`questions.shown`)."""
    st.dataframe(
        rows,
        hide_index=True,
        height=height_of(min(len(rows), 20)),
        row_height=_ROW_HEIGHT,
        placeholder="",
        key=name,
    )


def facts(title: str, told: Sequence[tuple[str, object]], on: Any = st) -> None:
    """Names and values below each other, under a title, as a small table."""
    rows = pa.table({"what": [name for name, _ in told], "is": [visible(value) for _, value in told]})
    on.dataframe(
        rows,
        hide_index=True,
        height=height_of(len(told)),
        row_height=_ROW_HEIGHT,
        column_config={
            "what": st.column_config.TextColumn(visible(title), width="small"),
            "is": st.column_config.TextColumn("", width="large"),
        },
    )
