"""Words: texts of the log as pages may show them. A symbol, a reason or a note is a stranger's, and never becomes markup."""

from datetime import timedelta
from typing import Final

from pipeline.names import printable

_MARKUP: Final = frozenset("\\`*_{}[]()<>#+-.!|~$:&^=/@\"'")


def plain(text: object) -> str:
    r"""The text as Markdown that shows it letter for letter: no link, no picture, no colour, no formula comes of it.

    >>> plain("*up* ![](http://x)")
    '\\*up\\* \\!\\[\\]\\(http\\:\\/\\/x\\)'
    """
    return "".join("\\" + each if each in _MARKUP else each for each in visible(text))


def visible(text: object) -> str:
    """The text on one line, with what is not seen (controls, marks that turn the writing round) shown as such."""
    return printable(str(text))


def clock_of(zone: str) -> str:
    """A zone as people say it.

    >>> clock_of("America/New_York"), clock_of("UTC")
    ('New York', 'UTC')
    """
    return zone.rpartition("/")[2].replace("_", " ")


def span(seconds: float | None) -> str:
    """A stretch of time as people say it.

    >>> span(9000.4), span(75), span(0.0123), span(None)
    ('2 h 30 min', '1 min 15 s', '12.3 ms', '-')
    """
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:,.3g} ms"
    if seconds < 60:
        return f"{seconds:,.3g} s"
    whole = timedelta(seconds=round(seconds))
    hours, rest = divmod(whole.seconds, 3600)
    parts = [(whole.days, "d"), (hours, "h"), (rest // 60, "min"), (rest % 60, "s")]
    told = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(told[:2])
