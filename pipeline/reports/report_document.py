"""A report as a value: sections of facts, tables and charts, in words, before anybody draws it.

One document is drawn as a page (`reports.report_page`) and as text (`reports.report_text`), so both say the same. Texts here are
as they were recorded, a stranger's words among them: whoever draws makes them harmless.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

Tone = Literal["", "gain", "loss", "quiet"]
Role = Literal["main", "other", "third", "fourth", "fifth", "quiet", "gain", "loss", "band"]


class Cell(NamedTuple):
    """A text, and whether it is good news."""

    text: str
    tone: Tone = ""
    order: float | None = None
    """By which a column is put in order, where that is not the number in the text."""


class Fact(NamedTuple):
    """A number with its name."""

    name: str
    value: Cell
    beside: str = ""
    """An interval, or what else is to be known."""


class Facts(NamedTuple):
    """Names and numbers beneath each other."""

    title: str
    rows: Sequence[Fact]


class Heads(NamedTuple):
    """The few numbers that are looked at first."""

    rows: Sequence[Fact]


class Drawing(NamedTuple):
    """The prices around one trade; times as shares of the width, 0 to 1."""

    times: Sequence[float]
    prices: Sequence[float]
    entry: tuple[float, float]
    """Time and price."""
    exit: tuple[float, float]
    is_long: bool
    stop: float | None = None
    target: float | None = None


class Table(NamedTuple):
    """Rows of texts; what is named in `numbers` stands to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numbers: frozenset[int] = frozenset()
    """Places of the columns that hold numbers."""
    drawings: Sequence[Drawing | None] = ()
    """One for each row, or none at all."""
    is_sortable: bool = False
    is_wide: bool = False
    """It has the whole width for itself."""


class Series(NamedTuple):
    """One line, or one set of bars."""

    name: str
    x: Sequence[float] | Sequence[str]
    """Numbers, or texts: `2026-01-31 15:59:00` is a moment in UTC."""
    y: Sequence[float]
    role: Role = "main"
    """What it is, not how it looks; a band is filled down to the series before it."""


class Chart(NamedTuple):
    """Lines over time, bars, or points."""

    title: str
    series: Sequence[Series]
    form: Literal["lines", "steps", "bars", "points"] = "lines"
    unit: str = ""
    """Of the values."""
    across: str = ""
    """What stands beneath the chart."""
    height: int = 260
    """Pixels."""
    is_filled: bool = False


class Calendar(NamedTuple):
    """A number for each day."""

    title: str
    days: Sequence[str]
    """2026-01-31, ascending."""
    values: Sequence[float]
    words: Sequence[str]
    """What is said of each day."""


class Line(NamedTuple):
    """A sentence."""

    text: str
    is_warning: bool = False


Part = Heads | Facts | Table | Chart | Calendar | Line


class Section(NamedTuple):
    """One part of a report."""

    key: str
    title: str
    parts: Sequence[Part]


class Document(NamedTuple):
    """A whole report."""

    title: str
    subtitle: str
    sections: Sequence[Section]


_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories of what is not seen but does something: controls, marks that turn the writing round, halves of characters."""


def seen(text: str) -> str:
    r"""A stranger's text on one line, with whatever is not seen written out, so that it can't steer a terminal or a page.

    >>> seen("A" + chr(27) + "[2J")
    'A\\x1b[2J'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in _UNSEEN else each for each in text
    )


def amount(value: float | None, text: str) -> Cell:
    """A number that is good news above 0 and bad news below."""
    if value is None or value == 0.0:
        return Cell(text, "quiet" if value is None else "")
    return Cell(text, "gain" if value > 0.0 else "loss")
