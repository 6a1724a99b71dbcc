"""Picks: which symbols a person's own list names on which day, as facts.

A list is a statement, not an evaluation: no filter passed or refused anything, so it is no candidate. A pick is a fact like
any other: the day it is for, the moment from which it could be acted on, a score when the list has one.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from pipeline.errors import UnitError
from pipeline.hours import PREMARKET_MINUTE
from pipeline.instruments import meant_symbol
from pipeline.normalize.reference import SHARES_VENUE, Fact, new_york_ns
from pipeline.normalize.reference_tables import moment_of, number_of, said_columns

_DATED: Final = re.compile(r"\d{4}-", re.ASCII)

PICKED: Final = "picked"
"""The field of a pick; `text` is its day, `value` its score."""

_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "day": ("day", "date"),
    "symbol": ("symbol", "ticker"),
    "time": ("time", "picked_at", "at"),
    "score": ("score", "rank"),
}


def pick_columns_of(names: Sequence[str], mapping: str = "") -> dict[str, str]:
    """The columns of a list. Raises ConfigError for words that fit nothing, UnitError without a day or a symbol.

    >>> pick_columns_of(["Date", "Ticker", "note"])
    {'day': 'Date', 'symbol': 'Ticker'}
    """
    columns = said_columns(names, mapping, _SPELLINGS)
    for needed in ("day", "symbol"):
        if needed not in columns:
            raise UnitError(f"no column for the {needed} among {', '.join(names)[:200]}; say {needed}=COLUMN")
    return columns


def pick_of_row(cells: Mapping[str, str], *, provider: str, venue: str = SHARES_VENUE) -> Fact:
    """One row of a list, by field. Raises UnitError naming the cell that can't be read.

    A time without an offset is by the clocks of New York; without any time the pick is of 4:00, when premarket begins.
    """
    try:
        day = date.fromisoformat(cells["day"])
    except ValueError:
        raise UnitError(f"day: {cells['day'][:40]!r} is no date like 2026-11-20") from None
    score = cells.get("score", "")
    value = number_of(score, "score") if score else math.nan
    picked_ns = _picked_ns(day, cells.get("time", ""))
    symbol = meant_symbol(cells["symbol"])
    return Fact(symbol, venue, PICKED, value, day.isoformat(), picked_ns, new_york_ns(day), provider)


def _picked_ns(day: date, text: str) -> int:
    if not text:
        return new_york_ns(day, PREMARKET_MINUTE * 60)
    try:
        moment = datetime.fromisoformat(text if _DATED.match(text) else f"{day}T{text}")
    except ValueError:
        raise UnitError(f"time: {text[:40]!r} is no time like 08:12 and no moment like 2026-11-20T13:12:00Z") from None
    if moment.tzinfo is not None:
        return moment_of(moment.isoformat())
    second = moment.hour * 3_600 + moment.minute * 60 + moment.second
    return new_york_ns(moment.date(), second) + moment.microsecond * 1_000
