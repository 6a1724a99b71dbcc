"""List lines: the file of a list of symbols, a symbol a line, with the day or the moments between which it holds.

ABCD                                                        always
2026-11-04,ABCD                                             on that day
2026-11-04T13:12:00Z,ABCD                                   from that moment to the end of its day
2026-11-04T13:12:00Z..2026-11-04T14:30:00Z,ABCD             until another, exclusive
"""

import re
from datetime import date
from typing import Final, NamedTuple

from pipeline.errors import ConfigError, UnitError
from pipeline.instruments import spelling_meant
from pipeline.normalize.moments import ns_of_text
from pipeline.scanner.clocks import trading_day
from pipeline.scanner.definition import Stay
from pipeline.units import iso_from_ns

_DATED: Final = re.compile(r"(\d{4}-\d{2}-\d{2})\s*,\s*(\S+)")
_TIMED: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T[^\s,]*?)(?:\.\.([^\s,]+))?\s*,\s*(\S+)")
_EPOCH: Final = date(1970, 1, 1)


class Lines(NamedTuple):
    """What the lines say: symbols of every day, those of dated days by number of days since 1970, and stays."""

    always: tuple[str, ...]
    by_day: dict[int, tuple[str, ...]]
    stays: tuple[Stay, ...]


def lines_from(text: str, place: str, calendar: int) -> Lines:
    """The lines of a text. Raises ConfigError naming place, line and what is accepted."""
    always: list[str] = []
    dated: dict[int, list[str]] = {}
    stays: list[Stay] = []
    for number, line in enumerate(text.splitlines(), 1):
        said, where = line.partition("#")[0].strip(), f"{place}: line {number}"
        if match := _TIMED.fullmatch(said):
            stays.append(_stay(match[1], match[2], match[3], calendar, where))
        elif match := _DATED.fullmatch(said):
            dated.setdefault(_day(match[1], where), []).append(spelling_meant(match[2]))
        elif said and not re.search(r"[\s,]", said):
            always.append(spelling_meant(said))
        elif said:
            raise ConfigError(f"{where}: {said[:40]!r}: write SYMBOL, 2026-11-04,SYMBOL or 2026-11-04T13:12:00Z,SYMBOL")
    return Lines(tuple(always), {day: tuple(dict.fromkeys(symbols)) for day, symbols in dated.items()}, tuple(stays))


def line_of(stay: Stay) -> str:
    """The line that says a stay."""
    return f"{iso_from_ns(stay.from_ns)}..{iso_from_ns(stay.until_ns)},{stay.symbol}"


def _stay(first: str, last: str | None, symbol: str, calendar: int, where: str) -> Stay:
    try:
        from_ns = ns_of_text(first)
        until_ns = trading_day(calendar, from_ns).ends_ns if last is None else ns_of_text(last)
    except UnitError as error:
        raise ConfigError(f"{where}: {error}") from None
    if until_ns <= from_ns:
        raise ConfigError(f"{where}: {last} is no later than {first}")
    return Stay(symbol, from_ns, until_ns)


def _day(text: str, where: str) -> int:
    try:
        return (date.fromisoformat(text) - _EPOCH).days
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
