"""Small pictures in a page: the prices around a trade as SVG, a bar as wide as a share, a calendar of months."""

from collections.abc import Sequence
from datetime import date
from html import escape
from itertools import groupby
from typing import Final

from pipeline.reports.report_document import Calendar, Drawing, seen

WIDTH: Final = 160
HEIGHT: Final = 36
_EDGE: Final = 4
_MARK: Final = 3.5
_WEEK: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_TINT_LEAST: Final = 10
_TINT_MOST: Final = 62
"""Percent of the colour that the largest day has."""


def svg_of(drawing: Drawing) -> str:
    """The line of prices, the stretch in which it was held, entry and exit as marks, stop and target as dashes."""
    levels = [each for each in (drawing.stop, drawing.target) if each is not None]
    shown = [*drawing.prices, drawing.entry[1], drawing.exit[1]]
    low, high = min(shown), max(shown)
    room = max(high - low, abs(high) * 1e-6, 1e-9)
    levels = [each for each in levels if low - room <= each <= high + room]  # farther ones would make a flat line of it
    low, high = min([low, *levels]), max([high, *levels])

    def place(time: float, price: float) -> tuple[float, float]:
        up = (price - low) / max(high - low, room * 1e-3)
        return _EDGE + time * (WIDTH - 2 * _EDGE), HEIGHT - _EDGE - up * (HEIGHT - 2 * _EDGE)

    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, drawing.times, drawing.prices))
    (entry_x, entry_y), (exit_x, exit_y) = place(*drawing.entry), place(*drawing.exit)
    dashes = "".join(
        f'<line class="{name}" x1="{entry_x:.1f}" x2="{exit_x:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for name, level in (("stop", drawing.stop), ("target", drawing.target))
        if level in levels and level is not None
        for _, y in [place(0.0, level)]
    )
    return (
        f'<svg class="small" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">'
        f'<rect class="held" x="{entry_x:.1f}" y="0" width="{max(exit_x - entry_x, 0.5):.1f}" height="{HEIGHT}"/>'
        f'{dashes}<polyline points="{points}"/>'
        f"{_triangle('entry', entry_x, entry_y, is_up=drawing.is_long)}"
        f"{_triangle('exit', exit_x, exit_y, is_up=not drawing.is_long)}</svg>"
    )


def _triangle(name: str, x: float, y: float, *, is_up: bool) -> str:
    """Pointing up where it was bought."""
    base = _MARK if is_up else -_MARK
    return f'<path class="{name}" d="M{x:.1f} {y - base:.1f}L{x - _MARK:.1f} {y + base:.1f}L{x + _MARK:.1f} {y + base:.1f}Z"/>'


def calendar_of(calendar: Calendar) -> str:
    """Months beneath and beside each other, each day in the colour of its number."""
    most = max((abs(value) for value in calendar.values), default=0.0) or 1.0
    told = list(zip((date.fromisoformat(day) for day in calendar.days), calendar.values, calendar.words, strict=True))
    months = [list(days) for _, days in groupby(told, key=lambda each: (each[0].year, each[0].month))]
    return f'<div class="months">{"".join(_month(days, most) for days in months)}</div>'


def _month(days: Sequence[tuple[date, float, str]], most: float) -> str:
    first = days[0][0].replace(day=1)
    total = sum(value for _, value, _ in days)
    known = {day.day: (value, words) for day, value, words in days}
    cells = [f"<th>{name}</th>" for name in _WEEK] + ["<td></td>"] * first.weekday()
    for number in range(1, _days_in(first) + 1):
        cells.append(_day(number, *known[number], most) if number in known else f"<td><i>{number}</i></td>")
    cells += ["<td></td>"] * (-len(cells) % 7)
    rows = "".join(f"<tr>{''.join(cells[start : start + 7])}</tr>" for start in range(0, len(cells), 7))
    tone = "gain" if total > 0.0 else "loss" if total < 0.0 else ""
    head = f'<caption>{first:%B %Y}<b class="{tone}">{short(total)}</b></caption>'
    return f'<table class="month">{head}{rows}</table>'


def _day(number: int, value: float, words: str, most: float) -> str:
    tint = round(_TINT_LEAST + (_TINT_MOST - _TINT_LEAST) * abs(value) / most) if value else 0
    name = "gain" if value > 0.0 else "loss"
    style = f"background:color-mix(in srgb,var(--{name}) {tint}%,transparent)"
    return f'<td style="{style}" title="{escape(seen(words))}"><i>{number}</i><b>{short(value)}</b></td>'


def _days_in(first: date) -> int:
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return (following - first).days


def short(value: float) -> str:
    """Money in four characters or so.

    >>> short(12.4), short(-1_250), short(3_456_789), short(0.25)
    ('+12', '-1.2k', '+3.5M', '+0.25')
    """
    size = abs(value)
    if size < 9.995:
        return f"{value:+.2f}"
    for least, word in ((999_500, "M"), (999.5, "k")):
        if size >= least:
            scaled = value / (1e6 if word == "M" else 1e3)
            return f"{scaled:+.1f}{word}" if abs(scaled) < 99.95 else f"{scaled:+.0f}{word}"
    return f"{value:+.0f}"
