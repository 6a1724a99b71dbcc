"""A report as text: the same sections in a terminal or a file, columns aligned, lines no longer than the window."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, assert_never

import numpy as np

from pipeline.reports.report_document import (
    Calendar,
    Chart,
    Document,
    Fact,
    Facts,
    Heads,
    Line,
    Part,
    Section,
    Series,
    Table,
    seen,
)
from pipeline.reports.report_drawings import short

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_BAR: Final = "█"
_BARS_MOST: Final = 24
"""Bars of a chart in text; more are put together."""

_ROWS_SHOWN: Final = 20
"""Of a long table."""

WIDTH_LEAST: Final = 60


def text_of(document: Document, width: int) -> str:
    """The whole report; no line is wider than `width` columns, 60 at least."""
    width = max(width, WIDTH_LEAST)
    lines = [*_wrapped(document.title, width), *_wrapped(document.subtitle, width)]
    for section in document.sections:
        lines += ["", *_section(section, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _section(section: Section, width: int) -> Iterator[str]:
    title = _cut(seen(section.title).upper(), width)
    yield f"{title} {'─' * max(width - len(title) - 1, 0)}"
    for part in section.parts:
        if not isinstance(part, Line):
            yield ""
        yield from _part(part, width)


def _part(part: Part, width: int) -> Iterator[str]:
    match part:
        case Heads():
            yield from _facts("", part.rows, width)
        case Facts():
            yield from _facts(part.title, part.rows, width)
        case Table():
            yield from _table(part, width)
        case Chart():
            yield _cut(seen(part.title), width)
            yield from (_bars(part, width) if part.form == "bars" else _lines(part, width))
        case Calendar():
            yield _cut(seen(part.title), width)
            yield from _days(part, width)
        case Line():
            yield from _wrapped(f"{'! ' if part.is_warning else ''}{part.text}", width)
        case _:
            assert_never(part)


def _facts(title: str, rows: Sequence[Fact], width: int) -> Iterator[str]:
    if title:
        yield _cut(seen(title), width)
    yield from _columns([[fact.name, fact.value.text, fact.beside] for fact in rows], frozenset({1, 2}), width)


def _table(table: Table, width: int) -> Iterator[str]:
    if table.title:
        yield _cut(seen(table.title), width)
    shown = table.rows[:_ROWS_SHOWN]
    cells: list[list[str]] = [list(table.columns), *([cell.text for cell in row] for row in shown)]
    yield from _columns(cells, table.numbers, width)
    if len(table.rows) > len(shown):
        yield _cut(f"... and {len(table.rows) - len(shown):,} more", width)


def _columns(rows: Sequence[Sequence[str]], numbers: frozenset[int], width: int) -> Iterator[str]:
    """Texts to the left, numbers to the right; the columns that have no room any more are left out."""
    if not rows:
        return
    texts = [[seen(cell) for cell in row] for row in rows]
    most = max(width // 2, 20)
    widths = [min(max(_wide(row[place]) for row in texts), most) for place in range(len(texts[0]))]
    kept = len(widths)
    while kept > 2 and sum(widths[:kept]) + 2 * (kept - 1) > width:
        kept -= 1
    if kept == 2 and sum(widths[:2]) + 2 > width:
        widths[0] = max(width - widths[1] - 2, 8)
    for row in texts:
        cells = [
            _padded(_cut(cell, size), size, is_number=place in numbers)
            for place, (cell, size) in enumerate(zip(row[:kept], widths[:kept], strict=True))
        ]
        yield _cut("  ".join(cells), width)


def _bars(chart: Chart, width: int) -> Iterator[str]:
    """One line for each bar, or for a few neighbours of them."""
    labels = [f"{x:,.2f}" if isinstance(x, float) else str(x) for x in chart.series[0].x]
    counts = np.sum([np.asarray(series.y, dtype=np.float64) for series in chart.series], axis=0)
    step = -(-len(labels) // _BARS_MOST)
    sums = [float(counts[start : start + step].sum()) for start in range(0, len(counts), step)]
    names = [seen(labels[start]) for start in range(0, len(labels), step)]
    first, last = (next(iter(places), 0) for places in (_held(sums), reversed(_held(sums))))
    room = max((_wide(name) for name in names), default=0)
    most = max(sums, default=0.0) or 1.0
    for name, count in list(zip(names, sums, strict=True))[first : last + 1]:
        bar = _BAR * round(count / most * max(width - room - 12, 4))
        yield _cut(f"{_padded(name, room, is_number=True)} {count:>8,.0f}  {bar}", width)


def _held(sums: Sequence[float]) -> list[int]:
    return [place for place, count in enumerate(sums) if count]


def _lines(chart: Chart, width: int) -> Iterator[str]:
    """Each line as blocks of eight heights, with its lowest and highest value."""
    room = max(_wide(seen(series.name)) for series in chart.series)
    values = [each for series in chart.series for each in series.y]
    if not values:
        return
    low, high = min(values), max(values)
    for series in chart.series:
        name = _padded(_cut(seen(series.name), room), room)
        yield _cut(f"{name}  {_blocks(series, max(width - room - 2, 8), low, high)}", width)
    yield _cut(f"{_padded('', room)}  from {low:,.2f} to {high:,.2f} {seen(chart.unit)}", width)


def _blocks(series: Series, room: int, low: float, high: float) -> str:
    values = np.asarray(series.y, dtype=np.float64)
    if not len(values):
        return ""
    places = np.linspace(0, len(values) - 1, min(room, len(values))).astype(np.int64)
    heights = (values[places] - low) / (high - low or 1.0) * (len(_BLOCKS) - 1)
    return "".join(_BLOCKS[int(height)] for height in np.nan_to_num(heights))


def _days(calendar: Calendar, width: int) -> Iterator[str]:
    """A line for each week, from its Monday."""
    weeks: dict[str, dict[int, float]] = {}
    numbers = np.array(list(calendar.days), dtype="datetime64[D]").astype(np.int64)
    for number, value in zip(numbers.tolist(), calendar.values, strict=True):
        weekday = (number + 3) % 7
        weeks.setdefault(str(np.datetime64(number - weekday, "D")), {})[weekday] = value
    rows = [["week of", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "all"]]
    for monday, days in weeks.items():
        cells = [short(days[place]) if place in days else "" for place in range(7)]
        rows.append([monday, *cells, short(sum(days.values()))])
    yield from _columns(rows, frozenset(range(1, 9)), width)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines broken between words, and within one that is longer than a line."""
    lines = [""]
    for word in seen(text).split(" "):
        while _wide(word) > width:
            if lines[-1]:
                lines.append("")
            lines[-1], word = _cut(word, width, mark=""), word[len(_cut(word, width, mark="")) :]  # noqa: PLW2901 - what is left of it
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _wide(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _wide(text: str) -> int:
    """Columns of a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def _cut(text: str, width: int, mark: str = "…") -> str:
    if _wide(text) <= width:
        return text
    kept = ""
    for each in text:
        if _wide(kept + each) > width - len(mark):
            break
        kept += each
    return kept + mark


def _padded(text: str, width: int, *, is_number: bool = False) -> str:
    room = " " * max(width - _wide(text), 0)
    return room + text if is_number else text + room
