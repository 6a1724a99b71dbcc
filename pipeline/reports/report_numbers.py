"""Numbers as people read them: money, shares of a whole, R, times; the same words in the terminal and in a report."""

from datetime import UTC, datetime
from typing import Final

from pipeline.reports.metrics import Figure
from pipeline.units import NANO

WHOLE_FROM: Final = 10_000
"""Money from here on is told without cents."""


def said(value: float, unit: str) -> str:
    """A number with its unit.

    >>> said(0.125, "fraction"), said(90, "s"), said(12345.6, "money"), said(-1.5, "R")
    ('12.50%', '1m 30s', '12,346', '-1.50R')
    """
    if unit == "fraction":
        return f"{100.0 * value:,.2f}%"
    if unit == "s":
        return duration(value)
    if unit in {"trades", "count"}:
        return f"{value:,.0f}"
    if unit == "money" and abs(value) >= WHOLE_FROM:
        return f"{value:,.0f}"
    return f"{value:,.2f}R" if unit == "R" else f"{value:,.2f}"


def value_of(figure: Figure) -> str:
    """A figure's value, or why it has none."""
    return figure.absent if figure.value is None else said(figure.value, figure.unit)


def short(figure: Figure) -> str:
    """A figure's value, or a dash."""
    return "-" if figure.value is None else said(figure.value, figure.unit)


def interval(figure: Figure) -> str:
    """Where it lies; an end that nothing bounds is left open, and what has no interval says nothing."""
    if figure.low is None and figure.high is None:
        return ""
    low, high = ("..." if end is None else said(end, figure.unit) for end in (figure.low, figure.high))
    return f"{low} to {high}"


def duration(seconds: float) -> str:
    """The two largest parts of a time.

    >>> duration(0.25), duration(3_700), duration(180_000)
    ('0.25s', '1h 1m', '2d 2h')
    """
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    told = [f"{count}{unit}" for count, unit in parts if count]
    return " ".join(told[:2])


def price(value: float) -> str:
    """A price, with as many places as one of its size needs: those of one column stand beneath each other.

    >>> price(12.5), price(0.0312), price(4321.05)
    ('12.5000', '0.031200', '4,321.05')
    """
    size = abs(value)
    return f"{value:,.2f}" if size >= 1_000.0 else f"{value:.4f}" if size >= 1.0 else f"{value:.6f}"


def moment(ts_ns: int) -> str:
    """UTC, to the second.

    >>> moment(1_700_000_000_000_000_000)
    '2023-11-14 22:13:20'
    """
    return f"{datetime.fromtimestamp(ts_ns // NANO, UTC):%Y-%m-%d %H:%M:%S}"
