"""Reference tables: what the columns of a person's own table are, and its rows as facts.

Columns are found by well-known names, or said as `field=column` words: `symbol=ticker float_shares=float`. Numbers may be
written `12.5M`, `1,234,567` or `$4.10`; an empty cell says nothing, and nothing is not zero.
"""

import math
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from pipeline.errors import ConfigError, UnitError
from pipeline.instruments import meant_symbol
from pipeline.names import did_you_mean
from pipeline.normalize.reference import FIELDS, FLAG, IPO, SHARES_VENUE, SPLIT_RATIO, Fact, new_york_ns, spec_of
from pipeline.units import ABSENT, NANO, checked_ts

SYMBOL, AS_OF, KNOWN_AT, SPLIT_DAY, VENUE = "symbol", "as_of", "known_at", "split_day", "venue"
_OTHERS: Final = (SYMBOL, AS_OF, KNOWN_AT, SPLIT_DAY, VENUE)

_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    SYMBOL: ("symbol", "ticker"),
    VENUE: ("venue",),
    AS_OF: ("as_of", "asof", "date", "day"),
    KNOWN_AT: ("known_at",),
    SPLIT_DAY: ("split_day", "split_date", "ex_date"),
    "float_shares": ("float_shares", "float", "free_float", "shares_float", "public_float"),
    "shares_outstanding": ("shares_outstanding", "shares", "shares_out", "outstanding"),
    "market_cap": ("market_cap", "marketcap", "mkt_cap"),
    "previous_close": ("previous_close", "prev_close", "prevclose", "previousclose"),
    "average_daily_volume": ("average_daily_volume", "average_volume", "avg_volume", "adv", "avg_vol"),
    "atr14": ("atr14", "atr_14", "atr"),
    SPLIT_RATIO: ("split_ratio", "split"),
    "short_interest": ("short_interest",),
    "days_to_cover": ("days_to_cover", "short_ratio"),
    "short_volume": ("short_volume",),
    "shortable": ("shortable",),
    "easy_to_borrow": ("easy_to_borrow", "etb"),
    "locate_fee": ("locate_fee",),
    "prior_runner": ("prior_runner",),
    "is_active": ("is_active", "active"),
    "sector": ("sector",),
    "industry": ("industry",),
    "theme": ("theme",),
    "exchange": ("exchange", "mic", "primary_exchange"),
    "security_type": ("security_type", "type", "kind"),
    "name": ("name", "company", "company_name"),
    "country": ("country",),
    "tier": ("tier",),
    "catalyst": ("catalyst",),
    IPO: ("ipo", "list_date", "ipo_date", "listing_date"),
}

_SCALES: Final = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000, "T": 1_000_000_000_000}
_NUMBER: Final = re.compile(r"\$?([+-]?[\d,]*\.?\d+(?:[eE][+-]?\d+)?)\s*([KMBT]?)", re.ASCII | re.IGNORECASE)
_RATIO: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?::|-?for-?|/)\s*(\d+(?:\.\d+)?)", re.ASCII)
_FLAGS: Final = {"true": 1.0, "yes": 1.0, "y": 1.0, "false": 0.0, "no": 0.0, "n": 0.0}
_TEXT_MAX: Final = 200


def columns_of(names: Sequence[str], mapping: str = "") -> dict[str, str]:
    """The column of each field that a table has. Raises ConfigError for words that fit nothing, UnitError without a symbol.

    >>> columns_of(["ticker", "price", "float"])
    {'symbol': 'ticker', 'float_shares': 'float'}
    """
    columns = said_columns(names, mapping, _SPELLINGS)
    columns |= {name: name for name in names if name not in columns and spec_of(name) and name not in FIELDS}
    if SYMBOL not in columns:
        raise UnitError(f"no column for the symbol among {', '.join(names)[:_TEXT_MAX]}; say symbol=COLUMN")
    if not columns.keys() - set(_OTHERS):
        raise UnitError(
            f"no column that says something about a symbol among {', '.join(names)[:_TEXT_MAX]}; "
            f"say FIELD=COLUMN, fields are {', '.join(FIELDS)}"
        )
    return columns


def said_columns(names: Sequence[str], mapping: str, spellings: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The column of each field, as the mapping says, else by its spellings. Raises ConfigError for words that fit nothing."""
    said = _said(mapping, spellings)
    if strange := sorted(set(said.values()) - set(names)):
        raise ConfigError(f"mapping: no column {strange[0]!r}; there are {', '.join(names)[:_TEXT_MAX]}")
    by_lower = {name.lower().strip().replace(" ", "_"): name for name in reversed(names)}
    found = {field: said.get(field) or _first(spelt, by_lower) for field, spelt in spellings.items()}
    return {field: name for field, name in found.items() if name}


def _said(mapping: str, fields: Collection[str]) -> dict[str, str]:
    try:
        words = shlex.split(mapping)
    except ValueError as error:
        raise ConfigError(f"mapping: {error}") from None
    said = {}
    for word in words:
        field, separator, column = word.partition("=")
        if not separator:
            raise ConfigError(f"mapping: {word!r} is not field=column")
        if field not in fields:
            hint = did_you_mean(field, fields) or f"; accepted are {', '.join(fields)}"
            raise ConfigError(f"mapping: unknown field {field!r}{hint}")
        said[field] = column
    return said


def _first(spellings: Sequence[str], by_lower: Mapping[str, str]) -> str:
    return next((by_lower[spelling] for spelling in spellings if spelling in by_lower), "")


def facts_of_row(
    cells: Mapping[str, str], *, provider: str, as_of_ns: int, known_at_ns: int, venue: str = SHARES_VENUE
) -> list[Fact]:
    """The facts of one row.

        cells         by field, '' where the table says nothing
        as_of_ns      where the row has no date of its own; ABSENT: the moment it became known
        known_at_ns   where the row does not say

    Raises UnitError naming the cell that can't be read.
    """
    symbol = meant_symbol(cells[SYMBOL])
    known_ns = _moment_ns(cells.get(KNOWN_AT, ""), known_at_ns)
    of_ns = _moment_ns(cells.get(AS_OF, ""), known_ns if as_of_ns == ABSENT else as_of_ns)
    facts = []
    for field, cell in cells.items():
        if field in _OTHERS or not cell:
            continue
        value, text = _said_in(field, cell)
        day = {SPLIT_RATIO: cells.get(SPLIT_DAY, ""), IPO: cell}.get(field, "")
        day_ns = _moment_ns(day, of_ns)
        facts.append(Fact(symbol, cells.get(VENUE, "") or venue, field, value, text, known_ns, day_ns, provider))
    return facts


def moment_of(text: str) -> int:
    """UTC nanoseconds of `2026-11-20` (midnight in New York) or of a moment with its offset. Raises UnitError."""
    try:
        if len(text) == len("2026-11-20"):
            return checked_ts(new_york_ns(date.fromisoformat(text)))
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UnitError(f"{text[:40]!r} is no date like 2026-11-20 and no moment like 2026-11-20T13:00:00Z") from None
    if moment.tzinfo is None:
        raise UnitError(f"{text[:40]!r}: write the offset of a moment, e.g. 2026-11-20T13:00:00Z")
    return checked_ts(int(moment.replace(microsecond=0).timestamp()) * NANO + moment.microsecond * 1_000)


def _moment_ns(text: str, otherwise_ns: int) -> int:
    return moment_of(text) if text else otherwise_ns


def _said_in(field: str, cell: str) -> tuple[float, str]:
    spec = spec_of(field)
    assert spec is not None, field
    if spec.is_text:
        return math.nan, cell[:_TEXT_MAX]
    if field == SPLIT_RATIO and (ratio := _RATIO.fullmatch(cell)):
        new, old = float(ratio[1]), float(ratio[2])
        if not new or not old:
            raise UnitError(f"{field}: {cell[:40]!r} has a zero")
        return new / old, ""
    return number_of(cell, field), ""


def number_of(cell: str, field: str) -> float:
    """The number that a cell says. Raises UnitError.

    >>> number_of("12.5M", "float_shares")
    12500000.0
    """
    spec = spec_of(field)
    if spec is not None and spec.unit == FLAG and (flag := _FLAGS.get(cell.lower())) is not None:
        return flag
    match = _NUMBER.fullmatch(cell)
    try:
        number = float(Decimal(match[1].replace(",", "")) * _SCALES[match[2].upper()]) if match else math.nan
    except InvalidOperation:
        number = math.nan
    if not math.isfinite(number):
        raise UnitError(f"{field}: {cell[:40]!r} is no number; accepted are 1234567, 1,234,567, 12.5M and $4.10")
    if number < 0 or (field == SPLIT_RATIO and not number):
        raise UnitError(f"{field}: {cell[:40]!r} is not above zero")
    return number
